"""The picture of a PDF's page with a quote marked on it, found by its letters and digits."""

import unicodedata
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

from corpora import UserError

SCALE = 2.0  # 144 dots an inch
MAX_SIDE = 2400  # pixels; a poster is drawn smaller, not refused
YELLOW = (255, 233, 110)
PADDING = 2  # pixels around a marked line
LEAST = 12  # letters and digits that a part of a quote must have in one piece to be marked
MOST_COMPARED = 40_000_000  # letters of a page times letters of a quote; about 0.7 s
PDFIUM = Lock()  # PDFium serves one thread at a time
Box = tuple[float, float, float, float]  # left, bottom, right, top, in points


def page_image(pdf: Path, page: int, quote: str, nth: int = 0) -> bytes:
    """A PNG of page `page` (from 1) with the `nth` (from 0) occurrence of `quote` marked, if it stands there."""
    import pypdfium2
    from PIL import Image, ImageChops, ImageDraw

    with PDFIUM:
        document = pypdfium2.PdfDocument(pdf)
        try:
            if not 1 <= page <= len(document):
                raise UserError(
                    f"There is no page {page}: the document has {len(document)}.", "Take the page from a citation."
                )
            sheet = document[page - 1]
            scale = min(SCALE, MAX_SIDE / max(sheet.get_size()))
            bitmap = sheet.render(scale=scale)
            image = bitmap.to_pil().convert("RGB")
            place = bitmap.get_posconv(sheet)
            marks = [(place.to_bitmap(left, top), place.to_bitmap(right, bottom))
                     for left, bottom, right, top in quote_boxes(sheet.get_textpage(), quote, nth)]  # fmt: skip
        finally:
            document.close()
    ink = Image.new("RGB", image.size, "white")
    draw = ImageDraw.Draw(ink)
    for (x0, y0), (x1, y1) in marks:  # a turned page swaps the corners
        draw.rectangle(
            (min(x0, x1) - PADDING, min(y0, y1) - PADDING, max(x0, x1) + PADDING, max(y0, y1) + PADDING), fill=YELLOW
        )
    out = BytesIO()
    ImageChops.multiply(image, ink).save(out, "PNG")  # like a marker pen: black letters stay black
    return out.getvalue()


def quote_boxes(textpage: Any, quote: str, nth: int = 0) -> list[Box]:
    """One box for each line of the page that the quote covers."""
    characters = [textpage.get_text_range(i, 1) for i in range(textpage.count_chars())]
    letters, owners = [], []
    for i, character in enumerate(characters):
        for letter in fold(character):
            letters.append(letter)
            owners.append(i)
    covered = [owners[i] for start, end in find("".join(letters), fold(quote), nth) for i in range(start, end)]
    for mark in (c for c in quote[-3:] if not c.isalnum()):  # the full stop after the last letter
        if covered and covered[-1] + 1 < len(characters) and characters[covered[-1] + 1] == mark:
            covered.append(covered[-1] + 1)
    return _lines([textpage.get_charbox(i, loose=True) for i in dict.fromkeys(covered)])


def fold(text: str) -> str:
    """Its letters and digits alone: white space, hyphens and a table's bars differ between page and text."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def find(page: str, quote: str, nth: int = 0) -> list[tuple[int, int]]:
    """Where folded `quote` stands on the folded page: its `nth` occurrence, or those long pieces of it that do.

    Pieces are what is left of a quote that runs over the page's end, or whose cells the PDF keeps in another order.
    """
    if not quote:
        return []
    at = page.find(quote)
    for _ in range(nth):
        later = page.find(quote, at + 1)
        at = later if later >= 0 else at
    if at >= 0:
        return [(at, at + len(quote))]
    if len(page) * len(quote) > MOST_COMPARED:
        return []  # the page is shown unmarked: comparing would hold up every other page for minutes
    matches = SequenceMatcher(None, page, quote, autojunk=False).get_matching_blocks()
    return [(m.a, m.a + m.size) for m in matches if m.size >= min(LEAST, len(quote))]


def _lines(boxes: list[Box]) -> list[Box]:
    """Boxes of characters, in reading order, joined as long as they overlap in height and follow each other closely."""
    lines: list[Box] = []
    for box in boxes:
        left, bottom, right, top = box
        if lines:
            a, b, c, d = lines[-1]
            height = max(top - bottom, d - b)
            if min(d, top) - max(b, bottom) > 0.5 * min(d - b, top - bottom) and -height < left - c < 2 * height:
                lines[-1] = (min(a, left), min(b, bottom), max(c, right), max(d, top))
                continue
        lines.append(box)
    return lines


def occurrence(text: str, page_start: int, start: int, end: int) -> int:
    """How often the quote `text[start:end]` has already stood on its page, whose text begins at `page_start`."""
    return fold(text[page_start:start]).count(fold(text[start:end]))
