"""Quantities in a text: figures with their units in one measure, and which bound they are. `30 days` is `三十日`, `2 weeks` is `14 天`.

A period (weekly, per shift, 每季度) is the quantity of one such unit. What has no unit is a bare figure.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ingest.tokens import chinese_number, fold
from serve.bounds import bound

# unit → dimension and how many of the dimension's own unit it holds; what is written in letters alone is compared without case
UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒", "秒钟"), ("time", 1)),
    **dict.fromkeys(("ms", "millisecond", "milliseconds", "毫秒"), ("time", 0.001)),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "分钟", "分"), ("time", 60)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "钟头", "operating hours"), ("time", 3600)),
    **dict.fromkeys(("day", "days", "日", "天", "号", "calendar day", "calendar days", "自然日"), ("time", 86400)),
    **dict.fromkeys(("evening", "evenings", "night", "nights", "晚"), ("time", 86400)),
    **dict.fromkeys(("week", "weeks", "周", "星期"), ("time", 7 * 86400)),
    **dict.fromkeys(("business day", "business days", "working day", "working days", "workday", "workdays", "工作日"), ("working day", 1)),
    **dict.fromkeys(("month", "months", "月", "calendar month"), ("month", 1)),
    **dict.fromkeys(("quarter", "quarters", "季度", "季"), ("month", 3)),
    **dict.fromkeys(("year", "years", "年", "calendar year", "calendar years", "contract year", "合同年度", "年度"), ("month", 12)),
    **dict.fromkeys(("shift", "shifts", "班"), ("shift", 1)),
    **dict.fromkeys(("%", "percent", "per cent"), ("share", 0.01)), "‰": ("share", 0.001),
    **dict.fromkeys(("$", "dollar", "dollars", "usd"), ("$", 1)), **dict.fromkeys(("€", "euro", "euros", "eur"), ("€", 1)),
    **dict.fromkeys(("£", "pound", "pounds", "gbp"), ("£", 1)), **dict.fromkeys(("¥", "yuan", "rmb", "cny", "元"), ("¥", 1)),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeters", "毫米"), ("length", 1)),
    **dict.fromkeys(("cm", "centimetres", "centimeters", "厘米"), ("length", 10)),
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters", "米"), ("length", 1000)),
    **dict.fromkeys(("km", "公里", "千米"), ("length", 1e6)), **dict.fromkeys(("µm", "μm", "微米"), ("length", 0.001)),
    "pa": ("pressure", 1), "kpa": ("pressure", 1e3), **dict.fromkeys(("mpa", "兆帕"), ("pressure", 1e6)), "bar": ("pressure", 1e5),
    "mbar": ("pressure", 100), "psi": ("pressure", 6894.76),
    **dict.fromkeys(("n·m", "nm", "n.m", "牛·米", "牛米"), ("torque", 1)), "kn": ("force", 1000), "n": ("force", 1),
    **dict.fromkeys(("°c", "℃", "摄氏度", "degrees celsius", "degrees c"), ("°C", 1)), "°f": ("°F", 1),
    **dict.fromkeys(("l", "litre", "litres", "liter", "liters", "升"), ("volume", 1)), **dict.fromkeys(("ml", "毫升"), ("volume", 0.001)),
    **dict.fromkeys(("m3", "m³", "立方米"), ("volume", 1000)),
    **dict.fromkeys(("kg", "kilogram", "kilograms", "千克", "公斤"), ("mass", 1)),
    **dict.fromkeys(("g", "gram", "grams", "克"), ("mass", 0.001)),
    **dict.fromkeys(("t", "tonne", "tonnes", "吨"), ("mass", 1000)),
    "kw": ("power", 1000), "w": ("power", 1), "v": ("voltage", 1), "kv": ("voltage", 1000), "a": ("current", 1), "ma": ("current", 0.001),
    "hz": ("frequency", 1), "khz": ("frequency", 1000), **dict.fromkeys(("rpm", "r/min", "转/分"), ("speed of turning", 1)),
    **dict.fromkeys(("byte", "bytes", "字节"), ("bytes", 1)), "kib": ("bytes", 1024), "mib": ("bytes", 2**20), "gib": ("bytes", 2**30),
    **dict.fromkeys(("kb",), ("bytes", 1000)), "mb": ("bytes", 1e6), "gb": ("bytes", 1e9),
    **dict.fromkeys(("inch", "inches", "英寸"), ("length", 25.4)), **dict.fromkeys(("ft", "foot", "feet", "英尺"), ("length", 304.8)),
    **dict.fromkeys(("mile", "miles", "英里"), ("length", 1609344)), "海里": ("length", 1852000),
    **dict.fromkeys(("m2", "m²", "平方米", "平米", "square metres", "square meters"), ("area", 1)), "亩": ("area", 666.666667),
    **dict.fromkeys(("hectare", "hectares", "ha", "公顷"), ("area", 1e4)), **dict.fromkeys(("km2", "km²", "平方公里"), ("area", 1e6)),
    **dict.fromkeys(("mg", "milligram", "milligrams", "毫克"), ("mass", 1e-6)), **dict.fromkeys(("µg", "μg", "微克"), ("mass", 1e-9)),
    **dict.fromkeys(("lb", "lbs"), ("mass", 0.45359237)), "oz": ("mass", 0.028349523), "斤": ("mass", 0.5),
    "帕": ("pressure", 1), "千帕": ("pressure", 1e3), "巴": ("pressure", 1e5), "千牛": ("force", 1000), "牛顿": ("force", 1),
    "千瓦": ("power", 1000), "瓦": ("power", 1), **dict.fromkeys(("mw", "兆瓦"), ("power", 1e6)), "kva": ("apparent power", 1000),
    **dict.fromkeys(("kwh", "千瓦时"), ("energy", 3.6e6)), "wh": ("energy", 3600), "ah": ("charge", 3600), "mah": ("charge", 3.6),
    "伏": ("voltage", 1), "千伏": ("voltage", 1000), "mv": ("voltage", 0.001), "毫安": ("current", 0.001), "安培": ("current", 1),
    **dict.fromkeys(("ω", "ohm", "ohms", "欧姆"), ("resistance", 1)), "kω": ("resistance", 1000), "db": ("level", 1), "分贝": ("level", 1),
    "赫兹": ("frequency", 1), "mhz": ("frequency", 1e6), "ghz": ("frequency", 1e9), "tb": ("bytes", 1e12), "tib": ("bytes", 2**40),
    "mbps": ("data rate", 1e6), "gbps": ("data rate", 1e9), "kbps": ("data rate", 1e3), "µs": ("time", 1e-6), "μs": ("time", 1e-6),
    **dict.fromkeys(("microsecond", "microseconds", "微秒"), ("time", 1e-6)),
    "mm/s": ("speed", 1), "m/s": ("speed", 1000), "l/min": ("flow", 1), "m3/h": ("flow", 1000 / 60), "m³/h": ("flow", 1000 / 60),
}  # fmt: skip
CASED = {"mW": ("power", 0.001), "MV": ("voltage", 1e6), "mPa": ("pressure", 0.001), "MA": ("current", 1e6)}  # m is not always M
HAN = "零〇一二两三四五六七八九十百千"
COUNTERS = "次个份件人名位条项页台套倍种级行册"  # they count; what is counted is in the words
WORDS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
                                     " sixteen seventeen eighteen nineteen twenty".split())} | {
     "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100, "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "twice": 2, "half": 0.5, "double": 2,
}  # fmt: skip
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
CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2})[:：]([0-5]\d)(?![\d:])|(\d{1,2})(?:[:：]([0-5]\d))?\s*([ap])\.?m\b\.?"
    rf"|(上午|早上|凌晨|中午|下午|晚上|傍晚|夜里|晚)?(?<![个几一每第差])(\d{{1,2}}|[{HAN}]{{1,3}})点(?![五钟以零点\d])(半)?"
    r"|\b(\w+)(?: o'clock)? in the (morning|afternoon|evening)\b|\b(noon|midnight)\b",
    re.I,
)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"({'|'.join(MONTHS)})[a-z]{{0,6}}\.?"
DATE = re.compile(
    rf"(?<!\d)(\d{{4}})[-/.年]\s?(\d{{1,2}})[-/.月]\s?(\d{{1,2}})(?!\d)日?|(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH},?\s+(\d{{4}})"
    rf"|\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})",
    re.I,
)
DAY = re.compile(
    rf"(?<!\d)(\d{{1,2}}|[{HAN}]{{1,3}})月(\d{{1,2}}|[{HAN}]{{1,3}})[日号]|(?<![\d.])(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}(?![a-z])"
    rf"|\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?(?![\d.])",
    re.I,
)
PARTS = re.compile(
    rf"(\d{{1,6}}|[{HAN}万]{{1,8}})分之(\d+(?:\.\d+)?|[{HAN}]{{1,16}})"
    rf"|(?<![\d.])(\d(?:\.\d)?|[{HAN}])(?:成(?![本立为员])|折)"
)
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
CHINESE = re.compile(rf"(?<![这那哪])([{HAN}半]{{1,16}})(?=[万亿]|个?(?:{_MEASURES})|[{COUNTERS}])([万亿])?个?({UNIT})?")
_ONES = "one|two|three|four|five|six|seven|eight|nine"
SPELLED = re.compile(rf"\b({'|'.join(WORDS)})(?:[- ]({_ONES}))?\b(?:[ -]{_TIMES})?(?:\s+{_SUCH}(?:of\s+)?(?:an?\s+)?({UNIT}))?", re.I)
# twenty-one (21) days, 三十（30）日: one quantity
DOUBLE = re.compile(rf"(?:\b(?:{'|'.join(WORDS)})(?:[- ](?:{_ONES}))?|[{HAN}]{{1,6}})\s?[(（](\d+)[)）]\s?个?{_SUCH}({UNIT})?", re.I)
# half an hour, three quarters of the price, an hour and a half, two and a half years, two thirds
_PART = r"(half|halves|thirds?|quarters?|fifths?|tenths?|hundredths?)"
PART = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10, "hundredth": 100}
FRACTION = re.compile(
    rf"\b(?:(an?|one|two|three|four)\s+|(?=half)){_PART}(?:\s+(?:of\s+)?an?\s+({UNIT})|(?=\s+of\b|\s+the\b|\s*[.,;]|$))", re.I
)
AND_HALF = re.compile(rf"\b(an?|{'|'.join(WORDS)}|\d+)\s+(?:({UNIT})\s+and\s+a\s+half|and\s+a\s+half\s+({UNIT}))", re.I)
# twice a year is every six months
RATE = re.compile(
    rf"\b(twice|(?:two|three|four|six|[2346]) times)\s+(?:a|an|per|every|each)\s+({UNIT})"
    rf"|[每一]个?(年|季度|月|周|天|日|班|小时)(?:[^\d，。；,;{HAN}]{{0,2}})([2346两二三四六])次",
    re.I,
)
NO_RANK = re.compile(r"[条款项章节篇编人方者]")  # 第三条 is a clause, 第三人 a party; 第八天 and 第一行 are ranks
PERIOD = re.compile(
    r"\b(?:per|each|every|an?|any|in (?:an?|one)|whole)\s+"
    r"((?:calendar |contract |business |working )?(?:shift|hour|day|week|month|quarter|year|evening|night))\b"
    r"|\b(hourly|daily|weekly|monthly|quarterly|yearly|annual|annually)\b"
    r"|(?:每|按|(?<=[元个次])/|单(?=[日月]))一?个?(合同年度|小时|工作日|季度|星期|半年|日|天|周|月|季|年|班|晚|夜)",
    re.I,
)  # fmt: skip
LY = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year", "annual": "year",
      "annually": "year", "夜": "晚"}  # fmt: skip
RANGE = re.compile(r"\s*(?:to|and|or|至|到|或|和|[-~±/])\s*")


class Quantity(NamedTuple):
    """`value` in the dimension's own unit, where it stands, and what bound it is; a bare figure's dimension is empty."""

    value: float
    dimension: str
    start: int
    end: int
    bound: str = ""
    reach: tuple[int, int] = (0, 0)  # where it stands with the words that make it a bound


@lru_cache(4096)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Every quantity of `text` (folded first; offsets count in the folded text), in order, none within another."""
    text = fold(text).replace("−", "-").replace("–", "-")
    found: list[Quantity] = []
    taken: list[tuple[int, int]] = []

    def take(value: float, dimension: str, start: int, end: int) -> None:
        if not any(a < end and start < b for a, b in taken):
            taken.append((start, end))
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
    for m in CLOCK.finditer(text):
        if clock := _clock(m):
            take(*clock, *m.span())
    for m in DOUBLE.finditer(text):
        dimension, factor = _measure(m[2] or "")
        take(_figure(m[1]) * factor, dimension, m.start(), _end(m))
    for m in AND_HALF.finditer(text):
        dimension, factor = _measure(m[2] or m[3])
        take(((_spelled(m[1])) + 0.5) * factor, dimension, *m.span())
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
        if m[3]:
            take(_figure(m[3]) / 10, "share", *m.span())
        elif whole := {"百": 100, "千": 1000, "万": 10000}.get(m[1]) or ("万" not in m[1] and _figure(m[1])):
            take(_figure(m[2]) / whole, "share", *m.span())
    for m in MONEY.finditer(text):
        take(_figure(m[2]) * TIMES.get((m[3] or "").strip().lower(), 1), m[1], *m.span())
    for m in PERIOD.finditer(text):
        name = (m[1] or m[2] or m[3]).lower()
        dimension, factor = ("month", 6.0) if name == "半年" else _measure(LY.get(name, name))
        take(factor, dimension, *m.span())
    for m in NUMBER.finditer(text):
        dimension, factor = _measure(m[3] or "")
        take(_figure(m[1]) * TIMES.get((m[2] or "").lower(), 1) * factor, dimension, m.start(), _end(m))
    for m in CHINESE.finditer(text):
        if m[3] and text.startswith("第", max(m.start() - 1, 0)) and m[1] in "一二":
            continue  # 第一个月 is the first month, 第二年 the next year
        if not m[3] and text.startswith("第", max(m.start() - 1, 0)) and NO_RANK.match(text, m.end()):
            continue
        dimension, factor = _measure(m[3] or "")
        take((0.5 if m[1] == "半" else chinese_number(m[1].replace("半", ""))) * TIMES.get(m[2] or "", 1) * factor,
             dimension, *m.span())  # fmt: skip
    for m in SPELLED.finditer(text):
        dimension, factor = _measure(m[4] or "")
        take((WORDS[m[1].lower()] + WORDS.get((m[2] or "").lower(), 0)) * TIMES.get((m[3] or "").lower(), 1) * factor,
             dimension, m.start(), _end(m))  # fmt: skip
    found.sort(key=lambda q: q.start)
    for n, (one, two) in enumerate(pairwise(found)):  # 6 to 8 bar
        if not one.dimension and two.dimension and RANGE.fullmatch(text[one.end : two.start]):
            unit = max((u for u in UNITS if text[two.start : two.end].lower().endswith(u)), key=len, default="")
            found[n] = one._replace(value=round(one.value * _measure(unit)[1], 9), dimension=two.dimension)
    return tuple(found)


