"""OpenAI's shapes for a chat completion: what is asked, and what is answered whole or in a stream."""

import json
import secrets
import time
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from corpora import UserError
from ingest.where import Where
from serve.form import Form, ResponseFormat, Stop, StructuredOutputs, asked_form
from serve.schema import Trace
from serve.thinking import without_thinking

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


class Searched(BaseModel, extra="forbid"):
    """What is searched, as `ingest search` has it: an unknown field is refused, for what it would leave out would be answered from."""

    documents: list[Annotated[str, Field(max_length=1000)]] = Field([], max_length=100)  # by name, version or pattern
    section: str = Field("", max_length=200)
    lang: Literal["", "en", "zh"] = ""
    after: date | None = None
    before: date | None = None

    @property
    def meant(self) -> Where:
        return Where(tuple(self.documents), self.section, self.lang, self.after, self.before)


class ChatRequest(BaseModel):
    """A question to an assistant. Other fields of OpenAI's API are taken and have no effect here."""

    model: str  # a corpus, or CORPUS@VERSION for an adapter that is published and need not be served
    messages: list[Message] = Field(min_length=1, max_length=MAX_TURNS)
    stream: bool | None = None
    max_tokens: int | None = Field(None, ge=1)  # the profile's own limit stands where this is higher
    max_completion_tokens: int | None = Field(None, ge=1)
    n: Literal[1] | None = None
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None  # vLLM's
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    where: Searched = Field(default_factory=Searched)  # what is searched; all of it where nothing is said
    conversation: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")  # whose turn it is; a new one where there is none

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.structured_outputs and self.response_format and self.response_format.type != "text":
            raise ValueError("response_format and structured_outputs are two forms for one answer")
        return self

    @property
    def form(self) -> Form | None:
        return asked_form(self.response_format, self.structured_outputs)

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def corpus(self) -> str:
        return self.model.partition("@")[0]

    @property
    def version(self) -> int | None:
        """Of the adapter that shall answer; None for the champion."""
        return int(version) if (version := self.model.partition("@")[2]) else None

    @property
    def question(self) -> str:
        """The last user message."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "").strip()

    @property
    def history(self) -> list[dict[str, str]]:
        """The turns of user and assistant before the question; the assistant's rules are its own, not the client's.

        What the assistant thought is no part of what it said.
        """
        last = max((i for i, m in enumerate(self.messages) if m.role == "user"), default=0)
        said = [(m.role, without_thinking(m.text) if m.role == "assistant" else m.text) for m in self.messages[:last]]
        return [{"role": role, "content": text} for role, text in said if role in ("user", "assistant") and text]


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
        f"{'.'.join(str(part) for part in e['loc'] if part != 'body') or 'body'}: {e['msg'].removeprefix('Value error, ')}"
        for e in errors
    )[:600]


class Completion:
    """One answer on its way out: `chunk` for a stream, `whole` otherwise.

    Where a form was asked for, a refusal is no answer in it: it stands in OpenAI's `refusal`, and `content` is null.
    """

    def __init__(self, model: str, has_form: bool = False) -> None:
        self.has_form = has_form
        self.id, self.created, self.model = f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), model

    def chunk(self, delta: dict[str, str], trace: Trace | None = None) -> dict[str, Any]:
        """A piece; the one with the trace ends the answer."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": "stop" if trace else None}
        return {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
                "choices": [choice], **(beside(trace) if trace else {})}  # fmt: skip

    def whole(self, trace: Trace) -> dict[str, Any]:
        message = {"role": "assistant", "content": trace.answer.answer, "refusal": None}
        if self.has_form and trace.answer.refused:
            message |= {"content": None, "refusal": trace.answer.answer}
        if trace.thinking:
            message["reasoning_content"] = trace.thinking
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {"id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
                "choices": [choice], **beside(trace)}  # fmt: skip


def beside(trace: Trace) -> dict[str, Any]:
    """What stands beside `choices`: the citations, and by whom and how the answer was made."""
    answer = trace.answer
    return {"citations": [c.model_dump() for c in answer.citations], "nearest": [c.model_dump() for c in answer.nearest],
            "trace_id": trace.id, "mode": answer.mode, "refused": answer.refused, "notice": answer.notice,
            "conversation": trace.conversation}  # fmt: skip


def event(data: Any, name: str = "") -> str:
    """One server-sent event. ASCII alone, for some clients cut lines at U+2028 and U+0085."""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n"
