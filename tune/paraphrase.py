"""A question in other words by the base model that is being served. A paraphrase that loses what was asked is thrown away."""

import re

from corpora.profile import SamplingSection
from ingest.language import language
from ingest.tokens import tokens
from serve.chain import Assistant
from serve.generate import CutShort, generate
from serve.prompt import SPECIAL, disarm
from serve.reading import negations, reading
from serve.thinking import thinking_budget
from tune.chance import Chance
from tune.slots import keeps

OTHERWISE = {
    "en": "Put this question in other words. Keep names, codes, numbers, units and quoted words exactly as they are. "
    "Answer with the new question alone.\n\n{text}",
    "zh": "把这个问题换一种说法。名称、代号、数字、单位和引号里的词一律照抄。只回答新的问题。\n\n{text}",
}
TRANSLATE = {  # into the other language
    "en": "Translate this question into Chinese. Keep names, codes, numbers and units as they are. "
    "Answer with the translation alone.\n\n{text}",
    "zh": "把这个问题翻译成英文。名称、代号、数字和单位一律照抄。只回答译文。\n\n{text}",
}
OTHER = {"en": "zh", "zh": "en"}
LONGEST = 96  # tokens
WIDER = 2.5  # times as long as the question; what is longer explains instead of asking
WARMTH = 0.7  # the likeliest words are too often those of the question
QUOTES = re.compile(r"^[\"“「']+|[\"”」']+$")


def paraphrased(assistant: Assistant, question: str, rng: Chance) -> str:
    """What the model makes of it, one line. Raises `ModelGone` where there is none."""
    return _said(assistant, OTHERWISE[language(question)], question, rng)


def back_translated(assistant: Assistant, question: str, rng: Chance) -> str:
    """The question through the other language and back. Raises `ModelGone` where there is no model."""
    lang = language(question)
    there = _said(assistant, TRANSLATE[lang], question, rng)
    return _said(assistant, TRANSLATE[OTHER[lang]], there, rng) if there and language(there) != lang else ""


def asks_the_same(question: str, variant: str, passage: str) -> bool:
    """Has it each fact of the question and no other, denies as often, and loses no word that ties the question to its passage?

    Without a passage no word may be lost. A word may be replaced by one of its sense.
    """
    if SPECIAL.search(variant) or language(variant) != language(question) or len(variant) > WIDER * len(question):
        return False
    if not keeps(question, variant) or negations(question) != negations(variant):
        return False
    has, known = reading(variant), set(tokens(passage))
    asked = reading(question).terms
    tied = [term for term in asked if term.text in known] if passage else asked
    return all(map(has.has, tied))


def _said(assistant: Assistant, order: str, text: str, rng: Chance) -> str:
    """The first line of what the model says; empty where it came to no end."""
    messages = [{"role": "user", "content": order.format(text=disarm(text))}]
    tier, profile = assistant.tier, assistant.profile
    thinking = thinking_budget(profile, tier, assistant.settings.models / tier.base.id)
    sampling = SamplingSection(temperature=WARMTH, seed=rng.randrange(2**31))
    said = ""
    try:
        for piece in generate(assistant.engine.url, tier.base.id, messages, LONGEST, thinking, sampling):
            said += piece if isinstance(piece, str) else ""
    except CutShort:
        return ""
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")
    return QUOTES.sub("", line)
