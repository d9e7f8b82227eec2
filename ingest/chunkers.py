"""Document → Chunks: whole blocks packed up to a cap of tokens, never across a heading, a table row alone.

Chunks tile the document: joined in order they give back its text.
"""

import re
from collections.abc import Callable

from ingest.schema import Block, Chunk, Document
from ingest.sentences import sentences

CHUNKER_VERSION = "2"  # part of a version's stamp: raise it when chunks would come out otherwise
CLAUSE = re.compile(r"第[零〇一二两三四五六七八九十百千\d]+条|(?:Article|Section)\s+\d+|\d+(?:\.\d+)+\s")
CONTEXT = " › "
HEADER = 300  # characters of a table's header that its rows carry
Count = Callable[[list[str]], list[int]]  # texts to their lengths in tokens


def chunk(document: Document, version: str, count: Count, cap: int) -> list[Chunk]:
    """The chunks of `document`: each at most `cap` tokens, or one character if one alone is more."""
    pieces = _fit(document, count, cap)
    lengths = count([document.text[p.start : p.end] for p in pieces])
    if not pieces:
        return []
    groups: list[list[Block]] = []
    room = 0
    for piece, length in zip(pieces, lengths, strict=True):
        if groups and length <= room and not _begins(document.text, groups[-1], piece):
            groups[-1].append(piece)
            room -= length
        else:
            groups.append([piece])
            room = cap - length
    starts = [group[0].start for group in groups]
    ends = [*starts[1:], len(document.text)]
    starts[0] = 0
    return [
        Chunk(version, i, document.text[start:end], start, end, _page(group), _context(document.title, group))
        for i, (group, start, end) in enumerate(zip(groups, starts, ends, strict=True))
    ]


def _begins(text: str, group: list[Block], piece: Block) -> bool:
    """Does `piece` open a new chunk, though there is room: a page, a section, a clause, a table row, a definition."""
    last = group[-1]
    if piece.page != last.page:
        return True  # a citation names one page
    if piece.kind == "heading":
        return last.kind != "heading"
    if last.kind == "heading" and len(group) == 1:
        return False  # a heading stays with what it heads
    return (
        piece.kind in ("row", "code")
        or last.kind in ("row", "code")
        or piece.path != last.path
        or bool(CLAUSE.match(text, piece.start))
    )


def _fit(document: Document, count: Count, cap: int) -> list[Block]:
    """Blocks, those over the cap cut: at sentences or lines, then by halves."""
    lengths = count([document.text[b.start : b.end] for b in document.blocks])
    pieces: list[Block] = []
    for block, length in zip(document.blocks, lengths, strict=True):
        if length <= cap:
            pieces.append(block)
        else:
            pieces += [_part(block, start, end) for start, end in _cut(document.text, block, count, cap)]
    return pieces


def _cut(text: str, block: Block, count: Count, cap: int) -> list[tuple[int, int]]:
    body = text[block.start : block.end]
    spans = [(block.start + a, block.start + b) for a, b in sentences(body)]
    lengths = count([text[a:b] for a, b in spans])
    cuts: list[tuple[int, int]] = []
    room = 0
    for (start, end), length in zip(spans, lengths, strict=True):
        if length > cap:
            halves = _halve(text, start, end, count, cap)
            cuts += halves
            room = 0
        elif cuts and length < room:  # one token is kept for the white space between
            cuts[-1] = (cuts[-1][0], end)
            room -= length + 1
        else:
            cuts.append((start, end))
            room = cap - length
    return cuts


def _halve(text: str, start: int, end: int, count: Count, cap: int) -> list[tuple[int, int]]:
    if end - start < 2 or count([text[start:end]])[0] <= cap:
        return [(start, end)]
    middle = (start + end) // 2
    blank = text.rfind(" ", start + 1, middle)
    middle = blank if blank > start + (end - start) // 4 else middle
    return _halve(text, start, middle, count, cap) + _halve(text, middle, end, count, cap)


def _part(block: Block, start: int, end: int) -> Block:
    return Block(block.kind, start, end, block.page, block.path, block.header)


def _page(group: list[Block]) -> int | None:
    return next((block.page for block in group if block.kind != "heading"), group[0].page)


def _context(title: str, group: list[Block]) -> str:
    """Where the chunk stands: title, headings above it, and the header of its table row."""
    path = group[-1].path
    trail = CONTEXT.join([title, *(p for p in path if p != title)])
    header = group[-1].header
    # a table of thousands of columns would be repeated whole with each piece of each of its rows
    return f"{trail}: {header[:HEADER]}" if header else trail
