"""A table of an OpenDocument file: which cells are filled, merged, repeated and hidden."""

from collections.abc import Callable, Iterator

from lxml import etree

from corpora import UserError
from ingest.readers.grid import MAX_CELLS, Cell, Grid

URN = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
TABLE, OFFICE = URN % "table", URN % "office"
MAX_REPEAT = 1000  # rows or columns that are alike and filled; the empty ones to a sheet's end count for nothing
MAX_DEPTH = 100


def read_table(table: etree._Element, text_of: Callable[[etree._Element], str], note: Callable[..., None], most: int) -> Grid:
    """The filled cells of a table. A repeated row is read as often as it is repeated, unless it is empty.

    `text_of` reads a cell, `note` counts what is left out. Raises `UserError` where there are more than `most` cells.
    """
    shut = _shut_columns(table)
    grid = Grid(shut=shut)
    number = cells = 0
    for row in _rows(table):
        repeat = whole(row.get(TABLE + "number-rows-repeated"))
        filled: dict[int, Cell] = {}
        column = 0
        for cell in row:
            if cell.tag not in (TABLE + "table-cell", TABLE + "covered-table-cell"):
                continue
            wide = whole(cell.get(TABLE + "number-columns-repeated"))
            text = "" if cell.tag == TABLE + "covered-table-cell" else text_of(cell)
            if text.startswith("=DISPIMG("):
                note("pictures in cells left out")
            elif text:
                for i in range(1, min(wide, MAX_REPEAT) + 1):
                    filled[column + i] = Cell(text, cell.get(OFFICE + "value-type", "string") not in ("string", ""))
                down, right = (whole(cell.get(TABLE + f"number-{way}-spanned")) for way in ("rows", "columns"))
                if down > 1 or right > 1:
                    grid.merged.append((number + 1, column + 1, number + down, column + right))
            column += wide
        if filled and row.get(TABLE + "visibility") in ("collapse", "filter"):
            note("hidden rows left out")
        elif filled:
            open_cells = {c: cell for c, cell in filled.items() if c not in shut}
            if len(open_cells) < len(filled):
                note("cells in hidden columns left out", len(filled) - len(open_cells))
            for i in range(1, min(repeat, MAX_REPEAT) + 1):
                grid.rows[number + i] = dict(open_cells)
            cells += len(open_cells) * min(repeat, MAX_REPEAT)
            if cells > most:
                raise UserError(f"The file has more than {MAX_CELLS:,} filled cells.", "Split it.")
        number += repeat
    return grid


def _rows(table: etree._Element, depth: int = 0) -> Iterator[etree._Element]:
    for child in table:
        if child.tag == TABLE + "table-row":
            yield child
        elif (
            child.tag in (TABLE + "table-rows", TABLE + "table-header-rows", TABLE + "table-row-group")
            and depth < MAX_DEPTH
        ):
            yield from _rows(child, depth + 1)


def _shut_columns(table: etree._Element) -> set[int]:
    shut: set[int] = set()
    column = 0
    for one in table.iter(TABLE + "table-column"):
        if not within(one, TABLE + "table-cell", table):
            repeat = whole(one.get(TABLE + "number-columns-repeated"))
            if one.get(TABLE + "visibility") in ("collapse", "filter"):
                shut.update(range(column + 1, column + min(repeat, 20_000) + 1))
            column += repeat
    return shut


def within(node: etree._Element, tag: str, top: etree._Element) -> bool:
    for above in node.iterancestors():
        if above is top:
            return False
        if above.tag == tag:
            return True
    return False


def whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 1
