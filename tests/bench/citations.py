"""How well the citation check tells what a span supports, beside counting shared words.

Run: python -m tests.bench.citations
The pairs in tests/pairs are a sentence and a span, labelled, from the shipped documents and from invented ones. The check was made
looking at the `fit` half; no document of the `kept` half, which is measured, stands in it. The `hard` ones ask for inferences, such as
whether 18 people are more than 15; they were written after the check, and measured before anybody looked at them.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from ingest.tokens import tokens
from serve.check import check
from tests.bench import report
from tune.chance import chance
from tune.metrics import f1

PAIRS = Path(__file__).parents[1] / "pairs"
Pair = dict[str, Any]


def pairs(half: str, *languages: str) -> list[Pair]:
    lines = [line for lang in languages for line in (PAIRS / f"{lang}-{half}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def passes(pair: Pair) -> bool:
    return check(pair["sentence"], pair["span"], pair["context"]).support == "supported"


def share(pair: Pair) -> float:
    """Of the sentence's words, how many the span and its heading have."""
    said = set(tokens(pair["sentence"]))
    return len(said & set(tokens(f"{pair['context']}\n{pair['span']}"))) / max(len(said), 1)


def score(said: Sequence[bool], right: Sequence[bool]) -> tuple[float, float, float]:
    """Precision, recall and F1 of what is called supported."""
    both = sum(a and b for a, b in zip(said, right, strict=True))
    precision, recall = both / max(sum(said), 1), both / max(sum(right), 1)
    return precision, recall, f1(precision, recall)


def agreement(said: Mapping[str, bool], right: Mapping[str, bool], rows: Sequence[Pair]) -> float:
    return score([said[p["id"]] for p in rows], [right[p["id"]] for p in rows])[2]


def interval(rows: Sequence[Pair], measure: Callable[[Sequence[Pair]], float]) -> tuple[float, float]:
    """95 of 100 bootstrap samples lie within; pairs of one span are drawn together."""
    spans: dict[str, list[Pair]] = defaultdict(list)
    for row in rows:
        spans[row["span"]].append(row)
    groups, dice = list(spans.values()), chance(0, "bootstrap")
    drawn = sorted(measure([row for _ in groups for row in dice.choice(groups)]) for _ in range(1000))
    return drawn[25], drawn[974]


def main() -> None:
    for lang, half in product(("en", "zh"), ("kept", "hard")):
        fit, kept = pairs("fit", lang), pairs(half, lang)
        cut = max((score([share(p) >= t / 50 for p in fit], [p["label"] == "supported" for p in fit])[2], t / 50) for t in range(51))[1]
        said = {p["id"]: passes(p) for p in kept}
        right = {p["id"]: p["label"] == "supported" for p in kept}
        low, high = interval(kept, partial(agreement, said, right))
        precision, recall, both = score(list(said.values()), list(right.values()))
        report(f"citations, {lang}, {half}", {
            "pairs": len(kept),
            "F1 (at least .90)": round(both, 3),
            "95 of 100 bootstrap samples": f"{low:.3f} to {high:.3f}",
            "precision": round(precision, 3),
            "recall": round(recall, 3),
            "F1, share of words, over what suits the other half": round(score([share(p) >= cut for p in kept], list(right.values()))[2], 3),
            "false ones passed, by kind": {kind: f"{sum(said[p['id']] for p in kept if p['kind'] == kind)} of "
                                                 f"{sum(p['kind'] == kind for p in kept)}"
                                           for kind in dict.fromkeys(p["kind"] for p in kept if p["label"] != "supported")},
        })  # fmt: skip


if __name__ == "__main__":
    main()
