"""How well the citation check tells what a span supports, beside two measures of shared words.

Run: python -m tests.bench.citations
The pairs in tests/pairs are a sentence and a span, labelled, from the shipped documents and from invented ones. The check was made
looking at `fit`, `more-fit`, `hard`, `figures` (written to get wrong figures through) and `plain` (mostly true); `kept`, `kept2` and
`kept3` (figures) are of other documents, and nobody who made it has read them. Their totals were seen after changes, though, and decided
on a few rules and limits: they flatter the check a little. A false sentence is mostly a true one with one thing changed, so that it
shares more words with its span than a true paraphrase does.
"""

import json
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ingest.tokens import tokens
from serve.check import check
from tests.bench import report
from tune.chance import chance
from tune.metrics import f1

PAIRS = Path(__file__).parents[1] / "pairs"
SEEN, UNSEEN = ("fit", "more-fit", "hard", "figures", "plain"), ("kept", "kept2", "kept3")
# kinds of false sentence whose figure, unit, bound or date is wrong, or is that of another row, column or item
NUMBER = re.compile(r"number|unit|bound|date|row|column|neighbour|数|单位|边界|日期|串|邻", re.I)
K1, B = 1.2, 0.75  # BM25's usual ones
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


class BM25:
    """How much of what a sentence could score its span and heading do score, by word counts; rare words among `rows` weigh more."""

    def __init__(self, rows: Sequence[Pair]) -> None:
        texts = [set(tokens(text)) for text in {f"{p['context']}\n{p['span']}" for p in rows}]
        self.documents, self.length = Counter(t for text in texts for t in text), sum(map(len, texts)) / len(texts)
        self.total = len(texts)

    def __call__(self, pair: Pair) -> float:
        said, counts = set(tokens(pair["sentence"])), Counter(tokens(f"{pair['context']}\n{pair['span']}"))
        longer = K1 * (1 - B + B * len(counts) / self.length)
        reached = sum(self._rarity(t) * counts[t] * (K1 + 1) / (counts[t] + longer) for t in said & set(counts))
        return reached / max(sum(self._rarity(t) for t in said), 1e-9)

    def _rarity(self, token: str) -> float:
        return math.log(1 + (self.total - self.documents[token] + 0.5) / (self.documents[token] + 0.5))


def best_cut(measure: Callable[[Pair], float], rows: Sequence[Pair]) -> float:
    """The least value that counts as support, where F1 is highest on `rows`."""
    values, right = [measure(p) for p in rows], [p["label"] == "supported" for p in rows]
    return max((score([v >= t / 50 for v in values], right)[2], t / 50) for t in range(101))[1]


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


def shown(said: Mapping[str, bool], rows: Sequence[Pair]) -> str:
    """Precision, recall and F1 of what is called supported, and where F1 lies in 95 of 100 bootstrap samples."""
    right = {p["id"]: p["label"] == "supported" for p in rows}
    low, high = interval(rows, partial(agreement, said, right))
    precision, recall, both = score([said[p["id"]] for p in rows], [right[p["id"]] for p in rows])
    return f"{precision:.3f}  {recall:.3f}  {both:.3f} ({low:.2f} to {high:.2f})"


def passed(said: Mapping[str, bool], rows: Sequence[Pair]) -> str:
    return f"{sum(said[p['id']] for p in rows)} of {len(rows)}"


def main() -> None:
    for lang in ("en", "zh"):
        fit = pairs("fit", lang) + pairs("more-fit", lang)
        measures: dict[str, Callable[[Pair], float]] = {"share of words": share, "BM25": BM25(fit)}
        cuts = {name: best_cut(measure, fit) for name, measure in measures.items()}
        for half in (*UNSEEN, *SEEN):
            rows = pairs(half, lang)
            start = time.process_time()
            said = {p["id"]: passes(p) for p in rows}
            seconds = time.process_time() - start
            false = [p for p in rows if p["label"] != "supported"]
            figures = {
                "pairs, of them supported": f"{len(rows)}, {len(rows) - len(false)}",
                "precision  recall  F1 (at least .90)": shown(said, rows),
            }
            for name, measure in measures.items():
                figures[f"the same, {name} from {cuts[name]:.2f}"] = shown({p["id"]: measure(p) >= cuts[name] for p in rows}, rows)
            kinds = {k: passed(said, [p for p in false if p["kind"] == k]) for k in dict.fromkeys(p["kind"] for p in false)}
            report(f"citations, {lang}, {half}, {'made looking at it' if half in SEEN else 'rows unseen'}", figures | {
                "wrong figures or units passed": passed(said, [p for p in false if NUMBER.search(p["kind"])]),
                "false ones passed, by kind": kinds,
                "pairs a second, each seen for the first time": round(len(rows) / seconds),
            })  # fmt: skip


if __name__ == "__main__":
    main()
