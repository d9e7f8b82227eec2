"""Messages that will not be tried again, kept so that a person can look at them."""

from __future__ import annotations

from dataclasses import dataclass

from . import envelope as env
from .envelope import Envelope
from .errors import TidewireError
from .transport import SqliteTransport

REASON_CHARS = 400


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A buried message with the code and the text of the fault that buried it."""

    envelope: Envelope
    code: str
    reason: str
    buried_at: float


class DeadLetterStore:
    """Bury, inspect, replay and purge; shares the database of a transport."""

    def __init__(self, transport: SqliteTransport, retention_s: float) -> None:
        self._transport = transport
        self.retention_s = retention_s

    def bury(self, receipt: str, envelope: Envelope, error: BaseException, now: float) -> None:
        """Move a leased message to the dead letters in one transaction."""
        code = error.code if isinstance(error, TidewireError) else "TW-1000"
        reason = f"{type(error).__name__}: {error}"[:REASON_CHARS]
        with self._transport.transaction() as db:
            self._transport.require(db, receipt, now)
            db.execute("DELETE FROM messages WHERE receipt = ?", (receipt,))
            db.execute(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?)",
                (envelope.id, envelope.queue, code, reason, env.dump(envelope), now),
            )

    def find(self, queue: str, code: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """List buried messages of a queue, newest first, optionally of one TW code."""
        sql = "SELECT data, code, reason, buried_at FROM dead_letters WHERE queue = ?"
        args: list[object] = [queue]
        if code is not None:
            sql += " AND code = ?"
            args.append(code)
        with self._transport.transaction() as db:
            rows = db.execute(sql + " ORDER BY buried_at DESC, id DESC LIMIT ?", (*args, limit)).fetchall()
        return [DeadLetter(env.load(data), found, reason, at) for data, found, reason, at in rows]

    def replay(self, message_id: str, now: float, ttl_s: float, visible_at: float | None = None) -> bool:
        """Put one buried message back on its queue as attempt 1; False if it is not there."""
        with self._transport.transaction() as db:
            row = db.execute("SELECT data FROM dead_letters WHERE id = ?", (message_id,)).fetchone()
            if row is None:
                return False
            envelope = env.load(row[0]).reset(now, ttl_s)
            self._transport.insert(db, envelope, now if visible_at is None else visible_at)
            db.execute("DELETE FROM dead_letters WHERE id = ?", (message_id,))
        return True

    def replay_slowly(self, queue: str, code: str, now: float, ttl_s: float, per_second: float = 5.0) -> int:
        """Replay every match but spread the deliveries out, so that a sick consumer is not flooded."""
        letters = self.find(queue, code, limit=10000)
        done = 0
        for letter in reversed(letters):
            if self.replay(letter.envelope.id, now, ttl_s, visible_at=now + done / per_second):
                done += 1
        return done

    def purge_expired(self, now: float) -> int:
        """Delete what has been buried for longer than the retention; returns how many went."""
        with self._transport.transaction() as db:
            gone = db.execute("DELETE FROM dead_letters WHERE buried_at < ?", (now - self.retention_s,))
            return gone.rowcount

    def count_by_code(self, queue: str) -> dict[str, int]:
        """Tally of a queue's buried messages per TW code, for a first look at an incident."""
        with self._transport.transaction() as db:
            rows = db.execute(
                "SELECT code, COUNT(*) FROM dead_letters WHERE queue = ? GROUP BY code ORDER BY code", (queue,)
            ).fetchall()
        return {code: int(count) for code, count in rows}
