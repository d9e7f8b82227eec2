"""Quantities in a text: figures with their units in one measure, and which bound they are. `30 days` is `三十日`, `2 weeks` is `14 天`.

A period (weekly, per shift, 每季度) is the quantity of one such unit. What has no unit is a bare figure.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ingest.tokens import chinese_number, fold
from serve.bounds import bound
from serve.units import CASED, UNITS

HAN = "零〇一二两三四五六七八九十百千"
COUNTERS = "次个份件人名位条项页台套倍种级行册"  # they count; what is counted is in the words
WORDS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
                                     " sixteen seventeen eighteen nineteen twenty".split())} | {
     "thirty": 30, "dozen": 12, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100, "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "twice": 2, "half": 0.5, "double": 2,
}  # fmt: skip
RANK = "rank"  # the dimension of ordinals: the second is not two
RANKS = frozenset("first second third fourth fifth sixth seventh eighth ninth tenth".split())
NUMBERED = "(?=$|[前后起止到至之以内及开付交，。；、,.;)） ])"  # 每月五号前; 一号章 and 三号泵 are no days


def _pattern(unit: str) -> str:
    return re.escape(unit) + (NUMBERED if unit == "号" else "")


_LETTERS = sorted((u for u in UNITS if u[0].isascii() and (u[0].isalpha())), key=len, reverse=True)
_OTHERS = sorted((u for u in UNITS if u not in _LETTERS), key=len, reverse=True)
UNIT = (
    rf"(?:{'|'.join(map(_pattern, _OTHERS))}|(?:{'|'.join(map(re.escape, _LETTERS))})(?![A-Za-z0-9³/])"
    r"|[A-Za-zµμ]+/[A-Za-zµμ³]+(?![A-Za-z0-9]))"
)
FIGURE = r"(?<![A-Za-z0-9_.])(?<![A-Za-z]-)[-+]?\d+(?:,\d{3})+(?:\.\d+)?(?!\d)|(?<![A-Za-z0-9_.])(?<![A-Za-z]-)[-+]?\d+(?:\.\d+)*"
PARTS_OF_DAY = {"上午": 0, "早上": 0, "凌晨": 0, "下午": 12, "晚上": 12, "傍晚": 12, "夜里": 12, "晚": 12, "morning": 0, "afternoon": 12,
                "evening": 12}  # fmt: skip
_PART_OF_DAY = "上午|早上|凌晨|中午|下午|晚上|傍晚|夜里|晚"
CLOCK = re.compile(
    r"(?<![\d:])(?P<hour>\d{1,2})[:：](?P<minute>[0-5]\d)(?![\d:])(?!\s*[ap]\.?m\b)"
    r"|(?<![\d:])(?P<h12>\d{1,2})(?:[.:：](?P<m12>[0-5]\d))?\s*(?P<half>[ap])\.?m\b\.?"
    rf"|(?P<part>{_PART_OF_DAY})?(?<![个几一每第差])(?P<said>\d{{1,2}}|[{HAN}]{{1,3}})点"
    rf"(?:(?P<and_half>半)|(?P<past>\d{{1,2}}|[{HAN}]{{2,3}}|[{HAN}](?=分))分?)?(?![钟以\d{HAN}点])"
    r"|\b(?P<spelled>\w+)(?: o'clock)? in the (?P<part_en>morning|afternoon|evening)\b|\b(?P<twelve>noon|midnight)\b"
    rf"|(?P<part_w>{_PART_OF_DAY})?(?<![\d小])(?P<written>\d{{1,2}})时(?:(?P<m_written>\d{{1,2}})分)?(?![间长效段期候常速差])",
    re.I,
)
TEN_DAYS = re.compile(rf"(?<!\d)(\d{{1,2}}|[{HAN}]{{1,3}})月([上中下])旬")
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"({'|'.join(MONTHS)})(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?(?![a-z])\.?"  # 5 declined is no day
DATE = re.compile(
    rf"(?<!\d)(\d{{4}})[-/.年]\s?(\d{{1,2}})[-/.月]\s?(\d{{1,2}})(?!\d)日?|(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH},?\s+(\d{{4}})"
    rf"|\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})",
    re.I,
)
DAY = re.compile(
    rf"(?<!\d)(\d{{1,2}}|[{HAN}]{{1,3}})月(\d{{1,2}}|[{HAN}]{{1,3}})[日号]|(?<![\d.])(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}"
    rf"|\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?(?![\d.])",
    re.I,
)
PARTS = re.compile(
    rf"(\d{{1,6}}|[{HAN}万]{{1,8}})分之(\d+(?:\.\d+)?|[{HAN}]{{1,16}})"
    rf"|(?<![\d.])(\d(?:\.\d)?|[{HAN}])(?:成(?![本立为员])|折)|([{HAN}])([{HAN}])折"
)
HALF = re.compile(r"(?<![\d/])1/2(?![\d/])|一半|[各对]半(?![年月天日小夜径])|半数|半价")
# 1:50 and 三比一, but not SC-40: 640 kg, step 2: 5 min, 第5步：30分钟
RATIO = re.compile(
    rf"(?<![\dA-Za-z.])(?<![A-Za-z]-)(\d+(?:\.\d+)?|[{HAN}])(?:\s*比\s*|[:：]|\s[:：]\s)(\d+(?:\.\d+)?|[{HAN}])(?!\d|\.\d|\s?{UNIT})", re.I
)
MONEY = re.compile(r"([$€£¥])\s?(\d+(?:,\d{3})*(?:\.\d+)?)(\s?(?:万|million\b|thousand\b|k\b))?", re.I)
TIMES = {"万": 1e4, "亿": 1e8, "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "billion": 1e9}
_TIMES = r"([万亿]|(?:hundred|thousand|million|billion)\b)"
_SUCH = r"(?:(?:consecutive|successive|full|whole|further|additional|more|clear|straight)\s+)?"  # 30 consecutive days
NUMBER = re.compile(rf"({FIGURE})\s*{_TIMES}?\s*[-]?(?:个|余|st\b|nd\b|rd\b|th\b)?\s*{_SUCH}({UNIT})?", re.I)
_MEASURES = "|".join(re.escape(unit) for unit in _OTHERS if not unit.isascii())
CHINESE = re.compile(
    rf"(?<![这那哪])(?<!最后)([{HAN}半]{{1,16}}(?:点[{HAN}]{{1,4}})?)"
    rf"(?=[万亿]|个?(?:{_MEASURES})|[{COUNTERS}])([万亿])?个?({UNIT})?"
)
_ONES = "one|two|three|four|five|six|seven|eight|nine"
SPELLED = re.compile(rf"\b({'|'.join(WORDS)})(?:[- ]({_ONES}))?\b(?:[ -]{_TIMES})?(?:\s+{_SUCH}(?:of\s+)?(?:an?\s+)?({UNIT}))?", re.I)
# twenty-one (21) days, 三十（30）日: one quantity
DOUBLE = re.compile(rf"(?:\b(?:{'|'.join(WORDS)})(?:[- ](?:{_ONES}))?|[{HAN}]{{1,6}})\s?[(（](\d+)[)）]\s?个?{_SUCH}({UNIT})?", re.I)
DOZEN = re.compile(r"\bhalf a dozen\b", re.I)
# half an hour, three quarters of the price, an hour and a half, two and a half years, two thirds
_PART = r"(half|halves|thirds?|quarters?|fifths?|tenths?|hundredths?)"
PART = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10, "hundredth": 100}
FRACTION = re.compile(
    rf"\b(?:(an?|one|two|three|four)\s+|(?=half)){_PART}(?:\s+(?:of\s+)?an?\s+({UNIT})"
    r"|(?=\s+(?:of|the|pay|price|fare|rate|fee|wages?|salary)\b|\s*[.,;]|$))", re.I
)
AND_QUARTER = re.compile(rf"\b(an?|{'|'.join(WORDS)}|\d+)\s+({UNIT})\s+and\s+(a|three)\s+quarters?", re.I)
AND_HALF = re.compile(rf"\b(an?|{'|'.join(WORDS)}|\d+)\s+(?:({UNIT})\s+and\s+a\s+half|and\s+a\s+half\s+({UNIT}|times))", re.I)
AND_HALF_ZH = re.compile(rf"((?<!\d)\d+|[{HAN}]{{1,3}})(?:个半(小时|钟头|月|星期)|(年|天|小时|周)半(?![年月天日]))")
# twice a year is every six months
RATE = re.compile(
    rf"\b(twice|(?:two|three|four|six|[2346]) times)\s+(?:a|an|per|every|each)\s+({UNIT})"
    rf"|[每一]个?(年|季度|月|周|天|日|班|小时)(?:[^\d，。；,;{HAN}以最至限]{{0,4}})([2346两二三四六])[次遍]",
    re.I,
)
NO_RANK = re.compile(r"[条款项章节篇编人方者]")  # 第三条 is a clause, 第三人 a party; 第八天 and 第一行 are ranks
PERIOD = re.compile(
    r"\b(?:per|each|every|an?|any|in (?:an?|one)|whole)\s+"
    r"((?:calendar |contract |business |working )?(?:shift|hour|day|week|month|quarter|year|evening|night))\b"
    r"|\b(hourly|daily|weekly|monthly|quarterly|yearly|annual|annually)\b"
    r"|(?:每|按(?![年月日]薪)|首(?=[周年])|(?<=[元个次])/|单(?=[日月]))一?个?(合同年度|小时|工作日|季度|星期|半年|日|天|周|月|季|年|班|晚|夜)",
    re.I,
)  # fmt: skip
LY = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year", "annual": "year",
      "annually": "year", "夜": "晚"}  # fmt: skip
OFF = re.compile(r"\s*(?:off\b|discount\b|cheaper\b|reduction\b|rebate\b|的?(?:折扣|优惠))", re.I)
OFF_BY = re.compile(r"(?:\bdiscount (?:of|is)|\breduction of|\brebate of|便宜|优惠|降价|让利|减免)\s*了?$", re.I)
NAMED = re.compile(rf"(?<![A-Za-z])(?:{UNIT})", re.I)  # the s of `closes` is no second
SCALE = re.compile(
    r"([$€£¥])\s?(thousand|million)|(?:(?:in )?(?:([$€£¥]) )?(thousand|million)s\b)|(万|亿)元", re.I
)  # what the figures of a table are in: £ thousand, 万元
RANGE = re.compile(r"\s*(?:to|and|or|至|到|或|和|[-~±/])\s*")


class Quantity(NamedTuple):
    """`value` in the dimension's own unit, where it stands, and what bound it is; a bare figure's dimension is empty."""

    value: float
    dimension: str
    start: int
    end: int
    bound: str = ""
    reach: tuple[int, int] = (0, 0)  # where it stands with the words that make it a bound


def same(one: Quantity, two: Quantity) -> bool:
    """Are they the same amount of the same dimension, whatever bound each is?"""
    return (one.value, one.dimension) == (two.value, two.dimension)


@lru_cache(4096)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Every quantity of `text` (folded first; offsets count in the folded text), in order, none within another."""
    text = fold(text).replace("−", "-").replace("–", "-")
    found: list[Quantity] = []
    taken = bytearray(len(text))  # a sign a byte, for a long row of figures is looked through for each of them

    def take(value: float, dimension: str, start: int, end: int) -> None:
        if not any(taken[start:end]):
            taken[start:end] = bytes([1]) * (end - start)
            found.append(Quantity(round(value, 9), dimension, start, end, *bound(text, start, end)))

    for m in DATE.finditer(text):
        year, month, day = (m[1], m[2], m[3]) if m[1] else (m[6], m[5], m[4]) if m[4] else (m[9], m[7], m[8])
        take(int(year) * 10000 + (int(month) if month.isdigit() else MONTHS.index(month.lower()) + 1) * 100 + int(day), "date", *m.span())
    for m in DAY.finditer(text):
        month, day = (m[1], m[2]) if m[1] else (m[4] or m[5], m[3] or m[6])
        if month == "may":  # they may 5 times a year …
            continue
        take((MONTHS.index(month[:3].lower()) + 1 if month.isascii() and month.isalpha() else _figure(month)) * 100 + _figure(day),
             "day", *m.span())  # fmt: skip
    for m in TEN_DAYS.finditer(text):
        take(_figure(m[1]) * 100 + "上中下".index(m[2]) * 10, "ten days", *m.span())
    for m in CLOCK.finditer(text):
        if clock := _clock(m):
            take(*clock, *m.span())
    for m in DOZEN.finditer(text):
        take(6, "", *m.span())
    for m in DOUBLE.finditer(text):
        dimension, factor = _measure(m[2] or "")
        take(_figure(m[1]) * factor, dimension, m.start(), _end(m))
    for m in AND_QUARTER.finditer(text):
        dimension, factor = _measure(m[2])
        take((_spelled(m[1]) + (0.25 if m[3].lower() == "a" else 0.75)) * factor, dimension, *m.span())
    for m in AND_HALF.finditer(text):
        dimension, factor = _measure((m[2] or m[3]).replace("times", ""))
        take(((_spelled(m[1])) + 0.5) * factor, dimension, *m.span())
    for m in AND_HALF_ZH.finditer(text):
        dimension, factor = _measure(m[2] or m[3])
        take((_figure(m[1]) + 0.5) * factor, dimension, *m.span())
    for m in FRACTION.finditer(text):
        dimension, factor = _measure(m[3]) if m[3] else ("share", 1)
        take(_spelled(m[1] or "one") / PART[m[2].lower().rstrip("s")] * factor, dimension, *m.span())
    for m in RATE.finditer(text):
        dimension, factor = _measure(m[2] or m[3])
        if dimension:
            take(factor / (2 if m[1] == "twice" else _spelled((m[1] or m[4]).split()[0])), dimension, *m.span())
    for m in RATIO.finditer(text):
        a, b = _figure(m[1]), _figure(m[2])
        take(a / b if b else 0, "ratio", *m.span())
    for m in PARTS.finditer(text):
        if m[3] or m[4]:
            take(_figure(m[3]) / 10 if m[3] else _figure(m[4]) / 10 + _figure(m[5]) / 100, "share", *m.span())
        elif whole := {"百": 100, "千": 1000, "万": 10000}.get(m[1]) or ("万" not in m[1] and _figure(m[1])):
            take(_figure(m[2]) / whole, "share", *m.span())
    for m in HALF.finditer(text):
        take(0.5, "share", *m.span())
    for m in MONEY.finditer(text):
        take(_figure(m[2]) * TIMES.get((m[3] or "").strip().lower(), 1), m[1], *m.span())
    for m in PERIOD.finditer(text):
        name = (m[1] or m[2] or m[3]).lower()
        dimension, factor = ("month", 6.0) if name == "半年" else _measure(LY.get(name, name))
        take(factor, dimension, *m.span())
    for m in NUMBER.finditer(text):
        dimension, factor = _measure(m[3] or "")
        if not m[3] and (text.startswith("第", max(m.start() - 1, 0)) or m[0].rstrip()[-2:].lower() in ("st", "nd", "rd", "th")):
            dimension = RANK
        take(_figure(m[1]) * TIMES.get((m[2] or "").lower(), 1) * factor, dimension, m.start(), _end(m))
    for m in CHINESE.finditer(text):
        if m[3] and text.startswith("第", max(m.start() - 1, 0)) and m[1] in "一二":
            continue  # 第一个月 is the first month, 第二年 the next year
        if not m[3] and text.startswith("第", max(m.start() - 1, 0)) and NO_RANK.match(text, m.end()):
            continue
        dimension, factor = _measure(m[3] or "")
        if not m[3] and text.startswith("第", max(m.start() - 1, 0)):
            dimension = RANK
        take((0.5 if m[1] == "半" else _figure(m[1].replace("半", ""))) * TIMES.get(m[2] or "", 1) * factor,
             dimension, *m.span())  # fmt: skip
    for m in SPELLED.finditer(text):
        dimension, factor = _measure(m[4] or "")
        if not m[4] and (m[2] or m[1]).lower() in RANKS:
            dimension = RANK
        take((WORDS[m[1].lower()] + WORDS.get((m[2] or "").lower(), 0)) * TIMES.get((m[3] or "").lower(), 1) * factor,
             dimension, m.start(), _end(m))  # fmt: skip
    found = [q._replace(value=round(1 - q.value, 9)) if q.dimension == "share" and _is_off(text, q) else q for q in found]
    found.sort(key=lambda q: q.start)
    for n, (one, two) in enumerate(pairwise(found)):  # 6 to 8 bar
        if not one.dimension and two.dimension and RANGE.fullmatch(text[one.end : two.start]):
            found[n] = one._replace(value=round(one.value * (unit_of(text, two) or ("", 1))[1], 9), dimension=two.dimension)
    return tuple(found)


