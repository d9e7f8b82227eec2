"""A citation opened: the quote in one version of a document, with the text around it."""

import re
from typing import Any

from corpora import UserError
from ingest.chunkers.context import CONTEXT
from ingest.manifest import Manifest
from ingest.schema import Chunk

AROUND = 700  # characters shown on each side, at most
MAX_QUOTE = 8000  # more than any citation's
BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[。！？；])|(?<=[.!?;])\s+"), re.compile(r"\s+"))


def passage(manifest: Manifest, row: dict[str, Any], start: int, end: int) -> dict[str, Any]:
    """document, title, page, section, header, before, quote, after, has_page_image of `text[start:end]` of a version.

    `header` names the columns where the quote is a row of a table.
    """
    text = manifest.text(row["id"])
    check_span(text, start, end)
    chunk = chunk_at(manifest.chunks(row["id"]), start)
    return {
        "document": row["document"] or row["title"],
        "title": row["title"],
        "page": chunk.page if chunk else None,
        "section": section(row["title"], chunk.context) if chunk else "",
        "header": columns(chunk.context) if chunk else "",
        "before": before(text, start),
        "quote": text[start:end],
        "after": after(text, end),
        "has_page_image": bool(row["suffix"] == ".pdf" and chunk and chunk.page and manifest.original(row["id"])),
    }


def check_span(text: str, start: int, end: int) -> None:
    if not 0 <= start < end <= len(text) or end - start > MAX_QUOTE:
        raise UserError(f"start={start}, end={end} is no passage of this document of {len(text)} characters.",
                        "Take both from a citation.")  # fmt: skip


def chunk_at(chunks: list[Chunk], at: int) -> Chunk | None:
    """The chunk in which character `at` of its document lies."""
    return next((chunk for chunk in chunks if chunk.start <= at < chunk.end), None)


def section(title: str, context: str) -> str:
    """The headings above a chunk, without the document's title and a table row's header."""
    context = context[: len(context) - len(columns(context))].removesuffix(": ")
    return "" if context == title else context.removeprefix(title + CONTEXT)


def columns(context: str) -> str:
    """The header of the table that a chunk is a row of; only a table's header joins its cells by ` | `."""
    if " | " not in context:
        return ""
    return context[context.rfind(": ", 0, context.index(" | ")) + 2 :] if ": " in context else context


def before(text: str, start: int) -> str:
    """What stands before the quote, from the first paragraph that fits; else from a line, a sentence or a word."""
    low = max(0, start - AROUND)
    if low == 0:
        return text[:start]
    for pattern in BREAKS:
        found = pattern.search(text, low, start)
        if found and found.end() < start:
            return text[found.end() : start]
    return text[low:start]


def after(text: str, end: int) -> str:
    """What stands after the quote, to the last paragraph that fits; else to a line, a sentence or a word."""
    high = min(len(text), end + AROUND)
    if high == len(text):
        return text[end:]
    for pattern in BREAKS:
        ends = [found.start() for found in pattern.finditer(text, end, high) if found.start() > end]
        if ends:
            return text[end : ends[-1]]
    return text[end:high]
