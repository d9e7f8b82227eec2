"""SQLite queue store: push, lease, acknowledge, release.

One file (or ``:memory:``) holds every queue. Delivery is at least once: a
lease that runs out makes the message visible again, so handlers must tolerate
seeing the same message twice.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from . import envelope as env
from .envelope import Envelope
from .errors import ConnectError, LeaseLost, QueueFull

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, queue TEXT NOT NULL, data TEXT NOT NULL,
    visible_at REAL NOT NULL, receipt TEXT, leased_until REAL
);
CREATE INDEX IF NOT EXISTS messages_ready ON messages (queue, visible_at);
CREATE TABLE IF NOT EXISTS dedupe (
    queue TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, seen_at REAL NOT NULL,
    PRIMARY KEY (queue, key)
);
CREATE TABLE IF NOT EXISTS dead_letters (
    id TEXT PRIMARY KEY, queue TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
    data TEXT NOT NULL, buried_at REAL NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A message lent to one consumer, with the receipt that proves it."""

    receipt: str
    envelope: Envelope
    until: float


class SqliteTransport:
    """Queue store on the standard library's sqlite3, safe to share between threads."""

    def __init__(self, dsn: str = ":memory:", max_depth: int = 50000) -> None:
        self.max_depth = max_depth
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(dsn, check_same_thread=False, isolation_level=None, timeout=1.0)
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as exc:
            raise ConnectError("cannot open the store", dsn=dsn) from exc

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run statements atomically and translate driver faults into ConnectError."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except sqlite3.Error as exc:
                self._undo()
                raise ConnectError("the store failed", cause=str(exc)) from exc
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.ProgrammingError:
            pass

    def push(self, envelope: Envelope, visible_at: float) -> None:
        """Store a message that becomes visible at the given time."""
        with self.transaction() as db:
            self.insert(db, envelope, visible_at)

    def insert(self, db: sqlite3.Connection, envelope: Envelope, visible_at: float) -> None:
        """Body of push, for callers that already hold a transaction."""
        (count,) = db.execute("SELECT COUNT(*) FROM messages WHERE queue = ?", (envelope.queue,)).fetchone()
        if count >= self.max_depth:
            raise QueueFull("depth limit reached", queue=envelope.queue, limit=self.max_depth)
        db.execute(
            "INSERT INTO messages (id, queue, data, visible_at) VALUES (?, ?, ?, ?)",
            (envelope.id, envelope.queue, env.dump(envelope), visible_at),
        )

    def push_once(self, envelope: Envelope, key: str, window_s: float, now: float, visible_at: float) -> str:
        """Store a message unless its key was used inside the window; returns the id that counts."""
        with self.transaction() as db:
            db.execute("DELETE FROM dedupe WHERE seen_at <= ?", (now - window_s,))
            row = db.execute("SELECT id FROM dedupe WHERE queue = ? AND key = ?", (envelope.queue, key)).fetchone()
            if row is not None:
                return row[0]
            self.insert(db, envelope, visible_at)
            db.execute("INSERT INTO dedupe VALUES (?, ?, ?, ?)", (envelope.queue, key, envelope.id, now))
            return envelope.id

    def lease(self, queue: str, limit: int, lease_s: float, now: float) -> list[Lease]:
        """Lend up to ``limit`` visible messages, oldest first, including those whose lease ran out."""
        taken: list[Lease] = []
        with self.transaction() as db:
            rows = db.execute(
                "SELECT id, data FROM messages WHERE queue = ? AND visible_at <= ?"
                " AND (leased_until IS NULL OR leased_until <= ?) ORDER BY visible_at, id LIMIT ?",
                (queue, now, now, limit),
            ).fetchall()
            for message_id, data in rows:
                receipt = secrets.token_hex(8)
                until = now + lease_s
                db.execute(
                    "UPDATE messages SET receipt = ?, leased_until = ? WHERE id = ?", (receipt, until, message_id)
                )
                taken.append(Lease(receipt, env.load(data), until))
        return taken

    def require(self, db: sqlite3.Connection, receipt: str, now: float) -> None:
        """Raise LeaseLost unless the receipt is current and its lease still runs."""
        row = db.execute("SELECT leased_until FROM messages WHERE receipt = ?", (receipt,)).fetchone()
        if row is None or row[0] <= now:
            raise LeaseLost("receipt is no longer valid", receipt=receipt)

    def ack(self, receipt: str, now: float) -> None:
        """Remove a finished message; refused once the lease has run out."""
        with self.transaction() as db:
            self.require(db, receipt, now)
            db.execute("DELETE FROM messages WHERE receipt = ?", (receipt,))

    def release(self, receipt: str, envelope: Envelope, visible_at: float, now: float) -> None:
        """Give a message back, with its updated envelope, to be seen again later."""
        with self.transaction() as db:
            self.require(db, receipt, now)
            db.execute(
                "UPDATE messages SET data = ?, visible_at = ?, receipt = NULL, leased_until = NULL WHERE receipt = ?",
                (env.dump(envelope), visible_at, receipt),
            )

    def extend(self, receipt: str, lease_s: float, now: float) -> float:
        """Prolong a lease, counted from now rather than from its old end."""
        with self.transaction() as db:
            self.require(db, receipt, now)
            db.execute("UPDATE messages SET leased_until = ? WHERE receipt = ?", (now + lease_s, receipt))
        return now + lease_s

    def depth(self, queue: str) -> int:
        """Messages in a queue, leased ones included."""
        with self.transaction() as db:
            (count,) = db.execute("SELECT COUNT(*) FROM messages WHERE queue = ?", (queue,)).fetchone()
        return int(count)

    def close(self) -> None:
        """Close the underlying database; safe to call twice."""
        with self._lock:
            self._db.close()
