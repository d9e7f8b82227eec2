"""Pages of lines and tables written as headings, paragraphs, list items and rows."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.readers import pdf_outline
from ingest.readers.joining import hyphenated, join
from ingest.readers.ocr_lines import running
from ingest.readers.pdf_characters import Line
from ingest.readers.pdf_layout import Piece, reading_order
from ingest.readers.pdf_outline import Marks
from ingest.readers.pdf_tables import Table
from ingest.readers.pdf_text import PageText
from ingest.readers.writer import Writer

LARGER = 1.08  # times the body's size: a heading
LONGEST = 160  # characters of a heading
NUMBERED = re.compile(
    r"(?:\d+(?:\.\d+)*\.?|[A-Z]\.\d+|第[一二三四五六七八九十百]+[章节]|[一二三四五六七八九十]+、)\s*\S"
)
LEADER = re.compile(r"(?:\s?[.…·]){3,}\s*(\d+|[ivxlc]+)$|(?:\s?[.…·]){5,}\s*$")  # a line of a table of contents
PAGE = re.compile(r"\s+(\d{1,4}|[ivxlc]{1,7})$")  # the same without dots
ITEM = re.compile(
    r"(?:[-•‣–▪●○■□◦➢✓]\s*(?=\S)|\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]\s+|[（(][一二三四五六七八九十\d]{1,3}[)）]|\d{1,3}[、．])"
)
LETTER = re.compile(r"[^\W\d_]")
# Bold lines that are no headings: a warning's word belongs to what it warns of, a caption to its figure.
APART = re.compile(
    r"(?:warning|danger|caution|notice|note|警告|危险|注意|小心)\W*$|(?:figure|fig\.|table|图|表)\s*[\dA-Z一二三四五六七八九十]",
    re.I,
)
BULLETS = "-•‣–▪●○■□◦➢✓"
LABEL = 80  # characters of a bold heading without a number, at most
ENDS = re.compile(r"[.!?:;。！？：；…]['\"”’）)\]]*$")


@dataclass(slots=True)
class Part:
    """What will be one block, or one table."""

    kind: str  # heading, paragraph, contents, code, table
    page: int  # from 0
    lines: list[Line]
    level: int = 0
    table: Table | None = None


class Styles:
    """What the type of a line says in this document: which sizes are larger than the body's, and whether bold stands out."""

    def __init__(self, pages: list[PageText], marks: Marks) -> None:
        letters: Counter[float] = Counter()
        heavy = even = total = 0
        for page in pages:
            for line in page.lines:
                letters[round(line.size, 1)] += len(line.text)
                total += len(line.text)
                heavy += len(line.text) * line.bold
                even += len(line.text) * line.mono
        self.body = letters.most_common(1)[0][0] if letters else 10.0
        self.bold_stands_out = heavy < 0.4 * total
        self.mono_is_code = even < 0.6 * total  # else the whole was written on a typewriter
        self._sizes = sorted({size for size in letters if size > self.body * LARGER}, reverse=True)
        self._marks = marks
        self._marked: dict[tuple[float, bool], int] = {}
        for n, page in enumerate(pages if marks else []):
            for line in page.lines:
                level = pdf_outline.level(marks, line.text, n)
                if level:
                    style = round(line.size, 1), line.bold
                    self._marked[style] = min(level, self._marked.get(style, 6))

    def level(self, line: Line, page: int) -> int:
        """1 to 6 for a heading, by the bookmarks, else by size, else bold and numbered; 0 for anything else."""
        if len(line.text) >= LONGEST or line.turned:
            return 0
        marked = pdf_outline.level(self._marks, line.text, page) if self._marks else 0
        if marked:
            return marked
        size = round(line.size, 1)
        if size > self.body * LARGER:
            level = self._sizes.index(size) + 1
        elif line.bold and self.bold_stands_out and NUMBERED.match(line.text):
            level = len(self._sizes) + 1
        else:
            return 0
        if "@" in line.text or line.text[0] in BULLETS or not LETTER.search(line.text):
            return 0
        if self._marked:
            known = self._marked.get((size, line.bold))
            level = known or (1 if size > max(s for s, _ in self._marked) else max(self._marked.values()) + 1)
        return min(level, 6)

    def label(self, above: Line | None, line: Line, below: Line | None, pitch: float) -> int:
        """The level of a bold line by itself above plain text, else 0."""
        if not (line.bold and self.bold_stands_out and below) or below.bold or len(line.text) > LABEL:
            return 0
        if ENDS.search(line.text) or ITEM.match(line.text) or APART.match(line.text) or not LETTER.search(line.text):
            return 0
        if line.right - line.left < 2 * line.size or below.top - line.top < 0.8 * line.size:
            return 0
        if above and (above.bold or (line.top - above.top < (pitch + 0.1) * line.size and not ENDS.search(above.text))):
            return 0
        deepest = max(self._marked.values(), default=0) if self._marked else len(self._sizes) + 1
        return min(deepest + 1, 6)


def write_pages(pages: list[PageText], marks: Marks, writer: Writer) -> None:
    styles = Styles(pages, marks)
    known = hyphenated(line.text for page in pages for line in page.lines)
    parts = [part for n, page in enumerate(pages) for part in _parts(page, n, styles)]
    titles = {pdf_outline.key(join([x.text for x in part.lines], known)) for part in parts if part.kind == "heading"}
    before: Table | None = None
    header: list[str] = []
    for part in parts:
        page = part.page + 1
        groups = running(part.lines) if pages[part.page].recognised and part.kind == "paragraph" else [part.lines]
        text = "\n".join(join([x.text for x in group], known) for group in groups)
        if part.kind == "heading" and len(text) <= 2 * LONGEST:
            writer.heading(part.level, text, page)
        elif part.kind == "contents":
            _contents(text, page, titles, writer)
        elif part.kind == "code":
            writer.code(_indented(part.lines), page)
        elif part.table:
            goes_on = before is not None and _goes_on(before, part.table)
            rows = [_filled(row) for row in part.table.rows]
            header = header if goes_on else rows[0]
            rows = rows[1:] if goes_on and rows[0] == header else rows
            writer.table(rows, page, header=header if goes_on else None)
            before = part.table
            continue
        else:
            writer.paragraph(text, page)
        before = None


