"""How texts are laid beside each other by the citation check: their words, clauses and parts."""

import re
from collections import Counter
from functools import lru_cache

from ingest.tokens import is_cjk, tokens

Place = tuple[int, int]  # start and end in a text
KEPT = 4096  # texts whose words are remembered: one sentence is held against many spans, and one span against many sentences
CLEARER = 1.2  # times as many words in common say that a figure or name stands for something else
CLAUSE = re.compile(
    r"[。；;，,!?！？:：\n|（）()]|\.(?=\s|$)|\s[-–—]\s"
    r"|\b(?:and|but|or|because|since|which|while|whereas|unless|so|who|whose|where|when|if|provided|although|though)\b"
    r"|而且|并且|但是|但|然后|并(?!不|未|非)|且",
    re.I,
)
PIECE = re.compile(r"[。；;\n]|\.(?=\s|$)")
ITEM = re.compile(rf"、|{CLAUSE.pattern}", re.I)
# words that say nothing of their own, beside the index's stop words
EMPTY = frozenset(
    tokens(
        "accord answer describe document follow give indicate list manual mean passage question refer say show state use also only each"
        " every all one other such same must need require allow able get take make put set go come time case way just still yet guide"
        " handbook agreement policy first second thing longer possible anyone nobody kind sort certain within per day week month year"
        " hour minute"
    )
)
EMPTY_ZH = frozenset(
    "的了是在和与及或等为有也都就要应须由把被将对向于其该此这那个每之以后前内时中上下不没未无得能可会还再只仅请想所"
    "一二三四五六七八九十两次日天月年元份"
)


@lru_cache(KEPT)
def content(text: str) -> tuple[str, ...]:
    """The words that carry a claim: stems, and single Chinese characters, without those that say nothing of their own."""
    found = (t for t in tokens(text) if t not in EMPTY and not t.isdigit())
    return tuple(t for t in found if (len(t) == 1 and t not in EMPTY_ZH if is_cjk(t[0]) else len(t) > 1))


def clauses(text: str) -> list[str]:
    return [c for c in CLAUSE.split(text) if c and c.strip()]


@lru_cache(KEPT)
def pairs(text: str) -> frozenset[str]:
    """Pairs of Chinese characters: what one character leaves open two decide."""
    return frozenset(t for t in tokens(text) if len(t) == 2 and is_cjk(t[0]))


def belongs_elsewhere(sentence: str, place: Place, span: str, alike: list[Place], rivals: list[Place]) -> bool:
    """Do the words beside the sentence's figure or name stand beside another one of its kind in the span?"""
    for pattern in (PIECE, *(() if "|" in span else (CLAUSE, ITEM))):
        parts = places(span, pattern)
        own = {n for a, _ in alike for n, (s, e) in enumerate(parts) if s <= a < e}
        others = {n for a, _ in rivals for n, (s, e) in enumerate(parts) if s <= a < e} - own
        if not own or not others:
            continue
        score = _scores(sentence, place, [span[s:e] for s, e in parts])
        mine, theirs = max(score[n] for n in own), max(score[n] for n in others)
        if theirs > CLEARER * mine + 0.5:
            return True
        if mine > CLEARER * theirs + 0.5:
            return False
    return False


def likeness(sentence: str, place: tuple[int, int], span: str, other: tuple[int, int]) -> float:
    parts = places(span, CLAUSE)
    scores = _scores(sentence, place, [span[s:e] for s, e in parts])
    return next((score for score, (s, e) in zip(scores, parts, strict=True) if s <= other[0] < e), 0.0)


def _scores(sentence: str, place: tuple[int, int], parts: list[str]) -> list[float]:
    """How many words each part shares with the sentence; those of the clause at `place` count most, those of many parts little."""
    has = [set(content(part)) | pairs(part) for part in parts]
    common = Counter(t for words in has for t in words)
    start, end = next(((s, e) for s, e in places(sentence, CLAUSE) if s <= place[0] < e), (0, len(sentence)))
    sentence = sentence[: place[0]] + " " * (place[1] - place[0]) + sentence[place[1] :]
    near = set(content(sentence[start:end])) | pairs(sentence[start:end])
    far = set(content(sentence)) | pairs(sentence)
    weight = 0.5 if len(near & set(common)) < 4 else 0.2
    return [sum((1.0 if t in near else weight) / common[t] for t in words & far) for words in has]


def places(text: str, pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    at, found = 0, []
    for m in pattern.finditer(text):
        if text[at : m.start()].strip():
            found.append((at, m.start()))
        at = m.end()
    return [*found, (at, len(text))] if text[at:].strip() else found
