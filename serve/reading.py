"""A text as the citation check reads it: its terms in order with the senses they may have, its clauses and its figures.

A term is an English stem or a Chinese character; figures are left out, which are compared by value. A sense is a line of synonyms.txt:
terms of one sense may stand for each other, those of opposite senses must not.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ingest.tokens import STOP, ZH_STOP, fold, stem
from serve.bounds import LONGER, NONE, SHORTER
from serve.quantities import Quantity, quantities
from serve.wording import CLAUSE, EMPTY, EMPTY_ZH, PIECE, Place, places

WORD = re.compile(r"[\u4e00-\u9fff]|[A-Za-z](?:[A-Za-z0-9]|['’](?!s\b))*")
IRREGULAR = {
    word: base
    for line in (
        "pay paid|send sent|keep kept|leave left|hold held|give given gave|take taken took|do done did|make made|sell sold|buy bought"
        "|write written wrote|break broken broke|begin begun began|go gone went|come came|tell told|lend lent|lose lost|meet met"
        "|show shown|stand stood|wear worn|run ran|find found|bring brought|get got gotten|drive driven drove|choose chosen chose"
        "|draw drawn drew|fall fallen fell|spend spent|feel felt|catch caught|build built|deal dealt|lead led|say said"
        "|see seen saw|know known knew|rise risen rose|bear borne bore|wind wound|sit sat|win won|seek sought|teach taught|think thought"
        "|understand understood|speak spoken spoke|steal stolen|throw thrown threw|freeze frozen froze|hide hidden hid|bind bound"
        "|shrink shrunk shrank|spin spun|swing swung|child children|person people persons|man men|woman women|half halves"
    ).split("|")
    for base, *forms in [line.split()]
    for word in forms
}
# what looks like a negation and is none
NO_NEGATION = re.compile(
    rf"{NONE}(?:(?:more|less|{LONGER}|{SHORTER}) than|exceed\w*|upwards of|(?:above|over|under|below)(?: the age of)?\s*(?=[£$€\d\x01]))"
    r"|\bno(?:t)? (?:more|less|fewer|longer|later|earlier|higher|lower|over|greater) than\b|\bnot exceed\w*|\bnot only\b"
    r"|\bnot be (?:\w+ )?(?:more|less|fewer|longer|later|earlier|higher|lower|over|greater|shorter) than\b"
    r"|\bwithout (?:cause|delay|further \w+|exception|undue)\b|\bwhether or not\b|\bnot until\b"
    r"|不[得能可应宜准许]?超过|没有超过|未超过|不[得能可应宜准许]?[少低高多大小短长晚早]于|不足|未满|不满|不到(?=[\d一二三四五六七八九十百千万两半])|不[得能可应宜准许]?[长高低重大多晚]过"
    r"|不等(?!于)|不一|不论|不管|无论|不同|不断|不锈|非常|不仅|不但|是否|未经处理|不影响|不停止|不妨碍|不久|无关",
    re.I,
)
NEGATION = re.compile(
    r"\b(?:not|never|no|none|neither|nor|cannot|without|nobody|nothing|forbidden|prohibited|banned|refuse[sd]?|reject(?:s|ed)?"
    r"|turn(?:s|ed)? down|declines?d?|fail(?:s|ed|ing)?|except(?:ing)?|excluding|excluded|exempt|impossible|unable|invalid"
    r"|un(?:opened|signed|paid|marked|used|changed|altered|confirmed|touched|plugged|tested|known|limited|insured|authorised))\b"
    r"|n't\b|不|未|无|没|禁|勿|非(?!常)|除外|例外|免(?!得)|拒",
    re.I,
)
EMPTY_EN = STOP | EMPTY | frozenset(map(stem, "ought being having same there here very such via per upon whose".split()))


class Term(NamedTuple):
    """A word that carries a claim, where it stands in the folded text, and the senses it may have."""

    text: str
    start: int
    senses: frozenset[int]
    poles: frozenset[int] = frozenset()  # of the senses, those whose opposite contradicts it; a word that denies is counted as such


class Reading(NamedTuple):
    """A folded text, its terms, figures, and the places of its clauses and sentences."""

    text: str
    bare: str  # the text without its figures and their bounds
    terms: tuple[Term, ...]
    figures: tuple[Quantity, ...]
    clauses: tuple[Place, ...]
    pieces: tuple[Place, ...]
    known: frozenset[str]
    senses: frozenset[int]

    def within(self, place: Place) -> list[Term]:
        return [t for t in self.terms if place[0] <= t.start < place[1]]

    def has(self, term: Term) -> bool:
        return term.text in self.known or not term.senses.isdisjoint(self.senses)


def _lines() -> list[list[str]]:
    """The senses and their opposites: the side behind `|` follows the one before it."""
    lines = Path(__file__).with_name("synonyms.txt").read_text(encoding="utf-8").splitlines()
    sides = [side for line in lines if line and line[0] != "#" for side in [*line.split("|"), ""][:2]]
    return [[word.strip() for word in side.split(",") if word.strip()] for side in sides]


def _bases(phrase: str) -> tuple[str, ...]:
    return tuple(base(word) for word in WORD.findall(phrase)) if phrase.isascii() else (phrase,)


def base(word: str) -> str:
    """An English word's stem, whatever its tense."""
    low = word.lower()
    return stem(IRREGULAR.get(low, low))


@lru_cache(1)
def senses() -> dict[tuple[str, ...], tuple[frozenset[int], frozenset[int]]]:
    """Word or phrase, by its stems → its senses. Sense 2n + 1 is the opposite of 2n."""
    found: dict[tuple[str, ...], set[int]] = {}
    for n, words in enumerate(_lines()):
        for word in words:
            found.setdefault(_bases(word), set()).add(n)
    return {word: (frozenset(n), frozenset() if NEGATION.search(" ".join(word)) else frozenset(n)) for word, n in found.items()}


@lru_cache(4096)
def reading(text: str) -> Reading:
    """`text`, folded, as the check reads it."""
    text = fold(text)
    figures = quantities(text)
    blank = text
    for q in figures:
        start, end = q.reach
        blank = blank[:start] + "\u0001" * (end - start) + blank[end:]
    words = [(m[0] if m[0] >= "\u4e00" else base(m[0]), m.start(), m.end()) for m in WORD.finditer(blank)]
    known, poles, table = [frozenset[int]()] * len(words), [frozenset[int]()] * len(words), senses()
    for n in range(len(words)):
        chinese = words[n][0] >= "\u4e00"
        for size in (4, 3, 2, 1):
            run = words[n : n + size]
            if len(run) < size or (chinese and run[-1][2] - run[0][1] != size):
                continue
            key = ("".join(w for w, _, _ in run),) if chinese else tuple(w for w, _, _ in run)
            if (found := table.get(key)) and not (size == 1 and chinese and known[n]):
                for k in range(n, n + size):
                    known[k], poles[k] = known[k] | found[0], poles[k] | found[1]
                break
    terms = tuple(
        Term(word, start, has, ends)
        for (word, start, _), has, ends in zip(words, known, poles, strict=True)
        if has or (word not in EMPTY_ZH and word not in ZH_STOP and (word >= "\u4e00" or (word not in EMPTY_EN and len(word) > 1)))
    )
    return Reading(text, blank, terms, figures, tuple(places(text, CLAUSE)), tuple(places(text, PIECE)),
                   frozenset(t.text for t in terms), frozenset().union(*(t.senses for t in terms)))  # fmt: skip


def negations(text: str) -> int:
    return len(NEGATION.findall(NO_NEGATION.sub(" ", text)))
