"""Which documents a question names: by title, file name, identifier, or a part of a name that few share (合同管理办法, SC-40 manual).

A common word is no name. A part of a name counts only together with what kind of document it is: in Chinese the words at the name's
end (…办法, …制度, …法), in English a word such as manual, policy or lease.
"""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import PurePath
from typing import NamedTuple

from ingest.tokens import CJK, STOP, fold, is_cjk, stem, without_clauses

MOST = 3  # documents; what more of them share is a kind, not a name
COMMON = 200  # names; a word in more (管理, 办法) does not bring a name by itself
TRIED = 100  # names that are looked at closely, those that share most words with the question
LONGEST = 400  # words or characters of a question that may name a document
KINDS = frozenset(
    map(
        stem,
        "act addendum agreement appendix bulletin bylaws charter circular code contract convention decree directive guide guideline "
        "handbook instructions law lease log manual measures memo memorandum minutes notice ordinance plan policy procedure protocol "
        "regulation report rules runbook schedule specification standard statute terms treaty".split(),
    )
)
# 《 》 and round brackets set a name off or qualify it; a full stop or a clause number ends it.
UNIT = re.compile(rf"[{CJK}]|[a-z]+|\d+|[^\W\d_a-z{CJK}]+|[《》]|[，。；？！、：,;?!:\n|]|\.(?=\s|$)")
OPENS, CLOSES, BREAK = "《", "》", "|"
STATE = re.compile("中华人民共和国")
QUALIFIED = re.compile(r"[(\[【〔](?=[^)\]】〕]*(?:\d|修正|修订|修改|试行|草案|版))[^)\]】〕]*[)\]】〕]")
BRACKETS = re.compile(r"[(\[【〔][^)\]】〕]*[)\]】〕]\s*$")
DATE = re.compile(r"[\s_.-]*(?:19|20)\d\d(?:[-_.年]?\d\d?(?:[-_.月]?\d\d?日?)?)?\s*$")
CLAUSE = re.compile(r"第\s*[\d零〇一二两三四五六七八九十百千.]+\s*[条条款项章节编]|(?<![\w.])\d+(?:\.\d+)+(?![\w.])")
IDENTIFIER = re.compile(r"(?<![^\W_])[A-Za-z]{1,6}[- ]?\d{2,}[A-Za-z]?(?![^\W_])")
SEGMENT = re.compile(r"\s[-–—|]\s|[:：–—]")

# What a function or a module is called is made of common words: get_last, readFile. It names a document only where it says the kind.
CODE_NAME = re.compile(r"_*[a-z0-9]+(?:_[A-Za-z0-9]+)+_*|_*[a-z]+(?:[A-Z][a-z0-9]*)+")

WHOLE, ALIAS, PART = 2, 1, 0  # a name; one that leaves out the edition, or names the beginning; a part that says the kind
Units = tuple[str, ...]


class Found(NamedTuple):
    """Where a question names a document: `start:end` of its units, and how."""

    start: int
    end: int
    how: int  # WHOLE, ALIAS or PART


class Name(NamedTuple):
    """One name of a document; a part of it may stand for it where it is `divisible`."""

    units: Units
    how: int
    divisible: bool


NOWHERE = Found(0, 0, PART)


class Names:
    """The names of a corpus's live documents. Safe to share between threads; `update` costs what changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, str], list[Name]] = {}
        self._whole: dict[Units, Counter[tuple[str, int]]] = defaultdict(Counter)  # name → versions, and how it names each
        self._lengths: dict[str, Counter[int]] = defaultdict(Counter)  # first unit of a name → lengths
        self._sharing: dict[str, set[tuple[Units, str]]] = defaultdict(set)  # word or pair of characters → names

    def update(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Hold exactly `rows`, each a live document's version, name and title."""
        now = set(rows)
        with self._lock:
            for row in self._rows.keys() - now:
                for name in self._rows.pop(row):
                    self._enter(row[0], name, -1)
            for row in now - self._rows.keys():
                self._rows[row] = list(_names(row[1], row[2]))
                for name in self._rows[row]:
                    self._enter(row[0], name, 1)

    def named(self, question: str) -> set[str]:
        """The versions of the documents that `question` names; empty where it names none, or a kind that many are of."""
        units, clauses = _asked(question)
        with self._lock:
            found = self._by_whole_name(units, clauses)
            for version, place in self._by_part(units).items():
                found[version] = max(found.get(version, NOWHERE), place, key=_weight)
        places = defaultdict(set)
        for version, place in found.items():
            # 合同法 inside 劳动合同法 is not meant; nor is a part where another document bears it as its whole name
            if not any(_within(place, other) for other in found.values()):
                places[place].add(version)
        return {version for versions in places.values() if len(versions) <= MOST for version in versions}

    def _enter(self, version: str, name: Name, by: int) -> None:
        units, bearers = name.units, self._whole[name.units]
        bearers[version, name.how] += by
        self._lengths[units[0]][len(units)] += by
        if bearers[version, name.how] <= 0:
            del bearers[version, name.how]
        if not bearers:
            del self._whole[units]
        borne = any(v == version for v, _ in bearers)
        for feature in features(units) if name.divisible else ():
            if borne:
                self._sharing[feature].add((units, version))
            else:
                self._sharing[feature].discard((units, version))

    def _by_whole_name(self, units: Units, clauses: set[int]) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for start in range(len(units)):
            for length, count in self._lengths.get(units[start], Counter()).items():
                end = start + length
                name = units[start:end]
                if count <= 0 or name not in self._whole or not _is_name(units, start, end, clauses):
                    continue
                for version, how in self._whole[name]:
                    found[version] = max(Found(start, end, how), found.get(version, NOWHERE), key=_weight)
        return found

    def _by_part(self, units: Units) -> dict[str, Found]:
        shared: Counter[tuple[Units, str]] = Counter()
        for feature in set(features(units)):
            names = self._sharing.get(feature, ())
            if len(names) <= COMMON:
                shared.update(names)
        found: dict[str, Found] = {}
        for (name, version), _ in shared.most_common(TRIED):
            if place := _run(units, name):
                found[version] = max(found.get(version, NOWHERE), place, key=_weight)
        return found


