"""PDF: text lines by pypdfium2, tables by pdfplumber on pages with ruling lines; running headers and footers stay out."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from corpora import UserError
from ingest.language import CJK
from ingest.readers.writer import Writer

MAX_PAGES = 5000
RULES = 6  # path objects on a page from which it may hold a table
NUMBERED = re.compile(
    r"(?:\d+(?:\.\d+)*\.?|[A-Z]\.\d+|第[一二三四五六七八九十百]+[章节]|[一二三四五六七八九十]+、)\s*\S"
)
LEADER = re.compile(r"(?:\s?[.…·]){5,}\s*\d+$")  # a line of a table of contents: it only repeats headings
ITEM = re.compile(r"(?:[-•–▪]|\(?\d{1,2}[.)]|[（(][一二三四五六七八九十\d]+[)）])\s+")


@dataclass(slots=True)
class Line:
    text: str
    size: float  # font size in points
    bold: bool
    top: float  # points from the page's lower edge
    bottom: float
    left: float


def read(path: Path, writer: Writer) -> None:
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UserError("The PDF is encrypted.", "Save it without a password and add it again.") from None
        raise UserError("The PDF is damaged.", "Open and save it again, or print it to a new PDF.") from None
    try:
        if len(pdf) > MAX_PAGES:
            raise UserError(f"The PDF has {len(pdf)} pages, over the limit of {MAX_PAGES}.", "Split it.")
        writer.pages = len(pdf)
        title = pdf.get_metadata_dict().get("Title", "").strip()
        if title:
            writer.title = title
        pages = [_lines(page) for page in pdf]
        ruled = {i for i, page in enumerate(pdf) if _is_ruled(page)}
    finally:
        pdf.close()
    body = Counter(round(line.size, 1) for lines in pages for line in lines for _ in range(len(line.text))).most_common(
        1
    )
    size = body[0][0] if body else 10.0
    sizes = sorted({round(x.size, 1) for lines in pages for x in lines if x.size > size * 1.08}, reverse=True)
    tables = _tables(path, ruled)
    for i, lines in enumerate(_without_running(pages)):
        _write_page([x for x in lines if not LEADER.search(x.text)], tables.get(i, []), i + 1, size, sizes, writer)


def _lines(page: Any) -> list[Line]:
    """The page's text lines in content order, with where and how large each is."""
    textpage = page.get_textpage()
    raw = textpage.raw
    text = textpage.get_text_range()
    lines, index = [], 0
    for piece in re.split(r"(\r\n|\r|\n)", text):
        stripped = piece.strip()
        if stripped:
            at = index + piece.index(stripped[0])
            left, bottom, _, top = textpage.get_charbox(at, loose=True)
            weight = pdfium.FPDFText_GetFontWeight(raw, at)
            lines.append(Line(stripped, pdfium.FPDFText_GetFontSize(raw, at), weight >= 600, top, bottom, left))
        index += len(piece)
    textpage.close()
    return lines


def _is_ruled(page: Any) -> bool:
    paths = page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_PATH,), max_depth=2)
    return sum(1 for _, _ in zip(range(RULES), paths, strict=False)) >= RULES


def _edges(lines: list[Line]) -> list[Line]:
    """The two uppermost and the two lowest lines of a page."""
    by_height = sorted(lines, key=lambda line: line.top)
    return by_height[:2] + by_height[-2:]


def _running_keys(text: str, page: int) -> set[tuple[str, int]]:
    """The line itself, and the line with each of its numbers taken as the page's, counted from some page on."""
    numbered = {
        (text[: n.start()] + "#" + text[n.end() :], int(n[0]) - page) for n in re.finditer(r"\b\d{1,4}\b", text)
    }
    return {(text, 0), *numbered}


