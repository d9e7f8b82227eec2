"""What the gateway says when it cannot do what was asked: a status, a sentence and the next step, in OpenAI's shape."""

import errno
import logging
import sqlite3
from typing import Any

from starlette.responses import JSONResponse

from corpora import UserError
from ingest.console import disk_sentence
from serve.structured import NoModel

KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 500: "server_error",
         503: "service_unavailable_error", 507: "server_error"}  # fmt: skip
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
BUSY = "Too many questions are waiting on this machine. Ask again in a minute."
BROKEN = "Something broke in the gateway; what it was is written in run/api.log in LECTERN_HOME. Try again."
log = logging.getLogger(__name__)


class Busy(Exception):
    """More questions are waiting than this machine can answer in a reasonable time."""


def refusal(status: int, sentence: str, next_step: str = "") -> JSONResponse:
    return JSONResponse(refusal_body(status, sentence, next_step), status)


def refusal_body(status: int, sentence: str, next_step: str = "") -> dict[str, Any]:
    message = f"{sentence} {next_step}".strip()
    kind = KINDS.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": str(status)}}


def reason(error: Exception) -> tuple[int, str]:
    """Status and sentence for whatever went wrong; what nobody foresaw is logged with its trace."""
    if isinstance(error, NoModel):
        return 503, str(error)
    if isinstance(error, UserError):
        return 400, str(error)
    if isinstance(error, Busy):
        return 503, BUSY
    if isinstance(error, OSError) and error.errno in FULL:
        return 507, disk_sentence(error)
    if isinstance(error, sqlite3.OperationalError) and any(word in str(error) for word in ("full", "disk", "readonly")):
        return 507, disk_sentence(error)
    log.error("The gateway broke", exc_info=error)
    return 500, BROKEN
