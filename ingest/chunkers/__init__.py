"""Document → Chunks by the rules of its domain.  See them: ingest show CORPUS DOCUMENT

First the domain's outline says where each block stands (clause, fault, heading), then blocks are packed under a cap of the embedding
model's own tokens. Chunks tile the document: joined in order they give back its text.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest.schema import Block, Chunk, Chunker, Document

if TYPE_CHECKING:
    from ingest.chunkers.pack import Count

CHUNKER_VERSION = "5"  # part of a version's stamp: raise it when chunks would come out otherwise


def chunk(document: Document, version: str, count: "Count", cap: int, chunker: Chunker = "auto", window: int = 0) -> list[Chunk]:
    """The chunks of `document`: each of at most `cap` tokens by `count`, or one character if one alone is more.

    With `window`, the model's whole input in tokens, a chunk's context is shortened until both fit in it together.
    `auto` takes the legal outline where the document's own numbering carries one.
    """
    from ingest.chunkers import (  # here, since a look at an unchanged folder asks for the version alone
        legal,
        levels,
        maintenance,
    )
    from ingest.chunkers.context import contexts
    from ingest.chunkers.pack import pack

    if chunker == "auto":
        chunker = "legal" if levels.is_numbered(document) else "prose"
    if outline := {"legal": legal.outline, "maintenance": maintenance.outline}.get(chunker):
        document = replace(document, blocks=tuple(outline(document)))
    groups = pack(document, count, cap)
    if not groups:
        return []
    starts = [0, *(group[0].start for group in groups[1:])]
    ends = [*starts[1:], len(document.text)]
    texts = [document.text[start:end] for start, end in zip(starts, ends, strict=True)]
    above = contexts(document.title, groups, texts, count, window)
    return [
        Chunk(version, i, text, start, end, _page(group), context)
        for i, (group, text, start, end, context) in enumerate(zip(groups, texts, starts, ends, above, strict=True))
    ]


def _page(group: Sequence[Block]) -> int | None:
    return next((block.page for block in group if block.kind != "heading"), group[0].page)
