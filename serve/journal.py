"""The journal: who asked what in which conversation, what came of it, keys, jobs and who did what. home/journal.sqlite3."""

import json
import secrets
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from corpora import UserError
from serve.conversations import Conversations
from serve.database import now
from serve.jobs import JOBS_SCHEMA, Jobs
from serve.keys import KEYS_SCHEMA, Keys
from serve.schema import Feedback, Trace

SCHEMA_VERSION = 2
RECORDS_SCHEMA = """
CREATE TABLE traces (
    id TEXT PRIMARY KEY, corpus TEXT NOT NULL, created TEXT NOT NULL, key TEXT NOT NULL,
    trace TEXT NOT NULL, conversation TEXT NOT NULL DEFAULT ''
);
CREATE INDEX traces_corpus ON traces(corpus, created);
CREATE INDEX traces_conversation ON traces(key, conversation) WHERE conversation != '';
CREATE TABLE feedback (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    trace TEXT NOT NULL REFERENCES traces(id), key TEXT NOT NULL, created TEXT NOT NULL,
    feedback TEXT NOT NULL
);
CREATE INDEX feedback_trace ON feedback(trace, key);
CREATE TABLE audit (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, key TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL
)
"""
SCHEMA = ";".join((KEYS_SCHEMA, JOBS_SCHEMA, RECORDS_SCHEMA))
MIGRATIONS = {  # schema found → statements that lead to the next one
    1: """
ALTER TABLE traces ADD COLUMN conversation TEXT NOT NULL DEFAULT '';
CREATE INDEX traces_conversation ON traces(key, conversation) WHERE conversation != ''
""",
}


class Journal(Keys, Jobs, Conversations):
    """Everything that serving must remember, in one file that gateway, worker and commands open together."""

    def __init__(self, root: Path) -> None:
        self.root = root
        super().__init__(root / "journal.sqlite3", SCHEMA, SCHEMA_VERSION, MIGRATIONS)

    def add_trace(self, trace: Trace) -> None:
        with self.writing() as db:
            db.execute("INSERT INTO traces (id, corpus, created, key, trace, conversation) VALUES (?, ?, ?, ?, ?, ?)",
                       (trace.id, trace.corpus, trace.created, trace.key, trace.model_dump_json(), trace.conversation))  # fmt: skip

    def trace(self, trace_id: str) -> Trace | None:
        row = self.row("SELECT trace FROM traces WHERE id = ?", (trace_id,))
        return Trace.model_validate_json(row["trace"]) if row else None

    def traces(self, corpus: str, limit: int = 1000) -> list[Trace]:
        """The newest traces of a corpus, newest first."""
        rows = self.rows("SELECT trace FROM traces WHERE corpus = ? ORDER BY rowid DESC LIMIT ?", (corpus, limit))
        return [Trace.model_validate_json(row["trace"]) for row in rows]

    def traces_with(self, corpus: str, words: Iterable[str]) -> Iterator[Trace]:
        """Every trace of a corpus whose record holds one of the words, oldest first; each is read when it is asked for."""
        found: set[int] = set()
        for word in words:
            said = json.dumps(word, ensure_ascii=False)[1:-1]
            found |= {r["rowid"] for r in self.rows(
                "SELECT rowid FROM traces WHERE corpus = ? AND instr(trace, ?)", (corpus, said))}  # fmt: skip
        for number in sorted(found):
            if row := self.row("SELECT trace FROM traces WHERE rowid = ?", (number,)):
                yield Trace.model_validate_json(row["trace"])

    def rewrite(self, traces: Iterable[Trace], emptied: Collection[str]) -> int:
        """Put other records in the traces' places; of those named in `emptied`, feedback keeps its score alone.

        Returns how many comments and corrections went.
        """
        count = 0
        with self.writing() as db:
            for trace in traces:
                db.execute("UPDATE traces SET trace = ? WHERE id = ?", (trace.model_dump_json(), trace.id))
            for trace_id in emptied:
                for row in db.execute("SELECT id, feedback FROM feedback WHERE trace = ?", (trace_id,)).fetchall():
                    feedback = Feedback.model_validate_json(row["feedback"])
                    if feedback.comment or feedback.correction:
                        count += 1
                        bare = feedback.model_copy(update={"comment": "", "correction": ""})
                        db.execute("UPDATE feedback SET feedback = ? WHERE id = ?", (bare.model_dump_json(), row["id"]))
        return count

    def add_feedback(self, feedback: Feedback, key: str = "") -> str:
        """Store it and return its id. Raises `UserError` where its trace is unknown."""
        feedback_id = secrets.token_hex(8)
        with self.writing() as db:
            if db.execute("SELECT 1 FROM traces WHERE id = ?", (feedback.trace_id,)).fetchone() is None:
                raise UserError(
                    f"No answer {feedback.trace_id!r} is on record.", "Send the trace_id that came with an answer."
                )
            db.execute("INSERT INTO feedback (id, trace, key, created, feedback) VALUES (?, ?, ?, ?, ?)",
                       (feedback_id, feedback.trace_id, key, now(), feedback.model_dump_json()))  # fmt: skip
        return feedback_id

    def feedback(self, corpus: str) -> list[tuple[Feedback, Trace]]:
        """What each person last said of each answer of a corpus, oldest first."""
        rows = self.rows(
            "SELECT f.feedback, t.trace FROM feedback f JOIN traces t ON t.id = f.trace WHERE t.corpus = ? "
            "AND f.number = (SELECT max(g.number) FROM feedback g WHERE g.trace = f.trace AND g.key = f.key) "
            "ORDER BY f.number",
            (corpus,),
        )
        return [(Feedback.model_validate_json(r["feedback"]), Trace.model_validate_json(r["trace"])) for r in rows]

    def audit(self, key: str, action: str, subject: str = "") -> None:
        """Note who did what to which thing; never what was asked or written."""
        with self.writing() as db:
            db.execute(
                "INSERT INTO audit (time, key, action, subject) VALUES (?, ?, ?, ?)",
                (now(), key, action, subject[:200]),
            )

    def audited(self, limit: int = 1000) -> list[dict[str, Any]]:
        """The newest entries, newest first: time, key, action, subject."""
        return [
            dict(r)
            for r in self.rows("SELECT time, key, action, subject FROM audit ORDER BY number DESC LIMIT ?", (limit,))
        ]
