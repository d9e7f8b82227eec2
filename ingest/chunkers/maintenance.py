"""The outline of a manual: a fault's code names the paragraphs and the table row that tell of it.

`Manual X100 › 5 Faults › E07`: a row whose first cell is a code, and what follows a paragraph that begins with one.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from ingest.schema import Block, Document

# E07, SC-A04, AL-12.3, F0042: letters, then a figure, as the whole of a cell or set off from the words that explain it.
CODE = re.compile(r"[ \t]*((?=[A-Z0-9.-]*\d)[A-Z]{1,5}[A-Z0-9]{0,3}(?:[-.][A-Z0-9]{1,6}){0,3})(?=\s*(?:[|:：—–]|-\s|\n|$)|\s{2,})")
SIBLINGS = 2  # codes of one family in one section that make them codes and not a part's number


def outline(document: Document) -> list[Block]:
    """The document's blocks, those that tell of one fault with its code at the end of their path."""
    codes = dict(_codes(document))
    families: dict[tuple[tuple[str, ...], str], set[str]] = {}
    for block, code in codes.items():
        families.setdefault((block.path, _family(code)), set()).add(code)
    blocks: list[Block] = []
    open_code, under = "", None
    for block in document.blocks:
        code = codes.get(block, "")
        if len(families.get((block.path, _family(code)), ())) < SIBLINGS:
            code = ""
        if block.kind == "row":
            open_code = ""
            blocks.append(replace(block, path=(*block.path, code)) if code and block.header else block)
            continue
        if block.kind == "heading" or block.path != under:
            open_code, under = "", block.path
        if code and block.kind == "paragraph":
            open_code = code
        blocks.append(replace(block, path=(*block.path, open_code)) if open_code else block)
    return blocks


def _codes(document: Document) -> Iterator[tuple[Block, str]]:
    for block in document.blocks:
        if block.kind in ("row", "paragraph") and (found := CODE.match(document.text, block.start, block.end)):
            yield block, found[1]


def _family(code: str) -> str:
    """Codes of one list differ in their figures: SC-A04 and SC-W11 are of SC, E07 of E."""
    return re.split(r"[-.\d]", code, maxsplit=1)[0]
