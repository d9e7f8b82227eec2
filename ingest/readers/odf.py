"""OpenDocument text, sheets and slides, read straight from content.xml: headings, numbered lists, tables, notes."""

import re
from pathlib import Path

from lxml import etree

from corpora import UserError
from ingest.readers.grid import MAX_CELLS, Grid
from ingest.readers.marks import ordinal, slide_name, superscript
from ingest.readers.odf_table import OFFICE, TABLE, URN, read_table, whole, within
from ingest.readers.writer import Writer
from ingest.readers.zips import UNLOCK, open_zip, read_xml

TEXT, DRAW, STYLE, SHOW = (URN % name for name in ("text", "drawing", "style", "presentation"))
FO = "{urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0}"
LEFT_OUT = {
    TEXT + "tracked-changes": "deleted texts left out",
    OFFICE + "annotation": "comments left out",
    TEXT + "hidden-text": "hidden texts left out",
    TEXT + "hidden-paragraph": "hidden texts left out",
    TEXT + "table-of-content": "tables of contents left out",
    TEXT + "alphabetical-index": "tables of contents left out",
}
MAX_DEPTH = 100
RUNNING = ("footer", "date-time", "page-number", "header", "page")
OUTLINE = "*outline*"  # the list by which headings are numbered


def read(path: Path, writer: Writer) -> None:
    with open_zip(path, "OpenDocument file") as archive:
        manifest = read_xml(archive, "META-INF/manifest.xml")
        if manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None:
            raise UserError("The file is encrypted with a password.", UNLOCK)
        content, styles = read_xml(archive, "content.xml"), read_xml(archive, "styles.xml")
    body = content.find(OFFICE + "body") if content is not None else None
    if content is None or body is None or not len(body):
        raise UserError(
            "The file is damaged: it has no content.", "Open and save it again in the program that made it."
        )
    odf = _Odf(writer, [root for root in (styles, content) if root is not None])
    kind = etree.QName(body[0]).localname
    if kind == "spreadsheet":
        odf.sheets(body[0])
    elif kind == "presentation":
        odf.slides(body[0])
    else:
        odf.blocks(body[0])