@lru_cache(4096)
def units(text: str) -> frozenset[tuple[str, float]]:
    """The measures that are named in `text` with or without a figure: a table's header gives its figures their unit."""
    return frozenset(_measure(u) for u in re.findall(UNIT, fold(text), re.I))


def _clock(m: re.Match[str]) -> tuple[float, str] | None:
    """Minutes since midnight; of an hour that may be before or after noon, the dimension is `hour`."""
    if m[1]:
        return int(m[1]) % 24 * 60 + int(m[2]), "clock"
    if m[5]:
        return (int(m[3]) % 12 + 12 * (m[5].lower() == "p")) * 60 + int(m[4] or 0), "clock"
    if m[11]:
        return 720.0 * (m[11].lower() == "noon"), "clock"
    if m[9]:
        spoken = _spelled(m[9])
        return ((spoken % 12 + PARTS_OF_DAY[m[10].lower()]) * 60, "clock") if 0 < spoken <= 12 else None
    hour, half = _figure(m[7]), 30 * bool(m[8])
    if hour > 24:
        return None
    if m[6]:
        return ((hour % 12 + (PARTS_OF_DAY.get(m[6]) or 0)) if m[6] != "中午" else hour if hour > 9 else hour + 12) * 60 + half, "clock"
    return hour % 24 * 60 + half, "clock" if hour > 12 or not hour else "hour"


def _spelled(word: str) -> float:
    word = word.lower()
    if word in ("a", "an", "the"):
        return 1
    return WORDS.get(word, 0) if word.isalpha() and word.isascii() else _figure(word) if word[0] in HAN or word.isdigit() else 0


def _end(match: re.Match[str]) -> int:
    return match.end() if match[0].strip() == match[0] else match.start() + len(match[0].rstrip())


def _figure(text: str) -> float:
    if text[0] in HAN:
        return chinese_number(text)
    whole = text.replace(",", "")
    return float(whole) if whole.count(".") < 2 else float(whole.replace(".", "", whole.count(".") - 1))


def _measure(unit: str) -> tuple[str, float]:
    return CASED.get(unit) or UNITS.get(unit.lower()) or (unit.lower(), 1) if unit else ("", 1)
