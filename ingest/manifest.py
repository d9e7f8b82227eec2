"""The manifest: which documents, versions and chunks there are. SQLite, the only truth; vectors and keywords follow it.

A version is one parse of one file's bytes in one corpus. Search sees a version from the moment its `live` flag is set.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from corpora import UserError
from ingest.schema import Chunk, Document

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS corpora (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,              -- names the Chroma collection and the keyword folder
    generation INTEGER NOT NULL DEFAULT 0, -- moves with every change of what is live
    stamp TEXT NOT NULL                   -- embedder, dimension, tokenizer, schema
);
CREATE TABLE IF NOT EXISTS versions (
    id TEXT PRIMARY KEY,
    corpus TEXT NOT NULL REFERENCES corpora(name),
    sha256 TEXT NOT NULL,                 -- of the original's bytes: files/<sha256>
    parse TEXT NOT NULL,                  -- reader and chunker settings it was made with
    suffix TEXT NOT NULL, bytes INTEGER NOT NULL,
    title TEXT NOT NULL, lang TEXT NOT NULL, pages INTEGER,
    text TEXT NOT NULL,
    live INTEGER NOT NULL DEFAULT 0,
    added TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS places (       -- where a document was found; the same bytes may lie in two places
    corpus TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    PRIMARY KEY (corpus, path)
);
CREATE INDEX IF NOT EXISTS places_version ON places(version);
CREATE TABLE IF NOT EXISTS chunks (
    version TEXT NOT NULL, ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
    text TEXT NOT NULL, context TEXT NOT NULL,
    PRIMARY KEY (version, ordinal)
) WITHOUT ROWID;
"""


