"""Index: one corpus's documents, read in child processes, embedded here, written by a thread while the next are embedded.

`publish` makes each group of files live; `verify` proves that the parts agree.
"""

import hashlib
import os
import shlex
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from stat import S_ISREG
from typing import Any

from corpora import Profile, UserError, load_profile
from ingest.chunkers import CHUNKER_VERSION
from ingest.console import DISK
from ingest.embed import GROUP, Embedder, open_embedder
from ingest.manifest import Manifest, stamp
from ingest.parse import OnPage, Parsed, Parser, Rules, Unreadable
from ingest.publish import Publisher, Ready, embedded, hash_file
from ingest.readers import READER_VERSION, is_plain
from ingest.rebuild import OnChunks, rebuild, rebuild_apart
from ingest.schema import FileReport, Look, Ocr, Status
from ingest.settings import Settings
from ingest.sources import (
    Source,
    Unpacked,
    archive_of,
    below,
    expand,
    meant,
    parents,
    sweep_workspaces,
    there,
    workspace,
)
from ingest.verify import verify

ROOM = 64  # tokens of the embedding model's window kept for a chunk's context
AHEAD = 4 * 2**20  # bytes of plain files read ahead: while the model loads, a processor is free for them
WORKERS = 8  # children that read; a machine with fewer processors gets as many as it has
OnFile = Callable[[FileReport, int, int], None]  # report, files done, files in all


