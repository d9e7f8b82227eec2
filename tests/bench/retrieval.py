"""Search on public sets: words alone, meaning alone and the search that is served, and what it gains over the better half.

Run: python -m tests.bench.retrieval --beir FOLDER …
A folder holds corpus.jsonl (or .jsonl.gz), queries.jsonl and qrels.tsv; none is shipped. Nothing is fitted on their questions: the index of
each is fitted by `ingest fit`, which asks a corpus what it says itself.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from ingest.settings import Settings
from tests.bench import report
from tests.bench.home import models
from tune.beir import measure_search
from tune.result import difference
from tune.talk import Talk

FIGURE = "nDCG@10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--beir", type=Path, action="append", default=[], metavar="FOLDER")
    folders = parser.parse_args().beir
    if not folders:
        print("retrieval: no set was given, so none was measured. See: python -m tests.bench.retrieval --help")
        return
    settings = Settings(home=models().parent, chroma_url="")
    gains = []
    for folder in folders:
        figures, asked, fitted = measure_search(settings, folder, Talk(lambda line: print(line, file=sys.stderr)))
        better = max(("bm25", "dense"), key=lambda name: figures[name][FIGURE])
        gain = [row["figures"]["hybrid"][FIGURE] - row["figures"][better][FIGURE] for row in asked]
        gains += gain
        weights = {lang: {key: value for key, value in row.items() if key.endswith("_weight")} for lang, row in fitted.items()}
        report(f"retrieval, {folder.name}", {**_table(figures), "better half": better, f"gain in {FIGURE}": _said(gain), "fitted": weights})
    report("retrieval, all sets", {"questions": len(gains), f"gain in {FIGURE} over each set's better half": _said(gains)})


def _table(figures: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in figures["hybrid"] if name != "n_queries"]
    return {"questions": figures["hybrid"]["n_queries"]} | {
        name: ", ".join(f"{system} {row[name]:.4f}" for system, row in figures.items()) for name in names
    }


def _said(gain: list[float]) -> str:
    found = difference(gain)
    return f"{found['difference']:+.4f}, 95 % within {found['interval']}"


if __name__ == "__main__":
    main()
