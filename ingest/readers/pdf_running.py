"""Running headers, footers and page numbers: what stands at the same place of many pages is not part of the text."""

import re
from collections import defaultdict

from ingest.readers.pdf_characters import Line
from ingest.readers.pdf_text import PageText

FEWEST = 3  # pages on which a line must stand
WINDOW = 12  # pages after each other on which to look for it; a running title may change with the chapter
EDGE_ROWS = 3  # rows at the upper and at the lower edge of a page that may run
MARGIN = 0.13  # of the page's height, within which they stand
SHIFT = 6.0  # points by which its place may differ
DIGITS = re.compile(r"\b\d{1,4}\b")
ROMAN = re.compile(r"\b[ivxlc]{1,7}\b")
NUMBER = re.compile(
    r"(?:page|seite|p\.?|第)?\s*[-–—•|/]*\s*(\d{1,4})\s*页?\s*(?:(?:/|of|von|,?\s*共)\s*\d{1,4}\s*页?)?\s*[-–—•|]*",
    re.I,
)
WARNING = re.compile(r"\W*(?:warning|caution|danger|attention|警告|注意|危险|当心|小心)", re.I)
Key = tuple[str, int, int]


def without_running(pages: list[PageText]) -> int:
    """Take the running lines out of all pages; returns how many there were. A page of nothing else keeps them.

    A warning that stands on every page is kept on the first.
    """
    edges = [_edges(page) for page in pages]
    where: dict[Key, list[int]] = defaultdict(list)
    for n, rows in enumerate(edges):
        for row in rows:
            for mark in _keys(row, n):
                where[mark].append(n)
    need = FEWEST if len(pages) > FEWEST else max(2, len(pages))
    gone = 0
    warnings = set[str]()
    for n, (page, rows) in enumerate(zip(pages, edges, strict=True)):
        running: set[int] = set()
        for side in (rows, rows[::-1]):
            for row in side:  # from the edge inwards, up to the first row that does not run
                if not (any(_nearby(where[k], n) >= need for k in _keys(row, n)) or _is_number(row, n, rows)):
                    break
                text = " ".join(line.text for line in row)
                if WARNING.match(text) and text not in warnings:
                    warnings.add(text)
                    continue
                running.update(map(id, row))
        kept = [line for line in page.lines if id(line) not in running]
        if running and (kept or page.tables):
            gone += len(page.lines) - len(kept)
            page.lines = kept
    return gone


def _edges(page: PageText) -> list[list[Line]]:
    """The rows in the upper and the lower margin of a page, from above; lines side by side are one row."""
    rows: list[list[Line]] = []
    low, high = MARGIN * page.height, (1 - MARGIN) * page.height
    for line in sorted((x for x in page.lines if not x.turned), key=lambda x: x.top):
        if low < line.top and line.bottom < high:
            continue
        if rows and line.top < rows[-1][0].top + 0.5 * line.height:
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda x: x.left)
    return rows if len(rows) <= 2 * EDGE_ROWS else rows[:EDGE_ROWS] + rows[-EDGE_ROWS:]


def _keys(row: list[Line], page: int) -> set[Key]:
    """The row itself, and with each of its numbers taken as the page's, counted from some page on; at its height."""
    text = " ".join(line.text for line in row)
    at = round(row[0].top / SHIFT)
    found = {(text, 0)}
    found.update((f"{text[: n.start()]}#{text[n.end() :]}", int(n[0]) - page) for n in DIGITS.finditer(text))
    found.update((f"{text[: n.start()]}#{text[n.end() :]}", _roman(n[0]) - page) for n in ROMAN.finditer(text))
    return {(said, offset, at + near) for said, offset in found for near in (0, 1)}


def _roman(number: str) -> int:
    values = [{"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}[c] for c in number]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def _nearby(seen: list[int], page: int) -> int:
    return len({n for n in seen if abs(n - page) <= WINDOW})


def _is_number(row: list[Line], page: int, rows: list[list[Line]]) -> bool:
    """Is it nothing but this page's number, at the very edge of a short document?"""
    if row is not rows[0] and row is not rows[-1]:
        return False
    number = NUMBER.fullmatch(" ".join(line.text for line in row).strip())
    return bool(number) and int(number[1]) == page + 1  # type: ignore[index]
