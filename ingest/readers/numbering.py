"""The numbers that Word prints before paragraphs and keeps out of their text: 第一条, 1.1, (a), from numbering.xml."""

import re
from dataclasses import dataclass, field
from typing import Any

from docx.oxml.ns import qn

from ingest.readers.marks import ordinal
from ingest.readers.white import is_painted, is_white

LEVELS = 9
PLACE = re.compile(r"%([1-9])")


@dataclass(frozen=True, slots=True)
class Level:
    start: int
    style: str  # of counting: "decimal", "chineseCounting", "bullet"
    text: str  # 第%1条: `%1` is the first level's number
    suffix: str  # what follows: "tab", "space", "nothing"
    restart: int | None  # the level (from 1) after which it begins anew; 0 never, None after any above it
    legal: bool  # every number in digits


@dataclass(slots=True)
class Numbering:
    """The counters of one document. `mark` must be asked once for each paragraph, in reading order."""

    numbers: dict[str, str] = field(default_factory=dict)  # numId → abstractNumId
    levels: dict[str, dict[int, Level]] = field(default_factory=dict)  # abstractNumId → level
    own: dict[str, dict[int, Level]] = field(default_factory=dict)  # numId → levels that it sets itself
    starts: dict[str, dict[int, int]] = field(default_factory=dict)  # numId → level → where it begins anew
    style_levels: dict[tuple[str, str], int] = field(default_factory=dict)  # abstractNumId, style → level
    counts: dict[str, list[int | None]] = field(default_factory=dict)
    begun: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def of(cls, numbering: Any, styles: dict[str, "Style"]) -> "Numbering":
        """From the root of numbering.xml, or None where the document has none."""
        self = cls()
        if numbering is None:
            return self
        links: dict[str, str] = {}  # abstractNumId → the style that holds its levels
        for abstract in numbering.findall(qn("w:abstractNum")):
            name = abstract.get(qn("w:abstractNumId"), "")
            self.levels[name] = {}
            link = abstract.find(qn("w:numStyleLink"))
            if link is not None:
                links[name] = link.get(qn("w:val"), "")
            for level in abstract.findall(qn("w:lvl")):
                at = _whole(level.get(qn("w:ilvl")), 0)
                self.levels[name][at] = _level(level)
                if style := _value(level, "w:pStyle"):
                    self.style_levels[name, style] = at
        for num in numbering.findall(qn("w:num")):
            name = num.get(qn("w:numId"), "")
            self.numbers[name] = _value(num, "w:abstractNumId") or ""
            for override in num.findall(qn("w:lvlOverride")):
                at = _whole(override.get(qn("w:ilvl")), 0)
                if (start := _value(override, "w:startOverride")) is not None:
                    self.starts.setdefault(name, {})[at] = _whole(start, 1)
                if (level := override.find(qn("w:lvl"))) is not None:
                    self.own.setdefault(name, {})[at] = _level(level)
        for num, abstract in self.numbers.items():
            linked = styles.get(links.get(abstract, ""))
            if linked is not None and linked.number in self.numbers and not self.levels.get(abstract):
                self.numbers[num] = self.numbers[linked.number]
        return self

    def mark(self, number: str, level: int | None, style: str) -> str:
        """Count one paragraph and say what stands before it, blank included: "第一条 ", "- ", or nothing."""
        abstract = self.numbers.get(number)
        if abstract is None:
            return ""
        if level is None:
            level = self.style_levels.get((abstract, style), 0)
        form = self._form(number, abstract, level)
        if form is None or not 0 <= level < LEVELS:
            return ""
        counts = self.counts.setdefault(abstract, [None] * LEVELS)
        restart = self.starts.get(number, {}).get(level)
        if restart is not None and (number, level) not in self.begun:
            counts[level] = restart
            self.begun.add((number, level))
        else:
            now = counts[level]
            counts[level] = form.start if now is None else now + 1
        for deeper in range(level + 1, LEVELS):
            below = self._form(number, abstract, deeper)
            if below is None or below.restart is None or level < below.restart:
                counts[deeper] = None
        if form.style == "bullet":
            return "- "
        text = PLACE.sub(lambda found: self._number(number, abstract, int(found[1]) - 1, form.legal), form.text)
        if form.style == "none" and not PLACE.search(form.text) and not text.strip():
            return ""
        return text + ("" if form.suffix == "nothing" or not text.strip() else " ")

    def _form(self, number: str, abstract: str, level: int) -> Level | None:
        return self.own.get(number, {}).get(level) or self.levels.get(abstract, {}).get(level)

    def _number(self, number: str, abstract: str, level: int, legal: bool) -> str:
        form = self._form(number, abstract, level)
        if form is None:
            return ""
        count = self.counts[abstract][level]
        if count is None:  # a level above that no paragraph has begun: Word shows its first number
            count = form.start
        return ordinal(count, "decimal" if legal and form.style != "none" else form.style)


