"""One SQLite file in WAL mode, safe for several threads and processes; the journal's tables are written through it."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import Any

from corpora import UserError

BUSY_SECONDS = 30.0


class Database:
    """A connection shared by this process's threads, one statement or transaction at a time."""

    def __init__(self, path: Path, schema: str, version: int, migrations: Mapping[int, str]) -> None:
        """`migrations` has, for each schema of an older Lectern, the statements that lead to the next one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # it holds people's questions; -wal and -shm take over its mode
        self._lock = RLock()
        self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        try:
            self._prepare(path, schema, version, migrations)
        except sqlite3.DatabaseError as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise  # a full disk or missing rights: the console has the sentence for those
            raise UserError(
                f"{path} is damaged ({error}).", "Move it away; a new one is made at the next start."
            ) from None

    def _prepare(self, path: Path, schema: str, version: int, migrations: Mapping[int, str]) -> None:
        until = time.monotonic() + BUSY_SECONDS
        while True:  # the switch to WAL does not wait for its lock by itself
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)
        self._db.execute("PRAGMA foreign_keys=ON")
        with self.writing() as db:
            found = db.execute("PRAGMA user_version").fetchone()[0]
            if found > version:
                raise UserError(
                    f"{path} was written by another version of Lectern (schema {found}, this one reads {version}).",
                    "Use that version, or set LECTERN_HOME to a new folder.",
                )
            for statements in [schema] if found == 0 else [migrations[older] for older in range(found, version)]:
                for statement in statements.split(";"):
                    db.execute(statement)
            if found != version:
                db.execute(f"PRAGMA user_version={version}")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of the body or nothing of it."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def scrubbing(self) -> Iterator[None]:
        """Of what the body deletes or overwrites, and of what was before, nothing is left on disk, in the file or in its log.

        Raises `UserError` while another process holds on to an old state by reading it.
        """
        self.rows("PRAGMA secure_delete=ON")  # should there be no room for the rest
        yield
        with self._lock:
            self._db.execute("VACUUM")  # rows that moved or went before left copies in the pages that they came from
            if self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise UserError("What was erased is still in the journal's log, because another process reads on.",
                                "Stop it (make down), then run the same command again.")  # fmt: skip

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        return next(iter(self.rows(query, values)), None)


def now(later: timedelta = timedelta(0)) -> str:
    """The time in UTC, as text that sorts like the times do."""
    return (datetime.now(UTC) + later).isoformat(timespec="seconds")
