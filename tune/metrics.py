"""The figures of an evaluation, each defined where it is computed; all but perplexity lie between 0 and 1.

Citation precision and recall follow ALCE (Gao et al. 2023, "Enabling Large Language Models to Generate Text with Citations"), with the
gold quote in place of its entailment model; refusals are measured as in RGB (Chen et al. 2024) and Trust-Align (Song et al. 2024).
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.tokens import tokens
from tune.chance import chance
from tune.closed import Choice, accuracy, macro_f1
from tune.figures import figures
from tune.overlap import Overlap, bleu

MOST = 100  # words of an answer that are read: pasting whole documents does not answer
ENOUGH, ENOUGH_WITH_FIGURES = 0.6, 0.3  # share of the gold answer's words that must be said
RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one system did on one question."""

    answerable: bool
    correct: bool
    refused: bool
    quoted: bool  # the answer is the documents' own words, because none of the model's stood
    by_model: tuple[bool, ...]  # is each passage that the model's own markers name a right one?
    shown: tuple[bool, ...]  # is each citation beside the answer a right one?
    statements: int
    unsupported: int  # of the statements
    verbatim: tuple[bool, ...] = ()  # does each citation's quote stand in its document word for word, where it says?
    overlap: Overlap | None = None  # with the gold answer, where there is one
    choice: Choice | None = None  # where the gold answer is a closed one
    nll: tuple[float, int] = (0.0, 0)  # negative log-likelihood of the gold answer in nats, and its tokens; none where it was not asked for


def is_correct(gold: str, said: str) -> bool:
    """Does `said` hold every figure of the gold answer, and enough of its words?

    As ALCE's exact-match recall: what must be said is looked for in the answer; how the rest is worded does not count.
    """
    words = tokens(gold)
    heard = tokens(said)[:MOST]
    wanted = figures(gold)
    if not wanted <= figures(said) or not words:
        return False
    share = sum(word in set(heard) for word in words) / len(words)
    return share >= (ENOUGH_WITH_FIGURES if wanted else ENOUGH)


def question_figures(o: Outcome) -> dict[str, float]:
    """What one question adds to the figures that are means over questions."""
    if not o.answerable:
        return {"refusal_recall": float(o.refused)}
    found = {"correctness": float(o.correct), "false_refusal": float(o.refused),
             "citation_recall.model": float(any(o.by_model)), "citation_recall.shown": float(any(o.shown))}  # fmt: skip
    if o.overlap:
        found["rouge_l"] = round(o.overlap.rouge_l, 4)
    if o.choice:
        found[f"accuracy.{o.choice.kind}"] = float(o.choice.gold == o.choice.said)
    if o.nll[1]:
        found["log_perplexity"] = round(o.nll[0] / o.nll[1], 4)
    return found


