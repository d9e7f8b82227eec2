"""DOCX by python-docx: headings by style, list numbers counted, tables as rows. Headers, footers and hidden runs stay out."""

import re
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from docx import Document as open_docx
from docx.table import Table
from docx.text.paragraph import Paragraph

from corpora import UserError
from ingest.readers.writer import Writer

MAX_UNPACKED = 512 * 2**20  # a DOCX is a ZIP: refuse one that would unpack to more
HEADING = re.compile(r"(?:heading|标题)\s*(\d)", re.I)


def read(path: Path, writer: Writer) -> None:
    try:
        with ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except BadZipFile:
        with path.open("rb") as file:
            if file.read(8) == bytes.fromhex("d0cf11e0a1b11ae1"):
                raise UserError(
                    "The document is encrypted, or an old .doc.", "Save it without a password as .docx."
                ) from None
        raise UserError("The file is damaged: it is no DOCX.", "Open and save it again in Word.") from None
    if unpacked > MAX_UNPACKED:
        raise UserError(f"The file unpacks to {unpacked / 2**20:.0f} MiB, over the limit.", "Split it.")
    number = 0
    for item in open_docx(str(path)).iter_inner_content():
        if isinstance(item, Table):
            writer.table(_rows(item))
            number = 0
            continue
        style = (item.style.name or "") if item.style else ""
        text = _visible(item)
        if not text.strip():
            continue
        heading = HEADING.match(style)
        number = number + 1 if style.startswith("List Number") else 0
        if style == "Title":
            writer.title = text.strip()
            writer.heading(0, text)
        elif heading:
            writer.heading(int(heading[1]), text)
        else:
            writer.paragraph((f"{number}. " if number else "- " if style.startswith("List Bullet") else "") + text)


def _visible(paragraph: Paragraph) -> str:
    return "".join(run.text for run in paragraph.runs if not run.font.hidden) or (
        "" if paragraph.runs else paragraph.text
    )


def _rows(table: Table) -> list[list[str]]:
    """Cells as text; a merged cell stands once."""
    rows = []
    for row in table.rows:
        cells, seen = [], set()
        for cell in row.cells:
            if cell._tc not in seen:
                seen.add(cell._tc)
                cells.append(cell.text)
        rows.append(cells)
    return rows