def unit_of(text: str, q: Quantity) -> tuple[str, float] | None:
    """Dimension and factor of the unit that `q` is written with in the folded `text`; None where that cannot be told."""
    shown = text[q.start : q.end].lower()
    unit = max((u for u in UNITS if shown.endswith(u) or (shown.startswith(u) and not u.isalnum())), key=len, default="")
    return _measure(unit) if unit and _measure(unit)[0] == q.dimension else None


FIELD = re.compile(r"(?<=[A-Za-z])_(?=(?:ms|s|sec|min|h|d|kg|g|mm|cm|m|bar|kpa|kw|v|a)\b)", re.I)  # downtime_min: a field in minutes


@lru_cache(4096)
def units(text: str) -> frozenset[tuple[str, float]]:
    """The measures that are named in `text` with or without a figure: a table's header gives its figures their unit."""
    text, found = FIELD.sub(" ", fold(text)), set()
    for m in SCALE.finditer(text):
        money = m[1] or m[3] or "元"
        found.add((_measure(money)[0], TIMES[(m[2] or m[4] or m[5]).lower().rstrip("s")]))
    scaled = {dimension for dimension, _ in found}
    return frozenset(found | {one for u in NAMED.findall(text) if (one := _measure(u))[0] not in scaled})


def _is_off(text: str, q: Quantity) -> bool:
    """Is the share what the price goes down by? Then the rest is what is paid: 20 % off is 八折."""
    return text[q.end - 1] != "折" and bool(OFF.match(text, q.end) or OFF_BY.search(text, max(0, q.start - 24), q.start))


