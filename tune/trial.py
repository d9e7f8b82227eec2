"""A throw-away home with one corpus, indexed from rows of a public set in place of files. Used by tune eval --beir and --qa."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from corpora import UserError
from ingest.chunkers import chunk
from ingest.embed import GROUP, Embedder, open_embedder
from ingest.fit import fit
from ingest.index import ROOM, Index
from ingest.parse import Parsed
from ingest.publish import Ready, embedded
from ingest.readers import read
from ingest.schema import FileReport, Look
from ingest.search import Searcher
from ingest.settings import Settings
from ingest.sources import Source
from tune.talk import Talk

NAME = "trial"
PROFILE = "title: Trial\ndescription: Rows of a public set.\nlanguages: [en, zh]\n"


class Row(NamedTuple):
    """One text of a set, to be indexed as a document of its own."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Trial:
    """An indexed set, for as long as its home stands. `row_of` says which row a document's name stands for."""

    settings: Settings
    embedder: Embedder
    searcher: Searcher
    row_of: dict[str, str]
    name_of: dict[str, str]


@contextmanager
def trial(settings: Settings, rows: Sequence[Row], talk: Talk) -> Iterator[Trial]:
    """Index `rows` as `ingest add` and `ingest fit` would, with the models of `settings`; the home goes when the body ends.

    Raises `UserError` where there are no rows.
    """
    if not rows:
        raise UserError("The set has no texts, so nothing in it can be searched.", "Write one JSON object a line: id, text.")
    with tempfile.TemporaryDirectory(prefix="lectern-") as folder:
        home = Path(folder)
        (home / "corpora" / NAME).mkdir(parents=True)
        (home / "corpora" / NAME / "profile.yaml").write_text(PROFILE)
        (home / "models").symlink_to(settings.models)
        chosen = settings.root / "machine.json"
        if chosen.is_file():
            (home / "machine.json").write_bytes(chosen.read_bytes())
        own = settings.model_copy(update={"home": home, "chroma_url": ""})
        own.__dict__.pop("root", None)  # worked out for the other home
        embedder = open_embedder(own)
        index_rows(own, embedder, rows, talk)
        with talk.bar("fit", 100) as advance:
            told = 0.0

            def fitted(share: float, note: str) -> None:
                nonlocal told
                advance(100 * share - told, note)
                told = 100 * share

            fit(NAME, own, embedder, fitted)
        names = {f"{n}.txt": row.id for n, row in enumerate(rows)}
        with Searcher(own, embedder) as searcher:
            yield Trial(own, embedder, searcher, names, {id_: name for name, id_ in names.items()})


def index_rows(settings: Settings, embedder: Embedder, rows: Sequence[Row], talk: Talk) -> None:
    """Each row becomes a document: its title as a file's, its text read, cut, embedded and published as a file's is."""
    index = Index(NAME, settings, embedder)
    cap = min(index.profile.ingest.chunk_tokens, embedder.window - ROOM)
    group: list[Ready] = []
    folder = settings.root / "rows"
    folder.mkdir()
    with talk.bar("index", len(rows)) as advance:
        for n, row in enumerate(rows):
            file = folder / f"{n}.txt"
            file.write_text(row.text, encoding="utf-8")
            version = hashlib.sha256(f"{n}".encode()).hexdigest()[:16]
            document = read(file, title=row.title)
            chunks = chunk(document, version, embedder.count, cap, index.profile.ingest.chunker, embedder.window)
            group.append(Ready(Source(file, file.name, file), hashlib.sha256(file.read_bytes()).hexdigest(), Look.of(file.stat()), version,
                               index.parse(), False, FileReport(str(file), "added"), Parsed(document, chunks, 0.0)))  # fmt: skip
            if sum(len(r.chunks) for r in group) >= GROUP or n == len(rows) - 1:
                index.publisher.publish(group, embedder.encode([c.embedded for c in embedded(group)]))
                advance(len(group), "rows")
                group = []
