"""The records of a JSON, JSON Lines or CSV file, each with where it stands; what is none is told beside them."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corpora import UserError
from tune.lines import text_of

Row = Mapping[str, Any]


def records(path: Path, wrong: list[str]) -> Iterator[tuple[str, Row]]:
    """Each record with where it stands; what is none goes to `wrong`."""
    text = text_of(path)
    suffix = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if suffix in ("csv", "tsv"):
        yield from _cells(path, text, "\t" if suffix == "tsv" else ",", wrong)
        return
    if suffix not in ("json", "jsonl"):
        raise UserError(f"{path} is of no kind that rows are read from.", "Save it as .json, .jsonl or .csv.")
    for place, value in _values(path, text, suffix, wrong):
        if isinstance(value, dict):
            yield place, value
        else:
            wrong.append(f"{place} is no object")


def _values(path: Path, text: str, suffix: str, wrong: list[str]) -> Iterator[tuple[str, Any]]:
    if suffix == "json":
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is no JSON ({error}).", "Write it again with a program that checks it.") from None
        rows = whole.get("data", [whole]) if isinstance(whole, dict) else whole
        if not isinstance(rows, list):
            raise UserError(f"{path} holds no list of rows.", "Give an array of objects.")
        yield from ((f"row {number}", value) for number, value in enumerate(rows, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError):
                wrong.append(f"line {number} is no JSON")


def _cells(path: Path, text: str, tab: str, wrong: list[str]) -> Iterator[tuple[str, Row]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=tab, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                wrong.append(f"line {reader.line_num} has not as many cells as the header")
                continue
            yield f"line {reader.line_num}", {str(name).strip(): cell for name, cell in row.items()}
    except csv.Error as error:
        wrong.append(f"line {reader.line_num} is no CSV ({error})")
