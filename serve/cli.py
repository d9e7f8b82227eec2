"""The command `serve`.  Run: serve ask maintenance "What does fault SC-A04 mean?" """

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from ingest import console

QUESTION_LIMIT = 8000  # characters, as at the gateway


def make_parser() -> ArgumentParser:
    parser = ArgumentParser("serve", description="Answers with citations that are checked, for people and programs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    p = commands.add_parser("up", help="start everything, ask one question, stay until Ctrl-C")
    p.add_argument("--detach", action="store_true", help="go on when this terminal is closed")
    p.set_defaults(run=up)

    p = commands.add_parser("down", help="stop everything")
    p.set_defaults(run=down)

    p = commands.add_parser("ask", help="one question, one cited answer")
    p.add_argument("corpus")
    p.add_argument("question")
    p.add_argument("--json", action="store_true", help="for machines")
    p.set_defaults(run=ask)

    p = commands.add_parser("model", help="the models that can be served")
    models = p.add_subparsers(required=True, metavar="ACTION")
    p = models.add_parser("get", help="fetch ORG/NAME from a hub, or adopt a downloaded folder")
    p.add_argument("place", metavar="ID|FOLDER", help="ORG/NAME[@REVISION], modelscope:ORG/NAME, or a folder")
    p.set_defaults(run=model_get)
    p = models.add_parser("list", help="what is there, and what is served")
    p.add_argument("--json", action="store_true", help="for machines")
    p.set_defaults(run=model_list)

    p = commands.add_parser("key", help="who may ask")
    keys = p.add_subparsers(required=True, metavar="ACTION")
    p = keys.add_parser("create", help="a key for a person or a program, shown this once")
    p.add_argument("name")
    p.set_defaults(run=key_create)
    p = keys.add_parser("list", help="all keys, without their secrets")
    p.add_argument("--json", action="store_true", help="for machines")
    p.set_defaults(run=key_list)
    p = keys.add_parser("revoke", help="end a key")
    p.add_argument("id")
    p.set_defaults(run=key_revoke)
    p = keys.add_parser("link", help="a new link that signs in to the page once")
    p.set_defaults(run=key_link)

    p = commands.add_parser("erase", help="forget documents that were removed: answers, feedback and training rows with them in")
    p.add_argument("corpus")
    p.add_argument("versions", nargs="+", metavar="DOCUMENT-VERSION", help="as ingest list CORPUS --json and the journal call it")
    p.add_argument("--document", dest="names", action="append", default=[], metavar="NAME",
                   help="its name: adapters and training rows made from earlier versions are found too")  # fmt: skip
    p.add_argument("--json", action="store_true", help="for machines")
    p.set_defaults(run=erase)

    p = commands.add_parser("doctor", help="what is installed, chosen, up, and wrong")
    p.add_argument("--json", action="store_true", help="for machines")
    p.set_defaults(run=doctor)

    p = commands.add_parser("api", help="the gateway alone")
    p.set_defaults(run=api)
    p = commands.add_parser("worker", help="the worker alone")
    p.set_defaults(run=worker)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    return console.run(make_parser(), argv)


def up(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve import up as lectern

    settings = Settings()
    return lectern.detached(settings) if args.detach else lectern.up(settings)


def down(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve import up as lectern

    return lectern.down(Settings())


def ask(args: Namespace) -> int:
    from corpora import UserError, load_profile
    from ingest.settings import Settings
    from serve.champion import versions

    settings = Settings()
    if not args.question.strip():
        raise UserError("The question is empty.", 'Try: serve ask maintenance "What does fault SC-A04 mean?"')
    if len(args.question) > QUESTION_LIMIT:
        raise UserError(f"The question has {len(args.question):,} characters; at most {QUESTION_LIMIT:,} are read.",
                        "Ask for one thing, and add long texts as documents: ingest add CORPUS FILE")  # fmt: skip
    corpus, at, version = args.corpus.partition("@")
    load_profile(corpus, settings.root)
    if at and not (version.isdecimal() and int(version) in versions(settings, corpus)):
        raise UserError(f"{corpus} has no adapter version {version[:20]!r}.", f"See which there are: tune ls {corpus}")
    with console.waiting("Thinking", quiet=args.json):
        answer = by_gateway(settings, args.corpus, args.question) or in_process(settings, corpus, version, args.question)
    if args.json:
        console.print_json(answer)
        return console.DONE
    print(answer["answer"])
    for c in answer["citations"]:
        page = f", page {c['page']}" if c["page"] else ""
        print(f"  [{c['marker']}] {c['document']}{page}: “{' '.join(c['quote'].split())}”")
    if answer["notice"]:
        print(f"({answer['notice']})")
    return console.DONE


def by_gateway(settings: Any, corpus: str, question: str) -> dict[str, Any] | None:
    """The answer of the running gateway, or None where none is up."""
    import httpx

    from serve.engine import loopback

    url, key = settings.url("api"), settings.root / "local.key"
    if not url or not key.is_file():
        return None
    try:
        loopback().get(f"{url}/health", timeout=5).raise_for_status()
    except httpx.HTTPError:
        return None
    from serve.journal import Journal
    from serve.up import ask as ask_gateway

    data = ask_gateway(settings, corpus, question)
    # The response says what OpenAI's shape has room for; the trace, on this same machine, says the rest.
    trace = Journal(settings.root).trace(data["trace_id"])
    return {**trace.answer.model_dump(), "trace_id": trace.id} if trace else None


def in_process(settings: Any, corpus: str, version: str, question: str) -> dict[str, Any]:
    """The same answer without a gateway: the index is opened here, and vLLM is used if it is up."""
    from serve.chain import open_assistant
    from serve.champion import load

    adapter = load(settings, corpus, int(version)) if version else None
    trace = open_assistant(corpus, settings).ask(question, adapter=adapter, mode="model" if adapter else None)
    return {**trace.answer.model_dump(), "trace_id": trace.id}


def model_get(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve.hub import get

    get(args.place, Settings(), print)
    return console.DONE


def model_list(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve.models import adopted, size_of
    from serve.tiers import GB, pick_tier

    settings = Settings()
    tier = pick_tier(settings)
    served = {ref.id for ref in (tier.base, tier.embedder, tier.reranker) if ref}
    rows = [{**ref.model_dump(), "served": ref.id in served, "bytes": size_of(settings.models / ref.id)}
            for ref in adopted(settings)]  # fmt: skip
    if args.json:
        console.print_json(rows)
        return console.DONE
    for row in rows:
        mark = "*" if row["served"] else " "
        print(f"{mark} {row['id']:32} {row['kind']:9} {row['bytes'] / GB:6.2f} GB  reads {', '.join(row['languages'])}")
    print(f"* used on this machine (tier {tier.name})." if rows else "No model is unpacked yet. Run: make up")
    for notice in tier.notices:
        print(notice)
    return console.DONE


def key_create(args: Namespace) -> int:
    print(open_journal().create_key(args.name))
    return console.DONE


def key_list(args: Namespace) -> int:
    rows = open_journal().keys()
    if args.json:
        console.print_json(rows)
        return console.DONE
    for row in rows:
        state = f"revoked {row['revoked']}" if row["revoked"] else f"until {row['expires'] or 'revoked'}"
        print(f"{row['id']}  {row['name']:24} made {row['created']}, {state}")
    if not rows:
        print("No key yet. Make one: serve key create NAME")
    return console.DONE


def key_revoke(args: Namespace) -> int:
    open_journal().revoke_key(args.id)
    print(f"{args.id} is revoked.")
    return console.DONE


def key_link(args: Namespace) -> int:
    from corpora import UserError
    from ingest.settings import Settings

    page = Settings().url("page")
    if not page:
        raise UserError("The page is not up.", "Start it: make up")
    print(f"{page}/?token={open_journal().sign_in_token()}")
    return console.DONE


def open_journal() -> Any:
    from ingest.settings import Settings
    from serve.journal import Journal

    settings = Settings()
    settings.root.mkdir(parents=True, exist_ok=True)
    return Journal(settings.root)


def erase(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve.erase import erase as forget

    with console.waiting("Rewriting the journal", quiet=args.json):
        done = forget(Settings(), args.corpus, args.versions, args.names)
    if args.json:
        console.print_json(done.model_dump())
        return console.DONE
    print(f"{done.answers} answers were emptied, with {done.feedback} comments and corrections on them; "
          f"{done.retrieved} more lost the passages that were found for them.")  # fmt: skip
    for file in done.files:
        print(f"Erased: {file}")
    for weights in done.weights:
        known = "learnt from it" if weights.certain else "may have learnt from it; it does not say what it learnt from"
        print(f"{weights.folder}{' (served)' if weights.served else ''} {known}. To retire it: {' && '.join(weights.retire)}")
    if done.earlier:
        print(f"Earlier versions of it are still in the journal: serve erase {args.corpus} {' '.join(done.earlier)}")
    if done.indexed:
        print(f"Still indexed: {', '.join(done.indexed)}. Remove it, or the next answers show it again: ingest remove {args.corpus}")
    return console.DONE


def doctor(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve.doctor import examine

    return examine(Settings(), args.json)


def api(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve.api import serve
    from serve.services import gateway
    from serve.supervisor import check_ports
    from serve.tiers import pick_tier

    settings = Settings()
    check_ports([gateway(settings, pick_tier(settings))])
    serve(settings)
    return console.DONE


def worker(args: Namespace) -> int:
    from ingest.settings import Settings
    from serve.worker import serve

    serve(Settings())
    return console.DONE
