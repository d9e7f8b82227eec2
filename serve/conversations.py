"""Conversations in the journal: the traces that share an id, for the key that asked them and for no other."""

from typing import Any

from serve.database import Database
from serve.schema import Conversation, Trace

MOST = 200  # conversations that are listed, and turns of one that are shown
OWN = "key = ? AND conversation = ? AND conversation != ''"


class Conversations(Database):
    """The journal's conversations. An id that another key uses is no other than one that nobody uses."""

    def conversations(self, key: str) -> list[Conversation]:
        """A key's conversations, newest first, `MOST` at most."""
        rows = self.rows(  # a record is long, so that only the first of each conversation is read
            "SELECT t.conversation AS id, t.corpus, t.created, json_extract(t.trace, '$.question') AS question, f.turns FROM ("
            "  SELECT min(rowid) AS first, count(*) AS turns FROM traces WHERE key = ? AND conversation != '' "
            "  GROUP BY conversation ORDER BY first DESC LIMIT ?"
            ") f JOIN traces t ON t.rowid = f.first ORDER BY f.first DESC", (key, MOST),
        )  # fmt: skip
        return [Conversation(**{name: row[name] for name in Conversation.model_fields}) for row in rows]

    def turns(self, conversation: str, key: str) -> list[Trace]:
        """The last `MOST` traces of a conversation, oldest first; none where the key has no such conversation."""
        rows = self.rows(f"SELECT trace FROM traces WHERE {OWN} ORDER BY rowid DESC LIMIT ?", (key, conversation, MOST))
        return [Trace.model_validate_json(row["trace"]) for row in reversed(rows)]

    def last_turn(self, conversation: str, key: str) -> Trace | None:
        row = self.row(f"SELECT trace FROM traces WHERE {OWN} ORDER BY rowid DESC LIMIT 1", (key, conversation))
        return Trace.model_validate_json(row["trace"]) if row else None

    def asked(self) -> list[tuple[str, str]]:
        """Key and id of every conversation on record."""
        return [(row["key"], row["conversation"]) for row in self.rows("SELECT DISTINCT key, conversation FROM traces")]

    def delete_conversation(self, conversation: str, key: str) -> int:
        """Delete its traces and what was said of them, and overwrite their places on disk; how many traces there were."""
        self.rows("PRAGMA secure_delete=ON")
        with self.writing() as db:
            db.execute(f"DELETE FROM feedback WHERE trace IN (SELECT id FROM traces WHERE {OWN})", (key, conversation))
            count = db.execute(f"DELETE FROM traces WHERE {OWN}", (key, conversation)).rowcount
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # the log goes now, or with the next checkpoint where somebody is reading
        return count


def scores(journal: Database, traces: list[Trace], key: str) -> dict[str, Any]:
    """What the key last said of each of the traces: trace id → 1 or -1."""
    found = {}
    for trace in traces:
        row = journal.row("SELECT json_extract(feedback, '$.score') AS score FROM feedback WHERE trace = ? AND key = ? "
                          "ORDER BY number DESC LIMIT 1", (trace.id, key))  # fmt: skip
        if row:
            found[trace.id] = row["score"]
    return found
