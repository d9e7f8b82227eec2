"""CSV and TSV: one block a row, each carrying the header; a title above the header is a paragraph."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from pathlib import Path

from corpora import UserError
from ingest.readers.grid import FIGURE, YEAR
from ingest.readers.text import decode
from ingest.readers.writer import Writer

csv.field_size_limit(1_000_000)
SAMPLE = 65_536
MAX_AGAIN = 2_000_000  # lines read twice to find where a quote closes; from then on no quote means anything
MAX_TITLES = 5  # above a header; more single cells are a list
DECLARED = re.compile(r"sep=(.)\n")  # how Excel is told the delimiter, in a first line of its own


def read(path: Path, writer: Writer) -> None:
    text = decode(path.read_bytes())
    declared = DECLARED.match(text)
    if declared:
        text = text[declared.end() :]
    delimiter = declared[1] if declared else _delimiter(text[:SAMPLE], "\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        rows, stray = _rows(list(StringIO(text)), delimiter)
    except csv.Error as error:
        raise UserError(f"The table cannot be read ({error}).", "Save it again as CSV.") from None
    writer.note("quotes that close nowhere read as text", stray)
    titles = _titles(rows)
    for title in titles:
        writer.paragraph(title)
    writer.table(rows[len(titles) :])


class _Lines:
    """Lines of a file, which can be gone back in."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.at == len(self.lines):
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]


def _rows(lines: list[str], delimiter: str) -> tuple[list[list[str]], int]:
    """The rows but blank ones, and how many quotes opened a cell and closed nowhere, or in the middle of another line.

    Such a quote is text, or what follows it would be one cell to the file's end.
    """
    source, rows = _Lines(lines), list[list[str]]()
    stray = again = 0
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)
    while source.at < len(lines):
        first = source.at
        try:
            row = next(reader, [])
        except csv.Error:
            over_lines = source.at > first + 1
            stray += over_lines
            again += source.at - first - 1
            source.at = first + 1
            row = _row(lines[first], delimiter, quoted=not over_lines)
        if any(cell.strip() for cell in row):
            rows.append(row)
        if again > MAX_AGAIN:
            rest = lines[source.at :]
            return rows + [_row(line, delimiter, quoted=False) for line in rest if line.strip()], stray
    return rows, stray


def _row(line: str, delimiter: str, quoted: bool) -> list[str]:
    reader = csv.reader([line], delimiter=delimiter, skipinitialspace=True,
                        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)  # fmt: skip
    return next(reader, [])


def _titles(rows: list[list[str]]) -> list[str]:
    """What stands alone in the first rows, if a header follows: a row of several cells and no figure but years."""
    titles: list[str] = []
    for row in rows:
        cells = [cell.strip() for cell in row if cell.strip()]
        if len(cells) > 1:
            figures = [cell for cell in cells if FIGURE.fullmatch(cell)]
            return titles if all(map(YEAR.fullmatch, figures)) else []
        titles += cells
        if len(titles) > MAX_TITLES:
            break
    return []


def _delimiter(sample: str, likely: str) -> str:
    """The delimiter by which most rows have the same number of columns, the more of them the better."""
    best, score = likely, 1.5
    for delimiter in dict.fromkeys((likely, ",", ";", "\t", "|")):
        try:
            rows, _ = _rows(list(islice(StringIO(sample), 200)), delimiter)
        except csv.Error:
            continue
        widths = Counter(map(len, rows))
        width, agreed = max(widths.items(), key=lambda one: (one[1] * (one[0] > 1), one[0]), default=(1, 0))
        share = agreed / max(1, widths.total())
        if width > 1 and share * min(width, 8) > score:
            best, score = delimiter, share * min(width, 8)
    return best
