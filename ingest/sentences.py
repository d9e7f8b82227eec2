"""Sentences of Chinese and English text, as offsets, so that a quote stays verbatim."""

import re

# An English stop ends a sentence before white space and something that can begin one; a Chinese stop always does.
END = re.compile(r"[。！？；][”’」』）]*|[.!?][\"')\]]*(?=\s+[\"'(\[]?[A-Z0-9㐀-鿿])|\n+")
# "Fig. 3", "No. 5", "e.g. X" and "7.2. Foo" do not end one.
ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|approx|e\.g|i\.e|Figs?|Nos?|Art|Sec|cf|vs|Mr|Ms|Dr|Ltd|Co|Inc|max|min)|^\s*\d+(?:\.\d+)*)\.$"
)

REACH = 40  # characters before a stop in which an abbreviation is looked for: a text may be nothing but abbreviations


def sentences(text: str) -> list[tuple[int, int]]:
    """`(start, end)` of each sentence in reading order, without the white space around it."""
    spans, start = [], 0
    for match in END.finditer(text):
        if match[0].startswith(".") and ABBREVIATION.search(text[max(start, match.end() - REACH) : match.end()]):
            continue
        spans.append((start, match.end()))
        start = match.end()
    spans.append((start, len(text)))
    return [span for span in (strip_span(text, a, b) for a, b in spans) if span[0] < span[1]]


def strip_span(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