class Manifest:
    """One connection to `root/manifest.sqlite3`. Not shared between threads: each opens its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(root / "manifest.sqlite3", timeout=30, isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA foreign_keys=ON")
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise UserError(f"{root} was written by another version of Lectern (schema {version}, this one reads "
                            f"{SCHEMA_VERSION}).", "Use that version, or set LECTERN_HOME to a new folder.")  # fmt: skip
        if version == 0:
            self.db.executescript(SCHEMA)
            self.db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the body or nothing of it."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.rollback()
            raise
        self.db.execute("COMMIT")

    # corpora

    def open_corpus(self, name: str, stamp: dict[str, Any]) -> str:
        """The corpus's id; made when new. Raises `UserError` when it was indexed under another stamp."""
        self.db.execute("INSERT OR IGNORE INTO corpora (name, id, stamp) VALUES (?, ?, ?)",
                        (name, uuid4().hex[:12], json.dumps(stamp, sort_keys=True)))  # fmt: skip
        row = self.db.execute("SELECT id, stamp FROM corpora WHERE name = ?", (name,)).fetchone()
        was = json.loads(row["stamp"])
        if was != stamp:
            changed = ", ".join(
                f"{k} {was.get(k)!r} → {stamp.get(k)!r}" for k in sorted(was | stamp) if was.get(k) != stamp.get(k)
            )
            raise UserError(
                f"The index of {name} was made with other settings ({changed}).", f"Run: ingest rebuild {name}"
            )
        return str(row["id"])

    def restamp(self, name: str, stamp: dict[str, Any]) -> None:
        self.db.execute("UPDATE corpora SET stamp = ? WHERE name = ?", (json.dumps(stamp, sort_keys=True), name))

    def corpus_id(self, name: str) -> str | None:
        row = self.db.execute("SELECT id FROM corpora WHERE name = ?", (name,)).fetchone()
        return row and str(row["id"])

    def generation(self, name: str) -> int:
        row = self.db.execute("SELECT generation FROM corpora WHERE name = ?", (name,)).fetchone()
        return int(row["generation"]) if row else 0

    # writing

    def add_version(self, version: str, corpus: str, sha256: str, parse: str, path: Path, size: int, document: Document,
                    chunks: Iterable[Chunk]) -> None:  # fmt: skip
        """Store a version that is not yet live."""
        with self.transaction() as db:
            db.execute("DELETE FROM chunks WHERE version = ?", (version,))
            db.execute(
                "INSERT OR REPLACE INTO versions (id, corpus, sha256, parse, suffix, bytes, title, lang, pages, text, added) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (version, corpus, sha256, parse, path.suffix.lower(), size, document.title, document.lang, document.pages,
                 document.text, datetime.now(UTC).isoformat(timespec="seconds")),
            )  # fmt: skip
            db.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
                           ((version, c.ordinal, c.start, c.end, c.page, c.text, c.context) for c in chunks))  # fmt: skip

    def place(self, corpus: str, path: str, name: str, version: str, size: int, mtime_ns: int) -> list[str]:
        """Make `version` live as what lies at `path`; in the same transaction retire what nothing points to any more.

        Returns the retired versions, to be swept from vectors and keywords.
        """
        with self.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?)", (corpus, path, name, version, size, mtime_ns)
            )
            if db.execute("UPDATE versions SET live = 1 WHERE id = ?", (version,)).rowcount != 1:
                raise RuntimeError(f"Version {version} of {path} is not stored, so it cannot become live.")
            return self._retire(db, corpus)

    def unplace(self, corpus: str, paths: Iterable[str]) -> list[str]:
        """Forget places; returns the versions retired with them."""
        with self.transaction() as db:
            db.executemany("DELETE FROM places WHERE corpus = ? AND path = ?", ((corpus, p) for p in paths))
            return self._retire(db, corpus)

    def _retire(self, db: sqlite3.Connection, corpus: str) -> list[str]:
        gone = [r["id"] for r in db.execute(
            "SELECT id FROM versions WHERE corpus = ? AND live = 1 AND id NOT IN (SELECT version FROM places)", (corpus,))]  # fmt: skip
        db.executemany("UPDATE versions SET live = 0 WHERE id = ?", ((v,) for v in gone))
        db.execute("UPDATE corpora SET generation = generation + 1 WHERE name = ?", (corpus,))
        return gone

    def dead_versions(self, corpus: str) -> list[str]:
        """Versions that are not live: retired ones, and what a crash left half written."""
        return [r["id"] for r in self.db.execute("SELECT id FROM versions WHERE corpus = ? AND live = 0", (corpus,))]

    def forget(self, versions: Iterable[str]) -> list[str]:
        """Delete versions and their chunks for good; returns the originals that no version needs any more."""
        versions = list(versions)
        with self.transaction() as db:
            was = {r["sha256"] for v in versions for r in db.execute("SELECT sha256 FROM versions WHERE id = ?", (v,))}
            db.executemany("DELETE FROM chunks WHERE version = ?", ((v,) for v in versions))
            db.executemany("DELETE FROM versions WHERE id = ?", ((v,) for v in versions))
            kept = {r["sha256"] for r in db.execute("SELECT DISTINCT sha256 FROM versions")}
            return sorted(was - kept)

    # reading

    def place_of(self, corpus: str, path: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(
            "SELECT * FROM places WHERE corpus = ? AND path = ?", (corpus, path)
        ).fetchone()
        return row

    def places(self, corpus: str) -> list[sqlite3.Row]:
        return self.db.execute("SELECT * FROM places WHERE corpus = ? ORDER BY path", (corpus,)).fetchall()

    def version(self, version: str) -> dict[str, Any] | None:
        """document, corpus, title, pages, lang, sha256, suffix, parse, live of a version; None where it is unknown."""
        row = self.db.execute(
            "SELECT v.id, v.corpus, v.title, v.pages, v.lang, v.sha256, v.suffix, v.parse, v.live, "
            "(SELECT min(name) FROM places p WHERE p.version = v.id) AS document FROM versions v WHERE v.id = ?", (version,),
        ).fetchone()  # fmt: skip
        return dict(row) if row else None

    def text(self, version: str) -> str:
        row = self.db.execute("SELECT text FROM versions WHERE id = ?", (version,)).fetchone()
        if row is None:
            raise UserError("That version of the document is gone.", "Ask again: the answer will cite the present one.")
        return str(row["text"])

    def chunks(self, version: str) -> list[Chunk]:
        rows = self.db.execute("SELECT * FROM chunks WHERE version = ? ORDER BY ordinal", (version,))
        return [_chunk(row) for row in rows]

    def live_chunks(self, corpus: str, ids: Iterable[str]) -> dict[str, tuple[Chunk, str]]:
        """Of the chunk ids given, those of live versions of `corpus`, each with its document's name."""
        found = {}
        for id_ in ids:
            version, ordinal = id_.rsplit(":", 1)
            row = self.db.execute(
                "SELECT c.*, (SELECT min(name) FROM places p WHERE p.version = v.id) AS document FROM chunks c "
                "JOIN versions v ON v.id = c.version WHERE c.version = ? AND c.ordinal = ? AND v.live = 1 AND v.corpus = ?",
                (version, int(ordinal), corpus),
            ).fetchone()
            if row:
                found[id_] = (_chunk(row), row["document"] or "")
        return found

    def documents(self, corpus: str) -> list[dict[str, Any]]:
        """Every live place of the corpus: document, version, title, pages, chunks, lang, added, bytes, suffix, path."""
        rows = self.db.execute(
            "SELECT p.name AS document, v.id AS version, v.title, v.pages, v.lang, v.added, v.bytes, v.suffix, p.path, "
            "(SELECT count(*) FROM chunks c WHERE c.version = v.id) AS chunks "
            "FROM places p JOIN versions v ON v.id = p.version WHERE p.corpus = ? AND v.live = 1 ORDER BY p.name", (corpus,),
        )  # fmt: skip
        return [dict(r) for r in rows]

    def chunk_ids(self, corpus: str) -> list[str]:
        """Ids of all live chunks of the corpus, in order."""
        rows = self.db.execute("SELECT c.version, c.ordinal FROM chunks c JOIN versions v ON v.id = c.version "
                               "WHERE v.corpus = ? AND v.live = 1 ORDER BY c.version, c.ordinal", (corpus,))  # fmt: skip
        return [f"{r['version']}:{r['ordinal']}" for r in rows]

    def indexed_corpora(self) -> list[str]:
        return [r["name"] for r in self.db.execute("SELECT name FROM corpora ORDER BY name")]

    def original(self, version: str) -> Path | None:
        """The stored original of a version: files/<sha256>."""
        row = self.version(version)
        path = self.root / "files" / row["sha256"] if row else None
        return path if path and path.is_file() else None


def _chunk(r: sqlite3.Row) -> Chunk:
    return Chunk(r["version"], r["ordinal"], r["text"], r["start"], r["end"], r["page"], r["context"])
