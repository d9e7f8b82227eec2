"""Feedback → preference pairs: the correction preferred to what was shown, or the better to the worse of two answers to one prompt.

A lone thumb stays unpaired: it says that an answer is bad, not which one is good. Only what its writer lets the assistant learn from
counts, and nothing in which somebody instructs whoever answers.
"""

import json
from typing import Any

from serve.cite import STRUCK
from serve.instructions import instructs
from serve.journal import Journal
from serve.prompt import REFUSAL
from serve.schema import Trace


def pairs(corpus: str, journal: Journal) -> list[dict[str, Any]]:
    """PreferencePairs in TRL's columns (`prompt`, `chosen`, `rejected`: lists of messages), each with its `trace_id`.

    Answers that no model was asked for have no prompt, and so no pair. What is attached to a conversation is nobody else's to learn.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}  # two people may write the same correction
    liked: dict[str, str] = {}  # prompt → the answer to it that was liked last
    disliked: list[tuple[str, str, Trace]] = []
    for feedback, trace in journal.feedback(corpus):
        correction, shown = feedback.correction.strip(), STRUCK.sub("", trace.answer.answer).strip()
        said = {trace.question, correction, shown} - {*REFUSAL.values()}  # a document that holds this one would instruct
        told = any(instructs(text) is not None for text in said)
        if not feedback.learn or not trace.prompt or trace.attached or told:
            continue
        asked = json.dumps(trace.prompt)
        if correction:
            _add(found, trace, correction, shown)
        elif feedback.score == 1:
            liked[asked] = shown
        else:
            disliked.append((asked, shown, trace))
    for asked, shown, trace in disliked:
        if asked in liked:
            _add(found, trace, liked[asked], shown)
    return list(found.values())


def _add(found: dict[tuple[str, str], dict[str, Any]], trace: Trace, chosen: str, rejected: str) -> None:
    if " ".join(chosen.split()) != " ".join(rejected.split()):
        answers = {name: [{"role": "assistant", "content": text}] for name, text in (("chosen", chosen), ("rejected", rejected))}
        found[trace.id, chosen] = {"prompt": trace.prompt, **answers, "trace_id": trace.id}
