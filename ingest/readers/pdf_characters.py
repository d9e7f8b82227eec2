"""The characters of a PDF's page, measured by PDFium in the page as it is read, and the lines that they make."""

import re
from collections import Counter
from collections.abc import Iterator
from ctypes import c_double, c_int, create_string_buffer
from dataclasses import dataclass
from math import hypot
from typing import Any

import pypdfium2.raw as pdfium

from ingest.readers.joining import SOFT
from ingest.readers.upright import Box, Upright, turn_of

WIDE = 1.2  # blanks as wide as this many font sizes part the pieces of a row
BOLD = re.compile(rb"bold|black|heavy|demi|hei(?:ti)?\b", re.I)
MONO = re.compile(rb"courier|mono|consol|menlo|typewriter", re.I)
FIXED = 1  # a font's flag: its letters are all as wide
RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
BULLET = re.compile("^[\uf0b7\uf0a7\uf06c\uf06e\uf0d8\uf0fc\uf076\uf02d]")  # of the Symbol and Wingdings fonts
TABULAR = re.compile(r"(?:\s[-+–]?[\d.,%]+){2}|\S\s\d+$")  # numbers beside each other, drawn in one go by some programs
SAMPLE = 30  # lines of a page, spread over it, that say how it is turned
SPARSE = 0.62  # font sizes for each character, on average; a line of prose takes some 0.5
LETTERS_MEET = re.compile(f"(?<=[A-Za-z0-9])(?={RTL.pattern})|(?<={RTL.pattern})(?=[A-Za-z])")
Span = tuple[int, int]


@dataclass(slots=True)
class Line:
    """One line, or a piece of one, in points from the page's upper left corner as it is read; y grows downwards."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float  # of its font, in points
    bold: bool = False
    row: int = 0  # pieces of one row share it
    turned: bool = False  # stands at another angle than most of the page
    mono: bool = False  # set in a typewriter's font

    @property
    def height(self) -> float:
        return self.bottom - self.top


class Characters:
    """PDFium's characters of one page, measured in the page as it is read."""

    def __init__(self, raw: Any, box: Box, text: str) -> None:
        self.raw = raw
        self.text = text
        self.box = box
        self.upright = Upright(box, 0)
        self._d = (c_double(), c_double(), c_double(), c_double())
        self._matrix = pdfium.FS_MATRIX()
        self._name = create_string_buffer(128)
        self._flags = c_int()

    @property
    def width(self) -> float:
        return self.upright.width

    @property
    def height(self) -> float:
        return self.upright.height

    def settle(self, spans: list[Span]) -> None:
        """Find how most of the page's text is turned, and measure everything so that it stands upright."""
        turns: Counter[int] = Counter()
        for start, end in spans[:: 1 + len(spans) // SAMPLE]:
            turns[self.turn(start)] += end - start
        turn = turns.most_common(1)[0][0] if turns else 0
        if turn:
            self.upright = Upright(self.box, turn)

    def turn(self, i: int) -> int:
        pdfium.FPDFText_GetMatrix(self.raw, i, self._matrix)
        return turn_of(self._matrix.a, self._matrix.b)

    def user_box(self, i: int) -> Box:
        """A character's ink as `(left, bottom, right, top)` in the PDF's own coordinates."""
        left, right, bottom, top = self._d
        pdfium.FPDFText_GetCharBox(self.raw, i, left, right, bottom, top)
        return left.value, bottom.value, right.value, top.value

    def ink(self, i: int) -> Box:
        """A character's ink as `(left, top, right, bottom)`."""
        return self.upright(*self.user_box(i))

    def body(self, i: int) -> Box:
        """The room that a character takes on its line, as `(left, top, right, bottom)`."""
        rect = pdfium.FS_RECTF()
        pdfium.FPDFText_GetLooseCharBox(self.raw, i, rect)
        return self.upright(rect.left, rect.bottom, rect.right, rect.top)

    def font(self, i: int) -> tuple[bool, bool]:
        """Is a character bold, and of a font whose letters are all as wide?"""
        pdfium.FPDFText_GetFontInfo(self.raw, i, self._name, 128, self._flags)
        name = self._name.value
        bold = pdfium.FPDFText_GetFontWeight(self.raw, i) >= 600 or bool(BOLD.search(name))
        return bold, bool(self._flags.value & FIXED) or bool(MONO.search(name))

    def size(self, i: int) -> float:
        pdfium.FPDFText_GetMatrix(self.raw, i, self._matrix)
        return pdfium.FPDFText_GetFontSize(self.raw, i) * hypot(self._matrix.c, self._matrix.d)

    def lines(self, start: int, end: int, row: int) -> Iterator[Line]:
        """The pieces of one row of text, cut where its blanks are wide."""
        text = self.text[start:end]
        stripped = text.strip()
        if not stripped:
            return
        start += len(text) - len(text.lstrip())
        end = start + len(stripped)
        size = self.size(start)  # which leaves the matrix of the first letter behind
        turned = turn_of(self._matrix.a, self._matrix.b) != self.upright.turn
        pieces = [(start, end)]
        rtl = bool(RTL.search(stripped))
        if not turned and not rtl and " " in stripped and self._has_gap(start, end, size):
            pieces = self._cut(start, end, size)
        for a, b in pieces:
            piece = self.text[a:b]
            last = b - 2 if piece.endswith(SOFT) and b - a > 1 else b - 1
            l0, t0, r0, b0 = self.body(a)
            l1, t1, r1, b1 = self.body(last)
            points = size if a == start else self.size(a)
            if rtl:
                piece = self._right_to_left(a, b)
            elif piece[0] > "\uf000":
                piece = BULLET.sub("•", piece)
            bold, mono = self.font(a)
            if (bold or mono) and last - a > 3:
                also = self.font(last)
                bold, mono = bold and also[0], mono and also[1]
            yield Line(piece, min(l0, l1), min(t0, t1), max(r0, r1), max(b0, b1), points, bold, row, turned, mono)

    def _has_gap(self, start: int, end: int, size: float) -> bool:
        """May there be a wide blank: between two of the runs in which the row is drawn, or among numbers or few letters?"""
        runs = pdfium.FPDFText_CountRects(self.raw, start, end - start)
        left, top, right, bottom = self._d
        before = first = None
        for i in range(runs):
            pdfium.FPDFText_GetRect(self.raw, i, left, top, right, bottom)
            x0, _, x1, _ = self.upright(left.value, bottom.value, right.value, top.value)
            if before is None:
                first = x0
            elif x0 - before > WIDE * size:
                return True
            before = x1
        if first is None or before is None:
            return False
        return (before - first) / (end - start) > SPARSE * size or bool(TABULAR.search(self.text, start, end))

    def _right_to_left(self, start: int, end: int) -> str:
        """A piece of Arabic or Hebrew: two letters of one glyph are given in the order seen, and blanks beside Latin lack."""
        letters = list(self.text[start:end])
        x = [self.ink(i) for i in range(start, end)]
        i = 0
        while i + 1 < len(letters):
            if x[i] == x[i + 1] and not letters[i].isspace():
                letters[i], letters[i + 1] = letters[i + 1], letters[i]
                i += 1
            i += 1
        return LETTERS_MEET.sub(" ", "".join(letters))

    def _cut(self, start: int, end: int, size: float) -> list[Span]:
        pieces, a = [], start
        for blank in re.finditer(r"\s+", self.text[start:end]):
            k, j = start + blank.start(), start + blank.end()
            if self.ink(j)[0] - self.ink(k - 1)[2] > WIDE * size:
                pieces.append((a, k))
                a = j
        return [*pieces, (a, end)]
