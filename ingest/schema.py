"""The nouns of ingest: Document, Block, Chunk, Hit. All offsets are characters of `Document.text`."""

import os
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Ocr = Literal["auto", "always", "never"]
Chunker = Literal["auto", "prose", "legal", "maintenance"]
BlockKind = Literal["heading", "paragraph", "row", "code"]


class Look(NamedTuple):
    """How a file looked when it was read: bytes, and its times in ns. Whatever writes to it moves the last, which nobody can set."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "Look":
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document that a chunk should not cut: `text[start:end]`.

    `path` is the trail of headings above it, `header` a table's header row where the block is one of its rows, or the imports
    that a piece of code uses; `part` the paragraph (款) of a clause. A chunk ends where `path` changes, not where `part` does.
    """

    kind: BlockKind
    start: int
    end: int
    page: int | None = None
    path: tuple[str, ...] = ()
    header: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One source file, parsed. Blocks are in order, do not overlap, and leave out only white space."""

    title: str
    text: str
    blocks: tuple[Block, ...]
    pages: int | None = None  # None where the format has none
    lang: str = "en"
    tables: int = 0
    notes: dict[str, int] = field(default_factory=dict)  # what was left out or read otherwise, and how often
    redacted: dict[str, int] = field(default_factory=dict)  # personal data taken out, counted by kind


@dataclass(frozen=True, slots=True)
class Chunk:
    """An indexed piece: `text == document.text[start:end]`; `context` is embedded and prompted, never quoted."""

    version: str
    ordinal: int
    text: str
    start: int
    end: int
    page: int | None
    context: str

    @property
    def id(self) -> str:
        return f"{self.version}:{self.ordinal}"

    @property
    def embedded(self) -> str:
        """What the embedding model and the keyword index read of it."""
        return f"{self.context}\n{self.text}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A live chunk with the scores that brought it: `score` fused in 0..1, `dense` a cosine, `keyword` a BM25 score."""

    rank: int
    score: float
    chunk: Chunk
    document: str  # the document's name: its path inside the corpus
    dense: float | None = None
    keyword: float | None = None
    named: bool = False  # the question names its document
    exact: bool = False  # it is about, or mentions, a code or clause number of the question

    def to_json(self) -> dict[str, Any]:
        c = self.chunk
        return {"rank": self.rank, "score": round(self.score, 4), "chunk_id": c.id, "document": self.document,
                "page": c.page, "start": c.start, "end": c.end, "text": c.text}  # fmt: skip


Status = Literal["added", "unchanged", "updated", "renamed", "removed", "gone", "skipped", "failed"]


@dataclass(slots=True)
class FileReport:
    """What became of one file of `ingest add`; `gone`: its document is indexed, its file no longer there; `skipped`: left out."""

    path: str
    status: Status
    reason: str = ""
    pages: int | None = None
    chunks: int = 0
    tables: int = 0
    notes: dict[str, int] = field(default_factory=dict)
    redacted: dict[str, int] = field(default_factory=dict)
    seconds: float = field(default=0.0)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}
