"""HTML: what a browser shows, as headings, paragraphs, list items, tables and code; hidden and navigating parts stay out."""

import re
from pathlib import Path

from lxml import etree, html

from ingest.readers.hidden import Hidden
from ingest.readers.marks import ordinal, superscript
from ingest.readers.text import decode
from ingest.readers.writer import Writer

META = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w-]+)""", re.I)
HEADINGS = {f"h{n}": n for n in range(1, 7)}
# Elements that flow within a line; every other one begins a paragraph of its own.
INLINE = frozenset("a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q rb ruby s samp small "
                   "span strike strong sub sup time tt u var wbr rp rt ix math".split())  # fmt: skip
MAX_DEPTH = 120  # what is nested deeper is read as running text
MAX_COLUMNS = 500  # of a table's grid; a span over more is taken as one cell
MAX_ROWS = 2000  # that one cell reaches down


def read(path: Path, writer: Writer) -> None:
    data = path.read_bytes()
    declared = META.search(data[:4096])
    write_html(decode(data, declared[1].decode("ascii", "ignore") if declared else ""), writer)


def write_html(text: str, writer: Writer) -> None:
    """Append the blocks of a page, or of a piece of one; a page's title becomes the document's."""
    # HTML knows no entities of its own; without `huge_tree` what lies under 256 unclosed elements is lost without a word.
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True)
    try:
        root = html.document_fromstring(text.encode("utf-8", "ignore") or b"<p>", parser=parser, ensure_head_body=True)
    except etree.ParserError:  # nothing but a comment, or in Markdown the end of what began before
        return
    title = root.findtext("head/title")
    if title and title.strip():
        writer.title = " ".join(title.split())
    Hidden(root).take_out(root, writer)
    page = _Page(writer)
    page.block(root.find("body"), 0)
    page.flush()


class _Page:
    """The walk through a page: inline text gathers in `line` until a block begins or ends."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.line: list[str] = []
        self.mark = ""  # what precedes the next paragraph: "- ", "3. "

    def flush(self) -> None:
        text = squeeze("".join(self.line))
        self.line = []
        if text:
            self.writer.paragraph(self.mark + text)
            self.mark = ""

    def block(self, element: etree._Element, depth: int) -> None:
        """Read what is in an element, which is a block."""
        self.line.append(element.text or "")
        for child in element:
            self.child(child, depth + 1)
            self.line.append(child.tail or "")

    def child(self, element: etree._Element, depth: int) -> None:
        tag = name(element)
        if depth > MAX_DEPTH:
            self.line.append(" ".join(element.itertext()))
        elif tag == "br":
            self.line.append(BREAK)
        elif tag == "math" or (tag in INLINE and not _holds_blocks(element)):
            self.line.append(inline(element))
        elif tag in INLINE:  # a link or a span around whole paragraphs
            self.block(element, depth)
        else:
            self.flush()
            self.own(element, tag, depth)
            self.flush()

    def own(self, element: etree._Element, tag: str, depth: int) -> None:
        """An element that is a block of its own."""
        if tag in HEADINGS:
            self.writer.heading(HEADINGS[tag], squeeze(inline(element)).replace("\n", " "))
        elif tag in ("pre", "xmp", "listing"):
            self.writer.code("".join(_pre(element)))
        elif tag in ("ul", "ol", "menu", "dir"):
            self.items(element, tag, depth)
        elif tag == "table" and not _is_layout(element):
            for caption in element.iterchildren("caption"):
                self.writer.paragraph(squeeze(inline(caption)))
            rows, has_header = table_rows(element)
            self.writer.table(rows, has_header=has_header)
        elif tag in ("img", "input", "hr", "col", "colgroup"):
            pass
        else:
            self.block(element, depth)

    def items(self, element: etree._Element, tag: str, depth: int) -> None:
        number = _whole(element.get("start"), 1)
        for item in element:
            if name(item) != "li":
                self.child(item, depth + 1)
                continue
            number = _whole(item.get("value"), number)
            self.mark = f"{ordinal(number, element.get('type', '1'))}. " if tag == "ol" else "- "
            number += 1
            self.block(item, depth + 1)
            self.flush()
            self.mark = ""


BREAK = "\ue000"  # a line break that is meant, until white space is squeezed; from the plane of private use


def squeeze(text: str) -> str:
    """White space as a browser shows it: one blank, and a line break where there is a `<br>`."""
    lines = (" ".join(line.split()) for line in text.split(BREAK))
    return "\n".join(lines).strip()


