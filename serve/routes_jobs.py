"""Routes of long work: jobs with their events, and which adapter of a corpus is served."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from corpora import UserError
from serve import champion
from serve.champion import Promotion
from serve.commands import job_command
from serve.completion import event
from serve.gateway import Corpus, Key, Shared
from serve.jobs import ENDED
from serve.schema import Job

router = APIRouter(prefix="/v1")
POLL = 0.5  # seconds between looks at a job's log
ALIVE = 15.0  # seconds after which a silent stream says that it lives
PIECE = 2**16


class JobRequest(BaseModel):
    command: Literal["ingest add", "tune data", "tune sft", "tune dpo", "tune eval", "tune promote"]
    corpus: str = Field(max_length=40)
    args: dict[str, Any] = Field({}, max_length=10)


class PromoteRequest(BaseModel):
    version: int = Field(ge=1, le=10**9)
    force: bool = False  # though it has not passed the gate


@router.post("/jobs", status_code=202)
def add_job(asked: JobRequest, shared: Shared, key: Key) -> Job:
    job = shared.journal.add_job(job_command(shared.settings, asked.command, asked.corpus, asked.args), key)
    shared.journal.audit(key, f"job {asked.command}", f"{asked.corpus} {job.id}")
    return job


@router.get("/jobs")
def jobs(shared: Shared) -> dict[str, list[Job]]:
    return {"jobs": shared.journal.jobs()}


def known_job(job_id: str, shared: Shared) -> Job:
    try:
        return shared.journal.job(job_id)
    except UserError as unknown:
        raise HTTPException(404, str(unknown)) from None


Known = Annotated[Job, Depends(known_job)]


@router.get("/jobs/{job_id}")
def job(known: Known) -> Job:
    return known


@router.post("/jobs/{job_id}/cancel")
def cancel(known: Known, shared: Shared, key: Key) -> Job:
    shared.journal.audit(key, "cancel job", known.id)
    return shared.journal.cancel_job(known.id)


@router.get("/jobs/{job_id}/events", response_model=None)
def events(known: Known, shared: Shared, last_event_id: Annotated[str, Header()] = "") -> StreamingResponse:
    """The log line by line as it grows, each with its offset as id, and at the end an event `status` with the job."""
    start = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 16 else 0
    return StreamingResponse(_events(known.id, shared, start), media_type="text/event-stream",
                             headers={"X-Accel-Buffering": "no"})  # fmt: skip


async def _events(job_id: str, shared: Shared, at: int) -> AsyncIterator[str]:
    silent = 0.0
    while True:
        before = at
        now = await run_in_threadpool(shared.journal.job, job_id)
        over = now.status in ENDED  # asked before the log is read, so that nothing written before the end is missed
        lines, at = await run_in_threadpool(_lines, shared.settings.run / "jobs" / now.log, at, over)
        if lines:
            silent = 0.0
            yield "".join(f"id: {end}\n{event(line, 'log')}" for line, end in lines)
        elif over and at == before:
            yield event(now.model_dump_json(), "status")
            return
        elif not over:
            silent += POLL
            if silent >= ALIVE:
                silent = 0.0
                yield ": waiting\n\n"
            await asyncio.sleep(POLL)


def _lines(log: Path, at: int, over: bool) -> tuple[list[tuple[str, int]], int]:
    """The log's lines from byte `at`, each with where the next begins; one without an end only if it is the last."""
    try:
        with log.open("rb") as file:
            file.seek(at)
            data = file.read(PIECE)
    except FileNotFoundError:
        return [], at
    lines = []
    for piece in re.findall(rb"[^\r\n]*[\r\n]+|[^\r\n]+$", data):  # a progress bar ends its states with a return alone
        if not piece.endswith((b"\r", b"\n")) and not over and len(data) < PIECE:
            break
        at += len(piece)
        if piece.strip():
            lines.append((piece.decode("utf-8", "replace").rstrip(), at))
    return lines, at


@router.post("/adapters/{corpus}/promote")
def promote(corpus: Corpus, asked: PromoteRequest, shared: Shared, key: Key) -> Promotion:
    done = champion.promote(shared.settings, corpus, asked.version, asked.force)
    shared.journal.audit(key, "promote", f"{corpus} {asked.version}{' by force' * asked.force}")
    return done


@router.post("/adapters/{corpus}/rollback")
def rollback(corpus: Corpus, shared: Shared, key: Key) -> Promotion:
    done = champion.rollback(shared.settings, corpus)
    shared.journal.audit(key, "rollback", corpus)
    return done
