"""The systems that are measured, each with its way to answer a question: by heart, with passages, by an adapter, by quoting."""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from corpora import UserError
from ingest.language import language
from ingest.schema import Hit
from serve.chain import Assistant
from serve.check import check
from serve.cite import MARKER, STRUCK, markers
from serve.gate import BASE, CANDIDATE, OTHER, QUOTING
from serve.generate import CutShort, ModelGone, generate
from serve.prompt import REFUSAL
from serve.schema import Trace
from serve.sentences import complete_sentences
from serve.thinking import thinking_budget
from tune.closed import Choice
from tune.gold import Gold
from tune.metrics import Outcome, is_correct
from tune.overlap import overlap
from tune.perplexity import Scorer
from tune.shown import shown_hits

SYSTEMS = ("base", BASE, "adapter", CANDIDATE, OTHER, QUOTING)
SHOWN = {"marker", "document", "page", "quote", "support", "by"}  # of a citation, in the result file
CLOSED_BOOK = {
    "en": 'Answer the question in one to three short sentences. If you do not know, say: "{refusal}"',
    "zh": "用一到三个短句回答问题。不知道时，回答：“{refusal}”",
}
Asked = tuple[dict[str, Any], Outcome]  # the answer as the result file keeps it, and what is true of it
Asker = Callable[[Gold], Asked]


def askers(assistant: Assistant, readable: bool, adapter: str, other: str, scored: Collection[str]) -> dict[str, Asker]:
    """The systems that can be asked here, in the order of SYSTEMS. The adapters go by the names under which vLLM serves them.

    Perplexity is taken of the questions with an id in `scored`.
    """
    found: dict[str, Asker] = {}
    if readable:
        base, scorer = assistant.tier.base.id, Scorer(assistant, scored)
        found["base"] = lambda g: _closed_book(assistant, g, base)
        found[BASE] = lambda g: _with_passages(assistant, g, "", scorer)
        if adapter:
            found["adapter"] = lambda g: _closed_book(assistant, g, adapter)
            found[CANDIDATE] = lambda g: _with_passages(assistant, g, adapter, scorer)
        if other:
            found[OTHER] = lambda g: _with_passages(assistant, g, other, scorer)
    found[QUOTING] = lambda g: _through_chain(assistant, g, assistant.ask(g.question.question, mode="extractive"), [], (0.0, 0))
    return found


def _with_passages(assistant: Assistant, gold: Gold, adapter: str, scorer: Scorer) -> Asked:
    """As people are answered by a model, the base where `adapter` is empty; then how likely it finds the gold answer."""
    trace = assistant.ask(gold.question.question, adapter=adapter, mode="model")
    if trace.prompt and not assistant.engine.up():
        raise UserError("The model server went away while it was measured.", "See its log: run/vllm.log in LECTERN_HOME")
    hits = shown_hits(assistant, trace)
    nll = scorer.nll(adapter or assistant.tier.base.id, trace, hits, gold)
    return _through_chain(assistant, gold, trace, hits, nll)


def _through_chain(assistant: Assistant, gold: Gold, trace: Trace, hits: list[Hit], nll: tuple[float, int]) -> Asked:
    """What serving's chain made of a question; `hits` are the passages that a model had before it."""
    answer = trace.answer
    words = MARKER.sub("", STRUCK.sub("", answer.answer))
    statements, unsupported = judged_statements(trace)
    outcome = Outcome(
        **_against_gold(gold, words, answer.refused), refused=answer.refused, quoted=answer.mode == "extractive" and not answer.refused,
        by_model=_named_passages(trace, hits, gold), shown=tuple(gold.is_at(c.version, c.start, c.end) for c in answer.citations),
        statements=statements, unsupported=unsupported, nll=nll,
        verbatim=tuple(assistant.searcher.manifest.text(c.version)[c.start : c.end] == c.quote for c in answer.citations),
    )  # fmt: skip
    cited = [{**c.model_dump(include=SHOWN), "right": gold.is_at(c.version, c.start, c.end)} for c in answer.citations]
    return {"answer": answer.answer, "raw": trace.raw, "refused": answer.refused, "mode": answer.mode, "citations": cited,
            "correct": outcome.correct}, outcome  # fmt: skip


