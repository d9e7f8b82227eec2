"""What is read becomes what is found: a version is written everywhere, made live in one transaction, and the old one swept.

All of it happens under the corpus's write lock, a group of files at a time, so that several processes may add to one corpus. A crash
at any moment leaves the old version or the new one answering; leftovers are swept by the next that holds the lock.
"""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora import UserError
from ingest.keywords import Keywords
from ingest.locks import lock
from ingest.manifest import Manifest
from ingest.parse import Parsed
from ingest.schema import Chunk, FileReport, Look
from ingest.settings import Settings
from ingest.sources import Source, there
from ingest.vectors import Vectors, open_chroma

if TYPE_CHECKING:
    import numpy as np

PATIENCE = 600.0  # seconds to wait for another process that writes to the same corpus
PARTIAL = ".part"  # ends the name of an original that is being copied


@dataclass(slots=True)
class Ready:
    """A file about to become live; `parsed` is None where its bytes are live already, under another path or an older date."""

    source: Source
    sha256: str
    look: Look
    version: str
    parse: str
    redact: bool
    report: FileReport
    parsed: Parsed | None = None

    @property
    def chunks(self) -> list[Chunk]:
        return self.parsed.chunks if self.parsed else []


class Publisher:
    """The writing half of a corpus's index. Every call opens a manifest of its own, so any thread may make it."""

    def __init__(self, corpus: str, settings: Settings, stamp: dict[str, Any]) -> None:
        self.corpus, self.settings, self.stamp = corpus, settings, stamp

    @contextmanager
    def writing(self, any_stamp: bool = False) -> Iterator[tuple[Manifest, str]]:
        """The manifest and the corpus's id while nobody else writes; leftovers of a crash are swept first.

        Raises `UserError` where the index has another stamp, unless `any_stamp` will do.
        """
        with lock(self.settings.run / f"write-{self.corpus}.lock", f"The index of {self.corpus}", PATIENCE):
            manifest = Manifest(self.settings.root)
            try:
                known = manifest.corpus_id(self.corpus) if any_stamp else None
                corpus_id = known or manifest.open_corpus(self.corpus, self.stamp)
                self.sweep(manifest, corpus_id)
                yield manifest, corpus_id
            finally:
                manifest.close()

    def publish(self, group: Sequence[Ready], embeddings: "np.ndarray[Any, Any]") -> None:
        """Make a group of files live; one that changed meanwhile is reported as failed.

        `embeddings` has a row for each of `embedded(group)`.
        """
        with self.writing() as (manifest, corpus_id):
            fresh = {}  # what another group or process made live since it was read is there already, and whole
            for version, r in distinct(group).items():
                row = manifest.version(version)
                assert r.parsed
                if not (row and row["live"] and row["parse"] == r.parse):
                    fresh[version] = r
                    manifest.add_version(version, self.corpus, r.sha256, r.parse, r.source.path, r.look.size,
                                         r.parsed.document, r.chunks, r.redact)  # fmt: skip
            at = [(n, c) for n, c in enumerate(embedded(group)) if c.version in fresh]
            if at:
                with open_chroma(self.settings) as client:
                    Vectors(client, corpus_id).add([c.id for _, c in at], embeddings[[n for n, _ in at]])
                Keywords(self.settings.root / "keywords" / corpus_id).write(c for _, c in at)
            places = manifest.places(self.corpus) if any(r.parsed is None for r in group) else {}
            for r in group:
                try:
                    self._place(manifest, r, places)
                except UserError as error:
                    r.report.status, r.report.reason = "failed", str(error)
            self.sweep(manifest, corpus_id)

    def _place(self, manifest: Manifest, r: Ready, places: dict[str, Any]) -> None:
        try:
            look = Look.of(r.source.file.stat())
        except OSError:
            raise UserError("The file went away while it was being read.", "Add it again when it is back.") from None
        row = manifest.version(r.version)
        if look != r.look or row is None or not (r.parsed or row["live"]):
            raise UserError("The file changed while it was being read.", "Add it again.")
        if not r.redact:
            keep_original(self.settings, r.source.file, r.sha256)
        path, name = str(r.source.path), r.source.name
        gone = [p for p, row in places.items() if row["version"] == r.version and p != path and not there(p)]
        if r.parsed is None and path not in places and gone:
            places.pop(gone[0])
            manifest.move(self.corpus, gone[0], path, name, r.look)
            r.report.status, r.report.reason = "renamed", f"It was {gone[0]}."
        else:
            manifest.place(self.corpus, path, name, r.version, r.look)

    def unplace(self, paths: Sequence[str]) -> None:
        with self.writing(any_stamp=True) as (manifest, corpus_id):
            manifest.unplace(self.corpus, paths)
            self.sweep(manifest, corpus_id)

    def sweep(self, manifest: Manifest, corpus_id: str) -> None:
        """Remove every version that is not live from vectors, keywords, manifest and originals, in that order."""
        dead = manifest.dead_versions(self.corpus)
        if not dead:
            return
        with open_chroma(self.settings) as client:
            Vectors(client, corpus_id).delete([c.id for v in dead for c in manifest.chunks(v)])
        Keywords(self.settings.root / "keywords" / corpus_id).write(remove_versions=dead)
        with originals(self.settings):
            for sha256 in manifest.forget(dead):
                (self.settings.root / "files" / sha256).unlink(missing_ok=True)


def distinct(group: Sequence[Ready]) -> dict[str, Ready]:
    """The first of the group's files of each version that was read: under another name the same bytes may be cut otherwise."""
    first: dict[str, Ready] = {}
    for r in group:
        if r.parsed:
            first.setdefault(r.version, r)
    return first


def embedded(group: Sequence[Ready]) -> list[Chunk]:
    """The group's chunks, each once, though its bytes may lie in several files."""
    return [c for r in distinct(group).values() for c in r.chunks]


def originals(settings: Settings) -> AbstractContextManager[None]:
    """Held to keep an original or to let one go: they are of all corpora, and what one no longer needs another may just be adding."""
    return lock(settings.run / "files.lock", "The originals", PATIENCE)


def keep_original(settings: Settings, path: Path, sha256: str) -> None:
    """Copy a file to files/<sha256>, whole or not at all. Raises `UserError` where its bytes are others by now."""
    target = settings.root / "files" / sha256
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{sha256}{PARTIAL}")
    with originals(settings):
        if target.is_file():
            return
        try:
            shutil.copyfile(path, partial)
            if hash_file(partial) != sha256:
                raise UserError("The file changed while it was being read.", "Add it again.")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
