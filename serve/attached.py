"""Files attached to a conversation: read as uploads are, searched in it alone, deleted with it.

Each conversation has an index of its own under home/attached, of the shape of a home, so that no corpus's search, rebuild or training
ever meets it. It is searched by words: a person waits while a file is read, and vectors would take most of that time.
"""

import hashlib
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from corpora import UserError, load_profile
from ingest.embed import Embedder
from ingest.index import ROOM
from ingest.keywords import Keywords
from ingest.manifest import Manifest, stamp
from ingest.parse import Parsed, Parser, Rules
from ingest.publish import hash_file, keep_original
from ingest.schema import Hit, Look
from ingest.search import Searcher
from ingest.settings import Settings
from ingest.sources import workspace
from serve.documents import keep, upload_name
from serve.refusal import Busy

CORPUS = "attached"
PROFILE = "title: Attached\ndescription: Files of one conversation.\nlanguages: [en, zh]\ningest:\n  dense_weight: 0\n"
MOST = 10  # files of one conversation
UNASKED = 86400  # seconds that files are kept where nothing is asked
READING = 120  # seconds that a person may be kept waiting for one file


class Attached:
    """The attached files of all conversations. One file is read at a time; any thread may ask."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._reading = threading.Lock()

    def add(self, key: str, conversation: str, label: str, file: BinaryIO, embedder: Embedder) -> dict[str, Any]:
        """Read a file and make it searchable; its row as `files` has it. One of the same name takes the other's place.

        Raises `UserError` where it cannot be read, takes too long or is one too many, `Busy` while another is being read.
        """
        name = upload_name(label)
        if not self._reading.acquire(timeout=READING):
            raise Busy
        try:
            own = self._open(key, conversation, embedder)
            there = {row["document"] for row in self.files(key, conversation)}
            if name not in there and len(there) >= MOST:
                raise UserError(f"{MOST} files are attached to this conversation already.", "Add them to an assistant's documents instead.")
            path = own.run / "in" / name
            try:
                keep(path, file)
                self._publish(own, path, self._parsed(own, path, embedder), embedder)
                return next(row for row in self.files(key, conversation) if row["document"] == name)
            finally:
                path.unlink(missing_ok=True)
                if not self.files(key, conversation):  # nothing came of the first one
                    shutil.rmtree(own.root, ignore_errors=True)
        finally:
            self._reading.release()

    def files(self, key: str, conversation: str) -> list[dict[str, Any]]:
        """document, version, title, pages and chunks of each attached file; none where there are none."""
        with self.manifest(key, conversation) as manifest:
            rows = manifest.documents(CORPUS) if manifest else []
        return [{name: row[name] for name in ("document", "version", "title", "pages", "chunks")} for row in rows]

    @contextmanager
    def manifest(self, key: str, conversation: str) -> Iterator[Manifest | None]:
        folder = self._folder(key, conversation)
        manifest = Manifest(folder) if (folder / "manifest.sqlite3").is_file() else None
        try:
            yield manifest
        finally:
            if manifest:
                manifest.close()

    @contextmanager
    def searcher(self, key: str, conversation: str, embedder: Embedder) -> Iterator[Searcher | None]:
        """A search of the conversation's files alone; None where it has none. Raises `UserError` where an older Lectern read them."""
        if not self.files(key, conversation):
            yield None
            return
        if not self._is_current(key, conversation, embedder):
            raise UserError("The files of this conversation were read by another version of Lectern.", "Attach them again.")
        with Searcher(self._settings(self._folder(key, conversation)), embedder) as searcher:
            yield searcher

    def forget(self, key: str, conversation: str) -> None:
        """Delete every file of a conversation, its text and its index; waits for one that is being read."""
        with self._reading:
            shutil.rmtree(self._folder(key, conversation), ignore_errors=True)

    def sweep(self, asked: Iterable[tuple[str, str]]) -> int:
        """Delete the files of conversations, other than `asked` (key, conversation), that are a day old; how many conversations.

        Where nothing was asked a conversation is on no list, so that nobody else would ever delete them.
        """
        known, gone = {self._folder(key, conversation) for key, conversation in asked}, 0
        for folder in (self.settings.root / CORPUS).glob("*"):
            if folder not in known and _is_old(folder):
                with self._reading:
                    if _is_old(folder):  # else a file came to it while this waited
                        shutil.rmtree(folder, ignore_errors=True)
                        gone += 1
        return gone

    def _folder(self, key: str, conversation: str) -> Path:
        """A key's conversation; the same id of another key is another one."""
        return self.settings.root / CORPUS / hashlib.sha256(f"{key}\n{conversation}".encode()).hexdigest()[:32]

    def _settings(self, folder: Path) -> Settings:
        return Settings(home=folder, tier=self.settings.tier, embedder=self.settings.embedder, chroma_url="")

    def _open(self, key: str, conversation: str, embedder: Embedder) -> Settings:
        """The conversation's own home, made where there is none, or anew where an older Lectern cut its words otherwise."""
        folder = self._folder(key, conversation)
        own = self._settings(folder)
        if not self._is_current(key, conversation, embedder):
            shutil.rmtree(folder)
        profile = folder / "corpora" / CORPUS / "profile.yaml"
        profile.parent.mkdir(parents=True, exist_ok=True)
        profile.write_text(PROFILE, encoding="utf-8")
        return own

    def _is_current(self, key: str, conversation: str, embedder: Embedder) -> bool:
        """Were its files, if it has any, cut into words as questions are now?"""
        with self.manifest(key, conversation) as manifest:
            try:
                if manifest and manifest.corpus_id(CORPUS):
                    manifest.check_stamp(CORPUS, stamp(embedder))
            except UserError:
                return False
        return True

    def _parsed(self, own: Settings, path: Path, embedder: Embedder) -> Parsed:
        version = hashlib.sha256(f"{own.root}\n{hash_file(path)}".encode()).hexdigest()[:16]
        rules = load_profile(CORPUS, own.root).ingest
        cut = Rules(str(embedder.folder), min(rules.chunk_tokens, embedder.window - ROOM), rules.chunker)
        with workspace(own.run) as aside, Parser(cut, 1, aside) as parser:
            try:
                return parser.parse(path, version, False, path.stem, path.name).result(READING)
            except Late:
                raise UserError(f"The file was not read within {READING} seconds.", "Add it to an assistant's documents instead.") from None

    def _publish(self, own: Settings, path: Path, parsed: Parsed, embedder: Embedder) -> None:
        if not parsed.chunks:
            raise UserError("No text was found in the file.", "Attach one that has some.")
        version, sha256, look = parsed.chunks[0].version, hash_file(path), Look.of(path.stat())
        manifest = Manifest(own.root)
        try:
            corpus_id = manifest.open_corpus(CORPUS, stamp(embedder))
            row = manifest.version(version)
            if not (row and row["live"]):
                manifest.add_version(version, CORPUS, sha256, "attached", path, look.size, parsed.document, parsed.chunks)
            keep_original(own, path, sha256)
            keywords = Keywords(own.root / "keywords" / corpus_id)
            keywords.write(parsed.chunks)
            manifest.place(CORPUS, path.name, path.name, version, look)
            if dead := manifest.dead_versions(CORPUS):
                keywords.write(remove_versions=dead)
                for gone in manifest.forget(dead):
                    (own.root / "files" / gone).unlink(missing_ok=True)
        finally:
            manifest.close()


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > UNASKED
    except FileNotFoundError:  # another has swept it, or its conversation was deleted
        return False


def beside(question: str, hits: list[Hit], attached: list[Hit]) -> list[Hit]:
    """Both in one order: each keeps its own, and the next is whichever has more of the question's words."""
    from dataclasses import replace

    from ingest.tokens import tokens

    asked = set(tokens(question))
    left, right, found = list(hits), list(attached), list[Hit]()
    while left and right:
        ahead = [len(asked & set(tokens(side[0].chunk.embedded))) for side in (left, right)]
        found.append((left if ahead[0] > ahead[1] else right).pop(0))
    return [replace(hit, rank=rank) for rank, hit in enumerate([*found, *left, *right], 1)]
