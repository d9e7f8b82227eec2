"""The figures of a text as the citation check reads them: `45 N·m` and `45 Nm` are one, and so are 14 days and two weeks."""

import re

from ingest.tokens import fold
from serve.quantities import PERIOD, quantities

DIGITS = re.compile(r"\d+")


def figures(text: str) -> set[tuple[float, str]]:
    """Value and dimension of each figure; that a thing is one, or is so each day, is left to the words."""
    folded, found = fold(text), set()
    for q in quantities(text):
        shown = folded[q.start : q.end]
        is_lone = q.value == 1 and not q.dimension and not DIGITS.search(shown)
        if not is_lone and not PERIOD.fullmatch(folded, q.start, q.end):
            found.add((q.value, q.dimension))
    return found


def digits(text: str) -> list[tuple[int, int]]:
    """Where the first digits of each figure stand that is written in digits; empty where folding moves what is behind it."""
    folded = fold(text)
    found = [m for q in quantities(text) if (m := DIGITS.search(folded, q.start, q.end))]
    return [m.span() for m in found] if len(folded) == len(text) else []
