"""What the gateway replies, as the page reads it: frozen, checked for its shape, and every failure a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self


class GatewayError(Exception):
    """What went wrong, as a sentence for the person at the page; `status` is HTTP's, 0 where there was no reply."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class Reply:
    """A JSON object of the gateway; fields it has beyond ours are left alone, so that an older page still works."""

    @classmethod
    def read(cls, data: Any) -> Self:
        try:
            return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})  # type: ignore[arg-type]
        except (TypeError, KeyError) as error:
            raise unreadable(error) from None


@dataclass(frozen=True, slots=True)
class Health(Reply):
    version: str
    model: dict[str, Any]  # {"up": bool, "name": str}
    chroma: bool

    @property
    def model_up(self) -> bool:
        return bool(self.model.get("up"))


@dataclass(frozen=True, slots=True)
class Assistant(Reply):
    id: str
    title: str
    description: str = ""
    languages: Sequence[str] = ()
    documents: int = 0
    adapter: str | None = None
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Citation(Reply):
    marker: int
    document: str
    version: str
    page: int | None
    start: int
    end: int
    quote: str
    support: Literal["supported", "partly", "unsupported"]
    by: Literal["model", "attached"]

    def __post_init__(self) -> None:
        numbers = (self.marker, self.start, self.end, 0 if self.page is None else self.page)
        if not all(isinstance(n, int) for n in numbers):
            raise TypeError("a citation without its place")
        if self.support not in ("supported", "partly", "unsupported") or self.by not in ("model", "attached"):
            raise TypeError("a citation of an unknown kind")


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands beside an answer's text once it is complete."""

    citations: Sequence[Citation] = ()
    trace_id: str = ""
    mode: str = "model"
    refused: bool = False
    notice: str = ""

    @classmethod
    def read(cls, data: Any) -> Self:
        refused = bool(data.get("refused"))  # then what it shows are the passages that came nearest
        return cls(
            citations=[Citation.read(c) for c in (data.get("nearest", ()) if refused else data["citations"])],
            trace_id=str(data.get("trace_id") or ""),
            mode=str(data.get("mode") or "model"),
            refused=bool(data.get("refused")),
            notice=str(data.get("notice") or ""),
        )


@dataclass(frozen=True, slots=True)
class Conversation(Reply):
    """An earlier conversation, called by its first question."""

    id: str
    corpus: str
    created: str
    question: str
    turns: int


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of an earlier conversation."""

    question: str
    text: str
    answer: Answer
    score: Literal[1, -1] | None


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what a reasoning model thinks before it answers; no part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Passage(Reply):
    document: str
    title: str
    page: int | None
    section: str
    before: str
    quote: str
    after: str
    header: str = ""
    has_page_image: bool = False


@dataclass(frozen=True, slots=True)
class Document(Reply):
    document: str
    version: str
    title: str
    pages: int | None
    chunks: int
    lang: str = ""
    added: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Job(Reply):
    id: str
    command: Sequence[str]
    status: Literal["queued", "running", "done", "failed", "cancelled"]

    @property
    def over(self) -> bool:
        return self.status in ("done", "failed", "cancelled")


def unreadable(error: Exception) -> GatewayError:
    return GatewayError(f"The gateway sent what this page cannot read ({error}). Are both of the same version?")