def _without_running(pages: list[list[Line]]) -> list[list[Line]]:
    """The pages without what stands at the edge of more than half of them; a page of nothing else keeps it."""
    if len(pages) < 3:
        return pages
    seen: Counter[tuple[str, int]] = Counter()
    for n, lines in enumerate(pages):
        seen.update({key for line in _edges(lines) for key in _running_keys(line.text, n)})
    running = {key for key, count in seen.items() if count > len(pages) / 2}
    kept = []
    for n, lines in enumerate(pages):
        gone = {id(line) for line in _edges(lines) if _running_keys(line.text, n) & running}
        kept.append([line for line in lines if id(line) not in gone] or lines)
    return kept


def _tables(path: Path, ruled: set[int]) -> dict[int, list[tuple[float, float, list[list[str]]]]]:
    """For each ruled page, its tables as `(top, bottom, rows)`, points from the lower edge."""
    if not ruled:
        return {}
    import pdfplumber

    found: dict[int, list[tuple[float, float, list[list[str]]]]] = {}
    with pdfplumber.open(path, pages=[i + 1 for i in sorted(ruled)]) as pdf:
        for page in pdf.pages:
            for table in page.find_tables():
                rows = [[cell or "" for cell in row] for row in table.extract()]
                if len(rows) > 1 and max(map(len, rows)) > 1:
                    height = float(page.height)
                    found.setdefault(page.page_number - 1, []).append(
                        (height - table.bbox[1], height - table.bbox[3], rows)
                    )
            page.close()
    return found


def _write_page(lines: list[Line], tables: list[tuple[float, float, list[list[str]]]], page: int,
                size: float, sizes: list[float], writer: Writer) -> None:  # fmt: skip
    paragraph: list[Line] = []
    heading: list[Line] = []
    written: set[int] = set()

    def flush() -> None:
        if paragraph:
            writer.paragraph(_join([line.text for line in paragraph]), page)
            paragraph.clear()

    def head() -> None:
        if heading:
            writer.heading(_level(heading[0], size, sizes), _join([line.text for line in heading]), page)
            heading.clear()

    for line in lines:
        middle = (line.top + line.bottom) / 2
        inside = next((i for i, (top, bottom, _) in enumerate(tables) if bottom <= middle <= top), None)
        if inside is not None:
            head()
            flush()
            if inside not in written:
                written.add(inside)
                writer.table([[_join(cell.split("\n")) for cell in row] for row in tables[inside][2]], page)
            continue
        level = _level(line, size, sizes)
        if level:
            flush()
            if heading and heading[-1].size == line.size and not NUMBERED.match(line.text):
                heading.append(line)  # a heading that runs over two lines
            else:
                head()
                heading.append(line)
            continue
        head()
        if paragraph and _breaks(paragraph[-1], line):
            flush()
        paragraph.append(line)
    head()
    flush()


def _level(line: Line, size: float, sizes: list[float]) -> int:
    """1 to 6 for a heading: larger than the body, or bold and numbered; else 0."""
    if len(line.text) >= 160:
        return 0
    if line.size > size * 1.08:
        return min(sizes.index(round(line.size, 1)) + 1, 6)
    return min(len(sizes) + 1, 6) if line.bold and NUMBERED.match(line.text) else 0


def _breaks(above: Line, line: Line) -> bool:
    """Does a new paragraph begin here: a gap, a list item, another size, a new column."""
    height = max(above.top - above.bottom, 1)
    gap = above.bottom - line.top
    return gap > 0.55 * height or gap < -2 * height or bool(ITEM.match(line.text)) or abs(above.size - line.size) > 0.6


def _join(lines: list[str]) -> str:
    """Lines of one paragraph as one: Chinese without a blank, a word cut by a hyphen made whole."""
    text = ""
    for line in (x.strip() for x in lines):
        if not text or not line:
            text += line
        elif text.endswith(("\x02", "￾", "\xad")):
            text = text[:-1] + line
        elif (CJK.match(text[-1]) or text[-1] in "，。；：、（《“") and (
            CJK.match(line[0]) or line[0] in "，。；：、）》”"
        ):
            text += line
        else:
            text += " " + line
    return text
