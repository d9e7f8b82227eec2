"""Measure a corpus on its held-out questions, through the running vLLM and serving's chain.  Run: tune eval maintenance"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.fitted import keep_modes
from ingest.language import language
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.champion import champion, versions
from serve.check import check
from serve.cite import MARKER, STRUCK, markers
from serve.engine import Engine
from serve.gate import BASE, CANDIDATE, OTHER, QUOTING, measured_under, version_hash
from serve.generate import CutShort, ModelGone, generate
from serve.prompt import REFUSAL
from serve.schema import Trace
from serve.sentences import complete_sentences
from serve.thinking import thinking_budget
from tune.gold import Gold, find_gold, held_out_questions
from tune.metrics import Outcome, is_correct, measure, question_figures
from tune.registry import adapter_folder, read_adapter
from tune.result import difference, hashes, write_result
from tune.shown import shown_hits
from tune.talk import Talk

SYSTEMS = ("base", "base+rag", "adapter", "adapter+rag", "other+rag", "extractive")
ENOUGH = 30  # answerable questions of a language that decide who answers by default
AT_ONCE = 8  # questions in flight; vLLM answers them together
SHOWN = {"marker", "document", "page", "quote", "support", "by"}  # of a citation, in the result file
NOT_RUN = "not run"
CLOSED_BOOK = {
    "en": 'Answer the question in one to three short sentences. If you do not know, say: "{refusal}"',
    "zh": "用一到三个短句回答问题。不知道时，回答：“{refusal}”",
}


def evaluate(settings: Settings, corpus: str, version: int | None, beside: int | None, lang: str | None, limit: int,
             talk: Talk) -> tuple[dict[str, Any], Path]:  # fmt: skip
    """The figures of every system, and the file that holds them with each answer.

    `version` is the adapter measured (the champion, else the newest), `beside` another one to compare it with (the champion).
    """
    assistant = open_assistant(corpus, settings)
    with assistant.searcher:
        questions = held_out_questions(assistant.profile, lang, assistant.reads)
        gold, missing = find_gold(assistant.profile, assistant.searcher.manifest, questions, limit)
        if missing:
            talk.say(f"Left out: {len(missing)} questions whose quote is not in the index ({', '.join(missing[:5])} …)")
        readable = all(assistant.reads(g.question.lang) for g in gold)
        if readable and not assistant.engine.up():
            raise UserError("Measuring needs the model server, and none is up.", "Start it: make up")
        base = assistant.tier.base.id
        adapter = chosen_adapter(settings, corpus, version, base) if readable else None
        other = other_adapter(settings, corpus, beside, adapter, base) if adapter else None
        if not readable:
            talk.say(f"{base} does not read the questions' language; only quoting is measured.")
        ask = _askers(assistant, readable, served(corpus, adapter), served(corpus, other))
        with Loaded(assistant.engine, settings, corpus, adapter), Loaded(assistant.engine, settings, corpus, other):
            answers = {name: _ask_all(name, asker, gold, talk) for name, asker in ask.items()}
    outcomes = {name: [outcome for _, outcome in given] for name, given in answers.items()}
    report: dict[str, Any] = {name: measure(outcomes[name]) if name in outcomes else NOT_RUN for name in SYSTEMS}
    if adapter:
        rivals = (name for name in (BASE, OTHER, QUOTING) if name in outcomes)
        report[CANDIDATE]["gain"] = {name: gains(outcomes[name], outcomes[CANDIDATE]) for name in rivals}
    if modes := winners(gold, outcomes, adapter):
        asked = hashes([assistant.profile.questions])
        keep_modes(corpus, settings, served(corpus, adapter) or base, {lang: {**row, **asked} for lang, row in modes.items()})
    about = {"corpus": corpus, "adapter": adapter, "other": other, "lang": lang, "asked": len(gold), "of": len(questions),
             "adapter_hash": version_hash(settings, corpus, adapter), "other_hash": version_hash(settings, corpus, other),
             "under": measured_under(settings, assistant.profile) if readable else {},
             "hashes": hashes([assistant.profile.questions, assistant.profile.folder / "profile.yaml"])}  # fmt: skip
    return report, _write(settings, about, report, gold, answers)


def gains(then: list[Outcome], now: list[Outcome]) -> dict[str, dict[str, Any]]:
    """What a system gains over another on the same questions, each figure with its paired interval."""
    figures = [(question_figures(a), question_figures(b)) for a, b in zip(then, now, strict=True)]
    names = dict.fromkeys(name for _, new in figures for name in new)
    pairs = {name: [new[name] - old[name] for old, new in figures if name in new] for name in names}
    return {name: {**difference(found), "n": len(found)} for name, found in pairs.items()}


def served(corpus: str, version: int | None) -> str:
    """The name under which vLLM serves a version; empty for none."""
    return f"{corpus}-v{version}" if version else ""


def winners(gold: list[Gold], outcomes: dict[str, list[Outcome]], adapter: int | None) -> dict[str, dict[str, Any]]:
    """For each language with enough questions, whether the model or quoting gave more correct answers; a tie is quoting's."""
    model = CANDIDATE if adapter else BASE
    found = {}
    for lang in ("en", "zh"):
        at = [n for n, g in enumerate(gold) if g.question.lang == lang and g.question.answerable]
        if model in outcomes and len(at) >= ENOUGH:
            right = {name: sum(outcomes[name][n].correct for n in at) for name in (model, QUOTING)}
            mode = "model" if right[model] > right[QUOTING] else "extractive"
            found[lang] = {"mode": mode, "questions": len(at), "correct": right}
    return found


