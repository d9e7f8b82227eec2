"""The worker: takes queued jobs one at a time, and runs each in a process group of its own.  Run: serve worker"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from ingest.console import SOME_FAILED
from ingest.locks import lock
from ingest.settings import Settings
from serve.documents import forget_unread
from serve.journal import Journal
from serve.schema import Job

NICENESS = 10  # a job shares the machine with people who are asking
CANCEL_GRACE = 60.0  # seconds between SIGINT and SIGKILL: time to write a checkpoint
STOP_GRACE = 8.0  # the same where Lectern itself is being stopped
TICK = 0.2


def serve(settings: Settings, patience: float = STOP_GRACE + 2) -> None:
    """Run jobs until SIGTERM or SIGINT; wait `patience` seconds for a worker before this one to end."""
    stopping = Event()
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # handlers also undo an inherited "ignore", which jobs would inherit in turn
        signal.signal(number, lambda *_: stopping.set())
    journal = Journal(settings.root)
    with lock(settings.run / "worker.lock", "The queue of jobs", wait=patience):
        Worker(settings, journal).work(stopping)
    journal.close()


class Worker:
    """Runs one job after another. Hold `run/worker.lock` while it works: two would end each other's jobs as orphans."""

    def __init__(self, settings: Settings, journal: Journal, grace: float = CANCEL_GRACE) -> None:
        self.settings, self.journal, self.grace = settings, journal, grace
        self.logs = settings.run / "jobs"
        self.logs.mkdir(parents=True, exist_ok=True)

    def work(self, stopping: Event) -> None:
        self.end_orphans()
        while not stopping.is_set():
            job = self.journal.take_job()
            if job is None:
                stopping.wait(TICK)
            else:
                self.run(job, stopping)

    def run(self, job: Job, stopping: Event) -> None:
        """Run one job to its end and record how it ended."""
        with self._open_log(job) as log:
            fcntl.flock(log, fcntl.LOCK_EX)  # the job inherits the lock with its stdout: held means that it lives
            process = subprocess.Popen(
                [sys.executable, "-m", *job.command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=self._environment(), start_new_session=True,
            )  # fmt: skip
            self.journal.started_job(job.id, process.pid)
            os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
            reason = self._watch(job, process.pid, stopping)
            code = process.wait()
            if reason:
                log.write(f"{reason}\n".encode())
        status = "cancelled" if reason else "done" if code == 0 else "failed"
        if code == SOME_FAILED and job.command[:2] == ["ingest", "add"]:
            forget_unread(self.settings, job.command[2], job.command[3:])
        self.journal.end_job(job.id, status, code)

    def _watch(self, job: Job, pid: int, stopping: Event) -> str:
        """Wait until the process has ended, or end it when asked to; returns why it was ended, or nothing."""
        reason, deadline = "", 0.0
        while not _has_ended(pid):
            if not reason and self.journal.is_cancelled(job.id):
                reason, deadline = "Cancelled.", time.monotonic() + self.grace
                _signal(pid, signal.SIGINT)
            elif not reason and stopping.is_set():
                reason, deadline = "Ended because Lectern was stopped.", time.monotonic() + min(self.grace, STOP_GRACE)
                _signal(pid, signal.SIGINT)
            elif reason and time.monotonic() > deadline:
                _signal(pid, signal.SIGKILL)
            time.sleep(TICK)
        _signal(pid, signal.SIGKILL)  # what it left behind; its group is ours until it is reaped
        return reason

    def end_orphans(self) -> None:
        """Fail the jobs whose worker died, and end their processes where they still run."""
        for job, pid in self.journal.running_jobs():
            with self._open_log(job) as log:
                if pid and _is_locked(log):
                    _signal(pid, signal.SIGINT)
                    _until(lambda: not _is_locked(log), min(self.grace, STOP_GRACE))
                    if _is_locked(log):
                        _signal(pid, signal.SIGKILL)
                log.write(b"Failed: the worker that ran it died. Start it again.\n")
            self.journal.end_job(job.id, "failed")

    def _open_log(self, job: Job) -> Any:
        return os.fdopen(os.open(self.logs / job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0)

    def _environment(self) -> dict[str, str]:
        """This process's environment, with the settings that were given otherwise than by it."""
        fields = type(self.settings).model_fields
        given = {str(fields[name].validation_alias or f"LECTERN_{name.upper()}"): str(getattr(self.settings, name))
                 for name in self.settings.model_fields_set}  # fmt: skip
        return os.environ | given | {"LECTERN_HOME": str(self.settings.root), "PYTHONUNBUFFERED": "1"}


def _has_ended(pid: int) -> bool:
    """Has our child ended? It is not reaped by asking, so its process group keeps its number."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def _is_locked(log: Any) -> bool:
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(log, fcntl.LOCK_UN)
    return False


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(TICK)


def log_path(settings: Settings, job: Job) -> Path:
    return settings.run / "jobs" / job.log
