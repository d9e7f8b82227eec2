"""Answers of an evaluation drawn by a seed, good and bad, each with its citations and what is true of them.

Run: python -m tests.bench.samples RESULT … --seed 0
The results are those of `tune eval CORPUS`, in runs/eval of LECTERN_HOME. Drawn are answers of whichever system answers there: the adapter
or the base with its passages, and quoting.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tune.chance import chance
from tune.result import read_result

MANY = 20
SYSTEMS = ("adapter+rag", "base+rag", "extractive")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("results", type=Path, nargs="*", metavar="RESULT")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.results:
        print("samples: no result was given, so none was drawn. See: python -m tests.bench.samples --help")
        return
    draw([read_result(file) for file in args.results], args.seed)


def draw(results: Sequence[dict[str, Any]], seed: int) -> None:
    """Print twenty answers of the results, or as many as there are."""
    drawn = [(result["corpus"], system, row) for result in results for row in result["questions"]
             for system in SYSTEMS if system in row["answers"]]  # fmt: skip
    for n, (corpus, system, row) in enumerate(chance(seed, "samples").sample(drawn, min(MANY, len(drawn))), 1):
        print(f"{n}. {corpus}, {system}: {row['question']}")
        show(row, row["answers"][system])


def show(row: dict[str, Any], said: dict[str, Any]) -> None:
    wanted = row["answer"] if row["answerable"] else "(the documents do not say)"
    right = said["refused"] if not row["answerable"] else said["correct"]
    print(f"   {'right' if right else 'WRONG'}, {'refused' if said['refused'] else said['mode']}; wanted: {wanted}")
    print("   " + "\n   ".join(said["answer"].split("\n")))
    for c in said["citations"]:
        page = f", page {c['page']}" if c["page"] is not None else ""
        place = "at the gold quote" if c["right"] else "elsewhere"
        print(f"     [{c['marker']}] {c['document']}{page}: {c['support']}, by {c['by']}, {place}: {' '.join(c['quote'].split())[:160]}")
    print()


if __name__ == "__main__":
    main()
