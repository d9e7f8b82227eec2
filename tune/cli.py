"""The command `tune`.  Run: tune sft maintenance"""

import math
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest import console

if TYPE_CHECKING:
    from ingest.settings import Settings
    from serve.champion import Promotion
    from tune.talk import Talk
    from tune.train import Request, Trained


Measured = tuple[dict[str, Any], Path, Callable[[dict[str, Any]], str]]  # figures, the result's file, how they are shown


def make_parser() -> ArgumentParser:
    parser = ArgumentParser("tune", description="Documents and feedback in, a measured adapter out.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    p = commands.add_parser("data", help="examples and preference pairs from the index and from feedback")
    p.add_argument("corpus")
    p.add_argument("--rows", type=at_least_one, default=0, metavar="N", help="how many examples at most (600)")
    p.add_argument("--seed", type=int, default=0, help="another one asks other questions (0)")
    p.add_argument("--from", dest="files", type=Path, nargs="+", default=[], metavar="PATH",
                   help="rows of these files too: Alpaca, ShareGPT, messages, prompt and completion, DISC-Law, question and answer, "
                        "logs with diagnoses, clauses with analyses; of a folder: requests for its finished documents")  # fmt: skip
    p.add_argument("--filter", default="", metavar="TOPIC", help="of those only the rows in which its words stand")
    p.add_argument("--augment", type=at_least_one, default=0, metavar="N",
                   help="up to N more that ask the same in other words: by rule, and by the model where one is served")  # fmt: skip
    p.add_argument("--rename", type=at_least_one, default=0, metavar="N",
                   help="up to N more with other codes and figures, in passages and answer alike: it learns to read")  # fmt: skip
    p.set_defaults(run=data)

    p = commands.add_parser("plan", help="what training would take: rows, memory, time, cost, and what each setting leads to")
    p.add_argument("corpus")
    p.add_argument("--max-steps", type=at_least_one, default=0, metavar="N", help="as for tune sft")
    p.add_argument("--rows", type=at_least_one, default=0, metavar="N", help="as for tune sft")
    p.add_argument("--price", type=price, metavar="P", help="what an hour of this machine costs")
    p.set_defaults(run=plan, resume=False)

    for kind, about in (("sft", "train on cited answers and refusals"), ("dpo", "train further on preferences")):
        p = commands.add_parser(kind, help=f"{about}; publishes a new version")
        p.add_argument("corpus")
        p.add_argument("--max-steps", type=at_least_one, default=0, metavar="N", help="stop after N steps")
        p.add_argument("--rows", type=at_least_one, default=0, metavar="N", help="train on the first N rows alone")
        p.add_argument("--resume", action="store_true", help="go on with the last interrupted run")
        p.set_defaults(run=sft if kind == "sft" else dpo)

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

    p = commands.add_parser("promote", help="serve an adapter version that was measured and passes the gate")
    p.add_argument("corpus")
    p.add_argument("version", type=at_least_one, nargs="?", help="the newest where left out")
    p.add_argument("--force", action="store_true", help="serve it though it has not passed the gate")
    p.set_defaults(run=promote)
    p = commands.add_parser("rollback", help="serve the adapter before this one, or the base alone")
    p.add_argument("corpus")
    p.set_defaults(run=rollback)
    p = commands.add_parser("ls", help="the published versions, and which is served")
    p.add_argument("corpus")
    p.set_defaults(run=ls)

    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="for machines")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    # Threads that wait by spinning starve each other when the model server computes beside us: 20 times slower, measured.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return console.run(make_parser(), argv)


def settings_for(args: Namespace) -> "Settings":
    """This machine's settings; an unknown corpus is told before anything heavy is imported."""
    from corpora import load_profile
    from ingest.settings import Settings

    settings = Settings()
    load_profile(args.corpus, settings.root)
    return settings


def at_least_one(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"{text!r} is no price")
    return value


def adapter_named(text: str) -> int | str:
    """A version's number, or a name that vLLM serves."""
    return at_least_one(text) if text.isdecimal() else text


def talk(args: Namespace) -> "Talk":
    """How this command tells its progress: on stderr where stdout is for a machine."""
    from tune import processes
    from tune.talk import Talk

    if not processes.is_first():
        return Talk(lambda line: None, for_machine=True)
    return Talk(lambda line: print(line, file=sys.stderr if args.json else sys.stdout, flush=True), for_machine=args.json)


