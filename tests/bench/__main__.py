"""All benches, one after the other, or those named, and at the end their table.

Run: python -m tests.bench [ingest] [unchanged] … [--sets FOLDER] [--table FILE]
Public sets are not shipped. Below FOLDER, those in a folder with corpus, queries and qrels are searched, and every qa.jsonl is answered.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from tests.bench import REPORTED, machine

ALL = ("ingest", "precision", "unchanged", "memory", "pdf", "ocr", "search", "retrieval", "quotes", "citations", "followup", "poison",
       "stale", "latency", "adapters", "answers", "training")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description="Measure; every figure beside a named alternative of the same run.")
    parser.add_argument("names", nargs="*", metavar="BENCH", help=f"those to be run, else all: {' '.join(ALL)}")
    parser.add_argument("--sets", type=Path, metavar="FOLDER", help="public sets for retrieval and quotes")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here too, in Markdown")
    args = parser.parse_args()
    if unknown := set(args.names) - set(ALL):
        parser.error(f"there is no bench {min(unknown)!r}. There are: {' '.join(ALL)}")
    if args.sets and not args.sets.is_dir():
        parser.error(f"there is no folder {args.sets}")
    for name in args.names or ALL:
        sys.argv = [name, *given(name, args.sets)]
        import_module(f"tests.bench.{name}").main()
    lines = [f"| {machine()} | | |", "| --- | --- | --- |"]
    lines += [f"| {title} | {figure} | {str(value).replace('|', '/')} |" for title, figure, value in REPORTED]
    print("\n" + "\n".join(lines))
    if args.table:
        args.table.write_text("\n".join(lines) + "\n", encoding="utf-8")


def given(name: str, sets: Path | None) -> list[str]:
    """The public sets that a bench takes, as its arguments."""
    if sets and name == "retrieval":
        return [word for file in sorted(sets.rglob("qrels.tsv")) for word in ("--beir", str(file.parent))]
    if sets and name == "quotes":
        return [word for file in sorted(sets.rglob("qa.jsonl")) for word in ("--qa", str(file))]
    return []


main()
