"""Feedback → preference pairs: the correction preferred to what was shown, under the prompt that was asked.

A thumb without a correction stays unpaired: it says that an answer is bad, not which one is good.
"""

from typing import Any

from serve.cite import STRUCK
from serve.journal import Journal


def pairs(corpus: str, journal: Journal) -> list[dict[str, Any]]:
    """PreferencePairs in TRL's columns (`prompt`, `chosen`, `rejected`: lists of messages), each with its `trace_id`.

    Answers that no model was asked for have no prompt, and so no pair. What is attached to a conversation is nobody else's to learn.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for feedback, trace in journal.feedback(corpus):
        correction, shown = feedback.correction.strip(), STRUCK.sub("", trace.answer.answer).strip()
        if not correction or not trace.prompt or trace.attached or " ".join(correction.split()) == " ".join(shown.split()):
            continue
        found[trace.id, correction] = {  # two people may write the same correction
            "prompt": trace.prompt,
            "chosen": [{"role": "assistant", "content": correction}],
            "rejected": [{"role": "assistant", "content": shown}],
            "trace_id": trace.id,
        }
    return list(found.values())
