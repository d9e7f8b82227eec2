"""Recognised lines of one block: which run on as prose does, and which stand by themselves as a label, an item, a form's line does."""

import re

from ingest.readers.joining import CLOSED
from ingest.readers.pdf_characters import Line

PROSE = 12  # font sizes that lines of prose are wide, on average; 24 letters or 12 Chinese characters
SPARE = 1.5  # font sizes at a line's end that say nothing: a mark that must not begin a line, a page that lies askew
LABEL = re.compile(r"[^\W\da-z][^:：,，;；.。!！?？]{0,30}[:：]")  # Pressure: 5 bar, 检修人：王工
WORD = re.compile(rf"(?:(?!{CLOSED.pattern})\S)+|.")


def running(lines: list[Line]) -> list[list[Line]]:
    """The lines in groups, each of which is one line of text."""
    groups: list[list[Line]] = []
    for column in _columns(lines):
        edge = max(line.right for line in column)
        prose = _is_prose(column)
        for n, line in enumerate(column):
            goes_on = (prose and not _ends(column[n - 1], line, edge)) if n else bool(groups)
            if goes_on:
                groups[-1].append(line)
            else:
                groups.append([line])
    return groups


def _columns(lines: list[Line]) -> list[list[Line]]:
    """A block that goes on at the top of the next column, cut there: each column has an edge of its own."""
    columns: list[list[Line]] = []
    for line in lines:
        if columns and line.top > columns[-1][-1].top:
            columns[-1].append(line)
        else:
            columns.append([line])
    return columns


def _is_prose(column: list[Line]) -> bool:
    """Are its lines wide, but for the last, which may end anywhere?"""
    whole = column[:-1] or column
    return sum(line.right - line.left for line in whole) >= PROSE * sum(line.size for line in whole)


def _ends(above: Line, line: Line, edge: float) -> bool:
    """Does the line above end for good: are both labelled, or would the first word of the next have fitted behind it?"""
    word = WORD.match(line.text)
    wide = sum(1.0 if CLOSED.match(c) else 0.5 for c in word[0]) if word else 0.0
    labelled = LABEL.match(above.text) and LABEL.match(line.text)
    return bool(labelled) or edge - above.right > (wide + SPARE) * line.size