def measure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Every figure, and under `interval` its 95 % interval by bootstrap over the questions (percentiles, 500 resamples).

    `n` is the number of questions, `n_of` that of the figures that only some of them have.
    """
    found = _figures(outcomes)
    rng = chance(0, "bootstrap")
    drawn = [_flat(_figures(rng.choices(outcomes, k=len(outcomes)))) for _ in range(RESAMPLES)] if outcomes else []
    interval = {}
    for name in _flat(found):
        values = sorted(sample[name] for sample in drawn if name in sample)
        if values:
            interval[name] = [round(values[int(len(values) * 0.025)], 4), round(values[int(len(values) * 0.975)], 4)]
    some = Counter(o.choice.kind for o in outcomes if o.choice)
    some["perplexity"] = sum(o.nll[1] > 0 for o in outcomes)
    return {**found, "n": len(outcomes), "n_of": dict(+some), "interval": interval}


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    answerable = [o for o in outcomes if o.answerable]
    citations: dict[str, Callable[[Outcome], tuple[bool, ...]]] = {"model": lambda o: o.by_model, "shown": lambda o: o.shown}
    precision = {by: citation_precision(answerable, of) for by, of in citations.items()}
    recall = {by: citation_recall(answerable, of) for by, of in citations.items()}
    refused = sum(o.refused for o in outcomes)
    silent = sum(not o.answerable for o in outcomes)
    rightly = sum(o.refused and not o.answerable for o in outcomes)
    refusal_precision, refusal_recall = _share(rightly, refused), _share(rightly, silent)
    overlaps = [o.overlap for o in outcomes if o.overlap]
    found = {
        # Answerable questions whose answer is_correct; one that was refused is not.
        "correctness": _share(sum(o.correct for o in answerable), len(answerable)),
        "citation_precision": precision,
        "citation_recall": recall,
        "citation_f1": {by: f1(precision[by], recall[by]) for by in citations},
        # Of the questions refused, those that the documents do not answer; and of those, the ones refused.
        "refusal_precision": refusal_precision,
        "refusal_recall": refusal_recall,
        "refusal_f1": f1(refusal_precision, refusal_recall),
        # Answerable questions that were refused.
        "false_refusal": _share(sum(o.refused for o in answerable), len(answerable)),
        # Statements shown that no citation beside them supports, by the citation check.
        "unsupported": _share(sum(o.unsupported for o in outcomes), sum(o.statements for o in outcomes)),
        # Citations whose quote is its document's text between its offsets; anything under 1 is a fault of ours.
        "verbatim": _share(sum(sum(o.verbatim) for o in outcomes), sum(len(o.verbatim) for o in outcomes)),
        # Questions answered in the documents' own words, because the model's did not stand, did not come, or were not asked for.
        "quoted": _share(sum(o.quoted for o in outcomes), len(outcomes)),
        # Wording against the gold answers, markers left out; a refusal is worded too.
        "bleu": bleu(overlaps),
        "rouge_l": round(sum(o.rouge_l for o in overlaps) / len(overlaps), 4) if overlaps else 0.0,
    }
    kinds: dict[str, list[Choice]] = {}
    for o in outcomes:
        if o.choice:
            kinds.setdefault(o.choice.kind, []).append(o.choice)
    if kinds:
        found["accuracy"] = {kind: accuracy(choices) for kind, choices in kinds.items()}
        found["macro_f1"] = {kind: macro_f1(choices) for kind, choices in kinds.items()}
    if any(o.nll[1] for o in outcomes):
        found["perplexity"] = perplexity([o.nll for o in outcomes])
    return found


def perplexity(nlls: Sequence[tuple[float, int]]) -> float:
    """exp of the mean negative log-likelihood of all tokens (Jelinek et al. 1977): from 1, each was certain, upwards; lower is better."""
    return round(math.exp(sum(nats for nats, _ in nlls) / sum(tokens for _, tokens in nlls)), 4)


def citation_precision(answerable: Sequence[Outcome], of: Callable[[Outcome], tuple[bool, ...]]) -> float:
    """Share of all citations of answerable questions that are right: they overlap the gold quote in the gold document."""
    return _share(sum(sum(of(o)) for o in answerable), sum(len(of(o)) for o in answerable))


def citation_recall(answerable: Sequence[Outcome], of: Callable[[Outcome], tuple[bool, ...]]) -> float:
    """Share of answerable questions with at least one right citation; a refusal has none."""
    return _share(sum(any(of(o)) for o in answerable), len(answerable))


def f1(precision: float, recall: float) -> float:
    return round(2 * precision * recall / (precision + recall), 4) if precision + recall else 0.0


def _share(part: int, whole: int) -> float:
    """`part / whole`; 0 where there is nothing to share."""
    return round(part / whole, 4) if whole else 0.0


def _flat(figures: dict[str, Any]) -> dict[str, float]:
    """citation_f1.model and the like, beside the plain ones."""
    flat: dict[str, float] = {}
    for name, value in figures.items():
        flat |= {f"{name}.{by}": v for by, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat
