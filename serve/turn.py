"""A turn: one question on its way through the chain, how it is to be answered, and the pieces that come out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from ingest.schema import Hit
from ingest.search import EVERYWHERE, Searcher
from ingest.where import Where
from serve.form import Form
from serve.prompt import Prompt
from serve.schema import Mode, Trace


class How(TypedDict, total=False):
    """How a question is to be answered; what is left out is as `Turn` says."""

    adapter: str | None
    mode: Mode | None
    max_tokens: int | None
    where: Where
    form: Form | None
    stop: tuple[str, ...]
    attached: Searcher | None


@dataclass(slots=True)
class Turn:
    """One question on its way through the chain; each step fills in its part."""

    question: str
    history: Sequence[dict[str, str]] = ()
    adapter: str | None = None  # a name that vLLM serves; None for the champion, "" for the bare base
    mode: Mode | None = None  # None: what the profile and the machine say
    max_tokens: int | None = None
    where: Where = EVERYWHERE  # is searched
    form: Form | None = None  # None: prose
    stop: tuple[str, ...] = ()
    attached: Searcher | None = None  # of the files of this conversation
    lang: str = "en"
    standalone: str = ""
    hits: list[Hit] = field(default_factory=list)
    why: str = "asked"  # it is quoted, where it is
    weigh: Callable[[str], float] = lambda token: 1.0
    evidence: float = 0.0
    prompt: Prompt | None = None
    thinking: str = ""
    raw: str = ""
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """What the chain puts out: thinking and checked text as they come, and with the last piece the trace. Pieces add up."""

    text: str = ""
    trace: Trace | None = None
    thinking: str = ""  # a reasoning model's, apart from the text

    def __add__(self, other: "Piece") -> "Piece":
        return Piece(self.text + other.text, other.trace or self.trace, self.thinking + other.thinking)


def timed(turn: Turn, step: str) -> Turn:
    """Note the seconds since the last step ended."""
    spent = sum(v for k, v in turn.timings.items() if k != "start")
    turn.timings[step] = round(time.monotonic() - turn.timings["start"] - spent, 4)
    return turn
