"""The outline of a law, contract or regulation: 编/章/节/条/款, Article/Section/clause numbers, annexes.

Each block learns its clause: a chunk's context ends in `第四章 劳动合同的解除 › 第三十九条`, also where a long clause fills several
chunks. Only a number that begins a paragraph, is no cross-reference and is in sequence counts.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from ingest.chunkers.levels import ANNEXED, TITLE, counted, is_title, lines
from ingest.chunkers.numbers import ANNEX, CLAUSE, GROUP, Numbered
from ingest.schema import Block, Document
from ingest.sentences import sentences

BRACKET = re.compile(r"\s*[【\[]([^】\]\n]{1,40})[】\]]")
ITEM = re.compile(r"\s*[（(][一二三四五六七八九十\da-zivx]{1,4}[）)]|\s*(?:\d{1,2}[.．、]|[一二三四五六七八九十]{1,3}、)")


class Open(NamedTuple):
    """A clause, chapter or annex that goes on."""

    level: int
    value: tuple[int, ...]
    label: str


def outline(document: Document) -> list[Block]:
    """The document's blocks, cut where a clause begins inside one, each with the clause it belongs to in its path."""
    text = document.text
    accepted = counted(document)
    blocks: list[Block] = []
    bare: dict[int, str] = {}  # blocks that are nothing but the heading of a clause, and what it is called
    open_: list[Open] = []
    above: tuple[str, ...] = ()
    paragraph = 0  # 款: which paragraph of its clause
    for block in _split(document, accepted):
        if block.path != above:  # a heading of the document itself closes what numbers had opened below the last one
            above, open_, paragraph = block.path, [], 0
        if block.kind == "heading":
            blocks.append(block)
            continue
        if number := accepted.get(block.start):
            label, is_heading = _label(text, block, number)
            open_ = [*(o for o in open_ if _above(o, number)), Open(number.level, number.value, label)]
            paragraph = 1
            if is_heading:
                if number.level in (ANNEX, GROUP, CLAUSE):
                    bare[len(blocks)] = label
                blocks.append(replace(block, kind="heading", path=_path(block, open_)[:-1]))
                continue
        elif open_ and open_[-1].level == CLAUSE and block.kind == "paragraph" and not ITEM.match(text, block.start, block.end):
            paragraph += 1
        part = f"第{_han(paragraph)}款" if paragraph > 1 and open_ and _is_article(open_[-1].label) else ""
        blocks.append(replace(block, path=_path(block, open_), part=part))
    for i, label in bare.items():
        titled = ANNEXED.match(label) and i + 1 not in bare and blocks[i + 1 : i + 2] and blocks[i + 1].kind == "heading"
        if not titled:  # an annex whose name is followed by the document's own heading
            blocks[i] = _heading_or_text(blocks[i], label, blocks[i + 1 : i + 2])
    return blocks


def _path(block: Block, opened: Sequence[Open]) -> tuple[str, ...]:
    """The trail above `block`; annexes stand beside each other, so that of one is no part of the next."""
    trail = block.path
    if opened and opened[0].level == ANNEX:
        trail = tuple(takewhile(lambda name: not ANNEXED.match(name), trail))
    return (*trail, *(o.label for o in opened))


def _heading_or_text(block: Block, label: str, following: Sequence[Block]) -> Block:
    """A clause's heading, or its text where nothing stands beneath it (`2. Rent: 500 euro`, then `3. Deposit`)."""
    own = (*block.path, label)
    if any(b.path[: len(own)] == own for b in following):
        return block
    return replace(block, kind="paragraph", path=own)


def _split(document: Document, accepted: dict[int, Numbered]) -> Iterator[Block]:
    """Blocks, those of several lines cut where an accepted number begins one, and after a line that is only a heading."""
    for block in document.blocks:
        cuts = sorted(
            {block.start, *(start for start in lines(document.text, block) if start in accepted)}
        ) if block.kind == "paragraph" else [block.start]  # fmt: skip
        for start, end in zip(cuts, [*cuts[1:], block.end], strict=True):
            while end > start and document.text[end - 1].isspace():
                end -= 1
            yield replace(block, start=start, end=end)


def _above(opened: Open, number: Numbered) -> bool:
    """Does what is open stay open when `number` comes: a chapter over its clauses, 3 over 3.1?"""
    level, value, _ = opened
    if level < number.level:
        return True  # before an annex nothing stays open, nor another annex
    return level == CLAUSE == number.level and len(value) < len(number.value) and number.value[: len(value)] == value \
        and not (len(number.value) == 3 and number.value[1] == 0)  # fmt: skip


def _label(text: str, block: Block, number: Numbered) -> tuple[str, bool]:
    """What the clause is called, and whether its paragraph is nothing but its heading."""
    whole = text[block.start : block.end]
    name = text[number.start : number.end].strip(" \t　.．:：—–-、)）")
    line = whole.split("\n", 1)[0].strip()
    rest = text[number.end : block.end].strip()
    if number.level == ANNEX:
        return line, "\n" not in whole
    if number.level < CLAUSE and line == name and "\n" not in rest and (not rest or is_title(rest)):
        return f"{name} {rest}".rstrip(), True  # its title, if it has one, is on the next line
    if is_title(line) and rest and line != name:
        return " ".join(line.split()), "\n" not in whole
    if bracket := BRACKET.match(text, number.end, block.end):
        return f"{name} {bracket[1]}", False
    spans = sentences(rest[: 2 * TITLE])
    title = rest[: spans[0][1]] if len(spans) > 1 and not number.chinese else ""
    if title.endswith(".") and len(title) <= TITLE and len(title.split()) <= 8:
        return f"{name} {title.rstrip('.')}", False
    return name, False


def _is_article(label: str) -> bool:
    return label.startswith("第")


def _han(n: int) -> str:
    """1 to 99 in Chinese."""
    digits = "零一二三四五六七八九"
    tens, ones = divmod(n, 10)
    return (("" if tens == 1 else digits[tens]) + "十" if tens else "") + (digits[ones] if ones or not tens else "")