def _closed_book(assistant: Assistant, gold: Gold, model: str) -> Asked:
    """The model alone, without passages: what it knows by heart."""
    question = gold.question.question
    refusal = REFUSAL[language(question)]
    rules = CLOSED_BOOK[language(question)].format(refusal=refusal)
    messages = [{"role": "system", "content": rules}, {"role": "user", "content": question}]
    serve = assistant.profile.serve
    thinking = thinking_budget(assistant.profile, assistant.tier, assistant.settings.models / assistant.tier.base.id)
    said = ""
    try:
        for piece in generate(assistant.engine.url, model, messages, serve.max_tokens, thinking, serve.sampling):
            said += piece if isinstance(piece, str) else ""
    except CutShort:
        pass  # half an answer is measured as it is
    except ModelGone as error:
        raise UserError(f"The model server went away while it was measured ({error}).",
                        "See its log: run/vllm.log in LECTERN_HOME") from None  # fmt: skip
    said = said.strip()
    refused = said.startswith(refusal.rstrip(".。"))
    statements = 0 if refused else len(list(complete_sentences(iter([said]))))
    outcome = Outcome(
        **_against_gold(gold, said, refused), refused=refused, quoted=False, by_model=(), shown=(), statements=statements,
        unsupported=statements,
    )  # fmt: skip
    return {"answer": said, "raw": said, "refused": refused, "mode": "model", "correct": outcome.correct}, outcome


def _against_gold(gold: Gold, said: str, refused: bool) -> dict[str, Any]:
    """Those fields of an outcome that the gold answer decides."""
    if not gold.question.answerable:
        return {"answerable": False, "correct": False}
    answer, closed = gold.question.answer or "", gold.closed
    return {
        "answerable": True, "correct": not refused and is_correct(answer, said),
        "overlap": overlap(answer, said, gold.question.lang),
        "choice": Choice(closed.kind, closed.label, "" if refused else closed.said(said)) if closed else None,
    }  # fmt: skip


def _named_passages(trace: Trace, hits: list[Hit], gold: Gold) -> tuple[bool, ...]:
    """For each marker that the model wrote, kept by the citation check or not: does its passage hold the gold quote?"""
    named = [n for sentence in complete_sentences(iter([trace.raw])) for n in markers(sentence)[1]]
    chunks = [hits[n - 1].chunk if 1 <= n <= len(hits) else None for n in named]
    return tuple(bool(c) and gold.is_at(c.version, c.start, c.end) for c in chunks if c or hits)  # type: ignore[union-attr]


def judged_statements(trace: Trace) -> tuple[int, int]:
    """How many statements are shown, and how many of them no citation beside them supports. A statement ends in its markers."""
    if trace.answer.refused:
        return 0, 0
    contexts = {row["chunk_id"]: row["context"] for row in trace.hits}
    citations = {c.marker: c for c in trace.answer.citations}
    statements = unsupported = 0
    for text, named in _statements(STRUCK.sub("", trace.answer.answer)):
        statements += 1
        beside = [citations[n] for n in named if n in citations]
        unsupported += not any(check(text, c.quote, contexts.get(c.chunk_id, "")).support == "supported" for c in beside)
    return statements, unsupported


def _statements(answer: str) -> Iterator[tuple[str, list[int]]]:
    """Each stretch of text, with the markers that it ends in."""
    at = 0
    for match in re.finditer(f"(?:{MARKER.pattern})+|$", answer):
        text = answer[at : match.start()].strip(" \n")
        at = match.end()
        if text.strip(".。"):
            yield text, markers(match[0])[1]
