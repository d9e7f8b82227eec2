"""Complete sentences out of a stream of words: a sentence leaves when the next has begun, so its markers are with it."""

import re
from collections.abc import Iterator

from ingest.sentences import sentences

BEGINS_WITH_MARKER = re.compile(r"(?:\s*[\[【]\s*\d{1,2}(?:\s*[,，、]\s*\d{1,2})*\s*[\]】])+[.。]?")
MAY_BE_MARKER = re.compile(r"\s*(?:[\[【][\d\s,，、]*)?$")


def complete_sentences(words: Iterator[str]) -> Iterator[str]:
    """Whole sentences, each with the markers that follow its stop; the rest when the words end."""
    text = ""
    for piece in words:
        text += piece
        while True:
            cut = _first_end(text)
            if cut is None:
                break
            yield text[:cut]
            text = text[cut:]
    for start, end in _with_markers(text):
        yield text[start:end]


def _first_end(text: str) -> int | None:
    """Where the first sentence and its markers end, once it is certain that they do."""
    spans = _with_markers(text)
    if len(spans) < 2:
        return None
    rest = text[spans[0][1] :]
    return None if MAY_BE_MARKER.fullmatch(rest) else spans[0][1]


def _with_markers(text: str) -> list[tuple[int, int]]:
    """Sentence spans; markers at the start of one belong to the one before."""
    spans: list[tuple[int, int]] = []
    for start, end in sentences(text):
        lead = BEGINS_WITH_MARKER.match(text, start, end)
        if lead and spans:
            spans[-1] = (spans[-1][0], lead.end())
            start = lead.end()
        if text[start:end].strip():
            spans.append((start, end))
    return spans
