"""The clauses of a sentence beside those of a span: which go together, and which word of one stands in another's place.

Part of the citation check.
"""

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

from serve.reading import Reading, Term
from serve.wording import Place

# stems and characters that may stand anywhere
SMALL = frozenset("everi all any each both onli must may can need other also again onc 应 当 须 可 必".split())
LONGEST = 8  # words that may stand in others' place; more are another clause


class Aligned(NamedTuple):
    """A clause of the sentence, the span's clause most like it with its sentence, and the share of the former that the latter has."""

    mine: Place
    theirs: Place
    piece: Place
    share: float


def within(place: Place, outer: Place) -> bool:
    return outer[0] <= place[0] < outer[1]


def match(term: Term, terms: Iterable[Term]) -> bool:
    """Is the term, or another that may stand for it, among them?"""
    return any(term.text == t.text or not term.senses.isdisjoint(t.senses) for t in terms)


def likeness(one: list[Term], two: list[Term]) -> float:
    """The share of the one's terms that are in the other."""
    return sum(match(t, two) for t in one) / len(one) if one else 0.0


def aligned(said: Reading, has: Reading) -> list[Aligned]:
    """Each clause of the sentence with the clause of the span that is most like it."""
    found = []
    theirs = [(p, has.within(p), _figures(has, p)) for p in has.clauses]
    for c in said.clauses:
        terms, figures = said.within(c), _figures(said, c)
        if not terms or not theirs:
            continue
        shares = [
            (sum(match(t, words) for t in terms) + len(figures & values)) / (len(terms) + len(figures)) for _, words, values in theirs
        ]
        best = max(range(len(theirs)), key=lambda n: (shares[n] / (3 + len(theirs[n][1])) ** 0.5, shares[n], n))
        place = theirs[best][0]
        found.append(Aligned(c, place, next((p for p in has.pieces if within(place, p)), (0, len(has.text))), shares[best]))
    return found


def _figures(text: Reading, place: Place) -> set[tuple[float, str]]:
    return {(q.value, q.dimension) for q in text.figures if within((q.start, q.end), place)}


def moved(c: Aligned, said: Reading, has: Reading) -> str:
    """The word from elsewhere in the span that stands in the place of one that the clause goes without."""
    mine, theirs = said.within(c.mine), has.within(c.theirs)
    keys = [next((t.text for t in mine if t.text == k.text or not t.senses.isdisjoint(k.senses)), k.text) for k in theirs]
    for op, i1, i2, j1, j2 in SequenceMatcher(None, keys, [t.text for t in mine], autojunk=False).get_opcodes():
        if op == "replace" and max(i2 - i1, j2 - j1) <= LONGEST:
            new = [t for t in mine[j1:j2] if not match(t, theirs)]
            if (word := _known(new, has)) and any(not match(t, mine) for t in theirs[i1:i2]):
                return word
    return ""


def _known(terms: list[Term], has: Reading) -> str:
    """The first of the words that the span has somewhere; of Chinese characters two that follow each other there."""
    for a, b in zip_longest(terms, terms[1:]):
        if a.text < "\u4e00":
            if has.has(a) and a.text not in SMALL:
                return a.text
        elif b and b.start == a.start + 1 and a.text + b.text in has.text:
            return a.text + b.text
    return ""


def opposed(mine: list[Term], theirs: list[Term]) -> str:
    """The word of the one clause that is the opposite of one of the other's, neither clause having both."""
    for t in mine:
        against = {s ^ 1 for s in t.poles}
        if against and not match(t, theirs) and any(not against.isdisjoint(k.poles) and not match(k, mine) for k in theirs):
            return t.text
    return ""