def inline(element: etree._Element, depth: int = 0) -> str:
    """The text of an element in a line: figures raised by `<sup>` stay raised, for 10³ is not 103."""
    tag = name(element)
    if tag == "math":
        return f" {_formula(element)} "
    if tag in ("rt", "rp"):  # how a character is read aloud
        return ""
    parts = [element.text or ""]
    for child in element:
        if name(child) == "br":
            parts.append(BREAK)
        else:
            inner = inline(child, depth + 1) if depth < MAX_DEPTH else " ".join(child.itertext())
            block = name(child) not in INLINE
            parts.append(f" {_mark(child)}{inner} " if block else inner)
        parts.append(child.tail or "")
    text = "".join(parts)
    return superscript(text) if tag == "sup" else text


def _mark(item: etree._Element) -> str:
    """What stands before an item of a list inside a cell."""
    if name(item) != "li":
        return ""
    if name(item.getparent()) != "ol":
        return "- "
    before = sum(name(sibling) == "li" for sibling in item.itersiblings(preceding=True))
    return f"{ordinal(before + 1, item.getparent().get('type', '1'))}. "


def table_rows(table: etree._Element) -> tuple[list[list[str]], bool]:
    """Rows of as many cells as the grid has columns, and whether the first is a header.

    A cell over several rows stands in each, one over several columns in its first. Columns without a word are left out.
    """
    rows: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}  # column → how many more rows a cell reaches down, and its text
    headed = False
    for tr in _own_rows(table):
        row: list[str] = []
        cells = [c for c in tr if name(c) in ("td", "th")]
        headed = headed or (not rows and bool(cells) and all(name(c) == "th" for c in cells))
        headed = headed or (not rows and name(tr.getparent()) == "thead")
        for cell in cells:
            while len(row) in below:
                row.append(_reach(below, len(row)))
            text = squeeze(inline(cell)).replace("\n", " ")
            wide = _whole(cell.get("colspan"), 1)
            down = min(_whole(cell.get("rowspan"), 1), MAX_ROWS) - 1
            for i in range(wide if 0 < wide <= MAX_COLUMNS - len(row) else 1):
                if down > 0 and len(row) < MAX_COLUMNS:
                    below[len(row)] = (down, text if i == 0 else "")
                row.append(text if i == 0 else "")
        while len(row) in below:
            row.append(_reach(below, len(row)))
        if any(row):
            rows.append(row)
    return without_empty_columns(rows), headed or len(rows) > 1


def without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    filled = sorted({i for row in rows for i, cell in enumerate(row) if cell.strip()})
    return [[row[i] for i in filled if i < len(row)] for row in rows]


def name(element: etree._Element | None) -> str:
    tag = element.tag if element is not None else ""
    return tag.rpartition(":")[2].lower() if isinstance(tag, str) else ""


def _reach(below: dict[int, tuple[int, str]], column: int) -> str:
    left, text = below.pop(column)
    if left > 1:
        below[column] = (left - 1, text)
    return text


def _own_rows(table: etree._Element) -> list[etree._Element]:
    rows = []
    for child in table:
        if name(child) == "tr":
            rows.append(child)
        elif name(child) in ("thead", "tbody", "tfoot"):
            rows += [tr for tr in child if name(tr) == "tr"]
    return rows


def _is_layout(table: etree._Element) -> bool:
    """A table that only arranges a page: its cells are read one after the other."""
    if table.get("role") in ("presentation", "none") or next(table.iter("h1", "h2", "h3", "pre"), None) is not None:
        return True
    rows = _own_rows(table)
    if all(len(tr) <= 1 for tr in rows):
        return True
    nested = any(inner is not table for inner in table.iter("table"))
    return nested and not any(name(cell) == "th" for tr in rows for cell in tr)


def _holds_blocks(element: etree._Element) -> bool:
    return any(name(e) not in INLINE and name(e) not in ("br", "img") for e in element.iterdescendants())


def _pre(element: etree._Element, depth: int = 0) -> list[str]:
    parts = [element.text or ""]
    for child in element:
        parts += ["\n"] if name(child) == "br" else _pre(child, depth + 1) if depth < MAX_DEPTH else child.itertext()
        parts.append(child.tail or "")
    return parts


def _formula(element: etree._Element) -> str:
    """The TeX that a formula was made from where it is kept, else its text."""
    for note in element.iter():
        if name(note) == "annotation" and "tex" in note.get("encoding", ""):
            return f"${(note.text or '').strip()}$"
    return element.get("alttext") or " ".join("".join(element.itertext()).split())


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and re.fullmatch(r"-?\d{1,6}", text.strip()) else otherwise
