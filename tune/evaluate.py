"""Measure a corpus on its held-out questions, through the running vLLM and serving's chain.  Run: tune eval maintenance"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.fitted import keep_modes
from ingest.settings import Settings
from serve.chain import open_assistant
from serve.champion import champion, versions
from serve.gate import BASE, CANDIDATE, OTHER, QUOTING, measured_under, version_hash
from tune.chance import chance
from tune.general import forgotten
from tune.gold import Gold, find_gold, held_out_questions
from tune.heldout import held_out_versions, refuse_taught
from tune.loaded import Loaded, served
from tune.metrics import Outcome, measure, question_figures
from tune.registry import read_adapter
from tune.result import difference, hashes, write_result
from tune.sidebyside import changed
from tune.systems import SYSTEMS, Asked, Asker, askers
from tune.talk import Talk

ENOUGH = 30  # answerable questions of a language that decide who answers by default
AT_ONCE = 8  # questions in flight; vLLM answers them together
SCORED = 60  # questions that perplexity is taken of; each token of a gold answer is a request
NOT_RUN = "not run"


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
        held = held_out_versions(assistant.profile, assistant.searcher.manifest) if adapter else set()
        for version in filter(None, (adapter, other)):
            refuse_taught(taught := read_adapter(settings, corpus, version), held)
            if known := len({g.version for g in gold} & set(taught.trained_on)):
                talk.say(f"Version {version} has learnt from {known} of the documents asked about: name them under tune: held_out:")
        if not readable:
            talk.say(f"{base} does not read the questions' language; only quoting is measured.")
        scored = chance(0, "perplexity").sample(gold, min(SCORED, len(gold)))
        ask = askers(assistant, readable, served(corpus, adapter), served(corpus, other), {g.question.id for g in scored})
        with Loaded(assistant.engine, settings, corpus, adapter), Loaded(assistant.engine, settings, corpus, other):
            answers = {name: _ask_all(name, asker, gold, talk) for name, asker in ask.items()}
            lost = forgotten(assistant.engine.url, base, served(corpus, adapter), assistant.reads, talk) if adapter else {}
    outcomes = {name: [outcome for _, outcome in given] for name, given in answers.items()}
    report: dict[str, Any] = {name: measure(outcomes[name]) if name in outcomes else NOT_RUN for name in SYSTEMS}
    rows = [
        {**g.question.model_dump(), "answers": {name: given[i][0] for name, given in answers.items()},
         "figures": {name: question_figures(given[i][1]) for name, given in answers.items()}} for i, g in enumerate(gold)
    ]  # fmt: skip
    if adapter:
        rivals = [name for name in (BASE, OTHER, QUOTING) if name in outcomes]
        report[CANDIDATE]["gain"] = {name: gains(outcomes[name], outcomes[CANDIDATE]) for name in rivals}
        report[CANDIDATE]["gain"][BASE]["general"] = lost
        report[CANDIDATE]["changed"] = {name: changed(rows, name, rows, CANDIDATE) for name in rivals}
    if modes := winners(gold, outcomes, adapter):
        asked = hashes([assistant.profile.questions])
        keep_modes(corpus, settings, served(corpus, adapter) or base, {lang: {**row, **asked} for lang, row in modes.items()})
    about = {"corpus": corpus, "adapter": adapter, "other": other, "lang": lang, "asked": len(gold), "of": len(questions),
             "kinds": {v: read_adapter(settings, corpus, v).kind for v in (adapter, other) if v},
             "adapter_hash": version_hash(settings, corpus, adapter), "other_hash": version_hash(settings, corpus, other),
             "under": measured_under(settings, assistant.profile) if readable else {},
             "hashes": hashes([assistant.profile.questions, assistant.profile.folder / "profile.yaml"])}  # fmt: skip
    return report, write_result(settings, corpus, about, report, rows)


def gains(then: list[Outcome], now: list[Outcome]) -> dict[str, dict[str, Any]]:
    """What a system gains over another on the same questions, each figure with its paired interval."""
    figures = [(question_figures(a), question_figures(b)) for a, b in zip(then, now, strict=True)]
    names = dict.fromkeys(name for _, new in figures for name in new)
    pairs = {name: [new[name] - old[name] for old, new in figures if name in new and name in old] for name in names}
    return {name: {**difference(found), "n": len(found)} for name, found in pairs.items() if found}


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
    """The version asked for, else of those for this base the champion or the newest; None where there is none."""
    if version is None:
        fit = [v for v in versions(settings, corpus) if read_adapter(settings, corpus, v).base == base]
        best = champion(settings, corpus)
        return best.version if best and best.version in fit else max(fit, default=None)
    adapter = read_adapter(settings, corpus, version)
    if adapter.base != base:
        raise UserError(f"Version {version} of {corpus} was trained on {adapter.base}, and {base} is served.", f"See: tune ls {corpus}")
    return version


def other_adapter(settings: Settings, corpus: str, version: int | None, adapter: int, base: str) -> int | None:
    """The version to compare with: the one asked for, else the champion; None where that is the one that is measured."""
    best = champion(settings, corpus)
    there = best is not None and best.version in versions(settings, corpus)  # its folder may have been taken away
    version = version or (best.version if best and there and read_adapter(settings, corpus, best.version).base == base else None)
    return chosen_adapter(settings, corpus, version, base) if version and version != adapter else None


def _ask_all(name: str, ask: Asker, gold: list[Gold], talk: Talk) -> list[Asked]:
    answers = []
    with talk.bar(name, len(gold)) as advance, ThreadPoolExecutor(AT_ONCE) as pool:
        for answer in pool.map(ask, gold):
            advance(1, "questions")
            answers.append(answer)
    return answers