def _indented(lines: list[Line]) -> str:
    """Lines of code as they stand on the page, the leftmost without blanks before it."""
    edge = min(line.left for line in lines)
    return "\n".join(" " * round((x.left - edge) / (0.6 * x.size)) + x.text.rstrip("\x02\ufffe") for x in lines)


def _is_contents(page: PageText) -> bool:
    """Is it a page of a table of contents, most of whose lines end with a page's number?"""
    numbers = sum(text[-1] in "0123456789ivxlc" and bool(PAGE.search(text)) for text in (x.text for x in page.lines))
    return numbers >= 5 and numbers > 0.5 * len(page.lines)


def _contents(text: str, page: int, titles: set[str], writer: Writer) -> None:
    """A line of the table of contents: only where it does not repeat a heading of the document."""
    leader = LEADER.search(text) or PAGE.search(text)
    title = text[: leader.start()] if leader else text
    if pdf_outline.key(title) in titles:
        writer.note("lines of a table of contents left out")
    else:
        writer.paragraph(f"{title} {leader[1] or ''}" if leader else text, page)


def _filled(row: list[str]) -> list[str]:
    """A row without the empty cells at its end."""
    return row[: max((n for n, cell in enumerate(row, 1) if cell), default=0)]


def _goes_on(before: Table, table: Table) -> bool:
    """Is it the same table, continued: as many columns, at the same places?"""
    return len(before.columns) == len(table.columns) and all(
        abs(a - b) < 12 for a, b in zip(before.columns, table.columns, strict=False)
    )


def _parts(page: PageText, number: int, styles: Styles) -> Iterator[Part]:
    """The page's blocks; a paragraph goes on from one column to the next where its sentence does."""
    pieces = reading_order(page.lines, page.tables)
    pitch = _pitch(pieces)
    contents = _is_contents(page)
    last: Part | None = None
    for piece in pieces:
        if piece.table:
            if last:
                yield last
            last = None
            yield Part("table", number, [], table=piece.table)
            continue
        edge = _edge(piece)
        for above, line, below in zip([None, *piece.lines], piece.lines, [*piece.lines[1:], None], strict=False):
            level = styles.level(line, number) or styles.label(above, line, below, pitch)
            kind = "heading" if level else "code" if line.mono and styles.mono_is_code else "paragraph"
            if ".." in line.text or ". ." in line.text or "…" in line.text or "··" in line.text or contents:
                kind = "contents" if LEADER.search(line.text) or (contents and PAGE.search(line.text)) else kind
            if last and kind == last.kind and _continues(last, line, level, piece, pitch, edge):
                last.lines.append(line)
            else:
                if last:
                    yield last
                last = Part(kind, number, [line], level)
    if last:
        yield last


def _pitch(pieces: list[Piece]) -> float:
    """The usual distance from one line's top to the next's, in font sizes."""
    steps = [
        (b.top - a.top) / a.size
        for piece in pieces
        for a, b in pairwise(piece.lines)
        if a.size > 0 and abs(a.size - b.size) < 0.6
    ]
    return min(median(steps), 2.6) if len(steps) > 1 else 1.3


def _continues(part: Part, line: Line, level: int, piece: Piece, pitch: float, edge: float) -> bool:
    """Does the line belong to the part that the lines above it make?"""
    above = part.lines[-1]
    if part.kind == "contents":
        return False
    if part.kind == "code":
        return above.top < line.top < above.top + 3 * line.size
    if part.kind == "heading":
        near = above.top < line.top < above.top + 1.9 * above.size
        return level == part.level and abs(above.size - line.size) < 0.6 and near and not NUMBERED.match(line.text)
    if abs(above.size - line.size) > 0.6 or ITEM.match(line.text) or above.turned != line.turned:
        return False
    if line is piece.lines[0]:  # the top of a column, or something set apart
        return (
            line.top < above.top and not ENDS.search(above.text) and not line.text[0].isupper() and len(above.text) > 20
        )
    if line.top - above.top > (pitch + 0.35) * line.size or (above.bold != line.bold and _is_label(above, line)):
        return False
    if ITEM.match(part.lines[0].text) and line.left > part.lines[0].left + 0.4 * line.size:
        return True
    if line.left > edge + 0.9 * line.size and above.left < edge + 0.9 * line.size and not _is_centred(above, line):
        return False  # the first line of a paragraph, indented
    if len(part.lines) > 1 and line.left > edge + 0.9 * line.size and ENDS.search(above.text):
        return False
    return not (ENDS.search(above.text) and above.right < piece.right - 0.15 * (piece.right - piece.left))


def _is_label(above: Line, line: Line) -> bool:
    """A bold line by itself above plain text; a warning's word is not parted from the warning."""
    return above.bold and not line.bold and above.right < line.right - 2 * line.size and not APART.match(above.text)


def _is_centred(above: Line, line: Line) -> bool:
    return abs((above.left + above.right) - (line.left + line.right)) < line.size and above.left > line.left


def _edge(piece: Piece) -> float:
    """The left edge at which most of its lines begin."""
    lefts = Counter(round(line.left) for line in piece.lines)
    most = max(lefts.values())
    return min(left for left, count in lefts.items() if count >= 0.5 * most)