def chosen_adapter(settings: Settings, corpus: str, version: int | None, base: str) -> int | None:
    """The version asked for, else the champion, else the newest; None where there is none or it is not for this base."""
    if version is None:
        best = champion(settings, corpus)
        version = best.version if best else max(versions(settings, corpus), default=None)
    if version is None:
        return None
    adapter = read_adapter(settings, corpus, version)
    if adapter.base != base:
        raise UserError(f"Version {version} of {corpus} was trained on {adapter.base}, and {base} is served.", f"See: tune ls {corpus}")
    return version


def other_adapter(settings: Settings, corpus: str, version: int | None, adapter: int, base: str) -> int | None:
    """The version to compare with: the one asked for, else the champion; None where that is the one that is measured."""
    best = champion(settings, corpus)
    version = version or (best.version if best and read_adapter(settings, corpus, best.version).base == base else None)
    return chosen_adapter(settings, corpus, version, base) if version and version != adapter else None


class Loaded:
    """The adapter is in vLLM while the body runs; one that was there before stays."""

    def __init__(self, engine: Engine, settings: Settings, corpus: str, version: int | None) -> None:
        self.engine, self.name = engine, served(corpus, version)
        self.folder = adapter_folder(settings, corpus, version) if version else None
        self.was_there = not version or self.name in engine.models()

    def __enter__(self) -> None:
        if not self.was_there and self.folder:
            self.engine.load(self.name, self.folder)

    def __exit__(self, *_: object) -> None:
        if not self.was_there:
            self.engine.unload(self.name)


Asker = Callable[[Gold], tuple[dict[str, Any], Outcome]]


def _askers(assistant: Assistant, readable: bool, adapter: str, other: str) -> dict[str, Asker]:
    """The systems that can be asked here, in the order of SYSTEMS."""
    found: dict[str, Asker] = {}
    if readable:
        base = assistant.tier.base.id
        found["base"] = lambda g: _closed_book(assistant, g, base)
        found[BASE] = lambda g: _through_chain(assistant, g, "")
        if adapter:
            found["adapter"] = lambda g: _closed_book(assistant, g, adapter)
            found[CANDIDATE] = lambda g: _through_chain(assistant, g, adapter)
        if other:
            found[OTHER] = lambda g: _through_chain(assistant, g, other)
    found[QUOTING] = lambda g: _through_chain(assistant, g, None)
    return found


def _ask_all(name: str, ask: Asker, gold: list[Gold], talk: Talk) -> list[tuple[dict[str, Any], Outcome]]:
    answers = []
    with talk.bar(name, len(gold)) as advance, ThreadPoolExecutor(AT_ONCE) as pool:
        for answer in pool.map(ask, gold):
            advance(1, "questions")
            answers.append(answer)
    return answers


def _through_chain(assistant: Assistant, gold: Gold, adapter: str | None) -> tuple[dict[str, Any], Outcome]:
    """As people are answered; without an adapter's name (empty: the base alone) only by quoting."""
    trace = assistant.ask(gold.question.question, adapter=adapter, mode="extractive" if adapter is None else "model")
    if adapter is not None and trace.prompt and not assistant.engine.up():
        raise UserError("The model server went away while it was measured.", "See its log: run/vllm.log in LECTERN_HOME")
    answer = trace.answer
    words = MARKER.sub("", STRUCK.sub("", answer.answer))
    statements, unsupported = judged_statements(trace)
    outcome = Outcome(
        answerable=gold.question.answerable, refused=answer.refused, quoted=answer.mode == "extractive" and not answer.refused,
        correct=not answer.refused and gold.question.answerable and is_correct(gold.question.answer or "", words),
        by_model=_named_passages(assistant, trace, gold), shown=tuple(gold.is_at(c.version, c.start, c.end) for c in answer.citations),
        statements=statements, unsupported=unsupported,
        verbatim=tuple(assistant.searcher.manifest.text(c.version)[c.start : c.end] == c.quote for c in answer.citations),
    )  # fmt: skip
    cited = [{**c.model_dump(include=SHOWN), "right": gold.is_at(c.version, c.start, c.end)} for c in answer.citations]
    return {"answer": answer.answer, "raw": trace.raw, "refused": answer.refused, "mode": answer.mode, "citations": cited,
            "correct": outcome.correct}, outcome  # fmt: skip


def _named_passages(assistant: Assistant, trace: Trace, gold: Gold) -> tuple[bool, ...]:
    """For each marker that the model wrote, kept by the citation check or not: does its passage hold the gold quote?"""
    hits = shown_hits(assistant, trace)
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


def _closed_book(assistant: Assistant, gold: Gold, model: str) -> tuple[dict[str, Any], Outcome]:
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
        answerable=gold.question.answerable, refused=refused, quoted=False, by_model=(), shown=(), statements=statements,
        correct=not refused and gold.question.answerable and is_correct(gold.question.answer or "", said), unsupported=statements,
    )  # fmt: skip
    return {"answer": said, "raw": said, "refused": refused, "mode": "model"}, outcome


def _write(settings: Settings, about: dict[str, Any], report: dict[str, Any], gold: list[Gold],
           answers: dict[str, list[tuple[dict[str, Any], Outcome]]]) -> Path:  # fmt: skip
    rows = [
        {**g.question.model_dump(), "answers": {name: given[i][0] for name, given in answers.items()},
         "figures": {name: question_figures(given[i][1]) for name, given in answers.items()}} for i, g in enumerate(gold)
    ]  # fmt: skip
    return write_result(settings, str(about["corpus"]), about, report, rows)
