"""The outline of a law, contract or regulation: 编/章/节/条/款, Article/Section/clause numbers, annexes.

Each block learns its clause: a chunk's context ends in `第四章 劳动合同的解除 › 第三十九条`, also where a long clause fills several
chunks. Only a number that begins a paragraph, is no cross-reference and is in sequence counts.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from ingest.chunkers.numbers import CLAUSE, Numbered, in_sequence, numbered
from ingest.schema import Block, Document
from ingest.sentences import sentences

ANNEX = re.compile(
    r"[ \t　]*(?:附\s*[件录表][一二三四五六七八九十\d]*|(?:schedule|annex|appendix|exhibit)\s+[A-Z\d]{1,3})(?=$|[\s:：.—–(（])", re.I
)
TITLE = 60  # characters of a line that may be a heading, and of a clause's own title
BRACKET = re.compile(r"\s*[【\[]([^】\]\n]{1,40})[】\]]")
ITEM = re.compile(r"\s*[（(][一二三四五六七八九十\da-zivx]{1,4}[）)]|\s*\d{1,2}[.．、]")
SENTENCE_END = "。；;.,，：:"
ENOUGH = 3  # clauses in sequence that make a document a numbered one


def is_numbered(document: Document) -> bool:
    """Does its own numbering make it a legal text: 第N条 or Article/Section/Clause N three times in sequence?"""
    found = [n for block in document.blocks for n in _candidates(document.text, block) if n.level == CLAUSE]
    words = [n for n in in_sequence(found) if not document.text[n.start : n.end].strip()[0].isdigit()]
    return len(words) >= ENOUGH


def outline(document: Document) -> list[Block]:
    """The document's blocks, cut where a clause begins inside one, each with the clause it belongs to in its path."""
    text = document.text
    sections = _sections(document)
    accepted = {n.start: n for section in sections for n in in_sequence(section)}
    blocks: list[Block] = []
    open_: list[tuple[int, tuple[int, ...], str]] = []  # what is open above: level, value, label
    above: tuple[str, ...] = ()
    paragraph = 0  # 款: which paragraph of its clause
    for block in _split(document, accepted):
        if block.path != above:  # a heading of the document itself closes what numbers had opened below the last one
            above, open_, paragraph = block.path, [], 0
        number = accepted.get(block.start)
        if block.kind == "heading":
            blocks.append(block)
            continue
        if number:
            label, is_heading = _label(text, block, number)
            open_ = [o for o in open_ if _above(o, number)]
            path = (*block.path, *(o[2] for o in open_))
            open_.append((number.level, number.value, label))
            paragraph = 1
            if is_heading:
                blocks.append(replace(block, kind="heading", path=path))
                continue
        elif ANNEX.match(text, block.start, block.end) and block.end - block.start <= TITLE:
            open_ = [(0, (), text[block.start : block.end].strip())]
            blocks.append(replace(block, kind="heading"))
            continue
        elif open_ and open_[-1][0] == CLAUSE and block.kind == "paragraph" and not ITEM.match(text, block.start, block.end):
            paragraph += 1
        part = f"第{_han(paragraph)}款" if paragraph > 1 and open_ and _is_article(open_[-1][2]) else ""
        blocks.append(replace(block, path=(*block.path, *(o[2] for o in open_)), part=part))
    return blocks


def _sections(document: Document) -> list[list[Numbered]]:
    """Candidates in runs that count for themselves: clauses of the body and of each annex; parts, chapters under what is above."""
    runs: list[list[Numbered]] = [[]]
    others: list[Numbered] = []
    for block in document.blocks:
        if ANNEX.match(document.text, block.start, block.end) and block.end - block.start <= TITLE:
            runs.append([])
        for n in _candidates(document.text, block):
            if n.level < CLAUSE:
                others.append(n)
                continue
            begins_anew = n.value == (1,) and n.sure and any(m.value > (1,) for m in runs[-1])
            if begins_anew:
                runs.append([])
            runs[-1].append(n)
    return [*runs, *([n] for n in others if _is_title(document.text, n))]


def _is_title(text: str, n: Numbered) -> bool:
    """Parts and chapters are lines of their own, without a sentence's end."""
    end = text.find("\n", n.start)
    line = text[n.start : end if end >= 0 else len(text)].strip()
    return len(line) <= TITLE and line[-1] not in SENTENCE_END


def _candidates(text: str, block: Block) -> Iterator[Numbered]:
    if block.kind not in ("paragraph", "heading"):
        return
    for start in _lines(text, block):
        if found := numbered(text, start, block.end):
            yield found


def _lines(text: str, block: Block) -> Iterator[int]:
    start = block.start
    while 0 <= start < block.end:
        yield start
        start = text.find("\n", start, block.end) + 1 or -1


def _split(document: Document, accepted: dict[int, Numbered]) -> Iterator[Block]:
    """Blocks, those of several lines cut where an accepted number begins one, and after a line that is only a heading."""
    for block in document.blocks:
        cuts = sorted(
            {block.start, *(start for start in _lines(document.text, block) if start in accepted)}
        ) if block.kind == "paragraph" else [block.start]  # fmt: skip
        for start, end in zip(cuts, [*cuts[1:], block.end], strict=True):
            while end > start and document.text[end - 1].isspace():
                end -= 1
            yield replace(block, start=start, end=end)


def _above(opened: tuple[int, tuple[int, ...], str], number: Numbered) -> bool:
    """Does what is open stay open when `number` comes: a chapter over its clauses, 3 over 3.1?"""
    level, value, _ = opened
    if level < number.level:
        return True
    return level == CLAUSE == number.level and len(value) < len(number.value) and number.value[: len(value)] == value \
        and not (len(number.value) == 3 and number.value[1] == 0)  # fmt: skip


def _label(text: str, block: Block, number: Numbered) -> tuple[str, bool]:
    """What the clause is called, and whether its paragraph is nothing but its heading."""
    whole = text[block.start : block.end]
    name = text[number.start : number.end].strip(" \t　.．:：—–、)）")
    line = whole.split("\n", 1)[0].strip()
    rest = text[number.end : block.end].strip()
    titled = len(line) <= TITLE and line[-1] not in SENTENCE_END
    if titled and rest and line != name:
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


