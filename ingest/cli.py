"""The command `ingest`.  Run: ingest add maintenance ~/manuals"""

import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ingest import console, look_cli

if TYPE_CHECKING:
    from ingest.index import Index

PROFILE = """# {title}.  Try: ingest add {name} PATH, then: serve ask {name} "…"
title: {title}
description: Answers from the documents added to it.
languages: [en, zh]
"""


def make_parser() -> ArgumentParser:
    parser = ArgumentParser("ingest", description="Documents in, a searchable index out; nothing lost, nothing twice.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    p = commands.add_parser("add", help="index files, folders or globs; unchanged files cost nothing")
    p.add_argument("corpus")
    p.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    p.add_argument("--prune", action="store_true", help="also remove documents whose files are gone from these folders")
    p.add_argument("--watch", action="store_true", help="stay, and index every change of these folders until Ctrl-C")
    p.add_argument("--redact", action="store_true", help="take personal data out first; the original is not kept")
    p.add_argument("--ocr", choices=["auto", "always", "never"], default="auto", help="recognise text in pictures")
    p.add_argument("--workers", type=int, default=0, metavar="N", help="files read at once (as many as processors, at most 8)")
    p.set_defaults(run=add)

    look_cli.add(commands)
    p = commands.add_parser("remove", help="take documents out of the index")
    p.add_argument("corpus")
    p.add_argument("documents", nargs="+", metavar="DOCUMENT")
    p.add_argument("--erase", action="store_true",
                   help="leave no trace: also out of conversations, feedback and freed space; names adapters trained on them")  # fmt: skip
    p.set_defaults(run=remove)

    p = commands.add_parser("verify", help="prove that manifest, vectors and keywords agree")
    p.add_argument("corpus", nargs="?")
    p.add_argument("--fix", action="store_true", help="mend what can be mended from the manifest")
    p.set_defaults(run=verify)

    p = commands.add_parser("rebuild", help="make vectors and keywords anew, without parsing")
    p.add_argument("corpus", nargs="?", help="all of them where left out")
    p.set_defaults(run=rebuild)

    p = commands.add_parser("fit", help="weigh words and meaning anew, on questions made from the corpus's own chunks")
    p.add_argument("corpus")
    p.set_defaults(run=fit)

    p = commands.add_parser("init", help="begin a corpus of your own")
    p.add_argument("corpus")
    p.set_defaults(run=init)

    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="for machines")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    return console.run(make_parser(), argv)


def command() -> NoReturn:
    """`ingest` as a process of its own."""
    console.leave(main())


def add(args: Namespace) -> int:
    from corpora import UserError
    from ingest.index import Index
    from ingest.settings import Settings

    if not 0 <= args.workers <= 64:
        raise UserError(f"--workers is {args.workers}; it must lie between 1 and 64.", "Leave it out for one a processor.")
    index = Index(args.corpus, Settings())
    code = add_once(index, args)
    if args.watch:
        from watchfiles import watch

        print(f"Watching {', '.join(map(str, args.paths))}; Ctrl-C ends it.", file=sys.stderr)
        for _ in watch(*args.paths, step=500, raise_interrupt=True):
            try:
                code = add_once(index, args)
            except UserError as error:  # such as a folder that is away for a moment
                print(f"ingest: {error}", file=sys.stderr)
    return code


def add_once(index: "Index", args: Namespace) -> int:
    from ingest.fitted import wants_fitting
    from ingest.report import Progress, summary

    with console.progress(f"Indexing {args.corpus}", 1, quiet=args.json) as advance:
        progress = Progress(advance)
        reports = index.add(args.paths, args.prune, args.ocr, args.redact, args.workers, progress.file, progress.page)
    if args.json:
        console.print_json({"files": [r.to_json() for r in reports]})
    else:
        print("\n".join(summary(args.corpus, reports)), flush=True)
        if wants_fitting(index.profile, index.settings, index.manifest):
            print(f"{args.corpus} has changed much. Weigh words and meaning anew for it: ingest fit {args.corpus}", flush=True)
    return console.SOME_FAILED if any(r.status == "failed" for r in reports) else console.DONE


def fit(args: Namespace) -> int:
    from ingest.embed import open_embedder
    from ingest.fit import fit as fit_corpus
    from ingest.report import fitted
    from ingest.settings import Settings

    settings = Settings()
    with console.progress(f"Fitting {args.corpus}", 1, quiet=args.json) as advance:
        done = 0.0

        def forward(share: float, unit: str) -> None:
            nonlocal done
            advance(share - done, unit)
            done = share

        found = fit_corpus(args.corpus, settings, open_embedder(settings), forward)
    if args.json:
        console.print_json(found)
    else:
        print(fitted(args.corpus, found))
    return console.DONE


