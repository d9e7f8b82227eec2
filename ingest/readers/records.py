"""JSON and JSON Lines: an array of flat objects is a table, the rest is lines that say their whole path."""

import json
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.readers.text import decode
from ingest.readers.writer import Writer

MAX_COLUMNS = 40
MAX_CELL = 300  # characters; longer ones are read as paragraphs, not as cells
MAX_DEPTH = 100
MAX_VALUES = 1_000_000


def read(path: Path, writer: Writer) -> None:
    text = decode(path.read_bytes())
    values = _lines(text, writer) if path.suffix.lower() == ".jsonl" else [_parse(text)]
    records = _Records(writer)
    if len(values) == 1:
        records.value("", values[0], 0)
    else:
        records.items("", values, 0)


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_float=str, parse_int=str)  # a number stays as it was written
    except RecursionError:
        raise UserError("The JSON is nested too deeply.", "Flatten it, or split it.") from None
    except ValueError as error:
        raise UserError(
            f"The file is damaged: it is no JSON ({error}).", "Write it again with a program that checks it."
        ) from None


def _lines(text: str, writer: Writer) -> list[Any]:
    values, first = [], None
    for line in text.split("\n"):
        if line.strip():
            try:
                values.append(_parse(line))
            except UserError as error:
                first = first or error
                writer.note("lines that are no JSON left out")
    if not values and first:
        raise first
    return values


class _Records:
    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.count = 0

    def value(self, path: str, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise UserError("The JSON is nested too deeply.", "Flatten it, or split it.")
        if isinstance(value, dict):
            self.object(path, value, depth)
        elif isinstance(value, list):
            self.items(path, value, depth)
        else:
            self.writer.paragraph(_line(path, value))

    def object(self, path: str, value: dict[str, Any], depth: int) -> None:
        """Its plain values as lines of one paragraph, long ones as paragraphs, then what it holds; sections at the top."""
        self._count(len(value))
        lines: list[str] = []
        for key, one in value.items():
            text = _line(_join(path, key), one) if _is_plain(one) else ""
            if text and len(text) <= MAX_CELL and "\n" not in text:
                lines.append(text)
        self.writer.paragraph("\n".join(lines))
        for key, one in value.items():
            inner = _join(path, key)
            if not _is_plain(one):
                if depth < 2:
                    self.writer.heading(depth + 1, key)
                self.value(inner, one, depth + 1)
            elif len(text := _line(inner, one)) > MAX_CELL or "\n" in text:
                self.writer.paragraph(text)

    def items(self, path: str, values: list[Any], depth: int) -> None:
        self._count(len(values))
        rows = _table(values)
        if rows:
            self._count(len(rows) * len(rows[0]))
            self.writer.table(rows)
            return
        for n, one in enumerate(values):
            self.value(
                f"{path}[{n}]" if path else f"[{n}]" if not isinstance(one, dict) else "", one, max(depth + 1, 2)
            )

    def _count(self, values: int) -> None:
        self.count += values
        if self.count > MAX_VALUES:
            raise UserError(f"The file holds more than {MAX_VALUES:,} values.", "Split it.")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_plain(value: Any) -> bool:
    """A value that fits a line: no object, and of lists one of plain values."""
    if isinstance(value, list):
        return (
            all(not isinstance(one, (dict, list)) for one in value) and sum(len(str(one)) for one in value) <= MAX_CELL
        )
    return not isinstance(value, dict)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)


def _line(path: str, value: Any) -> str:
    text = _shown(value)
    return f"{path}: {text}" if path and text else text


def _table(values: list[Any]) -> list[list[str]]:
    """A header and rows where the values are flat objects of much the same keys; else nothing."""
    if len(values) < 2 or not all(
        isinstance(one, dict) and one and all(map(_is_plain, one.values())) for one in values
    ):
        return []
    columns = list(dict.fromkeys(key for one in values for key in one))
    filled = sum(len(one) for one in values)
    if len(columns) > MAX_COLUMNS or filled < 0.5 * len(columns) * len(values):
        return []
    rows = [columns, *([_shown(one.get(key)) for key in columns] for one in values)]
    return rows if all(len(cell) <= MAX_CELL for row in rows for cell in row) else []
