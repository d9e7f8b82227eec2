"""Jupyter notebooks: Markdown cells as Markdown, code cells as code, and of their outputs the text, cut short."""

import json
import re
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.readers.markdown import write_markdown
from ingest.readers.text import decode
from ingest.readers.writer import Writer

MAX_OUTPUT = 1500  # characters of one cell's output
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def read(path: Path, writer: Writer) -> None:
    try:
        book = json.loads(decode(path.read_bytes()))
        cells = book["cells"] if "cells" in book else [c for sheet in book["worksheets"] for c in sheet["cells"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError("The file is damaged: it is no notebook.", "Open and save it again in Jupyter.") from None
    for cell in cells:
        text = _joined(cell.get("source", cell.get("input", "")))
        kind = cell.get("cell_type")
        if kind == "markdown":
            write_markdown(text, writer)
        elif kind == "heading":  # of the format before 2015
            writer.heading(int(cell.get("level", 1)), text)
        elif kind == "code":
            writer.code(text)
            output = "\n".join(filter(None, map(_output, cell.get("outputs", []))))
            if len(output) > MAX_OUTPUT:
                writer.note("long outputs cut")
                output = output[:MAX_OUTPUT].rpartition("\n")[0] or output[:MAX_OUTPUT]
            writer.code(output)
        else:
            writer.paragraph(text)


def _output(output: dict[str, Any]) -> str:
    """A stream, a value as text or an error in one line; pictures and HTML stay out."""
    if output.get("output_type") in ("error", "pyerr"):
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    data = output.get("data", output)
    return ANSI.sub("", _joined(output.get("text") or data.get("text/plain") or "")).strip("\n")


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
