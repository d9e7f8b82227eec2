"""Commands of `ingest` that look at what is indexed and change nothing: list, show, search."""

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ingest import console

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from datetime import date


def add(commands: "_SubParsersAction[ArgumentParser]") -> None:
    p = commands.add_parser("list", help="corpora, or the documents of one")
    p.add_argument("corpus", nargs="?")
    p.set_defaults(run=list_)

    p = commands.add_parser("show", help="one document: its chunks, or its text")
    p.add_argument("corpus")
    p.add_argument("document")
    p.add_argument("--text", action="store_true", help="print the normalised text that citations' offsets count in")
    p.set_defaults(run=show)

    p = commands.add_parser("search", help="the chunks nearest to a question")
    p.add_argument("corpus")
    p.add_argument("query")
    p.add_argument("-k", type=int, default=10, help="how many (10)")
    p.add_argument("--document", action="append", default=[], metavar="NAME", dest="documents",
                   help="in this document alone, or in those of a folder: 'manuals/*'; may be given again")  # fmt: skip
    p.add_argument("--section", default="", metavar="HEADING", help="under this heading alone, or its number")
    p.add_argument("--lang", default="", choices=("en", "zh"), help="in documents of this language alone")
    p.add_argument("--after", type=_day, metavar="DAY", help="in files changed on this day or later: 2026-01-31")
    p.add_argument("--before", type=_day, metavar="DAY", help="in files changed on this day or earlier")
    p.set_defaults(run=search)


def _day(text: str) -> "date":
    from argparse import ArgumentTypeError
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day; write it as 2026-01-31") from None


def list_(args: Namespace) -> int:
    from corpora import UserError, load_profile, profile_names
    from ingest.manifest import Manifest
    from ingest.report import counted
    from ingest.settings import Settings

    settings = Settings()
    manifest = Manifest(settings.root)
    if args.corpus:
        load_profile(args.corpus, settings.root)
        documents = manifest.documents(args.corpus)
        if args.json:
            console.print_json(documents)
        for d in documents if not args.json else []:
            pages = f"{counted(d['pages'], 'page')}, " if d["pages"] else ""
            print(f"{d['document']}  {d['title']}  ({pages}{counted(d['chunks'], 'chunk')}, {d['lang']}, version {d['version']})")
        if not documents and not args.json:
            print(f"Nothing is indexed in {args.corpus} yet. Run: ingest add {args.corpus} PATH")
        return console.DONE
    rows = []
    wrong = []
    for name in profile_names(settings.root):
        try:
            title = load_profile(name, settings.root).title
        except UserError as error:  # one broken profile hides no other corpus
            wrong.append(str(error))
            continue
        documents = manifest.documents(name)
        chunks = sum(d["chunks"] for d in documents)
        rows.append({"corpus": name, "title": title, "documents": len(documents), "chunks": chunks})
    if args.json:
        console.print_json(rows)
    for r in rows if not args.json else []:
        print(f"{r['corpus']:12} {r['title']}: {counted(r['documents'], 'document')}, {counted(r['chunks'], 'chunk')}")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return console.SOME_FAILED if wrong else console.DONE


def show(args: Namespace) -> int:
    from corpora import UserError, load_profile
    from ingest.manifest import Manifest
    from ingest.settings import Settings
    from ingest.sources import meant

    settings = Settings()
    load_profile(args.corpus, settings.root)
    manifest = Manifest(settings.root)
    found = meant(manifest.documents(args.corpus), args.document)
    if not found:
        raise UserError(f"No document {args.document!r} in {args.corpus}.", f"See: ingest list {args.corpus}")
    if len({d["version"] for d in found}) > 1:
        raise UserError(f"{len(found)} documents are meant by {args.document!r}.", f"Name one: ingest list {args.corpus}")
    version = found[0]["version"]
    if args.text:
        text = manifest.text(version)
        print(text) if not args.json else console.print_json({**found[0], "text": text})
    elif args.json:
        chunks = [{"chunk_id": c.id, "page": c.page, "start": c.start, "end": c.end, "context": c.context, "text": c.text}
                  for c in manifest.chunks(version)]  # fmt: skip
        console.print_json({**found[0], "chunks": chunks})
    else:
        print(f"{found[0]['document']}: {found[0]['title']} (version {version})")
        for c in manifest.chunks(version):
            print(
                f"\n[{c.ordinal}] {c.start}-{c.end}{f' page {c.page}' if c.page else ''}  {c.context}\n{c.text.strip()}"
            )
    return console.DONE


def search(args: Namespace) -> int:
    from corpora import UserError
    from ingest.search import Searcher
    from ingest.settings import Settings
    from ingest.where import Where

    if not 1 <= args.k <= 1000:
        raise UserError(f"-k is {args.k}; it must lie between 1 and 1000.", "Try: -k 10")
    where = Where(tuple(args.documents), args.section, args.lang, args.after, args.before)
    with console.waiting("Loading the embedding model", quiet=args.json), Searcher(Settings()) as searcher:
        hits = searcher.search(args.corpus, args.query, args.k, where)
    if args.json:
        console.print_json([h.to_json() for h in hits])
    for h in hits if not args.json else []:
        page = f", page {h.chunk.page}" if h.chunk.page else ""
        print(
            f"{h.rank}. {h.document}{page}  ({h.score:.2f})  {h.chunk.context}\n   {' '.join(h.chunk.text.split())[:300]}"
        )
    if not hits and not args.json:
        print("Nothing found.")
    return console.DONE