def _clock(m: re.Match[str]) -> tuple[float, str] | None:
    """Minutes since midnight; of an hour that may be before or after noon, the dimension is `hour`."""
    if m["hour"]:
        return int(m["hour"]) % 24 * 60 + int(m["minute"]), "clock"
    if m["half"]:
        return (int(m["h12"]) % 12 + 12 * (m["half"].lower() == "p")) * 60 + int(m["m12"] or 0), "clock"
    if m["twelve"]:
        return 720.0 * (m["twelve"].lower() == "noon"), "clock"
    if m["spelled"]:
        spoken = _spelled(m["spelled"])
        return ((spoken % 12 + PARTS_OF_DAY[m["part_en"].lower()]) * 60, "clock") if 0 < spoken <= 12 else None
    hour, part = (_figure(m["said"]), m["part"]) if m["said"] else (int(m["written"]), m["part_w"])
    minute = 30 if m["and_half"] else _figure(m["past"] or m["m_written"] or "0")
    if hour > 24 or minute > 59:
        return None
    sure = part or hour > 12 or not hour or m["written"]
    return _afternoon(part, hour) % 24 * 60 + minute, "clock" if sure else "hour"


def _afternoon(part: str | None, hour: float) -> float:
    """The hour of the day: 下午3时 is 15."""
    if part == "中午":
        return hour if hour > 9 else hour + 12
    if part in ("夜里", "晚上") and hour < 6:
        return hour
    return hour % 12 + PARTS_OF_DAY[part] if part else hour


def _spelled(word: str) -> float:
    word = word.lower()
    if word in ("a", "an", "the"):
        return 1
    return WORDS.get(word, 0) if word.isalpha() and word.isascii() else _figure(word) if word[0] in HAN or word.isdigit() else 0


def _end(match: re.Match[str]) -> int:
    return match.end() if match[0].strip() == match[0] else match.start() + len(match[0].rstrip())


def _figure(text: str) -> float:
    if text[0] in HAN:
        whole, _, part = text.partition("点")
        return chinese_number(whole) + sum(chinese_number(digit) / 10**n for n, digit in enumerate(part, 1))
    whole = text.replace(",", "")
    return float(whole) if whole.count(".") < 2 else float(whole.replace(".", "", whole.count(".") - 1))


def _measure(unit: str) -> tuple[str, float]:
    return CASED.get(unit) or UNITS.get(unit.lower()) or (unit.lower(), 1) if unit else ("", 1)
