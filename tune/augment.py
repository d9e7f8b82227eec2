"""Augmented rows: the questions of other rows in other words, through the live retriever, with the same answer.

Nothing but the question is varied, none of its facts is, and none becomes a held-out question.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import PurePath

from serve.cite import MARKER
from serve.generate import ModelGone
from tune.chance import Chance, chance
from tune.facts import CODE, Fact
from tune.given import KIND as GIVEN
from tune.given import asked_held_out, bare
from tune.maker import Ask, Maker, Taught
from tune.paraphrase import asks_the_same, back_translated, paraphrased
from tune.talk import Talk
from tune.vary import mistyped, reworded

Way = Callable[[str, Chance], str]  # a question in other words; empty where none were found
SYNONYMS, TYPING, PARAPHRASE, BACK = "synonyms", "typing", "paraphrase", "back-translation"
RULES = (SYNONYMS, TYPING)


def augmented(maker: Maker, taught: Sequence[Taught], most: int, seed: int, talk: Talk, dropped: Counter[str]) -> Iterator[Taught]:
    """At most `most` rows that ask what `taught` ask, each named by how it came about; what fails is counted by its reason.

    The ways take turns, and no row is varied again before every other was. Rows of files are left as they are.
    """
    ways = ways_of(maker, talk)
    rows = [row for row in taught if not row.example.kind.startswith(GIVEN)]
    chance(seed, "augmented").shuffle(rows)
    told = {row.asked.question for row in taught}
    secret = asked_held_out(maker.profile)
    made = 0
    with talk.bar("Augmented", most) as advance:
        for turn, (number, original) in product(range(len(ways)), enumerate(rows)):
            if made == most:
                return
            way = list(ways)[(number + turn) % len(ways)]
            if way == TYPING and PurePath(original.example.document).suffix in CODE:
                continue  # what looks like a word may be a function's name
            rng = chance(seed, f"{original.example.id}:{way}")
            try:
                question = ways[way](original.asked.question, rng)
            except ModelGone as error:
                talk.say(f"The model server went away ({error}); the rest is varied by rule.")
                ways = {name: ways[name] for name in RULES}
                continue
            if not question or question in told:
                continue
            reason = "a held-out question" if bare(question) in secret else _astray(original, question, way)
            variant = reason or _made(maker, original, question, way, rng)
            if isinstance(variant, str):
                dropped[f"augmented: {variant}"] += 1
                continue
            told.add(question)
            made += 1
            advance(1, original.example.document)
            yield variant


def ways_of(maker: Maker, talk: Talk) -> dict[str, Way]:
    """By rule always; by the base where it is served, through another language too where it reads both."""
    ways: dict[str, Way] = {SYNONYMS: reworded, TYPING: mistyped}
    assistant = maker.assistant
    if assistant.engine.up() and assistant.tier.base.id in assistant.engine.models():
        ways[PARAPHRASE] = partial(paraphrased, assistant)
        if {"en", "zh"} <= set(assistant.tier.base.languages):
            ways[BACK] = partial(back_translated, assistant)
    else:
        talk.say("Questions are varied by rule alone: no model server is up (make up).")
    return ways


def _astray(row: Taught, question: str, way: str) -> str:
    """Why the question is not the row's own in other words; those made by rule are."""
    if way in RULES:
        return ""
    passage = row.asked.chunk.embedded if isinstance(row.asked, Fact) else ""
    return "" if asks_the_same(row.asked.question, question, passage) else "a paraphrase that asks something else"


def _made(maker: Maker, row: Taught, question: str, way: str, rng: Chance) -> Taught | str:
    """The row of the new question, or why there is none: its passages are found anew, its answer must be the old one."""
    made = maker.make(_asked(row.asked, question), rng, isinstance(row.asked, Fact) and not row.example.answerable)
    if isinstance(made, str):
        return made
    if _words(made) != _words(row) or made.example.chunk_id != row.example.chunk_id:
        return "answered otherwise"
    return replace(made, example=made.example.model_copy(update={"augmented": way}))


def _asked(asked: Ask, question: str) -> Ask:
    if isinstance(asked, Fact):
        return replace(asked, question=question)
    return replace(asked, question=question, id=f"{asked.id}:{zlib.crc32(question.encode()):08x}")


def _words(row: Taught) -> str:
    """The answer without the numbers of its passages, which stand in another order."""
    return " ".join(MARKER.sub(" ", row.example.completion[0]["content"]).split())
