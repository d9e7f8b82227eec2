"""PPTX by python-pptx: a slide's title is a heading, its page the slide's number; tables, charts, diagrams and notes are read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER as PLACEHOLDER
from pptx.oxml.ns import qn

from ingest.readers.charts import write_chart
from ingest.readers.equations import M, tex
from ingest.readers.marks import ordinal, slide_name, superscript
from ingest.readers.writer import Writer
from ingest.readers.zips import open_zip, parse_xml

RUNNING = (PLACEHOLDER.FOOTER, PLACEHOLDER.DATE, PLACEHOLDER.SLIDE_NUMBER, PLACEHOLDER.HEADER)
TITLES = (PLACEHOLDER.TITLE, PLACEHOLDER.CENTER_TITLE, PLACEHOLDER.VERTICAL_TITLE)
LISTS = (PLACEHOLDER.BODY, PLACEHOLDER.OBJECT, PLACEHOLDER.VERTICAL_BODY)
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
MAX_NESTING = 50
# PowerPoint's names of ways to count, less what stands around the number: alphaLcParenR, romanUcPeriod, ea1ChsPlain.
COUNTS = (("alphaLc", "a"), ("alphaUc", "A"), ("romanLc", "i"), ("romanUc", "I"), ("circleNum", "①"), ("ea1", "一"))


def read(path: Path, writer: Writer) -> None:
    with open_zip(path, "PPTX") as archive:
        slides = list(Presentation(str(path)).slides)
        writer.pages = len(slides)
        for number, slide in enumerate(slides, 1):
            if slide._element.get("show") in ("0", "false"):
                writer.note("hidden slides left out")
            else:
                _Slide(archive, writer, number).read(slide)


class _Slide:
    def __init__(self, archive: ZipFile, writer: Writer, number: int) -> None:
        self.archive = archive
        self.writer = writer
        self.number = number

    def read(self, slide: Any) -> None:
        _choose(slide._element)
        shapes = list(slide.shapes)
        title = next((s for s in shapes if _placeholder(s) in TITLES and _text(s)), None)
        # one without a title opens a section all the same: it does not belong to the slide before
        said = "".join(map(_text, shapes)) if title is None else ""
        name = _text(title).replace("\n", " ") if title else slide_name(self.number, said)
        self.writer.heading(1, name, self.number)
        if self.number == 1 and title:
            self.writer.title = " ".join(_text(title).split())
        for shape in shapes:
            if title is None or shape.shape_id != title.shape_id:
                self.shape(shape, 0)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text.replace("\v", "\n").strip()
            if notes:
                self.writer.paragraph(f"Notes: {notes}", self.number)

    def shape(self, shape: Any, depth: int) -> None:
        if _is_hidden(shape):
            self.writer.note("hidden texts left out", bool(_text(shape)))
        elif _placeholder(shape) in RUNNING or depth > MAX_NESTING:
            return
        elif shape._element.tag == qn("p:grpSp"):
            for inner in shape.shapes:
                self.shape(inner, depth + 1)
        elif getattr(shape, "has_table", False):
            self.writer.table(_rows(shape.table), self.number, has_header=bool(shape.table.first_row))
        elif getattr(shape, "has_chart", False):
            write_chart(self.archive, str(shape.chart.part.partname).lstrip("/"), self.writer, self.number)
        elif shape._element.tag == qn("p:graphicFrame"):
            for text in _diagram(shape):
                self.writer.paragraph(text, self.number)
        elif shape.has_text_frame:
            for text in _paragraphs(shape):
                self.writer.paragraph(text, self.number)


def _choose(slide: Any) -> None:
    """Put today's version of a shape in the place of its alternatives, which python-pptx passes over."""
    for both in list(slide.iter(f"{ALTERNATIVES}AlternateContent")):
        above = both.getparent()
        if above is None or above.tag not in (qn("p:spTree"), qn("p:grpSp")):
            continue
        choice = both.find(f"{ALTERNATIVES}Choice")
        for shape in choice if choice is not None else ():
            both.addprevious(shape)
        above.remove(both)


