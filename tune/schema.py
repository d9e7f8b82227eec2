"""The nouns of tune that lie on disk: Example, PreferencePair, Adapter. Each is stored as the JSON of its fields."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Messages = list[dict[str, str]]
Kind = Literal["sft", "dpo"]


class Example(BaseModel):
    """A row of sft.jsonl: TRL's `prompt` and `completion`, and where it came from."""

    id: str
    kind: str  # which template asked: value, cell, code, figure, condition …; or `written`, by people
    answerable: bool  # False: nothing shown answers it, and the completion is the refusal
    augmented: str = ""  # how it came from another row: synonyms, typing, paraphrase, back-translation, renamed
    document: str
    chunk_id: str  # the chunk that answers; empty where no document does
    shown: list[str]  # ids of the chunks in the prompt, in order
    prompt: Messages
    completion: Messages

    @property
    def chunks(self) -> list[str]:
        """Ids of the chunks that it shows or asks about."""
        return [chunk for chunk in (self.chunk_id, *self.shown) if chunk]


class PreferencePair(BaseModel):
    """A row of dpo.jsonl: TRL's `prompt`, `chosen` and `rejected`, and where it came from."""

    id: str
    source: str  # feedback, or which deliberate mistake was made
    chunk_id: str = ""  # the chunk that answers, as an example's
    shown: list[str]
    prompt: Messages
    chosen: Messages
    rejected: Messages

    @property
    def chunks(self) -> list[str]:
        """Ids of the chunks that it shows or asks about."""
        return [chunk for chunk in (self.chunk_id, *self.shown) if chunk]


class Adapter(BaseModel):
    """manifest.json of a published version: what it was made from, and with what."""

    model_config = ConfigDict(extra="forbid")

    corpus: str
    version: int
    kind: Kind
    base: str  # folder name under home/models; vLLM serves the adapter on this model alone
    base_hash: str
    template_hash: str  # of prompt and chat template; serving with another one makes the adapter worse
    data_hash: str
    rows: int
    parent: int | None  # the version that it went on from
    trained_on: list[str] = []  # document versions in its rows and its parent's; `serve erase` reads this
    documents: list[str] = []  # and their names, since a document has another version after every change
    settings: dict[str, Any]
    loss: float
    created: str
