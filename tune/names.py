"""Names: what each code and each figure of some texts is called instead, the same wherever it stands.

Codes of letters and digits (SC-40, HP-E13, 40-9044) get other letters and digits, of the same length and in the same order. Figures of two
digits and more grow by one factor, so they keep their order and nearly their proportions. Single digits, markers, dates, years, times,
numbers of paragraphs, percentages up to 100 and what standards are called (ISO 4406, IP54, CO2) stay.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from string import ascii_uppercase

from serve.quantities import DATE, DAY, DOUBLE
from serve.units import UNITS
from tune.chance import Chance

TRIES = 8  # of a factor that keeps the figures in order
FACTOR = 1.15, 1.95  # what figures grow by: they never shrink, so that two that differ by one still differ
SCARCE = 3  # times as many names of a length as are needed must there be, else those of that length stay
STANDARD = "AES API ASTM AWG CLP DIN DN FY GB HRC IEC IEEE IP IPV ISO JB NLGI PAO PN RAL RJ SAE SHA TLS USB UTF VG".split()
UNIT = "|".join(sorted((re.escape(unit) for unit in UNITS), key=len, reverse=True))
FIGURE = r"\d+(?:,\d{3})*(?:\.\d+)?"
TOKEN = re.compile(
    rf"(?P<kept>\[\d+\]|{DATE.pattern}|{DAY.pattern}|\d{{4}}[-/.]\d\d?(?:[-/.]\d\d?)?(?!\d)|\d\d?[-/.]\d\d?[-/.]\d{{4}}|\d\d?[:：]\d\d"
    rf"|(?i:\d+(?:st|nd|rd|th)\b)|(?<![A-Za-z])(?i:{'|'.join(STANDARD)})(?:/[A-Z])?[ -]?\d+(?:[-/.:]\d+)*"
    r"|\bCO2|\bPM2\.5|M\d+x\d+(?:\.\d+)?)"
    rf"|(?:(?<![A-Za-z0-9])|(?<=\dx))(?:(?P<measure>{FIGURE}(?=x\d|-?(?:[a-z]{{3,}}|(?i:VDC|VAC|dBA|(?:{UNIT})[23]?))(?![A-Za-z0-9])))"
    rf"|(?:(?P<code>(?=[\d-]*[A-Za-z])(?=[A-Za-z-]*\d)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*|\d{{2,}}(?:-\d{{3,}})+(?!\s?(?:{UNIT})))"
    rf"|(?P<figure>{FIGURE}))(?![A-Za-z0-9]))",
    re.M | re.I,
)
PART = re.compile(r"[A-Za-z]+|\d+")
YEAR = re.compile(r"(?:19[5-9]|20[0-4])\d")
PARAGRAPH = re.compile(r"^#*\s*(\d{2,})\.(?=\s)|(?i:paragraph|clause|section|article|step|point|item)s? (\d{2,})(?![\d.])", re.M)
MEASURED = re.compile(rf"\s?(?:operating |working |running )?(?:{UNIT})(?![A-Za-z])", re.I)
MONEY = re.compile(r"(?:[$€£¥]|\b(?:EUR|USD|GBP|CHF|CNY|RMB|人民币)) ?$")
# Figures written in two ways, or in one that is read otherwise: thirty (30), 10 000 h, 0,75, 第12条, 壹佰, account numbers.
UNSAFE = re.compile(
    rf"{DOUBLE.pattern}|(?<!\d)\d{{1,3}}(?: \d{{3}})+(?!\d)|\d,\d{{1,2}}(?!\d)|\d{{12}}|第\d+[条款章]|[壹贰叁肆伍陆柒捌玖拾佰仟]"
    r"|[A-Za-z0-9][\u2010\u2011][A-Za-z0-9]", re.I
)  # fmt: skip


class Names:
    """`ok` is False where nothing can be renamed, or not without changing what the texts say."""

    def __init__(self, texts: Iterable[str], rng: Chance) -> None:
        texts = list(texts)
        letters, digits, values = set[str](), set[str](), set[float]()
        fixed = {float(m[1] or m[2]) for text in texts for m in PARAGRAPH.finditer(text)}
        alike: dict[str, set[float]] = defaultdict(set)  # figures of one unit
        for text in texts:
            for m in TOKEN.finditer(text):
                for part in PART.findall(m["code"] or ""):
                    (digits if part.isdigit() else letters).add(part.upper() if part.isupper() or m["code"].islower() else part)
            for figure, unit, stays in _figures(text):
                (fixed if stays else values).add(_value(figure))
                alike[unit].add(_value(figure))
        self.letters = _other_letters(letters, rng)
        self.digits = _other_digits(digits, rng)
        self.values: dict[float, float] = {}
        self.ok = not any(map(UNSAFE.search, texts)) and self._grow(values - fixed, alike, rng) and bool(self.values or self.digits)
        known = "|".join(sorted(map(re.escape, self.letters), key=len, reverse=True))
        # HP 200, where the passages say HP-200
        self.apart = re.compile(rf"(?<![A-Za-z0-9-])({known}) (\d\d+)(?![\d.,]*\d)") if known else None

    def _grow(self, values: set[float], alike: Mapping[str, set[float]], rng: Chance) -> bool:
        """Find a factor that keeps the figures of one unit in order, and all apart."""
        for _ in range(TRIES):
            factor = rng.uniform(*FACTOR)
            self.values = {value: _grown(value, factor) for value in values}
            orders = [[self.values.get(value, value) for value in sorted(group)] for group in alike.values()]
            if len({*self.values.values()}) == len(values) and all(a < b for order in orders for a, b in pairwise(order)):
                return True
        return False

    def knows(self, text: str) -> bool:
        """Has it a name for every figure in `text`? One that no passage has was computed from others."""
        return all(stays or _value(figure) in self.values for figure, _, stays in _figures(text))

    def __call__(self, text: str) -> str:
        if self.apart:
            text = self.apart.sub(lambda m: f"{m[1]}-{m[2]}" if m[2] in self.digits else m[0], text)
        return TOKEN.sub(lambda m: self._name(m, text), text)

    def _name(self, m: re.Match[str], text: str) -> str:
        if m["code"]:
            return PART.sub(lambda part: self._part(part[0]), m[0])
        figure = m["measure"] or m["figure"] or ""
        if not figure or _stays(m, text):
            return m[0]
        return _written(self.values.get(_value(figure), _value(figure)), figure)

    def _part(self, part: str) -> str:
        if part.isdigit():
            return self.digits.get(part, part)
        other = self.letters.get(part.upper(), part)
        return other.lower() if part.islower() else other


def _figures(text: str) -> Iterator[tuple[str, str, bool]]:
    """Each figure of `text`, its unit, and whether it stays. Single digits without a unit are none: too much is counted with them."""
    for m in TOKEN.finditer(text):
        if figure := m["measure"] or m["figure"]:
            unit = MEASURED.match(text, m.end())
            if len(figure) > 1 or unit:
                yield figure, unit[0].strip().lower() if unit else "", _stays(m, text)


def _stays(m: re.Match[str], text: str) -> bool:
    """A single digit, one with a zero before it, a year, a percentage of no more than the whole, and the number of a step."""
    figure = m["measure"] or m["figure"] or ""
    if len(figure) == 1 or re.match(r"0\d", figure):
        return True
    if re.match(r" ?(?:%|per ?cent|个百分点)", text[m.end() :]):
        return _value(figure) <= 100
    if re.match(r"\.\s", text[m.end() :]) and (not m.start() or text[:m.start()].rstrip("# ").endswith("\n")):
        return True
    return bool(YEAR.fullmatch(figure)) and not MEASURED.match(text, m.end()) and not MONEY.search(text[: m.start()])


def _value(figure: str) -> float:
    return float(figure.replace(",", ""))


def _grown(value: float, factor: float) -> float:
    """As many decimals as before, and of round figures as many zeros less one."""
    text = f"{value:.10g}"
    if "." in text:
        return round(value * factor, len(text.partition(".")[2]))
    zeros = len(text) - len(text.rstrip("0"))
    return float(round(value * factor, 1 - zeros if zeros else 0))


def _written(value: float, like: str) -> str:
    decimals = len(like.partition(".")[2])
    return f"{value:,.{decimals}f}" if "," in like or value < 1000 else f"{value:.{decimals}f}"


def _other_letters(runs: set[str], rng: Chance) -> dict[str, str]:
    """Of two capitals and more, none that another has; single letters stay (M10), and words in a code (pre-heater2)."""
    named = dict[str, str]()
    for length in sorted({len(run) for run in runs} - {1}):
        old = sorted(run for run in runs if len(run) == length and run.isupper() and run not in STANDARD)
        if SCARCE * len(old) > len(ascii_uppercase) ** length:
            continue
        for run in old:
            while (other := "".join(rng.choice(ascii_uppercase) for _ in run)) in {*runs, *STANDARD, *named.values()}:
                pass
            named[run] = other
    return named


def _other_digits(runs: set[str], rng: Chance) -> dict[str, str]:
    """As long as before, in the same order; single digits and years stay."""
    named = dict[str, str]()
    for length in sorted({len(run) for run in runs} - {1}):
        old = sorted(run for run in runs if len(run) == length and not YEAR.fullmatch(run))
        if SCARCE * len(old) > 10**length:
            continue
        new = sorted(rng.sample(range(10**length), len(old)))
        named |= {one: f"{two:0{length}d}" for one, two in zip(old, new, strict=True)}
    return named
