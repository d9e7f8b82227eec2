"""OpenAI's shapes for a chat completion: what is asked, and what is answered whole or in a stream."""

import json
import secrets
import time
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from corpora import UserError
from serve.schema import Trace

MAX_QUESTION = 8000
MAX_TURNS = 200


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(BaseModel):
    """A question to an assistant. Other fields of OpenAI's API are taken and have no effect here."""

    model: str
    messages: list[Message] = Field(min_length=1, max_length=MAX_TURNS)
    stream: bool | None = None
    max_tokens: int | None = Field(None, ge=1)  # the profile's own limit stands where this is higher
    max_completion_tokens: int | None = Field(None, ge=1)
    n: Literal[1] | None = None
    conversation: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")  # whose turn it is; a new one where there is none

    @property
    def question(self) -> str:
        """The last user message."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "").strip()

    @property
    def history(self) -> list[dict[str, str]]:
        """The turns of user and assistant before the question; the assistant's rules are its own, not the client's."""
        last = max((i for i, m in enumerate(self.messages) if m.role == "user"), default=0)
        return [
            {"role": m.role, "content": m.text}
            for m in self.messages[:last]
            if m.role in ("user", "assistant") and m.text
        ]


def read_chat(data: dict[str, Any]) -> ChatRequest:
    try:
        return ChatRequest.model_validate(data)
    except ValidationError as error:
        raise UserError(
            f"The request has mistakes: {mistakes(error.errors())}.", "Correct them and send it again."
        ) from None


def mistakes(errors: Any) -> str:
    """Every mistake of a request in one line, without the values sent."""
    return "; ".join(
        f"{'.'.join(str(part) for part in e['loc'] if part != 'body') or 'body'}: {e['msg']}" for e in errors
    )[:600]


class Completion:
    """One answer on its way out: `chunk` for a stream, `whole` otherwise."""

    def __init__(self, model: str) -> None:
        self.id, self.created, self.model = f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), model

    def chunk(self, delta: dict[str, str], trace: Trace | None = None) -> dict[str, Any]:
        """A piece; the one with the trace ends the answer."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": "stop" if trace else None}
        return {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
                "choices": [choice], **(beside(trace) if trace else {})}  # fmt: skip

    def whole(self, trace: Trace) -> dict[str, Any]:
        message = {"role": "assistant", "content": trace.answer.answer, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {"id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
                "choices": [choice], **beside(trace)}  # fmt: skip


def beside(trace: Trace) -> dict[str, Any]:
    """What stands beside `choices`: the citations, and by whom and how the answer was made."""
    answer = trace.answer
    return {"citations": [c.model_dump() for c in answer.citations], "trace_id": trace.id, "mode": answer.mode,
            "refused": answer.refused, "notice": answer.notice, "conversation": trace.conversation}  # fmt: skip


def event(data: Any, name: str = "") -> str:
    """One server-sent event. ASCII alone, for some clients cut lines at U+2028 and U+0085."""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n"
