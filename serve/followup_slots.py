"""What follow-ups change in both languages: codes, clause numbers, years. Each gives way to another of its kind."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingest.search import Searcher
from ingest.tokens import RUN, exact_tokens, tokens

CLAUSE = re.compile(
    r"第\s*[\d零〇一二两三四五六七八九十百千.]+\s*[条款项章节]"
    r"|(?:\b(?:articles?|clauses?|sections?|paragraphs?|art\.|sec\.|cl\.)|§)\s*\d+(?:\.\d+)*(?!\w)"
    r"|(?<![\w.])\d+(?:\.\d+)+\s*[条款项]",
    re.I,
)
BARE = re.compile(r"\d+(?:\.\d+)*")
SPOKEN = 0.8  # of a question's words by weight, what a document that it is asked of has
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that stands alone; `slot` is the part of it that a follow-up put there, and may be changed again."""

    text: str
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What a corpus tells of its documents while a follow-up is read."""

    names: Callable[[str], bool]  # does this text name a document?
    title: Callable[[str], str]  # of a version; empty where it is gone
    holds: Callable[[str, str], bool]  # does that version speak of this question's words?


def known_of(searcher: Searcher, corpus: str) -> Known:
    """What the index of `corpus` tells; nothing where none was made yet."""
    manifest = searcher.manifest

    def title(version: str) -> str:
        row = manifest.version(version)
        return str(row["title"]) if row and row["live"] else ""

    def holds(version: str, question: str) -> bool:
        corpus_id = manifest.corpus_id(corpus)
        if corpus_id is None:
            return False
        keywords = searcher.keywords(corpus, corpus_id)
        weigh = keywords.idf
        weights = {word: weigh(word) for word in set(tokens(question)) if keywords.knows(word)}
        spoken = sum(weight for word, weight in weights.items() if keywords.holds(version, word))
        return bool(weights) and spoken >= SPOKEN * sum(weights.values())

    return Known(lambda text: bool(searcher.named(corpus, text)), title, holds)


def codes(text: str) -> list[str]:
    """The codes and identifiers of `text` as they are written: SC-40, SC-A04, QueueDepth."""
    clauses = [m.span() for m in CLAUSE.finditer(text)]
    words = (m for m in RUN.finditer(text) if not any(a < m.end() and m.start() < b for a, b in clauses))
    return [m[0] for m in words if re.search("[A-Za-z]", m[0]) and m[0].isascii() and exact_tokens(m[0])]


def swapped(part: str, before: str) -> str | None:
    """`before` with `part`'s code, clause number or year in the place of its own; None where it has none of that kind."""
    if own := codes(part):
        return _code_swapped(own[0], before)
    if found := CLAUSE.search(part):
        return CLAUSE.sub(lambda m: found[0], before, count=1) if CLAUSE.search(before) else None
    if BARE.fullmatch(part) and (clause := CLAUSE.search(before)):
        return before[: clause.start()] + BARE.sub(part, clause[0], count=1) + before[clause.end() :]
    if (year := YEAR.search(part)) and YEAR.search(before):
        return YEAR.sub(year[0], before)
    return None


def _code_swapped(code: str, before: str) -> str | None:
    alike = [other for other in codes(before) if _shape(other) == _shape(code)]
    if not alike:
        return None
    text = _replaced(before, alike[-1], code)
    if _family(alike[-1]) != _family(code):  # SC-A04 on the SC-40 gives way to CP-P05, and the SC-40 with it
        for other in codes(text):
            if other != code and _family(other) == _family(alike[-1]):
                text = re.sub(rf"\s+(?:on|of|in|for) (?:the )?{re.escape(other)}(?: [a-z]+(?= [a-z]+\W*$))?", "", text)
    return text


def _replaced(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<![A-Za-z0-9_-]){re.escape(old)}(?![A-Za-z0-9_-])", lambda m: new, text)


def _shape(code: str) -> str:
    """Machines are of one shape (SC-40, SC-40F), faults of another (SC-A04), names in code of a third."""
    if not re.search(r"\d", code):
        return "name"
    return "-".join(kind for kind, _ in _pieces(code))


def _pieces(code: str) -> Iterator[tuple[str, str]]:
    for m in re.finditer(r"([A-Za-z]+)?(\d+)?[A-Za-z]?", code):
        if m[0]:
            yield ("a" if m[1] else "") + ("9" if m[2] else ""), m[0]


def _family(code: str) -> str:
    return re.split(r"[-\d]", code, maxsplit=1)[0]
