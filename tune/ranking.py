"""Figures of a ranking, each between 0 and 1, for judgements of yes or no; means are taken over the questions that have a right text."""

from collections.abc import Callable, Collection, Sequence
from math import log2

Ranking = Sequence[str]
Right = Collection[str]


def ndcg(ranked: Ranking, right: Right, k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first `k` (Järvelin and Kekäläinen 2002), as trec_eval's ndcg_cut."""
    ideal = sum(1 / log2(n + 2) for n in range(min(k, len(right))))
    return sum(1 / log2(n + 2) for n, text in enumerate(ranked[:k]) if text in right) / ideal


def recall(ranked: Ranking, right: Right, k: int) -> float:
    """Share of the right texts that are among the first `k`."""
    return len({*ranked[:k]} & {*right}) / len(right)


def reciprocal_rank(ranked: Ranking, right: Right, k: int = 10) -> float:
    """One over the rank of the first right text among the first `k` (MRR when averaged: Voorhees 1999); 0 where there is none."""
    return next((1 / n for n, text in enumerate(ranked[:k], 1) if text in right), 0.0)


FIGURES: dict[str, Callable[[Ranking, Right], float]] = {
    "nDCG@10": ndcg,
    "Recall@5": lambda ranked, right: recall(ranked, right, 5),
    "Recall@10": lambda ranked, right: recall(ranked, right, 10),
    "MRR@10": reciprocal_rank,
}


def score(ranked: Ranking, right: Right) -> dict[str, float]:
    """Every figure of one question."""
    return {name: figure(ranked, right) for name, figure in FIGURES.items()}
