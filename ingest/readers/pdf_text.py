"""What a page of a PDF shows: its lines of text with place and type, its tables, and how much of it is picture or hidden."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from ingest.readers.joining import SOFT
from ingest.readers.pdf_characters import Characters, Line, Span
from ingest.readers.pdf_objects import Objects, address, page_objects
from ingest.readers.pdf_tables import Table, ruled_tables

MIN_SIZE = 1.0  # points; smaller letters cannot be seen
MAX_CHARACTERS = 400_000  # of one page; a printed one has some 5,000
SPAN = re.compile(
    "[^\r\n\x02\ufffe]+[\x02\ufffe]?"
)  # PDFium puts one of the two where it takes a hyphen for a soft one
SPARSE = 100  # letters; a page with fewer and a picture may be a scan with a stamp, or say more in its picture
PICTURED = 0.03  # of the page
ODD = re.compile("[\ue000-\uf8ff\ufffd\x00\x01\x03-\x08\x0e-\x1f]")  # private use, replacement and control characters


@dataclass(slots=True)
class PageText:
    lines: list[Line]
    tables: list[Table]
    hidden: int  # texts that nobody would see on the page
    letters: int  # of the text layer that can be believed
    usable: bool  # False where text recognition may read more than the text layer says
    width: float
    height: float
    recognised: bool = False  # from an image
    unsure: int = 0  # places that text recognition could not read with confidence


def page_text(page: Any) -> PageText:
    """Everything on one open `PdfPage`, in the order in which it is drawn."""
    box = page.get_bbox()
    textpage = page.get_textpage()
    try:
        raw = textpage.raw
        count = min(textpage.count_chars(), MAX_CHARACTERS)
        text = _characters(textpage, count)
        objects = page_objects(page)
        characters = Characters(raw, box, text)
        gone = bytearray(count)
        hidden = _hide(characters, objects, gone) if objects.doubtful else 0
        spans = [(m.start(), m.end()) for m in SPAN.finditer(text)]
        characters.settle(spans)
        tables = ruled_tables(objects, characters, gone) if objects.ruled else []
        lines: list[Line] = []
        for row, span in enumerate(spans):
            for start, end in _remaining(span, gone) if hidden or tables else (span,):
                lines.extend(characters.lines(start, end, row))
        off = [x for x in lines if _is_off(x, characters)]
        if off:
            hidden += len(off)
            lines = [x for x in lines if not _is_off(x, characters)]
        return PageText(
            _with_scripts(lines), tables, hidden, *_believed(text, objects, raw), characters.width, characters.height
        )
    finally:
        textpage.close()


def _characters(textpage: Any, count: int) -> str:
    """The page's text with one character for each of PDFium's, so that an index fits both."""
    text: str = textpage.get_text_range(0, count) if count else ""
    if len(text) == count:
        return text
    codes = (pdfium.FPDFText_GetUnicode(textpage.raw, i) for i in range(count))
    return "".join(chr(c) if 0 < c < 0xD800 or 0xDFFF < c < 0x110000 else "\ufffd" for c in codes)


def _believed(text: str, objects: Objects, raw: Any) -> tuple[int, bool]:
    """How many letters the text layer says, none if it is mojibake; and is that all that there is to read on the page?"""
    solid = "".join(text.split())
    if not solid:
        return 0, not objects.drawn
    sample = range(0, len(text), max(1, len(text) // 40))
    unmapped = sum(pdfium.FPDFText_HasUnicodeMapError(raw, i) == 1 for i in sample)
    if len(ODD.findall(solid)) > 0.25 * len(solid) or unmapped > 0.5 * len(sample):
        return 0, False
    return len(solid), len(solid) >= SPARSE or objects.pictured < PICTURED


def _hide(characters: Characters, objects: Objects, gone: bytearray) -> int:
    """Mark the characters that nobody sees; returns how many runs of them there are."""
    seen = before = 0
    doubtful: dict[int, bool] = {}
    for i, character in enumerate(characters.text):
        at = address(pdfium.FPDFText_GetTextObject(characters.raw, i))
        if at in objects.doubtful:
            if at not in doubtful:
                doubtful[at] = objects.is_hidden(at, characters.user_box(i))
            if doubtful[at]:
                gone[i] = 1
        if gone[i] and not before and character.strip():
            seen += 1
        if character.strip():
            before = gone[i]
    return seen


def _remaining(span: Span, gone: bytearray) -> Iterator[Span]:
    """The parts of a span of which nothing was hidden or went into a table."""
    start: int | None = None
    for i in range(*span):
        if gone[i]:
            if start is not None:
                yield start, i
            start = None
        elif start is None:
            start = i
    if start is not None:
        yield start, span[1]


def _with_scripts(lines: list[Line]) -> list[Line]:
    """Lines whole again that a raised or lowered letter had cut in pieces."""
    whole: list[Line] = []
    for line in lines:
        above = whole[-1] if whole else None
        if above and above.row != line.row and _is_script(above, line):
            gap = line.left - above.right
            above.text += line.text if gap < 0.15 * line.size else f" {line.text}"
            above.left, above.right = min(above.left, line.left), max(above.right, line.right)
            if line.size > above.size:
                above.size, above.top, above.bottom, above.bold = line.size, line.top, line.bottom, line.bold
        else:
            whole.append(line)
    return whole


def _is_script(above: Line, line: Line) -> bool:
    """Does the line go on where the one before ends, at nearly the same height?"""
    size = max(above.size, line.size)
    overlap = min(above.bottom, line.bottom) - max(above.top, line.top)
    return (
        overlap > 0.35 * min(above.height, line.height)
        and -0.5 * size < line.left - above.right < 0.8 * size
        and not (above.turned or line.turned or above.text.endswith(SOFT))
    )


def _is_off(line: Line, characters: Characters) -> bool:
    """Outside the sheet, or too small to be seen."""
    x, y = (line.left + line.right) / 2, (line.top + line.bottom) / 2
    return not (0 <= x <= characters.width and 0 <= y <= characters.height) or line.size < MIN_SIZE
