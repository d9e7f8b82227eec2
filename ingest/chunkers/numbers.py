"""Numbers that begin a paragraph: 第三十九条, 第十七条之一, 三、, Article 12, Section 3.1, 11.5.14; and which of them are in sequence.

A cross-reference looks like a heading (第十条规定的…, "Section 5 applies…", 11.5.14.2的试验). What follows it rules out most; the rest
fall out of the longest rising sequence, for a document's own clauses rise from its beginning to its end.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.tokens import chinese_number

HAN = "零〇一二两三四五六七八九十百千"
ZH = re.compile(
    rf"[ \t　]*第[ 　]*([{HAN}]+|\d+)[ 　]*(分编|编|篇|章|节|条)(?:之([一二三四五六七八九十]+))?(?![{HAN}\d])"
)
# What follows a number that is only referred to: at once, and after a blank.
REFERRED = re.compile(r"[第的所中之以及和或与至、，,款项]|规定|(?:of|and|or|to)\b")
# What may yet be a clause: it begins with a reference to another, or a short title follows its 、.
REFERS = re.compile(rf"[ \t　]第[{HAN}\d]+条")
PAUSED = re.compile(rf"、[ \t　]*(?!第|[{HAN}\d]+[、条款项章节])[^\n。；;，,：:]{{1,20}}[：:]?[ \t　]*(?=\n|$)")
REFERRED_APART = re.compile(rf"\s(?:的|所[述列]|规定|(?:及|和|或者?)?第[{HAN}\d]+[条款项章节])")
EN = re.compile(
    r"[ \t]*(article|section|clause|chapter|part|title)\s+(\d+(?:\.\d+)*|[IVXLC]+)(?=$|[.:：—–)]|\s)"
    r"(?:[ \t]*[.:：—–)]|[ \t]+-(?=\s))?[ \t]*",
    re.I,
)
PART = re.compile(r"[ \t]*(?:Part|PART)[ \t]+([A-Z])(?=$|[.:：—–)]|\s)(?:[ \t]*[.:：—–)]|[ \t]+-(?=\s))?[ \t]*")
HAN_LIST = re.compile(r"[ \t　]*([一二三四五六七八九十]{1,3})[、.．][ \t　]*(?=\S)")
HAN_ITEM = re.compile(r"[ \t　]*[（(]([一二三四五六七八九十]{1,3})[）)]")
DECIMAL = re.compile(r"[ \t　]*(\d{1,3}(?:[.．]\d{1,3})*)([.．、)）]?)(?=\s|[㐀-鿿]|$)[ \t　]*")
# A title, a sentence or nothing follows a number that begins a clause in English.
OPENS = re.compile(r"$|\n|[\"“(\[A-Z㐀-鿿《【]")
LEVELS = {"编": 1, "篇": 1, "part": 1, "title": 1, "分编": 2, "章": 3, "chapter": 3, "节": 4}
ANNEX, GROUP, CLAUSE, ITEM = 0, 5, 6, 7  # a group: what stands right above clauses, as 一、 over 1. and an Article over its Sections
ARTICLE, SECTION, LISTED, BRACKETED, FIGURE, LETTERED = "article", "section", "一、", "（一）", "1.", "Part A"
ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


@dataclass(frozen=True, slots=True)
class Numbered:
    """A number at `start` of a paragraph or line: its level (0 annex, 1 part … 4 section, 5 group, 6 clause), value, and end."""

    start: int
    end: int
    level: int
    value: tuple[int, ...]
    sure: bool  # set off by white space or a keyword, so that it may leave numbers out; else it must be the next one
    chinese: bool
    form: str = ""  # how it is written, if that tells clauses apart: 条, article, section, 一、, （一）, 1. or Part A


def numbered(text: str, start: int, end: int) -> Numbered | None:
    """The number with which `text[start:end]` begins, if what follows does not make it a cross-reference."""
    if found := ZH.match(text, start, end):
        after = text[found.end() : found.end() + 1]
        clause = found[2] == "条"
        if REFERRED.match(text, found.end(), end) and not (clause and PAUSED.match(text, found.end(), end)):
            return None
        refers = clause and REFERS.match(text, found.end(), end)
        if REFERRED_APART.match(text, found.end(), end) and not refers:
            return None
        value = (_number(found[1]), *((0, chinese_number(found[3])) if found[3] else ()))
        level = LEVELS.get(found[2], CLAUSE)
        sure = not refers and (not after or after.isspace() or after in "【《[（(")
        return Numbered(found.start(), found.end(), level, value, sure, True, found[2])
    if found := HAN_LIST.match(text, start, end):
        return Numbered(found.start(), found.end(), GROUP, (chinese_number(found[1]),), False, True, LISTED)
    if found := HAN_ITEM.match(text, start, end):
        return Numbered(found.start(), found.end(), ITEM, (chinese_number(found[1]),), False, True, BRACKETED)
    if found := EN.match(text, start, end):
        if REFERRED.match(text, found.end(), end) or not OPENS.match(text, found.end(), end):
            return None
        word = found[1].lower()
        value = _roman(found[2]) if found[2][0].isalpha() else tuple(map(int, found[2].split(".")))
        if not value or (word in LEVELS and len(value) > 1):
            return None
        form = SECTION if word == "clause" else word
        return Numbered(found.start(), found.end(), LEVELS.get(word, CLAUSE), value, True, False, form)
    if (found := PART.match(text, start, end)) and OPENS.match(text, found.end(), end):
        return Numbered(found.start(), found.end(), LEVELS["part"], (ord(found[1]) - ord("A") + 1,), False, False, LETTERED)
    if found := DECIMAL.match(text, start, end):
        value = tuple(map(int, re.split("[.．]", found[1])))
        set_off = found.end() > found.end(2) or found.end() == end
        if len(value) == 1 and not found[2]:
            return None
        if not OPENS.match(text, found.end(), end) or (REFERRED if not set_off else REFERRED_APART).match(text, found.end(2), end):
            return None
        return Numbered(found.start(), found.end(), CLAUSE, value, len(value) > 1 and set_off, False, FIGURE)
    return None


def in_sequence(found: Sequence[Numbered]) -> list[Numbered]:
    """Of clauses in order of place, those of the heaviest rising sequence of values; what is not sure must be the next number.

    A lone figure may be a list's, so it weighs less than 第十条, Article 10 or 10.1 do, and among those it is no clause.
    """
    kept: list[Numbered] = []
    worded = 0
    for candidate in _rising(list(found)):
        if kept and not candidate.sure and not _follows(candidate.value, kept[-1].value):
            continue
        if _is_worded(candidate):
            worded += 1
        elif worded > 1 and len(candidate.value) == 1 and _is_worded(kept[-1]):
            continue  # the fourth item of a list in 第三条
        kept.append(candidate)
    return kept


def _is_worded(n: Numbered) -> bool:
    """第十条 or Article 10; a figure alone is sure only with a point in it."""
    return n.chinese or (n.sure and len(n.value) == 1)


def _rising(found: list[Numbered]) -> list[Numbered]:
    """The heaviest strictly rising subsequence (patience over a Fenwick tree of best weights), O(n log n)."""
    values = sorted({n.value for n in found})
    best: list[tuple[float, int]] = [(0.0, -1)] * (len(values) + 1)  # Fenwick: heaviest chain that ends below
    before: list[int] = []
    for i, n in enumerate(found):
        at = bisect_left(values, n.value)
        weight, last = 0.0, -1
        k = at
        while k > 0:
            weight, last = max((weight, last), best[k])
            k -= k & -k
        before.append(last)
        mine = (weight + (1.0 if n.sure else 0.5), i)
        k = at + 1
        while k <= len(values):
            best[k] = max(best[k], mine)
            k += k & -k
    chain: list[Numbered] = []
    k, end = len(values), (0.0, -1)
    while k > 0:
        end = max(end, best[k])
        k -= k & -k
    i = end[1]
    while i >= 0:
        chain.append(found[i])
        i = before[i]
    return chain[::-1]


def _follows(value: tuple[int, ...], last: tuple[int, ...]) -> bool:
    """Is `value` the next number after `last`: 5 after 4.3, 4.4 after 4.3, 4.3.1 after 4.3, 18 after 17-one?"""
    if value[:-1] == last and value[-1] == 1:
        return True
    n = len(value)
    return n <= len(last) and value[:-1] == last[: n - 1] and value[-1] == last[n - 1] + 1


def _number(text: str) -> int:
    return int(text) if text[0].isdigit() else chinese_number(text)


def _roman(text: str) -> tuple[int, ...]:
    total, last = 0, 0
    for c in reversed(text.upper()):
        if c not in ROMAN:
            return ()
        total += -ROMAN[c] if ROMAN[c] < last else ROMAN[c]
        last = max(last, ROMAN[c])
    return (total,)
