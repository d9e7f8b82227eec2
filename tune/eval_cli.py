"""The command `tune eval`: an assistant, search on a public set, or rows of questions.  Run: tune eval maintenance"""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest import console
from tune.arguments import adapter_named, at_least_one, settings_for, talk

Measured = tuple[dict[str, Any], Path, Callable[[dict[str, Any]], str]]  # figures, the result's file, how they are shown


def add(commands: Any) -> None:
    """Add `eval` to the commands of `tune`."""
    p = commands.add_parser("eval", help="measure an assistant on its held-out questions, or search and quoting on a public set")
    p.add_argument("corpus", nargs="?", help="an assistant; none with --beir or --qa")
    p.add_argument("--beir", type=Path, metavar="DIR", help="measure search on corpus.jsonl, queries.jsonl and qrels.tsv in DIR")
    p.add_argument("--qa", type=Path, metavar="FILE", help="answer rows of questions with their own passages")
    p.add_argument("--out", type=Path, metavar="FILE", help="where the predictions of --qa go")
    p.add_argument("--mode", choices=("model", "extractive"), default="extractive", help="who answers --qa (extractive)")
    p.add_argument("--adapter", type=adapter_named, metavar="N", help="which version (champion, else newest); a served name with --qa")
    p.add_argument("--ab", type=at_least_one, metavar="N", help="another version to compare with (the champion)")
    p.add_argument("--limit", type=at_least_one, default=0, metavar="N", help="a sample of N questions of the corpus")
    p.add_argument("--lang", choices=("zh", "en"), help="questions of the corpus in this language alone")
    p.add_argument("--against", type=Path, metavar="RESULT", help="an earlier result file, to compare question by question")
    p.add_argument("--side-by-side", type=at_least_one, default=0, metavar="N", help="show each system's answers to N of the questions")
    p.set_defaults(run=evaluate)


def evaluate(args: Namespace) -> int:
    from corpora import UserError
    from tune.result import compare, read_result
    from tune.sidebyside import changed_since, changes, side_by_side, written
    from tune.tables import comparison_table

    check_eval(args)
    then = read_result(args.against) if args.against else None
    report, file, table = measure_search(args) if args.beir else answer_rows(args) if args.qa else measure_corpus(args)
    now = read_result(file)
    try:
        compared = compare(then["questions"], now["questions"]) if then else {}
    except UserError:
        print(f"{table(report)}\nEvery answer: {file}")  # it took long enough
        raise
    drawn = side_by_side([then, now] if then else [now], args.side_by_side)
    if args.json:
        also = {"compared": compared, "changed": changed_since(then, now) if then else {}, "side_by_side": drawn}
        console.print_json({**report, **{name: found for name, found in also.items() if found}})
        return console.DONE
    for part in (written(drawn), changes(now, then), table(report), comparison_table(compared)):
        if part:
            print(part)
    print(f"Every answer: {file}")
    return console.DONE


def check_eval(args: Namespace) -> None:
    """What is measured must be one thing. Raises `UserError`."""
    from corpora import UserError

    if sum(map(bool, (args.corpus, args.beir, args.qa))) != 1:
        raise UserError("Name one thing to measure: an assistant, --beir DIR or --qa FILE.", "See: tune eval --help")
    if args.side_by_side and not args.corpus:
        raise UserError("--side-by-side goes with an assistant alone.", "See: tune eval --help")
    if bool(args.qa) != bool(args.out):
        raise UserError("--qa and --out go together.", "Say where the predictions go: tune eval --qa FILE --out PREDICTIONS")
    if args.out and (args.out.is_dir() or any(f and f.resolve() == args.out.resolve() for f in (args.qa, args.against))):
        raise UserError(f"{args.out} is a folder, or a file that is read.", "Name a new file for the predictions: --out PREDICTIONS")


def measure_corpus(args: Namespace) -> Measured:
    settings = settings_for(args)
    from corpora import UserError
    from tune.evaluate import evaluate as measure
    from tune.tables import report_table

    if isinstance(args.adapter, str):
        raise UserError(f"{args.adapter!r} is no version of {args.corpus}.", f"See: tune ls {args.corpus}")
    report, file = measure(settings, args.corpus, args.adapter, args.ab, args.lang, args.limit, talk(args))
    return report, file, report_table


def measure_search(args: Namespace) -> Measured:
    from ingest.settings import Settings
    from tune.beir import measure_search as measure
    from tune.result import hashes, write_result
    from tune.tables import search_table

    settings = Settings()
    report, questions, fitted = measure(settings, args.beir, talk(args))
    about = {"beir": args.beir.name, "fitted": fitted, "hashes": hashes(sorted(args.beir.glob("*.*")))}
    return report, write_result(settings, f"beir-{args.beir.name}", about, report, questions), search_table


def answer_rows(args: Namespace) -> Measured:
    from ingest.settings import Settings
    from tune.qa import answer_items, outcome, qa_figures, write_predictions
    from tune.result import hashes, write_result
    from tune.tables import rows_table

    settings = Settings()
    adapter = None if args.mode == "extractive" or args.adapter is None else "" if args.adapter == "none" else str(args.adapter)
    answered = list(answer_items(settings, args.qa, args.mode, adapter, talk(args)))
    write_predictions(args.out, answered)
    report = qa_figures(answered)
    questions = [{"id": item.id, "figures": {args.mode: outcome(item, said)}, **said} for item, said in answered]
    about = {"qa": args.qa.name, "mode": args.mode, "adapter": args.adapter, "hashes": hashes([args.qa])}
    return report, write_result(settings, f"qa-{args.qa.parent.name}", about, report, questions), rows_table