class _Odf:
    def __init__(self, writer: Writer, roots: list[etree._Element]) -> None:
        self.writer = writer
        self.page: int | None = None
        self.hidden: set[str] = set()  # names of styles
        self.raised: set[str] = set()
        self.parents: dict[str, str] = {}
        self.lists: dict[str, dict[int, etree._Element]] = {}
        self.notes: list[str] = []
        self.counted: dict[str, dict[int, int]] = {}  # list → level → last number, for lists that go on
        self.last_list = self.last_style = ""
        self.cells = 0
        for root in roots:
            for style in root.iter(STYLE + "style"):
                self._style(style)
            for style in root.iter(TEXT + "list-style", TEXT + "outline-style"):
                levels = {whole(level.get(TEXT + "level")): level for level in style}
                self.lists[OUTLINE if style.tag == TEXT + "outline-style" else style.get(STYLE + "name", "")] = levels

    def _style(self, style: etree._Element) -> None:
        name = style.get(STYLE + "name", "")
        self.parents[name] = style.get(STYLE + "parent-style-name", "")
        for properties in style:
            if properties.get(TEXT + "display") == "none" or properties.get(TABLE + "display") == "false":
                self.hidden.add(name)
            if properties.get(SHOW + "visibility") == "hidden":
                self.hidden.add(name)
            position = properties.get(STYLE + "text-position", "")
            if position.startswith("super") or (position[:1].isdigit() and not position.startswith("0")):
                self.raised.add(name)

    def blocks(self, parent: etree._Element, depth: int = 0) -> None:
        for element in parent:
            if element.tag in LEFT_OUT:
                self.left_out(element)
            elif element.tag == TEXT + "h":
                self.heading(element)
            elif element.tag == TEXT + "p":
                self.paragraph(element)
            elif element.tag == TEXT + "list":
                self.items(element, element.get(TEXT + "style-name", ""), 1)
            elif element.tag == TABLE + "table":
                self.table(element)
            elif depth < MAX_DEPTH:  # sections, frames, boxes, groups
                self.blocks(element, depth + 1)

    def heading(self, element: etree._Element, mark: str = "") -> None:
        level = whole(element.get(TEXT + "outline-level"))
        form = self.lists.get(OUTLINE, {}).get(level)
        if not mark and form is not None and form.get(STYLE + "num-format"):
            mark = self._mark(element, OUTLINE, level, self.counted.setdefault(OUTLINE, {}))
        text = self.line(element)
        if text.strip():
            self.writer.heading(level, mark + text, self.page)
        self.footnotes()

    def paragraph(self, element: etree._Element, mark: str = "") -> None:
        style = element.get(TEXT + "style-name", "")
        text = self.line(element)
        if self.parents.get(style, style) == "Title" or style == "Title":
            self.writer.title = text.strip() or self.writer.title
            self.writer.heading(0, text, self.page)
        elif text.strip():
            self.writer.paragraph(mark + text, self.page)
        self.footnotes()
        for box in element.iter(DRAW + "text-box"):
            if not any(above.tag in (DRAW + "text-box", OFFICE + "annotation") for above in box.iterancestors()):
                self.blocks(box)

    def footnotes(self) -> None:
        for text in self.notes:
            self.writer.paragraph(text, self.page)
        self.notes = []

    def items(self, element: etree._Element, style: str, level: int) -> None:
        own = element.get("{http://www.w3.org/XML/1998/namespace}id", "")
        goes_on = element.get(TEXT + "continue-list") or (
            self.last_list if element.get(TEXT + "continue-numbering") == "true" else ""
        )
        if self.page and style == self.last_style and not goes_on:
            goes_on = self.last_list  # on a slide each paragraph may be a list of its own
        if level == 1:
            self.last_style = style
            key = own or f"{len(self.counted)}"
            self.counted[key] = self.counted.get(goes_on, {}) if goes_on else {}  # one counter for all that go on
            self.last_list = key
        counts = self.counted[self.last_list]
        for item in element:
            if item.tag not in (TEXT + "list-item", TEXT + "list-header"):
                continue
            counts_itself = item.tag == TEXT + "list-item" and any(
                child.tag in (TEXT + "p", TEXT + "h") for child in item
            )
            mark = self._mark(item, style, level, counts) if counts_itself else ""
            for child in item:
                if child.tag == TEXT + "list" and level < MAX_DEPTH:
                    self.items(child, child.get(TEXT + "style-name", style), level + 1)
                elif child.tag == TEXT + "p":
                    self.paragraph(child, mark)
                    mark = ""
                elif child.tag == TEXT + "h":
                    self.heading(child, mark)
                    mark = ""

    def _mark(self, item: etree._Element, style: str, level: int, counts: dict[int, int]) -> str:
        """The item's number as its list counts: `display-levels` of them, with what stands before and after."""
        form = self.lists.get(style, {}).get(level)
        if form is None or form.tag not in (TEXT + "list-level-style-number", TEXT + "outline-level-style"):
            return "- "
        given = item.get(TEXT + "start-value") or (None if level in counts else form.get(TEXT + "start-value"))
        counts[level] = int(given) if given and given.isdecimal() else counts.get(level, 0) + 1
        for deeper in [n for n in counts if n > level]:
            del counts[deeper]
        shown = form.get(TEXT + "display-levels", "1")
        first = max(1, level - (int(shown) if shown.isdecimal() else 1) + 1)
        numbers = []
        for n in range(first, level + 1):
            above = self.lists[style].get(n)
            kind = above.get(STYLE + "num-format", "1") if above is not None else "1"
            if kind:  # a level that no item has begun shows the number with which it would
                numbers.append(
                    ordinal(
                        counts.get(n) or whole(above.get(TEXT + "start-value") if above is not None else None), kind
                    )
                )
        number = form.get(STYLE + "num-prefix", "") + ".".join(numbers) + form.get(STYLE + "num-suffix", "")
        return f"{number} " if number.strip() else ""

    def line(self, element: etree._Element, depth: int = 0) -> str:
        """A paragraph's text as printed: changes accepted, comments and hidden text out, a note's mark where it hangs."""
        style = element.get(TEXT + "style-name", "")
        if style in self.hidden:
            self.writer.note("hidden texts left out")
            return ""
        parts = [element.text or ""]
        for child in element:
            if child.tag in LEFT_OUT:
                self.left_out(child)
            elif child.tag == TEXT + "s":
                parts.append(" ")
            elif child.tag == TEXT + "tab":
                parts.append("\t")
            elif child.tag == TEXT + "line-break":
                parts.append("\n")
            elif child.tag == TEXT + "note":
                parts.append(self._note(child))
            elif child.tag == TEXT + "ruby":
                parts.append("".join(self.line(base) for base in child.iter(TEXT + "ruby-base")))
            elif child.tag in (DRAW + "frame", DRAW + "custom-shape", DRAW + "g", DRAW + "a"):
                pass  # boxes are read after their paragraph
            elif depth < MAX_DEPTH:
                inner = self.line(child, depth + 1)
                parts.append(superscript(inner) if child.get(TEXT + "style-name") in self.raised else inner)
            parts.append(child.tail or "")
        return "".join(parts)

    def _note(self, note: etree._Element) -> str:
        number = (
            "".join(note.find(TEXT + "note-citation").itertext())
            if note.find(TEXT + "note-citation") is not None
            else ""
        )
        body = note.find(TEXT + "note-body")
        said = " ".join(self.line(p).strip() for p in body.iter(TEXT + "p")) if body is not None else ""
        if said.strip():
            self.notes.append(f"[{number}] {said}")
        return f"[{number}]"

    def left_out(self, element: etree._Element) -> None:
        count = len(element) if element.tag == TEXT + "tracked-changes" else 1
        if element.tag == TEXT + "tracked-changes":
            count = sum(1 for _ in element.iter(TEXT + "deletion"))
        self.writer.note(LEFT_OUT[element.tag], count)

    def table(self, table: etree._Element) -> None:
        self.grid(table).write(self.writer, has_header=True)
        self.footnotes()

    def sheets(self, body: etree._Element) -> None:
        for table in body.iter(TABLE + "table"):
            if table.getparent() is not body:
                continue
            if table.get(TABLE + "style-name") in self.hidden:
                self.writer.note("hidden sheets left out")
                continue
            grid = self.grid(table)
            if grid.rows:
                self.writer.heading(1, table.get(TABLE + "name", ""))
                grid.write(self.writer)

    def grid(self, table: etree._Element) -> Grid:
        grid = read_table(table, self._cell, self.writer.note, MAX_CELLS - self.cells)
        self.cells += sum(map(len, grid.rows.values()))
        return grid

    def _cell(self, cell: etree._Element) -> str:
        for comment in cell.iter(OFFICE + "annotation"):
            self.left_out(comment)
        lines = [p for p in cell.iter(TEXT + "p", TEXT + "h") if not within(p, OFFICE + "annotation", cell)]
        return "\n".join(filter(None, (self.line(p).strip() for p in lines)))

    def slides(self, body: etree._Element) -> None:
        number = 0
        for page in body.iter(DRAW + "page"):
            number += 1
            if page.get(DRAW + "style-name") in self.hidden:
                self.writer.note("hidden slides left out")
                continue
            self.page, self.last_style = number, ""
            frames = [f for f in page if f.tag != SHOW + "notes"]
            title = next((f for f in frames if f.get(SHOW + "class") == "title"), None)
            said = " ".join(self.line(p).strip() for p in title.iter(TEXT + "p")) if title is not None else ""
            name = page.get(DRAW + "name", "")
            given = "" if re.fullmatch(r"page\d+", name) else name  # LibreOffice's own name is none
            self.writer.heading(1, said or given or slide_name(number, "".join(page.itertext())), number)
            for frame in frames:
                if frame is not title and frame.get(SHOW + "class") not in (
                    "footer",
                    "date-time",
                    "page-number",
                    "header",
                ):
                    self.blocks(_holder(frame))
            for frame in page.iterfind(f"{SHOW}notes/{DRAW}frame"):
                lines = frame.iter(TEXT + "p") if frame.get(SHOW + "class") not in RUNNING else ()
                text = "\n".join(filter(None, (self.line(p).strip() for p in lines)))
                self.writer.paragraph(f"Notes: {text}" if text else "", number)
        self.writer.pages = number


def _holder(frame: etree._Element) -> etree._Element:
    """The frame under a parent of its own, to be read like any block."""
    holder = etree.Element("holder")
    holder.append(frame)
    return holder
