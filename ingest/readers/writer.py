"""Writer: how every reader builds a Document, so that offsets are right by construction."""

import re
from collections import Counter
from collections.abc import Callable

from corpora import UserError
from ingest.language import language
from ingest.schema import Block, BlockKind, Document, Ocr

MAX_TEXT = 100_000_000  # characters of one document
# What is no character of a text, and what nobody sees of one: spaces of no width, signs that turn the reading direction, tags. A joiner
# is kept between letters of scripts and signs that are shaped by it.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\u180e\u200b\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
    r"|(?<![\u0590-\u1cff\u200c\u200d\ufb1d-\ufeff\ufe0f\U0001f000-\U0001ffff])[\u200c\u200d]+"
)


class Writer:
    """Append blocks in reading order; headings open sections, and a block belongs to the sections open above it."""

    def __init__(self, title: str, ocr: Ocr = "auto", alive: Callable[[int], None] | None = None) -> None:
        self.title = title
        self.alive = alive or (lambda page: None)  # a reader that works long before it writes says now and then which page it is at
        self.ocr = ocr  # when a reader recognises text in pictures: where a page has no text, on every page, or never
        self.pages: int | None = None
        self.tables = 0
        self.notes: Counter[str] = Counter()
        self._text: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._open: list[tuple[int, str]] = []

    def note(self, what: str, count: int = 1) -> None:
        """Say in the file's report what was left out or read otherwise: `note("hidden texts left out", 3)`."""
        if count:
            self.notes[what] += count

    def heading(self, level: int, text: str, page: int | None = None) -> None:
        """Open a section; it closes those of its level and deeper."""
        text = clean(text)
        self._open = [(n, t) for n, t in self._open if n < level]
        self._append("heading", text, page)
        self._open.append((level, text[:120]))

    def paragraph(self, text: str, page: int | None = None) -> None:
        self._append("paragraph", clean(text), page)

    def table(
        self, rows: list[list[str]], page: int | None = None, has_header: bool = True, header: list[str] | None = None
    ) -> None:
        """One block a row, cells joined by ` | `; the first row is the header that each row carries.

        `header` is that of the table before, which goes on with these rows on another page.
        """
        goes_on = header is not None
        rows = [[clean(cell).replace("\n", " ") for cell in row] for row in ([header] if header else []) + rows]
        rows = [row for row in rows if any(row)]
        self.tables += bool(rows) and not goes_on
        head = " | ".join(rows[0]) if rows and has_header and len(rows) > 1 else ""
        for i, row in enumerate(rows):
            if i or not goes_on:
                self._append("row", " | ".join(row), page, head if i else "", gap="\n" if i else "\n\n")

    def code(self, text: str, page: int | None = None, name: str = "", header: str = "", gap: str = "\n\n") -> None:
        """A piece of source code, its indentation kept; `name` is what it defines, `header` the imports that it uses."""
        text = CONTROL.sub("", text).rstrip()
        if text.strip():
            self._append("code", text, page, header, name, gap)

    def embed(self, document: Document) -> None:
        """Append the blocks of another document under the sections open now, with its notes; its pages are not ours."""
        above, at = self._open, 0
        for block in document.blocks:
            self._open = [*above, *((len(above) + n, title) for n, title in enumerate(block.path))]
            gap = document.text[at : block.start] or "\n\n"
            self._append(block.kind, document.text[block.start : block.end], None, block.header, gap=gap)
            at = block.end
        self._open = above
        self.tables += document.tables
        self.notes.update(document.notes)

    def document(self) -> Document:
        text = "".join(self._text)
        return Document(" ".join(clean(self.title).split()), text, tuple(self._blocks), self.pages, language(text[:20_000]), self.tables,
                        dict(self.notes))  # fmt: skip

    def _append(
        self, kind: BlockKind, text: str, page: int | None, header: str = "", name: str = "", gap: str = "\n\n"
    ) -> None:
        if not text.strip():
            return
        self.alive(page or 0)
        if self._length + len(text) > MAX_TEXT:
            raise UserError(f"The file holds more than {MAX_TEXT:,} characters of text.", "Split it.")
        if self._text:
            self._text.append(gap)
            self._length += len(gap)
        path = tuple(t for _, t in self._open) + ((name,) if name else ())
        self._blocks.append(Block(kind, self._length, self._length + len(text), page, path, header))
        self._text.append(text)
        self._length += len(text)


def clean(text: str) -> str:
    """Text without control characters and without runs of blanks; line breaks stay."""
    text = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()
