"""The gateway: assistants as models for people's pages and other apps, over HTTP.  Run: serve api"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from corpora import UserError
from ingest.settings import Settings
from serve import routes_chat, routes_conversations, routes_documents, routes_jobs
from serve.access import Access, Attempts
from serve.completion import mistakes
from serve.gateway import Gateway, Shared
from serve.journal import Journal
from serve.refusal import Busy, reason, refusal

LEFT = 499  # nobody reads it: the client is gone


def serve(settings: Settings) -> None:
    """Serve until stopped."""
    import uvicorn

    uvicorn.run(create_app(settings), host=settings.host, port=settings.api_port, access_log=False, server_header=False,
                timeout_graceful_shutdown=5, proxy_headers=False)  # fmt: skip


def create_app(settings: Settings) -> FastAPI:
    journal = Journal(settings.root)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.gateway = Gateway(settings, journal)
        await run_in_threadpool(app.state.gateway.open)
        yield
        await app.state.gateway.close()

    # The description of the API stays off: it would be the one page that answers without a key.
    app = FastAPI(title="Lectern", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.attempts = Attempts()
    app.add_middleware(Access, journal=journal, settings=settings)
    app.get("/health")(health)
    app.post("/v1/sign-in")(sign_in)
    for routes in (routes_chat, routes_conversations, routes_documents, routes_jobs):
        app.include_router(routes.router)
    for kind, answer in REFUSALS.items():
        app.add_exception_handler(kind, answer)
    return app


class SignIn(BaseModel):
    token: str = Field(max_length=200)


def health(shared: Shared) -> dict[str, Any]:
    return {"status": "ok", "version": _version(), "model": {"up": shared.engine.up(), "name": shared.base},
            "chroma": _chroma_is_up(shared.settings)}  # fmt: skip


def attempts(request: Request) -> Attempts:
    found: Attempts = request.app.state.attempts
    return found


def sign_in(
    given: SignIn, request: Request, shared: Shared, tried: Annotated[Attempts, Depends(attempts)]
) -> dict[str, str]:
    address = request.client.host if request.client else ""
    if tried.is_over(address):
        raise HTTPException(429, "Too many sign-in links failed. Wait a minute and try again.", {"Retry-After": "60"})
    key = shared.journal.sign_in(given.token)
    if key is None:
        tried.fail(address)
        raise HTTPException(
            401, "This sign-in link was used already or is older than a day. Get a new one: serve key link"
        )
    shared.journal.audit(shared.journal.check_key(key) or "", "sign in", address)
    return {"key": key}


def _version() -> str:
    try:
        return version("lectern")
    except PackageNotFoundError:
        return "not installed"


def _chroma_is_up(settings: Settings) -> bool:
    url = settings.chroma_url or settings.url("chroma")
    if not url:
        return False
    try:
        return httpx.get(f"{url.rstrip('/')}/api/v2/heartbeat", timeout=2, trust_env=False).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


async def _refuse(request: Request, wrong: Exception) -> Response:
    answer = refusal(*reason(wrong))
    if isinstance(wrong, Busy):
        answer.headers["Retry-After"] = "20"
    return answer


async def _refuse_http(request: Request, wrong: StarletteHTTPException) -> Response:
    sentence = {404: "There is no such address here. See the README's list of calls.",
                405: "This address does not take that method. See the README's list of calls."}  # fmt: skip
    plain = wrong.detail in ("Not Found", "Method Not Allowed")
    answer = refusal(wrong.status_code, sentence.get(wrong.status_code, wrong.detail) if plain else wrong.detail)
    answer.headers.update(wrong.headers or {})
    return answer


async def _refuse_form(request: Request, wrong: RequestValidationError) -> Response:
    return refusal(422, f"The request has mistakes: {mistakes(wrong.errors())}.", "Correct them and send it again.")


async def _leave(request: Request, wrong: ClientDisconnect) -> Response:
    return Response(status_code=LEFT)


REFUSALS: dict[type[Exception], Any] = {
    StarletteHTTPException: _refuse_http,
    RequestValidationError: _refuse_form,
    ClientDisconnect: _leave,
    UserError: _refuse,
    Busy: _refuse,
    OSError: _refuse,
    sqlite3.OperationalError: _refuse,
    Exception: _refuse,
}
