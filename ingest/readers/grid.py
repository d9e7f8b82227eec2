"""From a sheet's cells to tables: what stands above the header, a header over two rows, blank rows between tables."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

from ingest.readers.writer import Writer

MAX_CELLS = 2_000_000  # with something in them, of one workbook
FIGURE = re.compile(r"[-+±≤≥<>~约¥$€]?\s*\d[\d\s,.:/%-]*")
YEAR = re.compile(r"(?:19|20)\d\d(?:[-/年]\d{1,2})?[年月]?")  # or a month of one


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows, and whether that is a figure (a number, a date, a truth value) rather than a label."""

    text: str
    figure: bool = False


@dataclass(slots=True)
class Grid:
    """The filled cells of one sheet by row and column, from 1; merged ranges as (top, left, bottom, right); hidden columns."""

    rows: dict[int, dict[int, Cell]] = field(default_factory=dict)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    shut: set[int] = field(default_factory=set)

    def write(self, writer: Writer, has_header: bool = False) -> None:
        """Append the sheet's tables, and as paragraphs what stands alone in its row above or below them.

        The first row is a header when it holds no figure but years, and in any case where the caller knows that it `has_header`.
        """
        wide = self._spread()
        for part in self._side_by_side(wide):
            table: list[int] = []
            last = 0
            for number in sorted(part.rows):
                if table and number > last + 1 and not part._goes_on(table, number):
                    part._table(writer, table, wide, has_header)
                    table = []
                table.append(number)
                last = number
            if table:
                part._table(writer, table, wide, has_header)

    def _side_by_side(self, wide: set[tuple[int, int]]) -> list["Grid"]:
        """The sheet cut at a blank column where that parts two tables, each of two columns or more under a header of its own."""
        self.rows = {number: row for number, row in self.rows.items() if row}
        used = sorted({column for row in self.rows.values() for column in row})
        for before, after in pairwise(used):
            if all(column in self.shut for column in range(before + 1, after)):
                continue
            left, right = (
                Grid(
                    {
                        n: kept
                        for n, row in self.rows.items()
                        if (kept := {c: v for c, v in row.items() if (c < after) is side})
                    }
                )
                for side in (True, False)
            )
            if left._has_header(wide) and right._has_header(wide):
                return [left, *right._side_by_side(wide)]
        return [self]

    def _has_header(self, wide: set[tuple[int, int]]) -> bool:
        """Does the first row of several cells hold labels alone, with a row of several cells below it?"""
        numbers = [number for number, row in sorted(self.rows.items()) if len(row) > 1]
        rows = [self.rows[n] for n in numbers]
        columns = sorted({column for row in rows for column in row})
        return len(rows) > 1 and _is_header(rows, self._is_grouped(columns, numbers, wide))

    def _spread(self) -> set[tuple[int, int]]:
        """Let a cell merged over rows stand in each; returns where each cell merged over columns begins, with its end."""
        wide: set[tuple[int, int]] = set()
        for top, left, bottom, right in self.merged:
            cell = self.rows.get(top, {}).get(left)
            if cell is None:
                continue
            if right > left:
                wide.update((top, column) for column in range(left, min(right, left + 500) + 1))
            # a range that reaches to the end of the sheet does not fill rows that hold nothing else
            for row in range(top + 1, bottom + 1) if bottom - top < len(self.rows) else ():
                if row in self.rows:
                    self.rows[row].setdefault(left, cell)
        return wide

    def _goes_on(self, table: list[int], number: int) -> bool:
        """After a blank row: more rows of the same table, for they begin with figures under the same columns?"""
        row, head = self.rows[number], self.rows[table[0]]
        return len(row) > 1 and any(c.figure for c in row.values()) and row.keys() <= head.keys()

    def _table(self, writer: Writer, numbers: list[int], wide: set[tuple[int, int]], has_header: bool) -> None:
        rows = [self.rows[n] for n in numbers]
        several = max(map(len, rows)) > 1
        while several and rows and len(rows[0]) == 1:  # a title, a unit, a remark above the header
            writer.paragraph(next(iter(rows.pop(0).values())).text)
            numbers = numbers[1:]
        below: list[str] = []
        while several and len(rows) > 2 and len(rows[-1]) == 1 and len(next(iter(rows[-1].values())).text) > 12:
            below.insert(0, next(iter(rows.pop().values())).text)
        columns = sorted({column for row in rows for column in row})
        cells = [[row[c].text if c in row else "" for c in columns] for row in rows]
        grouped = len(rows) > 2 and self._is_grouped(columns, numbers, wide)
        headed = len(rows) > 1 and (has_header or _is_header(rows, grouped))
        if headed and grouped:
            cells[:2] = [self._joined(columns, numbers[:2], wide)]
        writer.table(cells, has_header=headed)
        for text in below:
            writer.paragraph(text)

    def _is_grouped(self, columns: list[int], numbers: list[int], wide: set[tuple[int, int]]) -> bool:
        """Do the first two rows make one header: cells over several columns, below them labels, nothing new beside those?"""
        first, second = (self.rows[n] for n in numbers[:2])
        under = [column for column in columns if (numbers[0], column) in wide]
        beside = [column for column in columns if column not in under and column in second]
        return (
            bool(under)
            and any(column in second for column in under)
            and not any(cell.figure for cell in second.values())
            and all(second[column].text == (first[column].text if column in first else "") for column in beside)
        )

    def _joined(self, columns: list[int], numbers: list[int], wide: set[tuple[int, int]]) -> list[str]:
        """One header of two rows: 2024 over Q1 and Q2 becomes 2024 Q1, 2024 Q2."""
        first, second = (self.rows[n] for n in numbers)
        names, group = [], ""
        for column in columns:
            if column in first:
                group = first[column].text
            elif (numbers[0], column) not in wide:
                group = ""
            below = second[column].text if column in second else ""
            names.append(group if below in ("", group) else f"{group} {below}".strip())
        return names


def _is_header(rows: list[dict[int, Cell]], grouped: bool) -> bool:
    """Does the first row hold labels alone, or beside them different years over columns of other figures?

    One year alone may be a price or a sum; it is a year where it stands over `grouped` labels.
    """
    figures = {column: cell.text for column, cell in rows[0].items() if cell.figure}
    if len(set(figures.values())) < len(figures) or not all(map(YEAR.fullmatch, figures.values())):
        return False
    if len(figures) == 1 and not grouped:
        return False
    below = (row[column] for row in rows[1:] for column in figures if column in row)
    return not figures or any(cell.figure and not YEAR.fullmatch(cell.text) for cell in below)
