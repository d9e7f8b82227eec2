"""Quantities in a text: figures with their units in one measure, and which bound they are. `30 days` is `三十日`, `2 weeks` is `14 天`.

A period (weekly, per shift, 每季度) is the quantity of one such unit. What has no unit is a bare figure.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ingest.tokens import chinese_number, fold

# unit → dimension and how many of the dimension's own unit it holds; what is written in letters alone is compared without case
UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒", "秒钟"), ("time", 1)),
    **dict.fromkeys(("ms", "millisecond", "milliseconds", "毫秒"), ("time", 0.001)),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "分钟", "分"), ("time", 60)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "钟头", "operating hours"), ("time", 3600)),
    **dict.fromkeys(("day", "days", "日", "天", "calendar day", "calendar days", "自然日"), ("time", 86400)),
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
    "mm/s": ("speed", 1), "m/s": ("speed", 1000), "l/min": ("flow", 1), "m3/h": ("flow", 1000 / 60), "m³/h": ("flow", 1000 / 60),
}  # fmt: skip
COUNTERS = "次个份件人名位条项页台套倍种级"  # they count; what is counted is in the words
WORDS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())} | {
    "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100, "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "twice": 2, "half": 0.5, "double": 2,
}  # fmt: skip
HAN = "零〇一二两三四五六七八九十百千"
_LETTERS = sorted((u for u in UNITS if u[0].isascii() and (u[0].isalpha())), key=len, reverse=True)
_OTHERS = sorted((u for u in UNITS if u not in _LETTERS), key=len, reverse=True)
UNIT = (
    rf"(?:{'|'.join(map(re.escape, _OTHERS))}|(?:{'|'.join(map(re.escape, _LETTERS))})(?![A-Za-z0-9³/])"
    r"|[A-Za-zµμ]+/[A-Za-zµμ³]+(?![A-Za-z0-9]))"
)
FIGURE = r"(?<![A-Za-z0-9_.])(?<![A-Za-z]-)[-+]?\d+(?:,\d{3})+(?:\.\d+)?(?!\d)|(?<![A-Za-z0-9_.])(?<![A-Za-z]-)[-+]?\d+(?:\.\d+)*"
CLOCK = re.compile(r"(?<![\d:])(\d{1,2})[:：]([0-5]\d)(?![\d:])|(\d{1,2})(?:[:：]([0-5]\d))?\s*([ap])\.?m\b\.?|(\d{1,2})点(半)?", re.I)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"({'|'.join(MONTHS)})[a-z]*\.?"
DATE = re.compile(
    rf"(?<!\d)(\d{{4}})[-/.年]\s?(\d{{1,2}})[-/.月]\s?(\d{{1,2}})(?!\d)日?|(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH},?\s+(\d{{4}})"
    rf"|\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})",
    re.I,
)
PARTS = re.compile(rf"(百分之|千分之|万分之)(\d+(?:\.\d+)?|[{HAN}]+)")
RATIO = re.compile(rf"(?<!\d)(\d+|[{HAN}])\s*(?:比|[:：])\s*(\d+|[{HAN}])(?!\d)")
MONEY = re.compile(r"([$€£¥])\s?(\d+(?:,\d{3})*(?:\.\d+)?)(\s?(?:万|million\b|thousand\b|k\b))?", re.I)
NUMBER = re.compile(rf"({FIGURE})\s*([万亿])?\s*[-]?(?:个|余|st\b|nd\b|rd\b|th\b)?\s*({UNIT})?", re.I)
_MEASURES = "|".join(re.escape(unit) for unit in _OTHERS if not unit.isascii())
CHINESE = re.compile(rf"(?<![这那哪])([{HAN}半]+)(?=[万亿]|个?(?:{_MEASURES})|[{COUNTERS}])([万亿])?个?({UNIT})?")
SPELLED = re.compile(
    rf"\b({'|'.join(WORDS)})(?:[- ](one|two|three|four|five|six|seven|eight|nine))?\b(?:\s+(?:of\s+)?(?:an?\s+)?({UNIT}))?", re.I
)
PERIOD = re.compile(
    r"\b(?:per|each|every|an?|any|in (?:an?|one)|whole)\s+"
    r"((?:calendar |contract |business |working )?(?:shift|hour|day|week|month|quarter|year|evening|night))\b"
    r"|\b(hourly|daily|weekly|monthly|quarterly|yearly|annual|annually)\b"
    r"|(?:每|按|(?<=[元个次])/)一?个?(合同年度|小时|工作日|季度|星期|半年|日|天|周|月|季|年|班|晚|夜)",
    re.I,
)  # fmt: skip
LY = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year", "annual": "year",
      "annually": "year", "夜": "晚"}  # fmt: skip
MOST, LEAST, BEFORE, AFTER = "at most", "at least", "before", "after"
RANGE = re.compile(r"\s*(?:to|and|or|至|到|或|和|[-~±/])\s*")
# what stands just before a figure, or just behind it
AHEAD = [
    (MOST, r"at most|no(?:t)? (?:more|longer|later|higher|greater|over) than|up to|as (?:many|much|long) as|within|maximum(?: of)?"
           r"|(?<!no )(?<!not )(?:fewer|less) than|under|below|(?:not|never) exceed(?:ing)?|capped at|limited to|ceiling of|until"
           r"|不得?超过|没有超过|未超过|未满|不满|不多于|不大于|不高于|不得?多于|最多|至多|最长|最高|(?<![不得])(?:少于|低于|小于)"
           r"|不足|未达到?"),
    (LEAST, r"at least|no(?:t)? (?:less|fewer|lower|shorter|earlier) than|minimum(?: of)?"
            r"|(?<!no )(?<!not )(?:more|older|longer|higher|greater) than|over(?=\s*$)|above|(?<!not )exceed(?:s|ed|ing)?"
            r"|不得?少于|不得?低于|不得?小于|不短于|至少|最少|最低|最短|(?<![不得有未])(?:超过|高于|大于|多于)|(?<![不未])满"
            r"|(?<!未)达到?"),
    (BEFORE, r"\bbefore|prior to"), (AFTER, r"\bafter|\bsince|on or after"),
]  # fmt: skip
BEHIND = [
    (MOST, r"or (?:less|fewer|under|below)|at (?:the )?most|以下|以内|之内|内|为限"),
    (LEAST, r"or (?:more|over|above|longer)|at least|and over|以上"),
    (BEFORE, r"以?之?前"), (AFTER, r"以?之?后"),
]  # fmt: skip
AHEAD_OF = [(bound, re.compile(rf"(?:{words})(?:[\s\w']{{0,24}}|[^\d，。；,;]{{0,3}})$", re.I)) for bound, words in AHEAD]
BEHIND_IT = [(bound, re.compile(rf"\s*(?:的|时)?(?:{words})", re.I)) for bound, words in BEHIND]


class Quantity(NamedTuple):
    """`value` in the dimension's own unit, where it stands, and what bound it is; a bare figure's dimension is empty."""

    value: float
    dimension: str
    start: int
    end: int
    bound: str = ""


@lru_cache(4096)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Every quantity of `text` (folded first; offsets count in the folded text), in order, none within another."""
    text = fold(text).replace("−", "-").replace("–", "-")
    found: list[Quantity] = []
    taken: list[tuple[int, int]] = []

    def take(value: float, dimension: str, start: int, end: int) -> None:
        if not any(a < end and start < b for a, b in taken):
            taken.append((start, end))
            found.append(Quantity(round(value, 9), dimension, start, end, bound(text, start, end)))

    for m in DATE.finditer(text):
        year, month, day = (m[1], m[2], m[3]) if m[1] else (m[6], m[5], m[4]) if m[4] else (m[9], m[7], m[8])
        take(int(year) * 10000 + (int(month) if month.isdigit() else MONTHS.index(month.lower()) + 1) * 100 + int(day), "date", *m.span())
    for m in CLOCK.finditer(text):
        if m[1]:
            take(int(m[1]) * 60 + int(m[2]), "clock", *m.span())
        elif m[5]:
            take((int(m[3]) % 12 + 12 * (m[5].lower() == "p")) * 60 + int(m[4] or 0), "clock", *m.span())
        else:
            take(int(m[6]) * 60 + 30 * bool(m[7]), "clock", *m.span())
    for m in RATIO.finditer(text):
        a, b = _figure(m[1]), _figure(m[2])
        take(a / b if b else 0, "ratio", *m.span())
    for m in PARTS.finditer(text):
        take(_figure(m[2]) / {"百": 100, "千": 1000, "万": 10000}[m[1][0]], "share", *m.span())
    for m in MONEY.finditer(text):
        take(_figure(m[2]) * {"万": 1e4, "million": 1e6, "thousand": 1e3, "k": 1e3}.get((m[3] or "").strip().lower(), 1), m[1], *m.span())
    for m in PERIOD.finditer(text):
        name = (m[1] or m[2] or m[3]).lower()
        dimension, factor = ("month", 6.0) if name == "半年" else _measure(LY.get(name, name))
        take(factor, dimension, *m.span())
    for m in NUMBER.finditer(text):
        dimension, factor = _measure(m[3] or "")
        take(_figure(m[1]) * {"万": 1e4, "亿": 1e8}.get(m[2] or "", 1) * factor, dimension, m.start(), _end(m))
    for m in CHINESE.finditer(text):
        if not m[3] and text[: m.start()].endswith("第"):  # 第三条 is a clause, 第八天 a day
            continue
        dimension, factor = _measure(m[3] or "")
        take((0.5 if m[1] == "半" else chinese_number(m[1].replace("半", ""))) * {"万": 1e4, "亿": 1e8}.get(m[2] or "", 1) * factor,
             dimension, *m.span())  # fmt: skip
    for m in SPELLED.finditer(text):
        dimension, factor = _measure(m[3] or "")
        take((WORDS[m[1].lower()] + WORDS.get((m[2] or "").lower(), 0)) * factor, dimension, m.start(), _end(m))
    found.sort(key=lambda q: q.start)
    for n, (one, two) in enumerate(pairwise(found)):  # 6 to 8 bar
        if not one.dimension and two.dimension and RANGE.fullmatch(text[one.end : two.start]):
            unit = max((u for u in UNITS if text[two.start : two.end].lower().endswith(u)), key=len, default="")
            found[n] = one._replace(value=round(one.value * _measure(unit)[1], 9), dimension=two.dimension)
    return tuple(found)


def bound(text: str, start: int, end: int) -> str:
    """Which bound the figure at `start:end` is, by the words beside it."""
    before, behind = text[max(0, start - 48) : start], text[end : end + 12]
    return next((b for b, p in BEHIND_IT if p.match(behind)), "") or next((b for b, p in AHEAD_OF if p.search(before)), "")


@lru_cache(4096)
def units(text: str) -> frozenset[tuple[str, float]]:
    """The measures that are named in `text` with or without a figure: a table's header gives its figures their unit."""
    return frozenset(UNITS[u.lower()] for u in re.findall(UNIT, fold(text), re.I) if u.lower() in UNITS)


def _end(match: re.Match[str]) -> int:
    return match.end() if match[0].strip() == match[0] else match.start() + len(match[0].rstrip())


def _figure(text: str) -> float:
    if text[0] in HAN:
        return chinese_number(text)
    whole = text.replace(",", "")
    return float(whole) if whole.count(".") < 2 else float(whole.replace(".", "", whole.count(".") - 1))


def _measure(unit: str) -> tuple[str, float]:
    return UNITS.get(unit.lower()) or (unit.lower(), 1) if unit else ("", 1)
