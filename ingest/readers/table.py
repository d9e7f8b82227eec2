"""CSV and TSV: one block a row, each carrying the header."""

import csv
from pathlib import Path

from corpora import UserError
from ingest.readers.text import decode
from ingest.readers.writer import Writer

csv.field_size_limit(1_000_000)


def read(path: Path, writer: Writer) -> None:
    text = decode(path.read_bytes())
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:16_384], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if path.suffix.lower() == ".tsv" else csv.excel
    try:
        writer.table(list(csv.reader(text.splitlines(keepends=True), dialect)))
    except csv.Error as error:
        raise UserError(f"The table cannot be read ({error}).", "Save it again as CSV.") from None
