"""Which of a document's numbers count, and which stands above which: Article over Section, 一、 over 1., an annex over its own.

The document's order says it: what begins anew under the other stands below it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from ingest.chunkers.numbers import (
    ANNEX,
    ARTICLE,
    BRACKETED,
    CLAUSE,
    FIGURE,
    GROUP,
    LETTERED,
    LISTED,
    OPENS,
    REFERRED,
    SECTION,
    Numbered,
    in_sequence,
    numbered,
)
from ingest.schema import Block, Document

ANNEXED = re.compile(
    r"[ \t　]*(?:附[ \t　]*[件录表](?:[ \t　]*(?:[一二三四五六七八九十]+|[A-Z\d]{1,3}(?:[-.]\d{1,2})?)(?=$|[\s:：.—–(（]))?"
    r"|(?:schedule|annex|appendix|exhibit)[ \t]+[A-Z\d]{1,3}(?:[-.]\d{1,2})?"
    r"|(?P<lone>(?-i:Annex|Appendix|ANNEX|APPENDIX|SCHEDULE|EXHIBIT)(?=[ \t]*(?:$|[\n:：—–]))))(?=$|[\s:：.—–(（])",
    re.I,
)
SET_OFF = re.compile(r"\s*[.:：—–(（]|\s+-\s")  # what follows is the annex's title, however it begins
TITLE = 60  # characters of a line that may be a heading, and of a clause's own title
SENTENCE_END = "。；;.,，：:"
ENOUGH = 3  # clauses in sequence that make a document a numbered one


def is_numbered(document: Document) -> bool:
    """Does its own numbering make it a legal text: 第N条 or Article/Section/Clause N three times in sequence?"""
    clauses = [n for block in document.blocks for n in _candidates(document.text, block) if n.level == CLAUSE]
    return sum(n.form != FIGURE for n in in_sequence(clauses)) >= ENOUGH


def counted(document: Document) -> dict[int, Numbered]:
    """The numbers that count, by where they begin; those of the body and of each annex count for themselves."""
    parts: list[list[Numbered]] = [[]]
    annexes = []
    for block in document.blocks:
        for n in _candidates(document.text, block):
            if n.level == ANNEX:
                annexes.append(n)
                parts.append([])
            elif n.level >= GROUP or is_title(line_of(document.text, n.start)):
                parts[-1].append(n)  # parts and chapters are lines of their own
    return {n.start: n for n in (*annexes, *(n for part in parts for n in _in_part(part)))}


def is_title(line: str) -> bool:
    """Is it short, and no sentence?"""
    return 0 < len(line) <= TITLE and line[-1] not in SENTENCE_END


def line_of(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start : end if end >= 0 else len(text)].strip()


def lines(text: str, block: Block) -> Iterator[int]:
    """Where each line of `block` begins."""
    start = block.start
    while 0 <= start < block.end:
        yield start
        start = text.find("\n", start, block.end) + 1 or -1


def _candidates(text: str, block: Block) -> Iterator[Numbered]:
    if block.kind not in ("paragraph", "heading"):
        return
    for start in lines(text, block):
        if found := _annexed(text, start, block) or numbered(text, start, block.end):
            yield found


def _annexed(text: str, start: int, block: Block) -> Numbered | None:
    """The name of an annex: a short line, which inside a paragraph comes after the end of a sentence (not: set out in ⏎ Annex B)."""
    found = ANNEXED.match(text, start, block.end)
    line = line_of(text, start) if found else ""
    if not found or len(line) > TITLE or (found["lone"] and not is_title(line.rstrip(":："))):
        return None
    if start > block.start and (not is_title(line) or text[start - 2] not in "。；;.!?！？"):
        return None
    title = line[len(found[0].lstrip()) :]
    if not SET_OFF.match(title) and (REFERRED.match(title.strip()) or not OPENS.match(title.strip())):
        return None
    return Numbered(start, found.end(), ANNEX, (), True, False)


def _in_part(found: Sequence[Numbered]) -> list[Numbered]:
    """Those of the body or of one annex that count, with their levels."""
    letters = [n.value for n in found if n.form == LETTERED]
    if letters[:1] != [(1,)] or (2,) not in letters:  # a part's letter counts where Part B follows Part A
        found = [n for n in found if n.form != LETTERED]
    found = _ranked(_without_lists(found))
    groups = [n for run in _runs(found, GROUP) for n in in_sequence(run)]
    above = sorted([*(n for n in found if n.level < GROUP), *groups], key=lambda n: n.start)
    clauses = sorted([*above, *(n for n in found if n.level == CLAUSE)], key=lambda n: n.start)
    return [*above, *(n for run in _runs(clauses, CLAUSE) for n in in_sequence(run))]


def _runs(found: Sequence[Numbered], level: int) -> list[list[Numbered]]:
    """Those of `level` in runs that count for themselves: a 1 begins one, a bare 1. only right below what stands above it."""
    runs: list[list[Numbered]] = [[]]
    opened = False
    for n in found:
        if n.level < level:
            opened = True
        elif n.level == level:
            if n.value == (1,) and ((opened and runs[-1]) or (n.sure and any(m.value > (1,) for m in runs[-1]))):
                runs.append([])
            runs[-1].append(n)
            opened = False
    return runs


def _without_lists(found: Sequence[Numbered]) -> list[Numbered]:
    """`found` without （一）, and without the figures that count under it where it stands right below 一、 or a chapter."""
    kept: list[Numbered] = []
    below, last = False, -1  # does what came before let （一） stand below it, and the last figure under one
    for n in found:
        if n.form == BRACKETED:
            last = max(last, 0) if below else -1
        elif last >= 0 and n.form == FIGURE and n.value in ((1,), (last + 1,)):
            last = n.value[0]
        else:
            below, last = n.level <= GROUP, -1
            kept.append(n)
    return kept


def _ranked(found: Sequence[Numbered]) -> list[Numbered]:
    """`found` with Articles raised above Sections or the other way, and without 一、 or 1. where they only number a list."""
    for upper, lower in ((ARTICLE, SECTION), (SECTION, ARTICLE)):
        if _stands_above(found, (upper,), (lower,)):
            raised = [replace(n, level=GROUP) if n.form == upper else n for n in found]
            return [n for n in raised if n.form not in (LISTED, FIGURE) or len(n.value) > 1]
    worded = tuple({n.form for n in found if n.level == CLAUSE and n.form != FIGURE})
    if _stands_above(found, (LISTED,), worded or (FIGURE,), alone=not worded):
        return list(found)
    return [n for n in found if n.form != LISTED]


def _stands_above(found: Sequence[Numbered], upper: tuple[str, ...], lower: tuple[str, ...], alone: bool = False) -> bool:
    """Do `lower` numbers begin anew under `upper` ones more often than the other way, or as often and `upper` came first?

    Where neither does, what is always followed by the other stands above it: Section 2 over Article 7. With `alone`, what has
    nothing below it does too, if it came first.
    """
    seen = [n for n in found if n.form in (*upper, *lower) or n.level < GROUP]
    pairs = list(pairwise(seen))
    down = sum(a.form in upper and b.form in lower and b.value[-1] == 1 for a, b in pairs)
    up = sum(a.form in lower and b.form in upper and b.value[-1] == 1 for a, b in pairs)
    if down or up:
        return down > up or (down == up and _first(seen) in upper)
    below = [b.form in lower for a, b in pairs if a.form in upper]
    return (any(below) and all(below)) or (alone and _first(seen) in upper)


def _first(found: Sequence[Numbered]) -> str:
    return next((n.form for n in found if n.level >= GROUP), "")
