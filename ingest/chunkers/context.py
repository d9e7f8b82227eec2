"""A chunk's context: where it stands. Title, headings, clause or fault, the header of its table, the imports of its code.

It is embedded and prompted with the chunk and never quoted, and shortened until both fit the model's window.
"""

from collections.abc import Sequence

from ingest.chunkers.pack import Count
from ingest.schema import Block

CONTEXT = " › "
HEADER = 300  # characters of a table's header that its rows carry
LEAST = 24  # characters that a shortened heading keeps
SLACK = 4  # tokens: two special ones, and what joining two texts may add in some vocabularies


def contexts(title: str, groups: Sequence[Sequence[Block]], texts: Sequence[str], count: Count, window: int) -> list[str]:
    """The context of each group of blocks. `window` in tokens; 0 for no limit."""
    found = [_context(*_parts(title, group)) for group in groups]
    if not window:
        return found
    rooms = [window - SLACK - n for n in count(list(texts))]
    lengths = count(found)
    return [
        context if length <= room else _shortened(*_parts(title, group), count=count, room=room)
        for context, group, length, room in zip(found, groups, lengths, rooms, strict=True)
    ]


def _parts(title: str, group: Sequence[Block]) -> tuple[list[str], str]:
    """The trail of names above a group, and the header of its row or the imports of its code."""
    first = next((block for block in group if block.kind != "heading"), group[-1])
    trail = [title, *(p for p in first.path if p != title)]
    if first.part:
        trail.append(first.part)
    # a table of thousands of columns would be repeated whole with each piece of each of its rows
    return trail, first.header[:HEADER]


def _context(trail: Sequence[str], header: str) -> str:
    return CONTEXT.join(trail) + (f": {header}" if header else "")


def _shortened(trail: list[str], header: str, count: Count, room: int) -> str:
    """The longest of a row of ever shorter contexts that has at most `room` tokens; what names the chunk goes last."""
    tries = [_context(trail, header[:n]) for n in (150, 75) if n < len(header)]
    for most in (80, 48, LEAST):
        tries.append(_context([_abbreviated(p, most) for p in trail], header[:most]))
    tries += [_context([_abbreviated(trail[0], LEAST), _abbreviated(trail[-1], LEAST)], ""), _abbreviated(trail[-1], LEAST)]
    lengths = count(tries)
    return next((text for text, length in zip(tries, lengths, strict=True) if length <= room), "")


def _abbreviated(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