@dataclass(slots=True)
class Style:
    """What a paragraph style says of its paragraphs, with what it inherits."""

    name: str = ""
    number: str | None = None
    level: int | None = None
    outline: int | None = None
    hidden: bool = False
    white: bool = False
    painted: bool = False  # has a colour behind its letters
    raised: bool = False


def read_styles(root: Any) -> dict[str, Style]:
    """Style id → Style, from the root of styles.xml."""
    elements = {s.get(qn("w:styleId"), ""): s for s in root.findall(qn("w:style"))} if root is not None else {}
    styles: dict[str, Style] = {}
    for name in elements:
        line: list[str] = []
        at: str | None = name
        while at in elements and at not in line and len(line) < 50:
            line.append(str(at))
            at = _value(elements[at], "w:basedOn")
        style = Style()
        for ancestor in reversed(line):
            _inherit(style, elements[ancestor])
        styles[name] = style
    return styles


def _inherit(style: Style, element: Any) -> None:
    style.name = _value(element, "w:name") or style.name
    style.painted = style.painted or is_painted(element)
    paragraph, run = element.find(qn("w:pPr")), element.find(qn("w:rPr"))
    if paragraph is not None:
        number = paragraph.find(qn("w:numPr"))
        if number is not None:
            style.number = _value(number, "w:numId") or style.number
            level = _value(number, "w:ilvl")
            style.level = _whole(level, 0) if level is not None else style.level
        if (outline := _value(paragraph, "w:outlineLvl")) is not None:
            style.outline = _whole(outline, 9)
    if run is not None:
        style.hidden = on(run, "w:vanish", style.hidden)
        style.white = is_white(run, style.white)
        style.raised = (_value(run, "w:vertAlign") or ("superscript" if style.raised else "")) == "superscript"


def on(properties: Any, tag: str, otherwise: bool = False) -> bool:
    """A property that is on when it is there, unless its value says no."""
    found = properties.find(qn(tag)) if properties is not None else None
    return otherwise if found is None else found.get(qn("w:val"), "true") not in ("0", "false", "off")


def _level(element: Any) -> Level:
    text = _value(element, "w:lvlText") or ""
    restart = _value(element, "w:lvlRestart")
    style = _value(element, "w:numFmt") or "decimal"
    custom = element.find(
        ".//" + qn("w:numFmt")
    )  # newer styles of counting stand beside a plain one, as an alternative
    if custom is not None and _value(element, "w:numFmt") is None:
        style = custom.get(qn("w:val"), "decimal")
        if style == "custom":
            style = "decimalZero" if custom.get(qn("w:format"), "").startswith("0") else "decimal"
    return Level(_whole(_value(element, "w:start"), 1 if element.find(qn("w:start")) is not None else 0), style, text,
                 _value(element, "w:suff") or "tab", None if restart is None else _whole(restart, 0), on(element, "w:isLgl"))  # fmt: skip


def _value(element: Any, tag: str) -> str | None:
    found = element.find(qn(tag))
    value = found.get(qn("w:val")) if found is not None else None
    return str(value) if value is not None else None


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and re.fullmatch(r"-?\d{1,7}", text) else otherwise
