"""The manifest's tables, and how those of an older Lectern become the present ones."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corpora import UserError

SCHEMA_VERSION = 3
PAUSES = (0.05, 0.1, 0.2, 0.5, 1)  # seconds
SCHEMA = """
CREATE TABLE IF NOT EXISTS corpora (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,              -- names the Chroma collection and the keyword folder
    generation INTEGER NOT NULL DEFAULT 0, -- moves with every change of what is live
    stamp TEXT NOT NULL,                  -- embedder, dimension, tokenizer
    next TEXT                             -- the id that a rebuild is making; what a killed one left is found by it
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
    added TEXT NOT NULL,
    tables INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '{}',     -- what its reader left out or read otherwise, and how often
    redacted TEXT                         -- personal data taken out, counted by kind; its original is then not kept
);
CREATE TABLE IF NOT EXISTS places (       -- where a document was found; the same bytes may lie in two places
    corpus TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (corpus, path)
);
CREATE INDEX IF NOT EXISTS places_version ON places(version);
CREATE INDEX IF NOT EXISTS versions_live ON versions(corpus, live);
CREATE TABLE IF NOT EXISTS chunks (
    version TEXT NOT NULL, ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
    text TEXT NOT NULL, context TEXT NOT NULL,
    PRIMARY KEY (version, ordinal)
) WITHOUT ROWID;
"""
MIGRATIONS = {  # schema found → statements that lead to the next one
    1: """
ALTER TABLE corpora ADD COLUMN next TEXT;
ALTER TABLE versions ADD COLUMN tables INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN notes TEXT NOT NULL DEFAULT '{}';
ALTER TABLE versions ADD COLUMN redacted TEXT;
CREATE INDEX IF NOT EXISTS versions_live ON versions(corpus, live);
""",
    2: "ALTER TABLE places ADD COLUMN ctime_ns INTEGER NOT NULL DEFAULT 0;\n",
}


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of the body or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.rollback()
        raise
    db.execute("COMMIT")


def write_ahead(db: sqlite3.Connection) -> None:
    """Let readers read while one writes. SQLite does not wait for another process that is just doing the same to a new file."""
    for pause in (*PAUSES, None):
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if pause is None or "locked" not in str(error):
                raise
            time.sleep(pause)


def migrate(db: sqlite3.Connection, root: Path) -> None:
    """Bring the manifest in `root` to the present schema, each step whole or not at all.

    Raises `UserError` where a later Lectern wrote it.
    """
    while (version := _version(db)) != SCHEMA_VERSION:
        if version > SCHEMA_VERSION:
            raise UserError(f"{root} was written by another version of Lectern (schema {version}, this one reads "
                            f"{SCHEMA_VERSION}).", "Use that version, or set LECTERN_HOME to a new folder.")  # fmt: skip
        with transaction(db):
            if _version(db) != version:  # another process was first
                continue
            for statement in (MIGRATIONS[version] if version else SCHEMA).split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={version + 1 if version else SCHEMA_VERSION}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
