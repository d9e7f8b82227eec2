"""The table of jobs: queued by the gateway, taken one at a time by the worker."""

import json
import secrets
import sqlite3

from corpora import UserError
from serve.database import Database, now
from serve.schema import Job

JOBS_SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    command TEXT NOT NULL, status TEXT NOT NULL,
    created TEXT NOT NULL, started TEXT, ended TEXT,
    exit_code INTEGER, pid INTEGER,
    cancel INTEGER NOT NULL DEFAULT 0,
    key TEXT NOT NULL
)
"""
MAX_QUEUED = 100
ENDED = ("done", "failed", "cancelled")


class Jobs(Database):
    """The journal's jobs."""

    def add_job(self, command: list[str], key: str = "") -> Job:
        job_id = secrets.token_hex(8)
        with self.writing() as db:
            queued = db.execute("SELECT count(*) FROM jobs WHERE status = 'queued'").fetchone()[0]
            if queued >= MAX_QUEUED:
                raise UserError(f"{queued} jobs are waiting already.", "Wait for some to end, or cancel some.")
            db.execute("INSERT INTO jobs (id, command, status, created, key) VALUES (?, ?, 'queued', ?, ?)",
                       (job_id, json.dumps(command, ensure_ascii=False), now(), key))  # fmt: skip
        return self.job(job_id)

    def job(self, job_id: str) -> Job:
        row = self.row("SELECT * FROM jobs WHERE id = ?", (job_id,))
        if row is None:
            raise UserError(f"No job {job_id[:40]!r}.", "See: GET /v1/jobs")
        return _job(row)

    def jobs(self, limit: int = 100) -> list[Job]:
        """The newest jobs, newest first."""
        return [_job(row) for row in self.rows("SELECT * FROM jobs ORDER BY number DESC LIMIT ?", (limit,))]

    def take_job(self) -> Job | None:
        """The oldest queued job, now marked as running."""
        with self.writing() as db:
            row = db.execute("SELECT id FROM jobs WHERE status = 'queued' ORDER BY number LIMIT 1").fetchone()
            if row is None:
                return None
            db.execute("UPDATE jobs SET status = 'running', started = ? WHERE id = ?", (now(), row["id"]))
        return self.job(row["id"])

    def started_job(self, job_id: str, pid: int) -> None:
        """Record the process group of a running job, by which a later worker finds it."""
        with self.writing() as db:
            db.execute("UPDATE jobs SET pid = ? WHERE id = ?", (pid, job_id))

    def end_job(self, job_id: str, status: str, exit_code: int | None = None) -> None:
        with self.writing() as db:
            db.execute(
                "UPDATE jobs SET status = ?, ended = ?, exit_code = ? WHERE id = ?", (status, now(), exit_code, job_id)
            )

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a queued job now; ask the worker to end a running one."""
        with self.writing() as db:
            db.execute(
                "UPDATE jobs SET status = 'cancelled', ended = ? WHERE id = ? AND status = 'queued'", (now(), job_id)
            )
            db.execute("UPDATE jobs SET cancel = 1 WHERE id = ? AND status = 'running'", (job_id,))
        return self.job(job_id)

    def is_cancelled(self, job_id: str) -> bool:
        row = self.row("SELECT cancel FROM jobs WHERE id = ?", (job_id,))
        return bool(row and row["cancel"])

    def running_jobs(self) -> list[tuple[Job, int | None]]:
        """Jobs marked as running, each with its process group."""
        return [(_job(row), row["pid"]) for row in self.rows("SELECT * FROM jobs WHERE status = 'running'")]


def _job(row: sqlite3.Row) -> Job:
    same = {name: row[name] for name in ("id", "status", "created", "started", "ended", "exit_code")}
    return Job(**same, command=json.loads(row["command"]), log=f"{row['id']}.log")
