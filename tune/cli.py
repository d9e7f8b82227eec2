"""The command `tune`.  Run: tune sft maintenance"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ingest import console
from tune import eval_cli
from tune.allocator import use_tcmalloc
from tune.arguments import at_least_one, price, settings_for, talk

if TYPE_CHECKING:
    from serve.champion import Promotion
    from tune.train import Request, Trained


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
    p.add_argument("--mine", type=at_least_one, default=0, metavar="N",
                   help="put N of the questions under new names to the newest SFT adapter; tune dpo corrects where it errs")  # fmt: skip
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
        p.add_argument("--resume", action="store_true", help="go on with the last interrupted run, as it was begun")
        if kind == "sft":
            p.add_argument("--from", dest="start", type=at_least_one, default=0, metavar="N", help="go on from version N, not the base")
        p.set_defaults(run=sft if kind == "sft" else dpo)

    eval_cli.add(commands)
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
    if argv is None and sys.argv[1:2] in (["plan"], ["sft"], ["dpo"]):
        use_tcmalloc()
    return console.run(make_parser(), argv)


def data(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.data import ROWS, data_folder, make_data
    from tune.talk import histogram

    rows = args.rows or ROWS
    made, shown = make_data(settings, args.corpus, rows, args.seed, talk(args), args.files, args.filter, args.augment,
                            args.rename, args.mine)
    folder = data_folder(settings, args.corpus)
    if args.json:
        console.print_json({**made.model_dump(), "folder": str(folder)})
        return console.SOME_FAILED if made.left_out else console.DONE
    print(f"\nOne example, with what is trained on between ⟦ and ⟧:\n{shown}\n")
    print("\n".join(histogram({int(low): count for low, count in made.histogram.items()})))
    print(f"{made.rows} examples ({made.refusals} refusals), {sum(made.pairs.values())} preference pairs in {folder}. See its card.md.")
    print(f"Next: tune {'dpo' if args.mine else 'sft'} {args.corpus}")
    return console.SOME_FAILED if made.left_out else console.DONE


def plan(args: Namespace) -> int:
    settings = settings_for(args)
    from tune.base import quiet

    quiet()
    from tune.forecast import described, forecast

    found = forecast(settings, requested(args), talk(args))
    cost = {} if args.price is None or found.seconds is None else {"cost": round(found.seconds / 3600 * args.price, 2)}
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
    from corpora import UserError
    from tune.train import Request

    if args.resume and (args.max_steps or args.rows or getattr(args, "start", 0)):
        raise UserError("--resume goes on as the run was begun, with its own rows, steps and start.", "Leave the other options out.")
    return Request(args.corpus, args.max_steps, args.rows, args.resume, getattr(args, "start", 0))


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
