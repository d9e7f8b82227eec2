"""Blocks → groups under a cap: never across a page, a section or a table row; what belongs together stays together."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from ingest.schema import Block, Document
from ingest.sentences import sentences

Count = Callable[[list[str]], list[int]]  # texts to their lengths in tokens
# A warning stays with what it warns of, and what ends with a colon with what it announces.
KEEPS = re.compile(r"(?:warning|caution|danger|notice|警告|注意|危险|小心)\b|(?s:.*)[:：]\s*\Z", re.I)
CELL, LINE = re.compile(r" \| "), re.compile(r"\n+")
SOFT = re.compile(r"(?<=[，、；,;：:）)])|\s+")  # where a sentence may be cut that is too long by itself

WIDE = 16  # characters a token, more than text has: what is longer than a cap of such tokens is cut without being counted


def pack(document: Document, count: Count, cap: int) -> list[list[Block]]:
    """Groups of blocks in order, each of at most `cap` tokens; blocks over it are cut at their own seams."""
    pieces = _fit(document, count, cap)
    lengths = count([document.text[p.start : p.end] for p in pieces])
    groups: list[list[tuple[Block, int]]] = []
    for piece, length in zip(pieces, lengths, strict=True):
        last = groups[-1] if groups else []
        if last and not _begins([b for b, _ in last], piece):
            if sum(n for _, n in last) + length <= cap:
                last.append((piece, length))
                continue
            groups.append([*_kept_for(document.text, last, cap - length), (piece, length)])
        else:
            groups.append([(piece, length)])
    return [[block for block, _ in group] for group in groups]


def _kept_for(text: str, group: list[tuple[Block, int]], room: int) -> list[tuple[Block, int]]:
    """Take off the end of `group` what must stay with the piece that comes next, if there is room beside it."""
    taken: list[tuple[Block, int]] = []
    while len(group) > 1 and KEEPS.match(text, group[-1][0].start, group[-1][0].end) and group[-1][1] <= room:
        room -= group[-1][1]
        taken.insert(0, group.pop())
    return taken


def _begins(group: list[Block], piece: Block) -> bool:
    """Does `piece` open a new chunk, though there is room: a page, a section, a table row, a definition."""
    last = group[-1]
    if piece.page != last.page:
        return True  # a citation names one page
    if piece.kind == "heading":
        return last.kind != "heading"
    if last.kind == "heading" and all(block.kind == "heading" for block in group):
        return False  # a heading stays with what it heads
    return piece.kind in ("row", "code") or last.kind in ("row", "code") or piece.path != last.path


def _fit(document: Document, count: Count, cap: int) -> list[Block]:
    lengths = count([document.text[b.start : b.end] for b in document.blocks])
    pieces: list[Block] = []
    for block, length in zip(document.blocks, lengths, strict=True):
        if length <= cap:
            pieces.append(block)
        else:
            pieces += [replace(block, start=a, end=b) for a, b in _cut(document.text, block, count, cap)]
    return pieces


def _cut(text: str, block: Block, count: Count, cap: int) -> list[tuple[int, int]]:
    """Spans of a block that is over the cap: at its sentences, its lines of code, its cells; then by halves."""
    body = text[block.start : block.end]
    seams = LINE if block.kind == "code" else CELL
    parts = sentences(body) if block.kind in ("paragraph", "heading") else list(_between(seams, body))
    spans = [(block.start + a, block.start + b) for a, b in parts]
    lengths = count([text[a:b] for a, b in spans])
    cuts: list[tuple[int, int]] = []
    room = 0
    for (start, end), length in zip(spans, lengths, strict=True):
        if length > cap:
            cuts += _halve(text, start, end, count, cap)
            room = 0
        elif cuts and length < room:  # one token is kept for what stands between
            cuts[-1] = (cuts[-1][0], end)
            room -= length + 1
        else:
            cuts.append((start, end))
            room = cap - length
    return cuts


def _between(seam: re.Pattern[str], text: str) -> Iterable[tuple[int, int]]:
    start = 0
    for found in seam.finditer(text):
        if found.start() > start:
            yield start, found.start()
        start = found.end() if seam is LINE else found.start() + 1  # a row's bar stays before its cell
    if start < len(text):
        yield start, len(text)


def _halve(text: str, start: int, end: int, count: Count, cap: int) -> list[tuple[int, int]]:
    """Spans of at most `cap` tokens, cut near the middle where a clause or a word ends."""
    done: list[tuple[int, int]] = []
    open_ = [(start, end)]
    while open_:
        start, end = open_.pop()
        if end - start < 2 or (end - start <= WIDE * cap and count([text[start:end]])[0] <= cap):
            done.append((start, end))
            continue
        middle = (start + end) // 2
        reach = (end - start) // 4
        seam = max((m.start() for m in SOFT.finditer(text, middle - reach, middle + 1) if start < m.start() < end), default=middle)
        open_ += [(seam, end), (start, seam)]
    return done
