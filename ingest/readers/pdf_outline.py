"""A PDF's bookmarks: which lines are headings, and of what level, as its author said."""

import re
from functools import lru_cache
from itertools import islice

import pypdfium2

MAX_ENTRIES = 10_000
NOT_LETTERS = re.compile(r"[\W_]+")
NUMBER = re.compile(r"^(?:(?:chapter|section|appendix|part)\s+)?(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)+)[.:)]?\s+(?=\S)", re.I)
Marks = dict[str, list[tuple[int | None, int]]]  # letters of a title → the pages (from 0) and levels (from 1) it has


def outline(pdf: pypdfium2.PdfDocument) -> Marks:
    """The bookmarks by `key` of their titles; none where they cannot be read."""
    marks: Marks = {}
    try:
        for entry in islice(pdf.get_toc(max_depth=6), MAX_ENTRIES):
            title = key(entry.get_title() or "")
            target = entry.get_dest()
            if title:
                marks.setdefault(title, []).append((target.get_index() if target else None, entry.level + 1))
    except (pypdfium2.PdfiumError, UnicodeError, RecursionError):
        return marks
    return marks


@lru_cache(maxsize=20_000)
def key(title: str) -> str:
    """A title's letters and digits without its number, which a bookmark may lack."""
    return NOT_LETTERS.sub("", NUMBER.sub("", title.strip())).lower()


def level(marks: Marks, text: str, page: int) -> int:
    """The level of a heading `text` on `page` (from 0); 0 where no bookmark leads to it."""
    for target, depth in marks.get(key(text), ()):
        if target is None or target == page:
            return min(depth, 6)
    return 0
