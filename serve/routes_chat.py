"""Routes of asking: /v1/models, /v1/chat/completions, /v1/feedback."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import httpx
from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse

from corpora import profile_names
from serve.completion import MAX_QUESTION, ChatRequest, Completion, event, read_chat
from serve.gateway import Gateway, Key, Shared
from serve.refusal import reason, refusal_body
from serve.schema import Feedback, Trace
from serve.thinking import Thought

router = APIRouter(prefix="/v1")
T = TypeVar("T")
Pieces = AsyncGenerator[str | Thought | Trace, None]
log = logging.getLogger(__name__)
STREAM_HEADERS = {"X-Accel-Buffering": "no"}  # proxies pass each piece on at once


@router.get("/models")
def models(shared: Shared) -> dict[str, Any]:
    return {"object": "list", "data": shared.models()}


@router.get("/models/{model}")
def model(model: str, shared: Shared) -> dict[str, Any]:
    found = next((entry for entry in shared.models() if entry["id"] == model), None)
    if found is None:
        raise HTTPException(404, f"No model {model[:60]!r}. See: GET /v1/models")
    return found


@router.post("/chat/completions", response_class=Response)
async def chat_completions(request: Request, shared: Shared, key: Key) -> Response:
    """`model` = a corpus, or CORPUS@VERSION: a cited answer. `model` = the base or an adapter: vLLM's own answer, byte for byte."""
    body = await request.body()
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, 'The body is no JSON. Send {"model": …, "messages": […]}.') from None
    model = data.get("model") if isinstance(data, dict) else None
    if not isinstance(model, str):
        raise HTTPException(400, "The request names no model. See: GET /v1/models")
    if await run_in_threadpool(shared.answers_as, model):
        return await _answer(request, read_chat(data), shared, key)
    if await run_in_threadpool(shared.serves, model):
        if data.get("prompt_logprobs") is not None:  # beside another request it ends a vLLM that serves adapters on a CPU
            raise HTTPException(400, "prompt_logprobs is not served. Leave it out; logprobs tells those of the answer.")
        return await _pass_on(request, body, shared)
    known = ", ".join([*profile_names(shared.settings.root), shared.base])
    raise HTTPException(404, f"No model {model[:60]!r}. Known: {known}. See: GET /v1/models")


@router.post("/feedback", status_code=201)
def feedback(given: Feedback, shared: Shared, key: Key) -> dict[str, str]:
    if shared.journal.trace(given.trace_id) is None:
        raise HTTPException(
            404, f"No answer {given.trace_id!r} is on record. Send the trace_id that came with an answer."
        )
    feedback_id = shared.journal.add_feedback(given, key)
    shared.journal.audit(key, "feedback", given.trace_id)
    return {"id": feedback_id}


async def _answer(request: Request, asked: ChatRequest, shared: Gateway, key: str) -> Response:
    if not asked.question:
        raise HTTPException(400, "There is no question: the last user message is empty. Write one and send it again.")
    if len(asked.question) > MAX_QUESTION:
        said = f"The question has {len(asked.question):,} characters; at most {MAX_QUESTION:,} are read."
        raise HTTPException(413, f"{said} Shorten it, or add the text as a document.")
    pieces = shared.ask(asked, key)
    completion = Completion(asked.model, asked.form is not None)
    if asked.stream:
        return StreamingResponse(_stream(pieces, completion), media_type="text/event-stream", headers=STREAM_HEADERS)
    return JSONResponse(completion.whole(await _unless_left(request, _trace(pieces))))


async def _trace(pieces: Pieces) -> Trace:
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Trace):
                return piece
    raise AssertionError("an answer ends with its trace")


async def _stream(pieces: Pieces, completion: Completion) -> AsyncIterator[str]:
    yield event(completion.chunk({"role": "assistant", "content": ""}))
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Trace):
                    if completion.has_form:  # whether it is an answer or a refusal is known only now
                        name = "refusal" if piece.answer.refused else "content"
                        yield event(completion.chunk({name: piece.answer.answer}))
                    yield event(completion.chunk({}, piece))
                elif isinstance(piece, Thought):
                    yield event(completion.chunk({"reasoning_content": piece.text}))
                elif not completion.has_form:
                    yield event(completion.chunk({"content": piece}))
    except Exception as error:  # too late for a status: the refusal goes where the answer would have gone
        yield event(refusal_body(*reason(error)))
    yield event("[DONE]")


async def _pass_on(request: Request, body: bytes, shared: Gateway) -> Response:
    """vLLM's answer to the same bytes, as it comes."""
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    forwarded = shared.vllm.build_request(
        "POST", f"{shared.engine.url}/v1/chat/completions", content=body, headers=headers
    )
    try:
        answer = await _unless_left(request, shared.vllm.send(forwarded, stream=True))
    except httpx.HTTPError:
        raise HTTPException(503, "The model server is not up; it is being started or has been stopped. "
                                 "Try again in a minute, or see: make up") from None  # fmt: skip
    return StreamingResponse(_forward(answer), answer.status_code, media_type=answer.headers.get("content-type"),
                             headers=STREAM_HEADERS)  # fmt: skip


async def _forward(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    except httpx.HTTPError as broke:
        log.warning("vLLM broke off: %s", broke)
        raise
    finally:
        await answer.aclose()


async def _unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's outcome; it is cancelled when the client leaves first."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return await working
    finally:
        working.cancel()
        leaving.cancel()
