"""Slots: what of a question must not change when it is put in other words: figures, codes, clauses, names, units, quoted words."""

import re
from collections import Counter
from functools import lru_cache

from ingest.tokens import CJK, EN_CLAUSE, HAN, POINT_CLAUSE, STOP, ZH_CLAUSE, fold
from serve.quantities import quantities
from serve.units import UNITS
from tune.phrasings import phrasings

QUOTED = re.compile(
    r"“[^”]*(?:”|$)|\"[^\"]*(?:\"|$)|《[^》]*(?:》|$)|「[^」]*(?:」|$)|『[^』]*(?:』|$)|‘[^’]*(?:’|$)|`[^`]*(?:`|$)|(?<!\w)'[^']+'(?!\w)"
)
RUN = re.compile(rf"[^\W_{CJK}]+(?:(?:[-_./×:*&@]|(?<=\d)[,，](?=\d))[^\W_{CJK}]+)*|_+[^\W{CJK}]+")
CODE = re.compile(r"\d|_|[./×:*&@]")
BEGINS = re.compile(r"(?:^|[.?!。？！:：(（]\s*)$")
_CJK_UNITS = sorted((unit for unit in UNITS if not unit[0].isascii()), key=len, reverse=True)
UNIT = re.compile("|".join(
    re.escape(unit) if len(unit) > 1 else rf"(?:[\d几每半{HAN}]|多少)个?{re.escape(unit)}" for unit in _CJK_UNITS
))  # fmt: skip
Place = tuple[int, int]


def slots(text: str) -> list[Place]:
    """Where they stand, in order, none within another; all of a text in which folding moves what is behind it."""
    folded = fold(text)
    if len(folded) != len(text):
        return [(0, len(text))]
    found = [m.span() for shape in (QUOTED, ZH_CLAUSE, POINT_CLAUSE, EN_CLAUSE, UNIT) for m in shape.finditer(text)]
    found += [(q.start, q.end) for q in quantities(text)]
    for m in RUN.finditer(text):
        begins = bool(BEGINS.search(text, max(0, m.start() - 3), m.start()))
        if _is_fact(m[0], begins) or text.startswith("(", m.end()):  # open() is a code
            found.append(m.span())
    apart: list[Place] = []
    for start, end in sorted(found):
        if apart and start < apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1])
        else:
            apart.append((start, end))
    return apart


def keeps(question: str, variant: str) -> bool:
    """Has the variant every slot of the question, and no other?"""
    return _texts(question) == _texts(variant)


def _texts(text: str) -> Counter[str]:
    return Counter(" ".join(text[start:end].split()) for start, end in slots(text))


def _is_fact(run: str, begins: bool) -> bool:
    """Is it a code, a name or a unit? A word that begins a sentence has a capital anyway, where it is one that asks."""
    if CODE.search(run) or (len(run) > 1 and run.lower() in UNITS):
        return True
    if run == run.lower() or run == "I":
        return False
    return not (begins and run[1:] == run[1:].lower() and run.lower() in _plain())


@lru_cache(1)
def _plain() -> frozenset[str]:
    asking = phrasings("en").instead
    return STOP | {word for phrase, others in asking.items() for text in (phrase, *others) for word in re.findall(r"[a-z]+", text.lower())}
