"""What must lie ready before the first answer: models unpacked, the shipped corpora indexed.

Run: python -m serve.prepare models, or: python -m serve.prepare index. It is a process of its own so that the weights
that it loads do not stay in the supervisor's memory.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import TYPE_CHECKING

from corpora import UserError, load_profile, profile_names
from ingest import console
from ingest.report import Progress
from ingest.settings import Settings
from serve.models import ensure
from serve.tiers import pick_tier

if TYPE_CHECKING:
    from ingest.index import Index
    from ingest.schema import FileReport


def main(argv: Sequence[str] | None = None) -> int:
    parser = ArgumentParser("prepare", description="What must lie ready before the first answer.")
    parser.add_argument("what", choices=["models", "index"])
    parser.set_defaults(run=lambda args: models(Settings()) if args.what == "models" else index(Settings()))
    return console.run(parser, argv)


def models(settings: Settings) -> int:
    """Unpack what this machine's tier serves with."""
    tier = pick_tier(settings)
    for ref in filter(None, (tier.base, tier.embedder, tier.reranker)):
        ensure(ref, settings, say)
    return console.DONE


def index(settings: Settings) -> int:
    """Index the shipped corpora's own documents; one that cannot be indexed does not stop the others."""
    from ingest.embed import open_embedder
    from ingest.index import Index

    embedder = open_embedder(settings)  # its weights are loaded when the first new chunk comes
    code = console.DONE
    for name in profile_names():
        try:
            profile = load_profile(name, settings.root)
            index = Index(name, settings, embedder)
            if index.is_stale():
                rebuild(index, profile.title)
            reports = add(index, profile.title)
            fit(index)
        except UserError as error:
            say(f"{name}: {error}")
            code = console.SOME_FAILED
            continue
        failed = [report for report in reports if report.status == "failed"]
        changed = [report for report in reports if report.status in ("added", "updated")]
        chunks = f", {sum(report.chunks for report in changed)} chunks" if changed else ""
        say(f"{name}: {len(reports)} files, {len(changed)} new or changed{chunks}")
        for report in failed:
            say(f"{name}: {report.path}: {report.reason}")
            code = console.SOME_FAILED
    return code


def rebuild(index: "Index", title: str) -> None:
    """An index made with another embedding model, or by an earlier Lectern, is made anew from the manifest."""
    with console.progress(f"  {index.corpus} ({title}): rebuilding", 1) as advance:
        index.rebuild(lambda n, total: advance(n / total, f"{n} of {total} chunks"))


def add(index: "Index", title: str) -> "list[FileReport]":
    with console.progress(f"  {index.corpus} ({title})", 1) as advance:

        progress = Progress(advance)
        return index.add(index.profile.sources, prune=True, on_file=progress.file, on_page=progress.page)


def fit(index: "Index") -> None:
    """Weigh words and meaning for a corpus that changed much."""
    from ingest.fit import fit as fit_corpus
    from ingest.fitted import wants_fitting
    from ingest.report import fitted

    if wants_fitting(index.profile, index.settings, index.manifest):
        say(fitted(index.corpus, fit_corpus(index.corpus, index.settings, index.embedder)))


def say(sentence: str) -> None:
    sys.stdout.write(f"  {sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
