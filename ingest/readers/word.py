"""DOCX: headings and clauses with the numbers that Word prints, tables as rows, notes; hidden text stays out.

The parts are read straight from the archive: python-docx gives up on a file that names one picture too many.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from docx.oxml.ns import qn

from corpora import UserError
from ingest.readers.charts import write_chart
from ingest.readers.equations import M, tex
from ingest.readers.grid import FIGURE, Cell, Grid
from ingest.readers.marks import superscript
from ingest.readers.numbering import Numbering, Style, on, read_styles
from ingest.readers.symbols import symbol
from ingest.readers.white import is_small, is_white, stands_on_colour
from ingest.readers.writer import Writer
from ingest.readers.zips import open_zip, parse_xml, related

# The strict kind of the format differs in the names of its namespaces alone.
STRICT = {b"http://purl.oclc.org/ooxml/wordprocessingml/main": b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
          b"http://purl.oclc.org/ooxml/officeDocument/math": b"http://schemas.openxmlformats.org/officeDocument/2006/math"}  # fmt: skip
WRAPPERS = (qn("w:sdt"), qn("w:sdtContent"), qn("w:customXml"), qn("w:smartTag"), qn("w:ins"), qn("w:moveTo"))
DELETED = (qn("w:del"), qn("w:moveFrom"))
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
# An old copy of a drawing for programs that cannot show the new one. A box within a box is read with its own paragraph.
ASIDE = (FALLBACK, qn("w:txbxContent"))
HEADING = re.compile(r"(?:heading|标题)\s*(\d)", re.I)
CONTENTS = re.compile(r"(?:toc|目录)\s*\d", re.I)
MAX_DEPTH = 40


def read(path: Path, writer: Writer) -> None:
    with open_zip(path, "DOCX") as archive:
        main = next(iter(related(archive, "", "officeDocument").values()), "")
        root = _root(archive, main)
        body = root.find(qn("w:body")) if root is not None else None
        if body is None:
            raise UserError(
                "The file is no Word document, whatever its name says.", "Give it the ending of its true kind."
            )
        _Word(archive, main, writer).read(body)


class _Word:
    def __init__(self, archive: ZipFile, main: str, writer: Writer) -> None:
        self.archive = archive
        self.main = main
        self.writer = writer
        self.charts = related(archive, main, "chart")
        self.styles = read_styles(self.part("styles"))
        self.default = next((name for name, style in self.styles.items() if style.name == "Normal"), "")
        self.numbering = Numbering.of(self.part("numbering"), self.styles)
        self.notes = {qn("w:footnoteReference"): self._notes("footnotes", "w:footnote"),
                      qn("w:endnoteReference"): self._notes("endnotes", "w:endnote")}  # fmt: skip
        self.cited: list[str] = []  # notes referred to and not yet written
        self.count = 0

    def parts(self, kind: str) -> list[Any]:
        """The roots of the parts that the document relates to in one way: "styles", "header"."""
        roots = (_root(self.archive, name) for name in related(self.archive, self.main, kind).values())
        return [root for root in roots if root is not None]

    def part(self, kind: str) -> Any:
        return next(iter(self.parts(kind)), None)

    def read(self, body: Any) -> None:
        self.blocks(body, 0)
        note = self.writer.note
        note("deleted texts left out", sum(1 for _ in body.iter(qn("w:delText"))))
        boxes = [box for box in body.iter(qn("w:txbxContent")) if not _within(box, (FALLBACK,), body)]
        note("deleted and hidden text boxes left out", sum(not self.is_shown(box, body) for box in boxes))
        comments = self.part("comments")
        note("comments left out", len(comments.findall(qn("w:comment"))) if comments is not None else 0)
        running = self.parts("header") + self.parts("footer")
        note(
            "headers and footers left out", sum(any((t.text or "").strip() for t in r.iter(qn("w:t"))) for r in running)
        )
        note("embedded documents left out", sum(1 for _ in body.iter(qn("w:altChunk"))))

    def blocks(self, parent: Any, depth: int) -> None:
        """Paragraphs and tables in reading order, those in content controls and text boxes too."""
        for child in parent:
            if child.tag == qn("w:p"):
                self.paragraph(child)
                for box in child.iter(qn("w:txbxContent")):
                    if not _within(box, ASIDE, child) and self.is_shown(box, child) and depth < MAX_DEPTH:
                        self.blocks(box, depth + 1)
                for chart in child.iter(qn("c:chart")):
                    name = self.charts.get(chart.get(qn("r:id"), ""))
                    if name and self.is_shown(chart, child):
                        write_chart(self.archive, name, self.writer)
            elif child.tag == qn("w:tbl"):
                self.table(child, depth)
            elif child.tag in WRAPPERS and depth < MAX_DEPTH:
                self.blocks(child, depth + 1)

    def is_shown(self, node: Any, top: Any) -> bool:
        """Does nothing between a box or a chart and `top` delete or hide it?"""
        runs = takewhile(lambda above: above is not top, node.iterancestors())
        return not any(above.tag in DELETED or (above.tag == qn("w:r") and self.is_hidden(above)) for above in runs)

    def is_hidden(self, run: Any) -> bool:
        style = self.styles.get(_value(run, "w:rPr/w:rStyle") or "")
        return on(run.find(qn("w:rPr")), "w:vanish", bool(style and style.hidden)) or self.is_unseen(run, style)

    def is_unseen(self, run: Any, style: Style | None) -> bool:
        """Are a run's letters too small to be seen, or white with nothing painted behind them?"""
        own = run.find(qn("w:rPr"))
        if is_small(own):
            return True
        names = [_value(p, "w:pPr/w:pStyle") or self.default for p in run.iterancestors(qn("w:p"))]
        names += [_value(t, "w:tblPr/w:tblStyle") or "" for t in run.iterancestors(qn("w:tbl"))]
        behind = [s for s in (style, *map(self.styles.get, names)) if s is not None]
        return is_white(own, any(s.white for s in behind)) and not any(s.painted for s in behind) and not stands_on_colour(run)

    def paragraph(self, element: Any) -> None:
        name = _value(element, "w:pPr/w:pStyle") or self.default
        style = self.styles.get(name)
        title = style.name if style else ""
        mark = self.mark(element)
        text = self.text(element)
        if text.strip() and CONTENTS.match(title):
            self.writer.note("lines of a table of contents left out")
        elif text.strip():
            heading = HEADING.match(title)
            outline = _value(element, "w:pPr/w:outlineLvl")
            level = (
                int(heading[1])
                if heading
                else _level(outline)
                if outline is not None
                else _level(style.outline if style else None)
            )
            if title == "Title" and not mark:
                self.writer.title = text.strip()
                self.writer.heading(0, text)
            elif level and len(text) < 300:
                self.writer.heading(level, mark + text)
            else:
                self.writer.paragraph(mark + text)
        self.flush_notes()

    def flush_notes(self) -> None:
        for text in self.cited:
            self.writer.paragraph(text)
        self.cited = []

    def mark(self, element: Any) -> str:
        """The number or bullet before a paragraph; an empty one is counted too, a deleted or hidden one is not."""
        run = element.find(f"{qn('w:pPr')}/{qn('w:rPr')}")
        gone = run is not None and (
            on(run, "w:vanish") or any(run.find(qn(tag)) is not None for tag in ("w:del", "w:moveFrom"))
        )
        if gone and not self.text(element, peek=True).strip():
            return ""
        name = _value(element, "w:pPr/w:pStyle") or self.default
        style = self.styles.get(name)
        number = _value(element, "w:pPr/w:numPr/w:numId")
        level = _value(element, "w:pPr/w:numPr/w:ilvl")
        at = int(level) if level is not None and level.isdecimal() else None
        if number is None and style is not None:
            number, at = style.number, style.level if at is None else at
        return self.numbering.mark(number, at, name) if number is not None else ""

    def text(self, paragraph: Any, peek: bool = False) -> str:
        """A paragraph's text as Word prints it, changes accepted: links, fields, controls and insertions are part of it.

        To `peek` is to count nothing.
        """
        said: list[str] = []
        self._gather(paragraph, said, peek, 0)
        return "".join(said)

    def _gather(self, element: Any, said: list[str], peek: bool, depth: int) -> None:
        for node in element:
            tag = node.tag
            if tag == qn("w:r"):
                self._run(node, said, peek)
            elif tag in (M + "oMath", M + "oMathPara"):
                formula = tex(node).strip()
                said.append(f" ${formula}$ " if formula else "")
            elif tag == qn("w:ruby"):
                self._gather(node.find(qn("w:rubyBase")), said, peek, depth + 1)
            elif tag not in DELETED and tag not in (qn("w:pPr"), *ASIDE) and isinstance(tag, str) and depth < MAX_DEPTH:
                self._gather(node, said, peek, depth + 1)

    def _run(self, run: Any, said: list[str], peek: bool) -> None:
        style = self.styles.get(_value(run, "w:rPr/w:rStyle") or "")
        hidden = self.is_hidden(run)
        align = _value(run, "w:rPr/w:vertAlign")
        raised = align == "superscript" or (align is None and style is not None and style.raised)
        parts: list[str] = []
        for node in run:
            if node.tag == qn("w:t"):
                text = node.text or ""
                parts.append(superscript(text) if raised else text)
            elif node.tag in (qn("w:tab"), qn("w:ptab")):
                parts.append("\t")
            elif node.tag in (qn("w:br"), qn("w:cr")):
                parts.append("\n")
            elif node.tag == qn("w:noBreakHyphen"):
                parts.append("-")
            elif node.tag == qn("w:sym"):
                parts.append(symbol(node.get(qn("w:char"), ""), node.get(qn("w:font"), "")))
            elif node.tag == qn("w:ruby"):
                self._gather(node.find(qn("w:rubyBase")), parts, peek, 1)
            elif node.tag in self.notes and not peek and not hidden:
                parts.append(self._refer(self.notes[node.tag], node.get(qn("w:id"), "")))
        if not hidden:
            said += parts
        elif not peek and "".join(parts).strip():
            self.writer.note("hidden texts left out")

    def _notes(self, kind: str, tag: str) -> dict[str, Any]:
        root = self.part(kind)
        return (
            {n.get(qn("w:id"), ""): n for n in root.findall(qn(tag)) if n.get(qn("w:type")) is None}
            if root is not None
            else {}
        )

    def _refer(self, notes: dict[str, Any], name: str) -> str:
        note = notes.pop(name, None)
        if note is None:
            return ""
        self.count += 1
        self.cited.append(f"[{self.count}] " + " ".join(self.text(p).strip() for p in note.iter(qn("w:p"))).strip())
        return f"[{self.count}]"

    def table(self, table: Any, depth: int) -> None:
        rows = list(_children(table, qn("w:tr")))
        cells = [list(_children(row, qn("w:tc"))) for row in rows]
        if all(len(row) <= 1 for row in cells):  # a frame around paragraphs
            for row in cells:
                for cell in row:
                    if depth < MAX_DEPTH:
                        self.blocks(cell, depth + 1)
            return
        self._grid(rows, cells).write(self.writer, has_header=True)
        self.flush_notes()

    def _grid(self, rows: list[Any], cells: list[list[Any]]) -> Grid:
        """The table on its grid: a cell over several rows stands in each, one over several columns in its first."""
        grid = Grid()
        above: dict[int, Cell] = {}  # column → the cell that may reach further down
        for row, own in zip(rows, cells, strict=True):
            if row.find(f"{qn('w:trPr')}/{qn('w:del')}") is not None:
                continue
            column = 1 + _whole(_value(row, "w:trPr/w:gridBefore"), 0)
            line: dict[int, Cell] = {}
            wide: list[tuple[int, int]] = []
            for cell in own:
                merge = cell.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
                if merge is None or merge.get(qn("w:val"), "continue") != "continue":
                    above.pop(column, None)
                    if text := self._cell(cell):
                        above[column] = Cell(text, bool(FIGURE.fullmatch(text)))
                if column in above:
                    line[column] = above[column]
                span = _whole(_value(cell, "w:tcPr/w:gridSpan"), 1)
                wide += [(column, column + span - 1)] if span > 1 else []
                column += span
            if line:  # an empty row, there to be filled in, ends no table
                grid.rows[len(grid.rows) + 1] = line
                grid.merged += [(len(grid.rows), left, len(grid.rows), right) for left, right in wide]
        return grid

    def _cell(self, cell: Any) -> str:
        """A cell's text, with that of tables and boxes in it, and the numbers of its paragraphs: a column may count by itself."""
        lines = []
        for paragraph in cell.iter(qn("w:p")):
            if not _within(paragraph, (FALLBACK,), cell) and self.is_shown(paragraph, cell):
                mark, text = self.mark(paragraph), self.text(paragraph)
                lines.append((mark + text if text.strip() or mark != "- " else "").strip())
        return "\n".join(filter(None, lines))


def _root(archive: ZipFile, name: str) -> Any:
    """The tree of one entry; None where it is missing, as the part of a damaged file may be."""
    try:
        data = archive.read(name)
    except KeyError:
        return None
    for strict, usual in STRICT.items():
        data = data.replace(strict, usual)
    return parse_xml(data)


def _children(element: Any, tag: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, those in content controls too."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in WRAPPERS:
            yield from _children(child, tag)


def _level(outline: int | str | None) -> int:
    """An outline level, from 0, as a heading's, from 1; 0 for body text."""
    value = int(outline) if isinstance(outline, int) or (outline and outline.isdecimal()) else 9
    return value + 1 if value < 9 else 0


def _within(node: Any, tags: Sequence[str], top: Any) -> bool:
    """Does `node` lie in one of `tags` below `top`?"""
    for above in node.iterancestors():
        if above is top:
            return False
        if above.tag in tags:
            return True
    return False


def _value(element: Any, path: str) -> str | None:
    found = element.find("/".join(qn(step) for step in path.split("/")))
    return found.get(qn("w:val")) if found is not None else None


def _whole(text: str | None, otherwise: int) -> int:
    return min(int(text), 1000) if text and text.isdecimal() and len(text) < 9 else otherwise