def _names(file: str, title: str) -> Iterator[Name]:
    """What a document may be called, the fullest first."""
    path = PurePath(file)
    called = [(title, WHOLE, True), (path.stem, WHOLE, True), (f"{path.stem} {path.suffix.lstrip('.')}", WHOLE, False)]
    for name in (title, path.stem):
        short = DATE.sub("", QUALIFIED.sub("", STATE.sub("", fold(name))))  # as people say it: without editions, years
        called += [(short, ALIAS, True), (BRACKETS.sub("", short), ALIAS, True)]  # 解释（一） is also called 解释
    called.append((SEGMENT.split(title)[0], ALIAS, False))
    called += [(identifier, ALIAS, False) for identifier in IDENTIFIER.findall(f"{title} {path.stem}")]
    seen = set()
    for name, how, divisible in called:
        units = tuple(u for u in word_units(STATE.sub("", fold(name))) if u not in (OPENS, CLOSES, BREAK))
        if CODE_NAME.fullmatch(name.strip()) and not KINDS & set(units):
            continue
        if units not in seen and (len(units) > 1 or (units and is_cjk(units[0]))):
            seen.add(units)
            yield Name(units, how, divisible)


def _asked(question: str) -> tuple[Units, set[int]]:
    """The question's units, and at which of them a clause number stands."""
    text = STATE.sub("", CLAUSE.sub("|", without_clauses(question, "|")))
    units = tuple(word_units(text))[:LONGEST]
    return units, {i for i, unit in enumerate(units) if unit == BREAK}


def word_units(text: str) -> Iterator[str]:
    """Characters of Chinese, stemmed words and figures of all else, 《 and 》, and `|` where what follows is no part of it."""
    for found in UNIT.findall(fold(text).lower()):
        if found in (OPENS, CLOSES):
            yield found
        elif not found[0].isalnum():
            yield BREAK
        elif found not in STOP:
            yield stem(found) if found.isascii() and found.isalpha() else found


def features(units: Units) -> Iterator[str]:
    """What names are found by: words, and pairs of Chinese characters."""
    for i, unit in enumerate(units):
        if not is_cjk(unit):
            if unit.isalnum():
                yield unit
        elif i + 1 < len(units) and is_cjk(units[i + 1]):
            yield unit + units[i + 1]


def _is_name(units: Units, start: int, end: int, clauses: set[int]) -> bool:
    """May `units[start:end]`, some document's whole name, be meant as one?"""
    name = units[start:end]
    opened = start > 0 and units[start - 1] == OPENS
    closed = end < len(units) and units[end] == CLOSES
    if OPENS in units and _bracketed(units, start) and not (opened and closed):
        return False  # 合同法 in 《劳动合同法》
    if all(map(str.isdigit, name)):
        return False
    if any(map(is_cjk, name)):
        return len(name) > 2 or closed or end in clauses  # 刑法第二条
    return len(name) > 1


def _run(units: Units, name: Units) -> Found | None:
    """The longest run of the question that is made of parts of `name` and says what kind of document it is."""
    pairs = {a + b for a, b in pairwise(name) if is_cjk(a) and is_cjk(b)}
    words = {u for u in name if not is_cjk(u)}
    kinds = words & KINDS
    covered = [False] * len(units)
    for i, unit in enumerate(units):
        if unit in words:
            covered[i] = True
        elif i + 1 < len(units) and unit + units[i + 1] in pairs:
            covered[i] = covered[i + 1] = True
    best: Found | None = None
    start = 0
    while start < len(units):
        end = start
        while end < len(units) and covered[end]:
            end += 1
        if end > start and (place := _part(units, start, end, name, kinds)):
            best = max(best or place, place, key=lambda p: p.end - p.start)
        start = end + 1
    return best


def _part(units: Units, start: int, end: int, name: Units, kinds: set[str]) -> Found | None:
    run = units[start:end]
    if start > 0 and units[start - 1] == OPENS and end < len(units) and units[end] == CLOSES:
        return Found(start, end, PART) if len(run) > 2 else None
    if _bracketed(units, start):
        return None
    if is_cjk(name[-1]) and len(name) > 1:
        # what follows the kind is no more of the name: 合同管理办法怎么规定
        for stop in range(end, start + 3, -1):
            if units[stop - 2 : stop] == name[-2:]:
                return Found(start, stop, PART)
        return None
    said = kinds & set(run)
    return Found(start, end, PART) if said and set(run) - KINDS else None


def _bracketed(units: Units, at: int) -> bool:
    before = units[:at]
    return before.count(OPENS) > before.count(CLOSES)


def _weight(place: Found) -> tuple[int, int]:
    return place.end - place.start, place.how


def _within(place: Found, other: Found) -> bool:
    """Is `place` a lesser reading of the same words as `other`?"""
    if (place.start, place.end) == (other.start, other.end):
        return other.how > place.how
    return other.start <= place.start and place.end <= other.end
