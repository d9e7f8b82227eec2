"""The nouns of serve: Citation, Answer, Trace, Conversation, Feedback, Job. All are stored and sent as the JSON of their fields."""

from typing import Any, Literal

from pydantic import BaseModel, Field

Support = Literal["supported", "partly", "unsupported"]
Author = Literal["model", "attached"]
Mode = Literal["model", "extractive"]


class Citation(BaseModel):
    """One place in one document version that stands behind a sentence; `quote == document text[start:end]`."""

    marker: int  # the [n] in the answer's text
    chunk_id: str
    document: str
    version: str
    page: int | None
    start: int
    end: int
    quote: str
    support: Support
    by: Author  # the model wrote the marker, or it was attached after a passed check
    path: str = ""  # of an answer in JSON: the JSON pointer of the value that stands on it


class Answer(BaseModel):
    """What is shown for one question. `mode` says who wrote it: the model, or the documents themselves."""

    answer: str
    citations: list[Citation] = []
    nearest: list[Citation] = []  # of a refusal: the passages that came nearest, which answer nothing
    refused: bool = False
    mode: Mode = "model"
    model: str = ""  # the base or adapter asked; empty where none was
    notice: str = ""  # one sentence for people: why it quotes, why it refuses
    timings: dict[str, float] = {}  # seconds per step


class Trace(BaseModel):
    """The full record of one question: enough to train on after the documents have changed."""

    id: str
    corpus: str
    question: str
    standalone: str  # the question as searched
    hits: list[dict[str, Any]]  # Hit.to_json() with text and context
    prompt: list[dict[str, str]]  # messages as rendered; empty where no model was asked
    thinking: str = ""  # a reasoning model's, its beginning; no part of the answer
    raw: str  # the model's own words, before any check
    answer: Answer
    created: str
    key: str = ""  # id of the key that asked
    conversation: str = ""  # what it is a turn of: 32 hex digits; empty for what a command asked
    attached: bool = False  # files of the conversation were searched too: nothing is trained on it


class Conversation(BaseModel):
    """What traces of one id have in common; `question` is the first one."""

    id: str
    corpus: str
    created: str
    question: str
    turns: int


class Feedback(BaseModel):
    """What a person said of a trace. A correction makes a preference pair, as do two answers to one question; a lone thumb does not."""

    trace_id: str = Field(max_length=64)
    score: Literal[1, -1]
    comment: str = Field("", max_length=4000)
    correction: str = Field("", max_length=8000)
    learn: bool = False  # may the assistant be taught with it? Whoever gives it says so


class Job(BaseModel):
    """A queued command of the fixed list, run by the worker in a process group of its own."""

    id: str
    command: list[str]
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    created: str
    started: str | None = None
    ended: str | None = None
    exit_code: int | None = None
    log: str = ""  # file name under run/jobs
