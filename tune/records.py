"""The records of a JSON, JSON Lines or CSV file, each with where it stands; what is none is told beside them."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corpora import UserError
from tune.lines import LARGEST, text_of

Row = Mapping[str, Any]
TWICE = "\0twice"  # the name of no field


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
        if not isinstance(value, dict):
            wrong.append(f"{place} is no object")
        elif TWICE in value:
            wrong.append(f"{place} has the field {value[TWICE]!r:.40} twice")
        else:
            yield place, value


def _values(path: Path, text: str, suffix: str, wrong: list[str]) -> Iterator[tuple[str, Any]]:
    if suffix == "json":
        try:
            whole = json.loads(text, object_pairs_hook=_object)
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
                yield f"line {number}", json.loads(line, object_pairs_hook=_object)
            except (ValueError, RecursionError):
                wrong.append(f"line {number} is no JSON")


def _cells(path: Path, text: str, tab: str, wrong: list[str]) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(LARGEST)  # its own limit ends the reading; ours is told with the row
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=tab, strict=True)
    try:
        names = [str(name).strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise UserError(f"{path} is no CSV ({error}).", "Write it again with a program that checks it.") from None
    if twice := {name for name in names if name and names.count(name) > 1}:
        raise UserError(f"{path} has the column {min(twice)!r:.40} twice.", "Give each a name of its own.")
    while True:
        place = f"line {reader.reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            wrong.append(f"{place} is no CSV ({error})")
            continue
        if None in row or None in row.values():
            wrong.append(f"{place} has not as many cells as the header")
            continue
        if list(row.values()) == reader.fieldnames:
            wrong.append(f"{place} is the header again")
            continue
        yield place, {str(name).strip(): cell for name, cell in row.items()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; one that has a field twice says so, for the last would win without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found[TWICE] = next(name for name in names if names.count(name) > 1)
    return found