def _placeholder(shape: Any) -> Any:
    return shape.placeholder_format.type if shape.is_placeholder else None


def _is_hidden(shape: Any) -> bool:
    return any(e.get("hidden") in ("1", "true") for e in shape._element.xpath("./*/p:cNvPr"))


def _text(shape: Any) -> str:
    return _frame_text(shape.text_frame) if shape.has_text_frame else ""


def _frame_text(frame: Any) -> str:
    return "\n".join(filter(None, map(_line, frame.paragraphs)))


def _line(paragraph: Any) -> str:
    """A paragraph's text; raised figures stay raised."""
    parts = []
    for node in paragraph._p:
        if node.tag == qn("a:br"):
            parts.append("\n")
        elif node.tag in (qn("a:r"), qn("a:fld")):
            text = node.findtext(qn("a:t")) or ""
            properties = node.find(qn("a:rPr"))
            raised = properties is not None and re.fullmatch(r"[1-9]\d*%?", properties.get("baseline", ""))
            parts.append(superscript(text) if raised else text)
        elif formulas := list(node.iter(f"{M}oMath")):
            parts.append(" " + " ".join(f"${tex(formula).strip()}$" for formula in formulas) + " ")
    return "".join(parts).replace("\v", "\n").strip()


def _paragraphs(shape: Any) -> Iterator[str]:
    """Paragraphs with what stands before them: a bullet in a placeholder for lists, or where one is set, or a number."""
    lines = [(p, _line(p)) for p in shape.text_frame.paragraphs]
    lists = _placeholder(shape) in LISTS and sum(bool(text) for _, text in lines) > 1
    counters: dict[int, int] = {}
    for paragraph, text in lines:
        if not text:
            continue
        properties = paragraph._p.find(qn("a:pPr"))
        auto = properties.find(qn("a:buAutoNum")) if properties is not None else None
        level = paragraph.level
        counters = {n: count for n, count in counters.items() if n < level or (n == level and auto is not None)}
        if auto is not None:
            start = auto.get("startAt", "1")
            counters[level] = counters.get(level, int(start) - 1 if start.isdecimal() else 0) + 1
            yield _number(counters[level], auto.get("type", "")) + text
        else:
            none = properties is not None and properties.find(qn("a:buNone")) is not None
            char = properties is not None and properties.find(qn("a:buChar")) is not None
            yield ("- " if char or (lists and not none) else "") + text


def _number(n: int, kind: str) -> str:
    style = next((style for name, style in COUNTS if kind.startswith(name)), "1")
    number = ordinal(n, style)
    if kind.endswith("ParenBoth"):
        return f"({number}) "
    if kind.endswith("ParenR"):
        return f"{number}) "
    return f"{number} " if kind.endswith("Plain") or style == "①" else f"{number}、" if style == "一" else f"{number}. "


def _rows(table: Any) -> list[list[str]]:
    """A cell over several rows stands in each, one over several columns in its first."""
    rows: list[list[str]] = []
    for row in table.rows:
        cells: list[str] = []
        for column, cell in enumerate(row.cells):
            down = cell._tc.get("vMerge") in ("1", "true") and rows
            cells.append(rows[-1][column] if down else "" if cell.is_spanned else _frame_text(cell.text_frame))
        rows.append(cells)
    return rows


def _diagram(shape: Any) -> Iterator[str]:
    """The texts of a SmartArt drawing, in the order in which they were put in."""
    for ids in shape._element.iter(f"{DIAGRAM}relIds"):
        part = shape.part.related_part(ids.get(qn("r:dm")))
        for point in parse_xml(part.blob).iter(f"{DIAGRAM}pt"):
            for paragraph in point.iter(qn("a:p")):
                if text := "".join(t.text or "" for t in paragraph.iter(qn("a:t"))).strip():
                    yield text