class Index:
    """The index of one corpus."""

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
        return stamp(self.embedder)

    @property
    def publisher(self) -> Publisher:
        return Publisher(self.corpus, self.settings, self.stamp)

    def add(self, paths: Sequence[Path], prune: bool = False, ocr: Ocr = "auto", redact: bool = False, workers: int = 0,
            on_file: OnFile | None = None, on_page: OnPage | None = None) -> list[FileReport]:  # fmt: skip
        """Index files and folders; unchanged ones cost a look at their time stamps.

        A file that fails is reported and does not stop the others; a place whose file fails keeps its old version. Documents
        whose files are gone from the paths given are reported as such, or removed with `prune`. `ocr` says when text is
        recognised in pictures; `redact` takes personal data out, as the profile's setting does.
        """
        known = self.manifest.places(self.corpus)
        sources = expand(paths, self.profile, known)
        publisher = self.publisher
        self.manifest.open_corpus(self.corpus, self.stamp)
        total, reports = len(sources), list[FileReport]()
        seen = set[str]()
        uncovered = False  # was something that stood there in clear redacted now?

        def done(report: FileReport) -> None:
            reports.append(report)
            if on_file:
                on_file(report, len(reports), max(total, len(reports)))

        cap = min(self.profile.ingest.chunk_tokens, self.embedder.window - ROOM)
        rules = Rules(str(self.embedder.folder), cap, self.profile.ingest.chunker, ocr)
        workers = max(1, min(workers or min(os.cpu_count() or 1, WORKERS), len(sources)))
        with ExitStack() as stack:
            aside = stack.enter_context(workspace(self.settings.run))
            parser = stack.enter_context(Parser(rules, workers, aside, on_page))
            writer = stack.enter_context(ThreadPoolExecutor(1, "publish"))
            written: tuple[list[Ready], Future[None] | None] = ([], None)
            group: list[Ready] = []

            def publish() -> None:
                """Embed this group while the one before is written."""
                nonlocal group, written
                self.embedder.settle()
                start = time.monotonic()
                embeddings = self.embedder.encode([c.embedded for c in embedded(group)]) if group else None
                for r in group:
                    r.report.seconds = round(r.report.seconds + (time.monotonic() - start) / len(group), 3)
                before, pending = written
                if pending:
                    pending.result()
                    for r in before:
                        done(r.report)
                written = (group, writer.submit(publisher.publish, group, embeddings) if embeddings is not None else None)
                group = []

            unpacked = Unpacked(self.profile, aside, parser)
            for found in self._read(unpacked.files(sources), parser, workers, known, redact or self.profile.ingest.redact):
                seen.add(str(found.source.path) if isinstance(found, Ready) else found.path)
                if isinstance(found, FileReport):
                    done(found)
                    continue
                uncovered |= found.redact and found.report.status == "updated" and not known[str(found.source.path)]["redacted"]
                group.append(found)
                if sum(len(r.chunks) for r in group) >= GROUP:
                    publish()
            publish()
            publish()  # waits for the last one
        if uncovered:  # the text as it was is gone from the index, but not yet from its files
            self._scrub()
        unseen = {r.path for r in reports if r.status in ("skipped", "failed")}  # folders among them, of which nothing is known
        gone = [p for p in below(self.manifest.places(self.corpus), paths) if p not in seen and not unseen & parents(p)]
        gone = [p for p in gone if not there(p) or archive_of(p) in unpacked.whole or (prune and archive_of(p) is None)]
        if gone and prune:
            publisher.unplace(gone)
        for path in gone:
            done(FileReport(path, "removed" if prune else "gone",
                            "Its file is gone." + ("" if prune else " To remove the document add the folder with --prune.")))  # fmt: skip
        return reports

    def documents(self) -> list[dict[str, Any]]:
        return self.manifest.documents(self.corpus)

    def remove(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Remove documents, also a folder's or an archive's; returns their rows of `documents()`.

        Raises `UserError` where one is unknown or several have the name.
        """
        known = self.documents()
        paths = []
        for name in names:
            rows = meant(known, name)
            found = [d["path"] for d in rows]
            called = {d["document"].rsplit("/", 1)[-1] for d in rows} == {name.rsplit("/", 1)[-1]}
            if len(found) > 1 and called and name not in {d["version"] for d in known}:
                raise UserError(
                    f"{len(found)} documents are called {name!r}: {', '.join(found)}.", "Name one by its path."
                )
            if not found:
                raise UserError(f"No document {name!r} in {self.corpus}.", f"See: ingest list {self.corpus}")
            paths += found
        self.publisher.unplace(paths)
        return [d for d in known if d["path"] in paths]

    def verify(self, fix: bool = False) -> list[str]:
        """What is wrong with the index, one sentence each; with `fix`, what is left after mending."""
        if self.manifest.corpus_id(self.corpus) is None:
            return []
        return verify(self.corpus, self.settings, self.publisher, self.embedder if fix else None)

    def erase(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Remove documents and make sure that nothing of them is left in the index: freed pages of its files are overwritten."""
        removed = self.remove(names)
        for row in removed:  # an upload is ours; the file of another folder is its owner's
            if Path(row["path"]).is_relative_to(self.settings.root / "uploads"):
                Path(row["path"]).unlink(missing_ok=True)
        sweep_workspaces(self.settings.run)
        try:
            self._scrub()
        except UserError as error:  # the names are forgotten already, so nobody could say which versions they were
            names = [part for row in removed for part in ("--document", row["document"])]
            said = shlex.join(["serve", "erase", self.corpus, *sorted({row["version"] for row in removed}), *names])
            raise UserError(f"Removed, but not yet erased: {error.message}", f"Run: ingest rebuild {self.corpus}; then: {said}") from None
        return removed

    def _scrub(self) -> None:
        """Make sure that nothing deleted is left in the index's files."""
        rebuild_apart(self.corpus, self.settings, self.stamp)
        self.manifest.scrub()

    def is_stale(self) -> bool:
        """Was the index made with another embedding model or by other rules for words, so that `rebuild` must come first?"""
        try:
            self.manifest.check_stamp(self.corpus, self.stamp)
        except UserError:
            return True
        return False

    def rebuild(self, on_chunks: OnChunks | None = None) -> int:
        """Make vectors and keywords anew from the manifest, without parsing; returns the number of chunks. See `ingest.rebuild`."""
        return rebuild(self.corpus, self.settings, self.manifest, self.stamp, self.embedder, on_chunks)

    # the steps of add

    def _read(self, sources: Iterator[Source | FileReport], parser: Parser, workers: int, known: dict[str, Any],
              redact: bool) -> Iterator[Ready | FileReport]:  # fmt: skip
        """What each source is, in order; some files ahead are being read meanwhile."""
        ahead: deque[FileReport | tuple[Ready, Future[Parsed] | None]] = deque()
        size = 0  # of what is in it
        for source in sources:
            begun = source if isinstance(source, FileReport) else self._begin(source, parser, known.get(str(source.path)), redact)
            ahead.append(begun)
            size += _size(begun)
            while ahead and (isinstance(ahead[0], FileReport) or (len(ahead) > 2 * workers and size > AHEAD)):
                begun = ahead.popleft()
                size -= _size(begun)
                yield self._end(begun)
        while ahead:
            yield self._end(ahead.popleft())

    def _begin(self, source: Source, parser: Parser, place: Any, redact: bool) -> FileReport | tuple[Ready, Future[Parsed] | None]:
        """Have a file read; or say that it is unchanged, live already or not to be opened."""
        shown = str(source.path)
        redact = redact or bool(place and place["redacted"])  # who had it redacted once has not to ask again
        try:
            stat = source.file.stat()
            if not S_ISREG(stat.st_mode):
                raise UserError("This is no ordinary file.", "Copy what it holds into one.")
            look = Look.of(stat)
            as_before = place and (place["size"], place["mtime_ns"], place["ctime_ns"], place["parse"]) == (*look, self.parse(redact))
            if as_before and (redact or self._kept(place["sha256"])):
                return FileReport(shown, "unchanged")
            sha256 = hash_file(source.file)
            status: Status = "updated" if place else "added"

            def ready(redact: bool) -> Ready:
                return Ready(source, sha256, look, self._version(sha256, redact), self.parse(redact), redact, FileReport(shown, status))

            for found in [ready(True)] if redact else [ready(False), ready(True)]:
                live = self.manifest.version(found.version)
                if live and live["live"] and live["parse"] == found.parse:
                    if place and place["version"] == found.version:
                        found.report.status = "unchanged"
                    found.report.pages, found.report.chunks = live["pages"], len(self.manifest.chunks(found.version))
                    return found, None
            found = ready(redact)
            self.embedder.warm()
            return found, parser.parse(source.file, found.version, redact, source.path.stem, shown)
        except UserError as error:
            return FileReport(shown, "failed", str(error))
        except UnicodeError:
            return FileReport(shown.encode("utf-8", "replace").decode(), "failed", "The file's name is no UTF-8. Rename it.")
        except OSError as error:
            if error.errno in DISK:
                raise
            return FileReport(shown, "failed", f"The file cannot be read: {error.strerror}.")

    def _end(self, begun: FileReport | tuple[Ready, Future[Parsed] | None]) -> Ready | FileReport:
        if isinstance(begun, FileReport):
            return begun
        ready, future = begun
        if future:
            report = ready.report
            try:
                ready.parsed = future.result()
            except Unreadable as error:
                report.status, report.reason, report.seconds = "failed", str(error), round(error.seconds, 3)
                return report
            document = ready.parsed.document
            report.pages, report.tables, report.notes, report.redacted = document.pages, document.tables, document.notes, document.redacted
            report.chunks, report.seconds = len(ready.chunks), round(ready.parsed.seconds, 3)
        return ready

    def parse(self, redact: bool = False) -> str:
        """The settings a version's chunks are made with."""
        rules = self.profile.ingest
        return (f"reader {READER_VERSION}, {rules.chunker} chunker {CHUNKER_VERSION}, {rules.chunk_tokens} tokens of "
                f"{self.embedder.name}{', redacted' * redact}")  # fmt: skip

    def _version(self, sha256: str, redact: bool) -> str:
        return hashlib.sha256(f"{self.corpus}\n{sha256}\n{self.parse(redact)}".encode()).hexdigest()[:16]

    def _kept(self, sha256: str) -> bool:
        return (self.settings.root / "files" / sha256).is_file()


def _size(begun: FileReport | tuple[Ready, Future[Parsed] | None]) -> int:
    """Bytes that a file's text may take; a packed one, whose own size does not tell, counts for all that is read ahead."""
    if isinstance(begun, FileReport):
        return 0
    return begun[0].look.size if is_plain(begun[0].source.path) else AHEAD


def corpora_in(settings: Settings) -> list[str]:
    return Manifest(settings.root).indexed_corpora()
