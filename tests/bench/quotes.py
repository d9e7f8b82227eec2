"""Quoted answers on public sets, from each question's own passages, beside plain BM25 over their sentences.

Run: python -m tests.bench.quotes --qa FILE …
A file has rows as `tune eval --qa` takes them; none is shipped. Rows are told apart by what their id ends in after a dash (noise, reject).
Both quote at most three sentences; BM25's are whole, Lectern's are cut at commas where they are long, and it may refuse.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Any

from ingest.language import language
from ingest.sentences import sentences
from ingest.settings import Settings
from ingest.tokens import tokens
from tests.bench import report
from tests.bench.home import models
from tune.qa import Item, answer_items, outcome
from tune.result import difference
from tune.talk import Talk

MOST, K1, B = 3, 1.2, 0.75
KIND = re.compile(r"-([a-z]+)[\d.]*$")
FIGURES = ("accuracy", "token_f1", "refusal_recall", "false_refusal")


def plain(item: Item) -> dict[str, Any]:
    """The three best sentences of a row's passages by BM25 among themselves (Robertson and Zaragoza 2009)."""
    texts = [p.text[a:b] for p in item.passages for a, b in sentences(p.text)]
    counts = [Counter(tokens(text)) for text in texts]
    held = Counter(word for count in counts for word in count)
    average = sum(count.total() for count in counts) / max(len(counts), 1)

    def score(count: Counter[str]) -> float:
        long = K1 * (1 - B + B * count.total() / average)
        return sum(log(1 + (len(texts) - held[w] + 0.5) / (held[w] + 0.5)) * count[w] * (K1 + 1) / (count[w] + long)
                   for w in tokens(item.question) if w in count)  # fmt: skip

    best = sorted(range(len(texts)), key=lambda n: (-score(counts[n]), n))[:MOST]
    return {"id": item.id, "answer": "\n".join(texts[n] for n in sorted(best)), "refused": not best}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--qa", type=Path, action="append", default=[], metavar="FILE")
    files = parser.parse_args().qa
    if not files:
        print("quotes: no set was given, so none was measured. See: python -m tests.bench.quotes --help")
        return
    settings = Settings(home=models().parent, chroma_url="")
    for file in files:
        kinds: dict[str, list[tuple[Item, dict[str, Any]]]] = defaultdict(list)
        for item, said in answer_items(settings, file, "extractive", None, Talk(lambda line: print(line, file=sys.stderr))):
            ends = KIND.search(item.id)
            kinds[f"{language(item.question)}{f', {ends[1]}' if ends else ''}"].append((item, said))
        for kind, rows in sorted(kinds.items()):
            report(f"quotes, {file.parent.name}, {kind}", {"rows": len(rows), **compared(rows)})


def compared(rows: Sequence[tuple[Item, dict[str, Any]]]) -> dict[str, str]:
    """Each figure of ours and of plain BM25, and the paired difference with its interval."""
    ours, theirs = [outcome(item, said) for item, said in rows], [outcome(item, plain(item)) for item, _ in rows]
    found = {"characters an answer": f"{_mean([len(said['answer']) for _, said in rows]):.0f}, "
             f"BM25 {_mean([len(plain(item)['answer']) for item, _ in rows]):.0f}"}  # fmt: skip
    for name in FIGURES:
        pairs = [(a[name], b[name]) for a, b in zip(ours, theirs, strict=True) if name in a]
        if pairs:
            gain = difference([a - b for a, b in pairs])
            found[name] = (f"{_mean([a for a, _ in pairs]):.3f}, BM25 {_mean([b for _, b in pairs]):.3f}; {gain['difference']:+.3f}, "
                           f"95 % within {gain['interval']}; n {len(pairs)}")  # fmt: skip
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
