"""A question in other words by rule: another phrase of asking, or a slip of the hand. What is a fact of it stays, letter by letter."""

import re
from functools import lru_cache

from corpora.profile import Language
from ingest.language import language
from tune.chance import Chance
from tune.facts.wording import high, low
from tune.phrasings import phrasings
from tune.slots import keeps, slots

WORD = re.compile(r"(?<![\w'’-])[a-z]{5,}(?![\w'’-])")  # long enough that it is known without a letter
MARK = re.compile(r"\s*[?？]\s*$")
UNMARKED = 0.5  # share of mistyped questions that lose their question mark too


def reworded(question: str, rng: Chance) -> str:
    """With one phrase of asking in place of another; empty where none is known, or a fact would change."""
    lang = language(question)
    instead = phrasings(lang).instead
    found = _free(question, _pattern(lang, tuple(instead)))
    if not found:
        return ""
    match = rng.choice(found)
    other = rng.choice(instead[match[0].lower()])
    other = high(other) if match[0][0].isupper() and match[0] != "I" else other
    return _kept(question, f"{question[: match.start()]}{other}{question[match.end() :]}")


def mistyped(question: str, rng: Chance) -> str:
    """With a letter lost or two exchanged, or a character taken for another, and perhaps without its mark; empty where nothing is plain."""
    lang = language(question)
    slips = phrasings(lang).slips
    found = _free(question, _pattern(lang, tuple(slips))) if slips else _free(question, WORD)
    bare = MARK.sub("", question)
    if not found:
        return _kept(question, low(bare) if bare != question else "")
    match = rng.choice(found)
    typed = slips[match[0]] if slips else _slipped(match[0], rng)
    variant = f"{question[: match.start()]}{typed}{question[match.end() :]}"
    return _kept(question, MARK.sub("", variant) if rng.random() < UNMARKED else variant)


def _slipped(word: str, rng: Chance) -> str:
    """The word without one of its letters, or with two that stand side by side exchanged; its first stays."""
    at = rng.randrange(1, len(word) - 1)
    return word[:at] + (word[at + 1 :] if rng.random() < 0.5 else word[at + 1] + word[at] + word[at + 2 :])


def _free(question: str, shape: re.Pattern[str]) -> list[re.Match[str]]:
    """Where the shape stands clear of every fact."""
    taken = slots(question)
    return [m for m in shape.finditer(question) if not any(start < m.end() and m.start() < end for start, end in taken)]


@lru_cache(8)
def _pattern(lang: Language, phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest = "|".join(map(re.escape, sorted(phrases, key=len, reverse=True)))
    return re.compile(rf"(?<![\w'’-])(?:{longest})(?![\w'’-])", re.I) if lang == "en" else re.compile(longest)


def _kept(question: str, variant: str) -> str:
    return variant if variant != question and any(map(str.isalnum, variant)) and keeps(question, variant) else ""
