"""CSV and TSV: one block a row, each carrying the header."""

import csv
import re
from collections import Counter
from io import StringIO
from itertools import islice
from pathlib import Path

from corpora import UserError
from ingest.readers.text import decode
from ingest.readers.writer import Writer

csv.field_size_limit(1_000_000)
SAMPLE = 65_536
DECLARED = re.compile(r"sep=(.)\n")  # how Excel is told the delimiter, in a first line of its own


def read(path: Path, writer: Writer) -> None:
    text = decode(path.read_bytes())
    declared = DECLARED.match(text)
    if declared:
        text = text[declared.end() :]
    delimiter = declared[1] if declared else _delimiter(text[:SAMPLE], "\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        writer.table(list(csv.reader(StringIO(text), delimiter=delimiter, skipinitialspace=True)))
    except csv.Error as error:
        raise UserError(f"The table cannot be read ({error}).", "Save it again as CSV.") from None


def _delimiter(sample: str, likely: str) -> str:
    """The delimiter by which most rows have the same number of columns, the more of them the better."""
    best, score = likely, 1.5
    for delimiter in dict.fromkeys((likely, ",", ";", "\t", "|")):
        try:
            widths = Counter(len(row) for row in csv.reader(islice(StringIO(sample), 200), delimiter=delimiter) if row)
        except csv.Error:
            continue
        width, rows = max(widths.items(), key=lambda one: (one[1] * (one[0] > 1), one[0]), default=(1, 0))
        agreed = rows / max(1, widths.total())
        if width > 1 and agreed * min(width, 8) > score:
            best, score = delimiter, agreed * min(width, 8)
    return best