def remove(args: Namespace) -> int:
    from ingest.index import Index
    from ingest.settings import Settings
    from ingest.sources import there

    index = Index(args.corpus, Settings())
    with console.waiting("Removing", quiet=args.json):
        removed = index.erase(args.documents) if args.erase else index.remove(args.documents)
    names = [d["document"] for d in removed]
    code = console.DONE
    if args.json:
        console.print_json({"removed": names})
    else:
        print(f"Removed from {args.corpus}: {', '.join(names)}.", flush=True)
    left = sorted({d["path"] for d in removed if there(d["path"]) and not Path(d["path"]).is_relative_to(index.settings.root)})
    if left:  # nothing of ours; but their folder may be added again
        print(f"The file is still there, and the next `ingest add` of its folder indexes it again: {', '.join(left[:3])}"
              f"{f' and {len(left) - 3} more' * (len(left) > 3)}. Move it away, or name it under `exclude` in the profile.",
              file=sys.stderr)  # fmt: skip
    if args.erase:  # what was answered from them is serve's to clear: a process of its own, since ingest knows nothing of serve
        command = [sys.executable, "-m", "serve", "erase", args.corpus, *sorted({d["version"] for d in removed}),
                   *(part for name in names for part in ("--document", name))]  # fmt: skip
        code = subprocess.run(command, stdout=sys.stderr if args.json else None, check=False).returncode
        if code:
            print(f"What was answered from them is not erased yet. Again: {shlex.join(command[2:])}", file=sys.stderr)
    return code


def verify(args: Namespace) -> int:
    from ingest.index import Index, corpora_in
    from ingest.settings import Settings

    settings = Settings()
    with console.waiting("Comparing manifest, vectors and keywords", quiet=args.json):
        names = [args.corpus] if args.corpus else corpora_in(settings)
        found = {name: Index(name, settings).verify(args.fix) for name in names}
    if args.json:
        console.print_json(found)
    for name, wrong in found.items() if not args.json else ():
        print(f"{name}: manifest, vectors and keywords agree." if not wrong else
              f"{name}: {'; '.join(wrong)}. Mend it: {cure(name, wrong)}")  # fmt: skip
    return console.SOME_FAILED if any(found.values()) else console.DONE


def cure(name: str, wrong: list[str]) -> str:
    """The command that mends what `verify` found: texts and originals come from their files alone."""
    lost = [sentence for sentence in wrong if sentence.startswith("the ")]
    commands = [f"ingest verify {name} --fix"] * (len(wrong) > len(lost)) + [f"ingest add {name} PATH of the files"] * bool(lost)
    return ", then ".join(commands)


def rebuild(args: Namespace) -> int:
    from ingest.index import Index, corpora_in
    from ingest.settings import Settings

    settings = Settings()
    found = {}
    for name in [args.corpus] if args.corpus else corpora_in(settings):
        with console.progress(f"Rebuilding {name}", 1, quiet=args.json) as advance:
            found[name] = Index(name, settings).rebuild(lambda n, total: advance(n / total, f"{n} of {total} chunks"))
        if not args.json:
            print(f"{name}: {found[name]} chunks embedded anew.")
    if args.json:
        console.print_json(found)
    return console.DONE


def init(args: Namespace) -> int:
    from corpora import UserError, profile_names
    from corpora.profile import NAME
    from ingest.settings import Settings

    settings = Settings()
    if not NAME.fullmatch(args.corpus):
        raise UserError(
            f"{args.corpus!r} is no name for a corpus.",
            "Use lower-case letters, digits and hyphens: ingest init field-notes",
        )
    if args.corpus in profile_names(settings.root):
        raise UserError(f"There is a corpus {args.corpus} already.", f"Add to it: ingest add {args.corpus} PATH")
    file = settings.root / "corpora" / args.corpus / "profile.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name("profile.yaml.part")
    part.write_text(
        PROFILE.format(name=args.corpus, title=args.corpus.replace("-", " ").capitalize()), encoding="utf-8"
    )
    part.replace(file)
    if args.json:
        console.print_json({"profile": str(file)})
    else:
        print(f"{file}\nDescribe it there, then: ingest add {args.corpus} PATH")
    return console.DONE
