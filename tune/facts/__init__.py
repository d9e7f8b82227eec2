"""Questions made by templates over a document's structure, each with the sentence that answers it and the place that proves it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.language import language
from ingest.schema import Chunk
from tune.chance import Chance, chance
from tune.facts.code import function_facts
from tune.facts.prose import clause_facts, sentence_facts
from tune.facts.subject import Subject, subject_of
from tune.facts.table import header_of, row_facts
from tune.facts.wording import Fact

__all__ = ["CODE", "Fact", "facts_of"]
LEADERS = re.compile(r"(?:[.·…]\s?){4,}")  # a line of a table of contents


@dataclass(frozen=True, slots=True)
class Source:
    """A document as the manifest lists it."""

    document: str
    title: str
    lang: str
    suffix: str


CODE = frozenset({".py", ".js", ".ts", ".go", ".java", ".rs", ".c", ".h", ".cpp"})


def facts_of(source: Source, chunks: list[Chunk], seed: int) -> Iterator[Fact]:
    """Every fact that the templates find in a document; the same ones for the same seed."""
    subject = subject_of(source.title, source.lang)
    rows: dict[str, list[str]] = {}  # the first cells of a table: a key that comes twice names no row
    for chunk in chunks:
        if header := header_of(chunk.context):
            rows.setdefault("|".join(header), []).append(chunk.text.strip().split(" | ")[0].strip().lower())
    for chunk in chunks:
        rng = chance(seed, chunk.id)
        yield from _chunk_facts(source, subject, chunk, rows, rng)


def _chunk_facts(source: Source, subject: Subject, chunk: Chunk, rows: dict[str, list[str]], rng: Chance) -> Iterator[Fact]:
    if LEADERS.search(chunk.text):
        return
    if source.suffix in CODE:
        found = function_facts(chunk, rng)
    elif header := header_of(chunk.context):
        found = row_facts(chunk, header, subject, rows["|".join(header)], rng)
    elif " | " in chunk.text:
        return  # a table's header row, or a row that its reader could not place
    else:
        found = [*clause_facts(chunk, subject, rng), *sentence_facts(chunk, subject, rng)]
    for fact in found:
        # A Chinese manual may hold an English line: what it asks must be read by whoever reads the document.
        if language(fact.question) == language(fact.answer) == subject.lang or source.suffix in CODE:
            yield fact.of(source.document)
