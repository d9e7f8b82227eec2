"""Who may come in: every request's host, key and size are checked here, before any of its body is read."""

import ipaddress
import re
import socket
import time
from collections import OrderedDict, deque
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.settings import Settings
from serve.journal import Journal
from serve.refusal import refusal

OPEN = ("/health", "/v1/sign-in")  # all that answers without a key
MAX_BODY = 2**20
MAX_FILE = 64 * 2**20  # one uploaded document
UPLOAD = re.compile(r"/v1/(?:corpora/[^/]+/documents|conversations/[^/]+/files)")
FORM_ROOM = 2**16  # what a form adds around its file


class Access:
    """ASGI middleware around the whole gateway, so that a route added later is closed until it is listed in OPEN."""

    def __init__(self, app: ASGIApp, journal: Journal, settings: Settings) -> None:
        self.app, self.journal, self.settings = app, journal, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no route speaks WebSocket; the server closes it
        headers = Headers(scope=scope)
        refused = await self._refused(scope, headers)
        if refused:
            await refused(scope, receive, send)
            return
        limit = MAX_FILE + FORM_ROOM if UPLOAD.fullmatch(scope["path"]) else MAX_BODY
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await refusal(413, *_too_large(limit))(scope, receive, send)
            return
        await self.app(scope, _limited(receive, limit), _with_headers(send))

    async def _refused(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        if not is_own_host(headers.get("host", ""), self.settings.host):
            return refusal(
                403, "This gateway does not answer under that host name.", "Use http://127.0.0.1, or set LECTERN_HOST."
            )
        if scope["path"] in OPEN:
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        key_id = await run_in_threadpool(self.journal.check_key, key.strip()) if scheme.lower() == "bearer" else None
        if key_id is None:
            refused = refusal(
                401,
                "A valid key is needed in the header `Authorization: Bearer KEY`.",
                "Make one: serve key create NAME",
            )
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        scope.setdefault("state", {})["key"] = key_id
        return None


class Attempts:
    """Failed attempts by address: at most `most` within `seconds`."""

    def __init__(self, most: int = 10, seconds: float = 60.0) -> None:
        self.most, self.seconds = most, seconds
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def is_over(self, address: str) -> bool:
        failed = self._failed.get(address, deque())
        while failed and failed[0] < time.monotonic() - self.seconds:
            failed.popleft()
        return len(failed) >= self.most

    def fail(self, address: str) -> None:
        self._failed.setdefault(address, deque(maxlen=self.most)).append(time.monotonic())
        self._failed.move_to_end(address)
        while len(self._failed) > 10_000:
            self._failed.popitem(last=False)


def is_own_host(header: str, own: str) -> bool:
    """Is the Host header ours? A name of another site that resolves to this machine is not (DNS rebinding).

    An address cannot be rebound; where we listen to the network, every address of ours may be used.
    """
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", header)
    if not match:
        return False
    host = match[1].strip("[]").rstrip(".").lower()
    try:
        return ipaddress.ip_address(host).is_loopback or not _is_loopback(own)
    except ValueError:
        names = {"localhost", own.lower()}
        return host in names or (not _is_loopback(own) and host in _machine_names())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _machine_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0], socket.getfqdn().lower()}


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive`, refusing what comes beyond `limit`: a body sent in pieces announces no length."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, " ".join(_too_large(limit)))
        return message

    return limited


def _too_large(limit: int) -> tuple[str, str]:
    if limit > MAX_BODY:
        return (
            f"The file is over the limit of {MAX_FILE // 2**20} MiB for an upload.",
            "Split it, or on the machine itself: ingest add CORPUS PATH",
        )
    return f"The request is over the limit of {MAX_BODY // 2**10} KiB.", "Shorten it, or add the text as a document."


def _with_headers(send: Send) -> Send:
    """`send`, telling browsers to guess no content type and to keep nothing that does not say otherwise."""

    async def with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return with_headers
