"""The manifest: which documents, versions and chunks there are. SQLite, the only truth; vectors and keywords follow it.

A version is one parse of one file's bytes in one corpus. Search sees a version from the moment its `live` flag is set.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from corpora import UserError
from ingest.embed import Embedder
from ingest.migrations import migrate, transaction, write_ahead
from ingest.schema import Chunk, Document, Look
from ingest.tokens import TOKENS_VERSION
from ingest.where import Placed


def stamp(embedder: Embedder) -> dict[str, Any]:
    """What every entry of a corpus's vectors and keywords was made with; another stamp needs `ingest rebuild`."""
    return {"embedder": embedder.name, "dimension": embedder.dimension, "tokens": TOKENS_VERSION}


class Manifest:
    """One connection to `root/manifest.sqlite3`. Not shared between threads: each opens its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(root / "manifest.sqlite3", timeout=30, isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        write_ahead(self.db)
        self.db.execute("PRAGMA foreign_keys=ON")
        self.db.execute("PRAGMA secure_delete=ON")  # what is removed is overwritten, not only unlinked
        migrate(self.db, root)

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the body or nothing of it."""
        with transaction(self.db) as db:
            yield db

    def scrub(self) -> None:
        """Empty the write-ahead log, in which what was removed may still stand."""
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # corpora

    def open_corpus(self, name: str, stamp: dict[str, Any]) -> str:
        """The corpus's id; made when new. Raises `UserError` when it was indexed under another stamp."""
        self.db.execute("INSERT OR IGNORE INTO corpora (name, id, stamp) VALUES (?, ?, ?)",
                        (name, uuid4().hex[:12], json.dumps(stamp, sort_keys=True)))  # fmt: skip
        self.check_stamp(name, stamp)
        return str(self.corpus_id(name))

    def check_stamp(self, name: str, stamp: dict[str, Any]) -> None:
        """Raises `UserError`, naming the command that mends it, where the corpus was indexed under another stamp."""
        row = self.db.execute("SELECT stamp FROM corpora WHERE name = ?", (name,)).fetchone()
        was = json.loads(row["stamp"]) if row else stamp
        changed = ", ".join(f"{k} {was.get(k)!r} → {v!r}" for k, v in sorted(stamp.items()) if was.get(k) != v)
        if changed:
            raise UserError(f"The index of {name} was made with other settings ({changed}).", f"Run: ingest rebuild {name}")

    def begin_rebuild(self, name: str, new: str) -> str | None:
        """Note the id under which the corpus is being made anew; returns the one that a killed rebuild left."""
        left = self.db.execute("SELECT next FROM corpora WHERE name = ?", (name,)).fetchone()["next"]
        self.db.execute("UPDATE corpora SET next = ? WHERE name = ?", (new, name))
        return left and str(left)

    def switch(self, name: str, new: str, stamp: dict[str, Any]) -> None:
        """From here on the corpus is what was built under `new`; what it was is noted as left until `end_rebuild`."""
        self.db.execute("UPDATE corpora SET next = id, id = ?, stamp = ?, generation = generation + 1 WHERE name = ?",
                        (new, json.dumps(stamp, sort_keys=True), name))  # fmt: skip

    def end_rebuild(self, name: str) -> None:
        """Nothing is left of what the corpus was."""
        self.db.execute("UPDATE corpora SET next = NULL WHERE name = ?", (name,))

    def stamp(self, name: str) -> dict[str, Any]:
        """What the corpus was indexed under."""
        row = self.db.execute("SELECT stamp FROM corpora WHERE name = ?", (name,)).fetchone()
        return dict(json.loads(row["stamp"]))

    def corpus_id(self, name: str) -> str | None:
        row = self.db.execute("SELECT id FROM corpora WHERE name = ?", (name,)).fetchone()
        return row and str(row["id"])

    def generation(self, name: str) -> int:
        row = self.db.execute("SELECT generation FROM corpora WHERE name = ?", (name,)).fetchone()
        return int(row["generation"]) if row else 0

    # writing

    def add_version(self, version: str, corpus: str, sha256: str, parse: str, path: Path, size: int, document: Document,
                    chunks: Iterable[Chunk], redacted: bool = False) -> None:  # fmt: skip
        """Store a version that is not yet live."""
        with self.transaction() as db:
            db.execute("DELETE FROM chunks WHERE version = ?", (version,))
            db.execute(
                "INSERT OR REPLACE INTO versions (id, corpus, sha256, parse, suffix, bytes, title, lang, pages, text, added, "
                "tables, notes, redacted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (version, corpus, sha256, parse, path.suffix.lower(), size, document.title, document.lang, document.pages,
                 document.text, datetime.now(UTC).isoformat(timespec="seconds"), document.tables, json.dumps(document.notes),
                 json.dumps(document.redacted) if redacted else None),
            )  # fmt: skip
            db.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
                           ((version, c.ordinal, c.start, c.end, c.page, c.text, c.context) for c in chunks))  # fmt: skip

    def place(self, corpus: str, path: str, name: str, version: str, look: Look) -> None:
        """Make `version` live as what lies at `path`; in the same transaction retire what lay there and nowhere else."""
        with self.transaction() as db:
            was = db.execute("SELECT version FROM places WHERE corpus = ? AND path = ?", (corpus, path)).fetchone()
            db.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?, ?)", (corpus, path, name, version, *look))
            if db.execute("UPDATE versions SET live = 1 WHERE id = ?", (version,)).rowcount != 1:
                raise RuntimeError(f"Version {version} of {path} is not stored, so it cannot become live.")
            self._retire(db, corpus, [was["version"]] if was else [])

    def move(self, corpus: str, old: str, new: str, name: str, look: Look) -> None:
        """A document's file has another path; what is live stays as it is."""
        with self.transaction() as db:
            db.execute("UPDATE places SET path = ?, name = ?, size = ?, mtime_ns = ?, ctime_ns = ? WHERE corpus = ? AND path = ?",
                       (new, name, *look, corpus, old))  # fmt: skip
            db.execute("UPDATE corpora SET generation = generation + 1 WHERE name = ?", (corpus,))

    def unplace(self, corpus: str, paths: Sequence[str]) -> None:
        """Forget places, and retire the versions that lie nowhere else."""
        with self.transaction() as db:
            of = "corpus = ? AND path = ?"
            was = [r[0] for p in paths for r in db.execute(f"SELECT version FROM places WHERE {of}", (corpus, p))]
            db.executemany(f"DELETE FROM places WHERE {of}", ((corpus, p) for p in paths))
            self._retire(db, corpus, was)

    def _retire(self, db: sqlite3.Connection, corpus: str, versions: Iterable[str]) -> None:
        db.executemany("UPDATE versions SET live = 0 WHERE id = ? AND NOT EXISTS (SELECT 1 FROM places WHERE version = id)",
                       ((v,) for v in versions))  # fmt: skip
        db.execute("UPDATE corpora SET generation = generation + 1 WHERE name = ?", (corpus,))

    def unplaced(self, corpus: str) -> list[str]:
        """Live versions that lie nowhere, which no write of ours leaves."""
        return [r["id"] for r in self.db.execute("SELECT id FROM versions WHERE corpus = ? AND live = 1 AND NOT EXISTS "
                                                 "(SELECT 1 FROM places WHERE version = id)", (corpus,))]  # fmt: skip

    def lost(self, corpus: str) -> list[str]:
        """Paths whose version is not live or not there."""
        return [r["path"] for r in self.db.execute("SELECT path FROM places WHERE corpus = ? AND NOT EXISTS (SELECT 1 FROM "
                                                   "versions WHERE id = version AND live = 1) ORDER BY path", (corpus,))]  # fmt: skip

    def retire(self, corpus: str, versions: Iterable[str]) -> None:
        """Take versions that lie nowhere out of what is live."""
        with self.transaction() as db:
            self._retire(db, corpus, versions)

    def distrust(self, versions: Iterable[str]) -> None:
        """Have these versions read anew by the next `ingest add` of their files."""
        with self.transaction() as db:
            db.executemany("UPDATE versions SET parse = 'torn' WHERE id = ?", ((v,) for v in versions))

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
        return sorted(was - self.needed())

    def needed(self) -> set[str]:
        """The originals that a version of any corpus needs: sha256 of each."""
        return {r["sha256"] for r in self.db.execute("SELECT DISTINCT sha256 FROM versions WHERE redacted IS NULL")}

    # reading

    def places(self, corpus: str) -> dict[str, sqlite3.Row]:
        """Where the corpus's documents lie: path → its row, and the version's parse, sha256, redacted."""
        rows = self.db.execute("SELECT p.*, v.parse, v.sha256, v.redacted FROM places p JOIN versions v ON v.id = p.version "
                               "WHERE p.corpus = ? ORDER BY p.path", (corpus,))  # fmt: skip
        return {row["path"]: row for row in rows}

    def version(self, version: str) -> dict[str, Any] | None:
        """document, corpus, title, pages, lang, sha256, suffix, parse, live, redacted of a version; None where it is unknown."""
        row = self.db.execute(
            "SELECT v.id, v.corpus, v.title, v.pages, v.lang, v.sha256, v.suffix, v.parse, v.live, v.redacted, "
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
        """Of the chunk ids given, those of live versions of `corpus`, each with its document's name; as of one moment."""
        rows = self.db.execute(
            "WITH wanted (version, ordinal) AS (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)), "
            "live (id, document) AS (SELECT v.id, (SELECT min(name) FROM places p WHERE p.version = v.id) FROM versions v "
            "  WHERE v.live = 1 AND v.corpus = ? AND v.id IN (SELECT version FROM wanted)) "
            "SELECT c.*, live.document FROM wanted CROSS JOIN live ON live.id = wanted.version "
            "CROSS JOIN chunks c ON c.version = wanted.version AND c.ordinal = wanted.ordinal",
            (json.dumps([[version, int(ordinal)] for version, _, ordinal in (i.rpartition(":") for i in ids)]), corpus),
        )  # fmt: skip
        return {chunk.id: (chunk, row["document"] or "") for row in rows for chunk in [_chunk(row)]}

    def under(self, corpus: str, holds: Callable[[str], bool], versions: Collection[str] = ()) -> set[str]:
        """Ids of the live chunks whose trail of headings `holds` says yes to; of these `versions` alone where there are any."""
        among = " AND v.id IN (SELECT value FROM json_each(?))" if versions else ""
        rows = self.db.execute("SELECT c.version, c.ordinal, c.context FROM versions v JOIN chunks c ON c.version = v.id "
                               f"WHERE v.corpus = ? AND v.live = 1{among}",
                               (corpus, json.dumps(list(versions)))[: 1 + bool(versions)]).fetchall()  # fmt: skip
        held = {context: holds(context) for context in {row["context"] for row in rows}}
        return {f"{row['version']}:{row['ordinal']}" for row in rows if held[row["context"]]}

    def lengths(self, versions: Iterable[str]) -> dict[str, int]:
        """How many chunks each version has."""
        rows = self.db.execute("SELECT value AS id, (SELECT max(ordinal) + 1 FROM chunks c WHERE c.version = value) AS chunks "
                               "FROM json_each(?)", (json.dumps(list(versions)),))  # fmt: skip
        return {row["id"]: row["chunks"] or 0 for row in rows}

    def placed(self, corpus: str) -> list[Placed]:
        """Every live place of the corpus."""
        rows = self.db.execute("SELECT p.version, p.name, v.title, v.lang, p.mtime_ns, p.path FROM places p "
                               "JOIN versions v ON v.id = p.version WHERE p.corpus = ? AND v.live = 1", (corpus,))  # fmt: skip
        return [Placed(*row) for row in rows]

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

    def count_chunks(self, corpus: str) -> int:
        """How many live chunks the corpus has."""
        return int(self.db.execute("SELECT count(*) FROM chunks c JOIN versions v ON v.id = c.version "
                                   "WHERE v.corpus = ? AND v.live = 1", (corpus,)).fetchone()[0])  # fmt: skip

    def indexed_corpora(self) -> list[str]:
        return [r["name"] for r in self.db.execute("SELECT name FROM corpora ORDER BY name")]

    def original(self, version: str) -> Path | None:
        """The stored original of a version: files/<sha256>."""
        row = self.version(version)
        path = self.root / "files" / row["sha256"] if row else None
        return path if path and path.is_file() else None


def _chunk(r: sqlite3.Row) -> Chunk:
    return Chunk(r["version"], r["ordinal"], r["text"], r["start"], r["end"], r["page"], r["context"])
