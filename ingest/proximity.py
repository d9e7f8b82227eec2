"""Proximity: of the words that follow each other in a question, how many stand near each other in a chunk.

The windows of the sequential dependence model (Metzler and Croft 2005, "A Markov random field model for term dependencies"), with a
pair's worth falling with the root of the distance. Of code it says nothing: who asks for it has not the words in its order.
"""

import re
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise, product
from math import sqrt

from ingest.tokens import CJK, STOP, ZH_STOP, fold, is_cjk, stem

WEIGHT = 0.2  # beside a score of 0 to 1
BEST = 20  # chunks by that score are looked at; what is further down rarely comes up, and each costs a twentieth of a millisecond
WINDOW = 8  # words or Chinese characters
WORD = re.compile(rf"[a-z0-9]+|[{CJK}]")
CODE = re.compile(r"^\s*(?:(?:async|export|public|private|protected|static|pub) )*(?:def|class|function|func|fn|interface|struct)\b", re.M)


def proximity(question: str, texts: Mapping[str, str], idf: Callable[[str], float]) -> dict[str, float]:
    """For each text, by its key, between 0 and 1: the share of the question's pairs that it has near each other, by their rarity."""
    words = [w for w in sequence(question) if w not in STOP and w not in ZH_STOP]
    pairs = {pair: _rarity(*pair, idf) for pair in pairwise(words) if pair[0] != pair[1]}
    total = sum(pairs.values())
    if not total:
        return {}
    wanted = {word for pair in pairs for word in pair}
    found = {key: places(text, wanted) for key, text in texts.items() if not CODE.search(text)}
    return {key: sum(weight * _nearness(*pair, at) for pair, weight in pairs.items()) / total for key, at in found.items()}


def sequence(text: str) -> list[str]:
    """Its words in their order: English stems, and single Chinese characters."""
    return [stem(word) for word in WORD.findall(fold(text).lower())]


def places(text: str, wanted: Collection[str]) -> dict[str, list[int]]:
    """Each of the words `wanted` → where it stands, counted in words."""
    found: dict[str, list[int]] = {}
    for n, word in enumerate(sequence(text)):
        if word in wanted:
            found.setdefault(word, []).append(n)
    return found


def _rarity(one: str, two: str, idf: Callable[[str], float]) -> float:
    return idf(one + two) if is_cjk(one) and is_cjk(two) else min(idf(one), idf(two))


def _nearness(one: str, two: str, at: Mapping[str, list[int]]) -> float:
    """1 for neighbours, less with the distance, 0 beyond the window."""
    if one not in at or two not in at:
        return 0.0
    apart = min(abs(a - b) for a, b in product(at[one], at[two]))
    return 1 / sqrt(max(1, apart - 1)) if apart <= WINDOW else 0.0
