"""Index: what `ingest add` does. A new version is written everywhere, made live in one transaction, and the old one swept.

A crash at any moment leaves the old version or the new one answering; leftovers are swept when the index is opened again.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from corpora import Profile, UserError, load_profile
from ingest.chunkers import CHUNKER_VERSION, chunk
from ingest.console import DISK
from ingest.embed import Embedder, open_embedder
from ingest.keywords import Keywords
from ingest.locks import lock
from ingest.manifest import SCHEMA_VERSION, Manifest
from ingest.readers import READER_VERSION, read
from ingest.schema import Chunk, FileReport
from ingest.settings import Settings
from ingest.sources import Source, expand, missing
from ingest.vectors import Vectors, open_chroma

TOKENS_VERSION = "1"  # part of a corpus's stamp: raise it when tokens() changes
ROOM = 64  # tokens of the embedding model's window kept for a chunk's context
GROUP = 512  # chunks embedded and committed together
OnFile = Callable[[FileReport, int, int], None]  # report, files done, files in all


@dataclass(slots=True)
class Parsed:
    """A file whose version is stored but not yet live."""

    source: Source
    version: str
    size: int
    mtime_ns: int
    chunks: list[Chunk]
    report: FileReport


class Index:
    """The index of one corpus. Writing holds the corpus's write lock."""

    def __init__(self, corpus: str, settings: Settings, embedder: Embedder | None = None) -> None:
        self.profile: Profile = load_profile(corpus, settings.root)
        self.corpus = corpus
        self.settings = settings
        self.manifest = Manifest(settings.root)
        self._embedder = embedder

    @property
    def embedder(self) -> Embedder:
        if self._embedder is None:
            self._embedder = open_embedder(self.settings)
        return self._embedder

    @property
    def stamp(self) -> dict[str, Any]:
        return {"embedder": self.embedder.name, "dimension": self.embedder.dimension, "tokens": TOKENS_VERSION,
                "schema": SCHEMA_VERSION}  # fmt: skip

    @property
    def parse(self) -> str:
        """The settings a version's chunks were made with."""
        rules = self.profile.ingest
        return f"reader {READER_VERSION}, {rules.chunker} chunker {CHUNKER_VERSION}, {rules.chunk_tokens} tokens of {self.embedder.name}"

    def add(self, paths: Sequence[Path], prune: bool = False, on_file: OnFile | None = None) -> list[FileReport]:
        """Index files and folders; unchanged ones cost a look at their time stamps.

        A file that fails is reported and does not stop the others; a place whose file fails keeps its old version.
        With `prune`, documents whose files are gone from the folders given are removed.
        """
        sources = expand(paths, self.profile)
        reports: list[FileReport] = []

        def done(report: FileReport) -> None:
            reports.append(report)
            if on_file:
                on_file(report, len(reports), len(sources))

        with self._writing() as corpus_id:
            group: list[Parsed] = []
            for source in sources:
                start = time.monotonic()
                parsed = self._parse(source)
                parsed_report = parsed.report if isinstance(parsed, Parsed) else parsed
                parsed_report.seconds = round(time.monotonic() - start, 3)
                if isinstance(parsed, FileReport):
                    done(parsed)
                    continue
                group.append(parsed)
                if sum(len(p.chunks) for p in group) >= GROUP:
                    self._publish(corpus_id, group, done)
                    group = []
            self._publish(corpus_id, group, done)
            if prune:
                gone = missing(self.manifest.places(self.corpus), paths)
                self.manifest.unplace(self.corpus, gone)
            self._sweep(corpus_id)
        return reports

    def documents(self) -> list[dict[str, Any]]:
        return self.manifest.documents(self.corpus)

    def remove(self, names: Sequence[str]) -> list[str]:
        """Remove documents by name or version id; returns the names removed. Raises `UserError` where one is unknown."""
        known = self.documents()
        paths = []
        for name in names:
            found = [d["path"] for d in known if name in (d["document"], d["version"], d["path"])]
            if len(found) > 1 and name not in {d["version"] for d in known}:
                raise UserError(
                    f"{len(found)} documents are called {name!r}: {', '.join(found)}.", "Name one by its path."
                )
            if not found:
                raise UserError(f"No document {name!r} in {self.corpus}.", f"See: ingest list {self.corpus}")
            paths += found
        with self._writing() as corpus_id:
            self.manifest.unplace(self.corpus, paths)
            self._sweep(corpus_id)
        return [d["document"] for d in known if d["path"] in paths]

    def verify(self) -> list[str]:
        """What is wrong with the index, one sentence each; an empty list proves manifest, vectors and keywords agree."""
        corpus_id = self.manifest.corpus_id(self.corpus)
        if corpus_id is None:
            return []
        wrong = []
        live = set(self.manifest.chunk_ids(self.corpus))
        with open_chroma(self.settings) as client:
            vectors = set(Vectors(client, corpus_id).ids())
        keywords = set(Keywords(self.settings.root / "keywords" / corpus_id).ids())
        for what, ids in (("vector", vectors), ("keyword", keywords)):
            if live - ids:
                wrong.append(f"{len(live - ids)} chunks have no {what} entry")
            if ids - live:
                wrong.append(f"{len(ids - live)} {what} entries have no live chunk")
        for version in {d["version"] for d in self.documents()}:
            text, chunks = self.manifest.text(version), self.manifest.chunks(version)
            if "".join(c.text for c in chunks) != text or any(text[c.start : c.end] != c.text for c in chunks):
                wrong.append(f"the chunks of version {version} do not give back its text")
            original = self.manifest.original(version)
            row = self.manifest.version(version)
            if original is None or row is None or _sha256(original) != row["sha256"]:
                wrong.append(f"the original of version {version} is missing or altered")
        return wrong

    def rebuild(self, on_chunks: Callable[[int, int], None] | None = None) -> int:
        """Make vectors and keywords anew from the manifest, without parsing; returns the number of chunks.

        `on_chunks` is told how many more are done, of how many. They are built beside the old ones and switched to in one transaction.
        """
        from uuid import uuid4

        with lock(self._lock, f"The index of {self.corpus}"), open_chroma(self.settings) as client:
            old = self.manifest.corpus_id(self.corpus)
            if old is None:
                return 0
            new = uuid4().hex[:12]
            vectors, keywords = Vectors(client, new), Keywords(self.settings.root / "keywords" / new)
            versions = sorted({d["version"] for d in self.documents()})
            total = sum(len(self.manifest.chunks(v)) for v in versions)
            done = 0
            for version in versions:
                chunks = self.manifest.chunks(version)
                for at in range(0, len(chunks), GROUP):
                    part = chunks[at : at + GROUP]
                    vectors.add([c.id for c in part], self.embedder.encode([_embedded(c) for c in part]))
                    done += len(part)
                    if on_chunks:
                        on_chunks(len(part), total)
                keywords.write(chunks)
            with self.manifest.transaction() as db:
                db.execute("UPDATE corpora SET id = ?, generation = generation + 1 WHERE name = ?", (new, self.corpus))
                self.manifest.restamp(self.corpus, self.stamp)
            Vectors(client, old).drop()
            Keywords.drop(self.settings.root / "keywords" / old)
            return done

    # the steps of add

    @property
    def _lock(self) -> Path:
        return self.settings.run / f"write-{self.corpus}.lock"

    @contextmanager
    def _writing(self) -> Iterator[str]:
        with lock(self._lock, f"The index of {self.corpus}"):
            corpus_id = self.manifest.open_corpus(self.corpus, self.stamp)
            if self.manifest.dead_versions(self.corpus):
                self._sweep(corpus_id)
            yield corpus_id

    def _parse(self, source: Source) -> Parsed | FileReport:
        """Read, cut and store one file, or say that it is unchanged or why it failed."""
        shown = str(source.path)
        try:
            stat = source.path.stat()
            if not S_ISREG(stat.st_mode):
                closed = source.path.is_dir()
                raise UserError(
                    "The folder cannot be opened." if closed else "This is no ordinary file.", "Check its rights."
                )
            place = self.manifest.place_of(self.corpus, shown)
            was = self.manifest.version(place["version"]) if place else None
            same_parse = was is not None and was["parse"] == self.parse
            unchanged = place and (place["size"], place["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
            if place and same_parse and unchanged and self.manifest.original(place["version"]):
                return FileReport(shown, "unchanged")
            sha256 = _sha256(source.path)
            version = hashlib.sha256(f"{self.corpus}\n{sha256}\n{self.parse}".encode()).hexdigest()[:16]
            known = self.manifest.version(version)
            if known and known["live"]:
                self._keep_original(source.path, sha256)
                # What this retires is swept when `add` is through: a sweep now would take what is parsed and not yet live.
                self.manifest.place(self.corpus, shown, source.name, version, stat.st_size, stat.st_mtime_ns)
                same = place is not None and place["version"] == version
                return FileReport(shown, "unchanged" if same else "updated" if place else "added", pages=known["pages"],
                                  chunks=len(self.manifest.chunks(version)))  # fmt: skip
            document = read(source.path)
            cap = min(self.profile.ingest.chunk_tokens, self.embedder.window - ROOM)
            chunks = chunk(document, version, self.embedder.count, cap, self.profile.ingest.chunker, self.embedder.window)
            self._keep_original(source.path, sha256)
            self.manifest.add_version(
                version, self.corpus, sha256, self.parse, source.path, stat.st_size, document, chunks
            )
        except UserError as error:
            return FileReport(shown, "failed", str(error))
        except UnicodeError:
            return FileReport(
                shown.encode("utf-8", "replace").decode(), "failed", "The file's name is no UTF-8. Rename it."
            )
        except OSError as error:
            if error.errno in DISK:
                raise
            return FileReport(shown, "failed", f"The file cannot be read: {error.strerror}.")
        report = FileReport(shown, "updated" if place else "added", pages=document.pages, chunks=len(chunks))
        return Parsed(source, version, stat.st_size, stat.st_mtime_ns, chunks, report)

    def _publish(self, corpus_id: str, group: list[Parsed], done: Callable[[FileReport], None]) -> None:
        """Write a group's vectors and keywords, then make each of its versions live."""
        chunks = list({c.id: c for p in group for c in p.chunks}.values())
        if not group:
            return
        start = time.monotonic()
        embeddings = self.embedder.encode([_embedded(c) for c in chunks])
        with open_chroma(self.settings) as client:
            Vectors(client, corpus_id).add([c.id for c in chunks], embeddings)
        Keywords(self.settings.root / "keywords" / corpus_id).write(chunks)
        seconds = (time.monotonic() - start) / len(group)
        retired: list[str] = []
        for p in group:
            retired += self.manifest.place(
                self.corpus, str(p.source.path), p.source.name, p.version, p.size, p.mtime_ns
            )
            p.report.seconds = round(p.report.seconds + seconds, 3)
            done(p.report)
        if retired:
            self._sweep(corpus_id)

    def _sweep(self, corpus_id: str) -> None:
        """Remove every version that is not live from vectors, keywords, manifest and originals, in that order."""
        dead = self.manifest.dead_versions(self.corpus)
        if not dead:
            return
        with open_chroma(self.settings) as client:
            Vectors(client, corpus_id).delete([c.id for v in dead for c in self.manifest.chunks(v)])
        Keywords(self.settings.root / "keywords" / corpus_id).write(remove_versions=dead)
        for sha256 in self.manifest.forget(dead):
            (self.settings.root / "files" / sha256).unlink(missing_ok=True)

    def _keep_original(self, path: Path, sha256: str) -> None:
        target = self.settings.root / "files" / sha256
        if target.is_file():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{sha256}.{os.getpid()}.part")
        try:
            shutil.copyfile(path, partial)
            if _sha256(partial) != sha256:
                raise UserError("The file changed while it was being read.", "Add it again.")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def _embedded(c: Chunk) -> str:
    return f"{c.context}\n{c.text}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def corpora_in(settings: Settings) -> Iterable[str]:
    return Manifest(settings.root).indexed_corpora()