def data(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.data import ROWS, data_folder, make_data
    from tune.talk import histogram

    rows = args.rows or ROWS
    made, shown = make_data(settings, args.corpus, rows, args.seed, talk(args), args.files, args.filter, args.augment,
                            args.rename)
    folder = data_folder(settings, args.corpus)
    if args.json:
        console.print_json({**made.model_dump(), "folder": str(folder)})
        return console.SOME_FAILED if made.left_out else console.DONE
    print(f"\nOne example, with what is trained on between ⟦ and ⟧:\n{shown}\n")
    print("\n".join(histogram({int(low): count for low, count in made.histogram.items()})))
    print(f"{made.rows} examples ({made.refusals} refusals), {sum(made.pairs.values())} preference pairs in {folder}. See its card.md.")
    print(f"Next: tune sft {args.corpus}")
    return console.SOME_FAILED if made.left_out else console.DONE


def plan(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.base import quiet

    quiet()
    from tune.forecast import described, forecast

    found = forecast(settings, requested(args), talk(args))
    cost = {} if args.price is None else {"cost": round(found.seconds / 3600 * args.price, 2)}
    if args.json:
        console.print_json({**asdict(found), "plan": found.plan.model_dump(), **cost})
    else:
        for line in described(found):
            print(line)
        if cost:
            print(f"{cost['cost']:.2f} at {args.price:g} an hour.")
        print(f"Next: tune sft {args.corpus}")
    return console.DONE


def sft(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.base import quiet

    quiet()
    from tune.sft import sft as train

    return published(args, train(settings, requested(args), talk(args)))


def dpo(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.base import quiet

    quiet()
    from tune.dpo import dpo as train

    return published(args, train(settings, requested(args), talk(args)))


def requested(args: Namespace) -> "Request":
    from tune.train import Request

    return Request(args.corpus, args.max_steps, args.rows, args.resume)


def published(args: Namespace, done: "Trained") -> int:
    from tune import processes

    if not processes.is_first():
        return console.DONE
    if args.json:
        console.print_json({**done.adapter.model_dump(), "run": str(done.run.folder)})
    else:
        print(f"Version {done.adapter.version} of {args.corpus} is published, last loss {done.adapter.loss:.3f}.")
        print(f"Next: tune eval {args.corpus} --adapter {done.adapter.version}")
    return console.DONE


def evaluate(args: Namespace) -> int:
    from tune.result import compare, read_result
    from tune.sidebyside import changed_since, changes, side_by_side, written
    from tune.tables import comparison_table

    check_eval(args)
    then = read_result(args.against) if args.against else None
    report, file, table = measure_search(args) if args.beir else answer_rows(args) if args.qa else measure_corpus(args)
    now = read_result(file)
    compared = compare(then["questions"], now["questions"]) if then else {}
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


def promote(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.promote import promote as choose

    with console.waiting("Loading and trying it, then letting answers under way end", quiet=args.json):
        done = choose(settings, args.corpus, args.version, args.force)
    return switched(args, done)


def rollback(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.promote import rollback as choose

    with console.waiting("Letting answers under way end", quiet=args.json):
        done = choose(settings, args.corpus)
    return switched(args, done)


def switched(args: Namespace, done: "Promotion") -> int:
    if args.json:
        console.print_json(done.model_dump())
    else:
        print(f"{done.notice}\nTry: serve ask {args.corpus} QUESTION")
    return console.DONE


def ls(args: Namespace) -> int:
    settings = settings_for(args)
    from serve.champion import champion
    from tune.registry import adapters

    best = champion(settings, args.corpus)
    serving = best.version if best else None
    rows = [{**a.model_dump(), "champion": a.version == serving} for a in adapters(settings, args.corpus)]
    if args.json:
        console.print_json(rows)
        return console.DONE
    for row in rows:
        parent = f" from {row['parent']}" if row["parent"] else ""
        print(f"{'*' if row['champion'] else ' '} {row['version']:>3}  {row['kind']}{parent}  {row['base']}  {row['rows']} rows  "
              f"loss {row['loss']:.3f}  {row['created']}")  # fmt: skip
    print("* is served." if best else f"The base alone is served. Choose one: tune promote {args.corpus} VERSION" if rows
          else f"{args.corpus} has no adapters. Make one: tune sft {args.corpus}")  # fmt: skip
    return console.DONE
