"""A sentence with its figure asked for: `The pipe reaches 95 °C.` → `the pipe reaches what temperature`."""

import re

from tune.facts.wording import low

UNIT = (
    r"°C|°F|°|%|(?:m³|L|l|kg|g|mg|mm|cm|µm|km|m|bar|mbar|kPa|MPa|Pa|N·m|Nm|kN|N|V|A|mA|kW|W|Hz|kHz|rpm|s|ms|ml|mL|dB\(A\)|dB)"
    r"(?:/(?:min|h|s|m³|m²))?|(?:business |working |calendar |operating )?"
    r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|percent)"
)
FIGURE = re.compile(rf"(?<![\w.£$€¥−–-])\d+(?:[.,]\d+)*\s?(?P<unit>{UNIT})(?![\w·/-])")
MONEY = re.compile(r"(?P<unit>[£$€¥])\d[\d,.]*\d")
ASKED = {"°C": "what temperature", "°F": "what temperature", "bar": "what pressure", "mbar": "what pressure",
         "Pa": "what pressure", "kPa": "what pressure", "MPa": "what pressure", "Nm": "what torque", "N·m": "what torque",
         "%": "what percentage", "percent": "what percentage", "rpm": "what speed", "V": "what voltage", "A": "what current",
         "£": "what amount", "$": "what amount", "€": "what amount", "¥": "what amount"}  # fmt: skip
# Dates are no figures: 日 does not count after a month, nor 年 after four digits, nor 月 without 个.
ZH_FIGURE = re.compile(
    r"(?<![\d.,])\d+(?:[.,]\d+)*\s*(?P<unit>%|％|个月|个?(?:工作日|自然日|小时|分钟|秒|天|周)|(?<!月\d)(?<!月\d\d)日|(?<!\d{4})年"
    r"|℃|°C|毫米|厘米|平方米|立方米|米|mm|N·m|kPa|Pa|MPa|bar|吨|公斤|千克|升|万元|元|人|份|次|页|行|字|面|磅|倍|项)"
)
FEWEST = {"en": 4, "zh": 6}  # words, or characters, that must be left around the gap


def gap_of(sentence: str, lang: str) -> str:
    """The part of `sentence` around its first figure, the figure asked for; empty where it has none."""
    match = ZH_FIGURE.search(sentence) if lang == "zh" else FIGURE.search(sentence) or MONEY.search(sentence)
    if not match:
        return ""
    what = _asked(match["unit"], lang)
    before, after = sentence[: match.start()], sentence[match.end() :]
    marks = "，；：。" if lang == "zh" else (", ", "; ", ": ")
    near_before = before[max(before.rfind(mark) + len(mark) if mark in before else 0 for mark in marks) :]
    near_after = after[: min((i for mark in (*marks, ". ") if (i := after.find(mark)) >= 0), default=len(after))]
    room = len(f"{near_before}{near_after}") if lang == "zh" else len(f"{near_before} {near_after}".split())
    clear = not (FIGURE.search(near_before + near_after))  # two figures in one part: which is meant needs the whole
    if room >= FEWEST[lang] and clear:
        before, after = near_before, near_after
    return low(f"{before}{what}{after}".strip().rstrip(".。；"))


def _asked(unit: str, lang: str) -> str:
    if lang == "zh":
        return "百分之多少" if unit in "%％" else f"多少{unit}"
    spelled = len(unit) > 3 and unit.replace(" ", "").isalpha()
    return ASKED.get(unit) or (f"how many {unit}" if spelled else f"what value in {unit}")
