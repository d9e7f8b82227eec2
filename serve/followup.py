"""Follow-ups become questions that stand alone: "and the CP-80?" takes the place that it changes in the question before it.

Rules, no model: a small one cannot rewrite, and what is searched and asked must be the same every time. What brings its own subject is
left as it is, for a new topic must not carry the old one along. Earlier answers are not read, nor put into the prompt: they would take
the passages' room, and a model would cite what it said itself. Of the last answer only the document it cites counts.
"""

import re
from collections.abc import Callable, Sequence

from ingest.language import language
from serve import followup_en, followup_zh
from serve.followup_slots import Asked, Known
from serve.schema import Trace

SHARE = 4  # the part of a prompt's budget, one in four, that earlier questions may fill


def standalone(question: str, history: Sequence[dict[str, str]], count: Callable[[str], int], budget: int, known: Known) -> str:
    """The question as it is searched and asked: rewritten where it leans on those before it, else as it is.

    `history` has the turns before it, oldest first; an answer's `version` names the document that it cites. Of the earlier questions the
    last ones are read that have `budget // SHARE` tokens together by `count`.
    """
    room, asked = budget // SHARE, list[str]()
    for text in reversed([m["content"].strip() for m in history if m.get("role") == "user" and m.get("content", "").strip()]):
        if (room := room - count(text)) < 0:
            break
        asked.insert(0, text)
    if not asked:
        return question
    answers = [m for m in history if m.get("role") == "assistant"]
    before = Asked(asked[0])
    for text in asked[1:]:
        before = rewrite(text, before, "", known)
    return rewrite(question, before, answers[-1].get("version", "") if answers else "", known).text


def with_document(history: Sequence[dict[str, str]], last: Trace | None) -> list[dict[str, str]]:
    """`history` with the document that its last answer cites, where `last` is the record of that answer."""
    turns = [dict(m) for m in history]
    answers = [i for i, m in enumerate(turns) if m["role"] == "assistant"]
    if last and last.answer.citations and answers and answers[-1] and turns[answers[-1] - 1]["content"].strip() == last.question.strip():
        turns[answers[-1]]["version"] = last.answer.citations[0].version
    return turns


def rewrite(question: str, before: Asked, version: str, known: Known) -> Asked:
    """`question` after `before`, whose answer cited the document `version`; `Asked(question)` where it stands alone."""
    way = followup_zh if language(question) == "zh" else followup_en
    return way.rewrite(re.sub(r"\s+", " ", question.strip()), before, version, known) or Asked(question)
