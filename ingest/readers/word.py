"""DOCX by python-docx: headings by style, list numbers counted, tables as rows. Headers, footers and hidden runs stay out."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from docx import Document as open_docx
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph

from corpora import UserError
from ingest.readers.writer import Writer

MAX_UNPACKED = 512 * 2**20  # a DOCX is a ZIP: refuse one that would unpack to more
TEXT = {qn("w:t"): "", qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
WRAPPERS = (qn("w:sdt"), qn("w:sdtContent"), qn("w:customXml"), qn("w:ins"), qn("w:moveTo"))
DELETED = (qn("w:del"), qn("w:moveFrom"))
# An old copy of a drawing for programs that cannot show the new one. A box within a box is read with its own paragraph.
ASIDE = ("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", qn("w:txbxContent"))
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
    parent = open_docx(str(path))
    for item in _blocks(parent.element.body, parent):
        if isinstance(item, Table):
            writer.table(_rows(item))
            number = 0
            continue
        style = (item.style.name or "") if item.style else ""
        text = _visible(item._p)
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


def _blocks(element: Any, parent: Any) -> Iterator[Paragraph | Table]:
    """Paragraphs and tables in reading order, those in content controls and text boxes too."""
    for child in element:
        if child.tag == qn("w:p"):
            yield Paragraph(child, parent)
            for box in child.iter(qn("w:txbxContent")):
                if not _within(box, ASIDE, child):
                    yield from _blocks(box, parent)
        elif child.tag == qn("w:tbl"):
            yield Table(child, parent)
        elif child.tag in WRAPPERS:
            yield from _blocks(child, parent)


def _visible(paragraph: Any) -> str:
    """A paragraph's text as Word shows it with changes accepted: links, fields, controls and insertions are part of it."""
    said = []
    for node in paragraph.iter(*TEXT):
        run = node.getparent()
        if run.tag != qn("w:r") or _is_hidden(run) or _within(run, (*DELETED, qn("w:txbxContent")), paragraph):
            continue
        said.append(node.text or "" if node.tag == qn("w:t") else TEXT[node.tag])
    return "".join(said)


def _is_hidden(run: Any) -> bool:
    hidden = run.find(f"{qn('w:rPr')}/{qn('w:vanish')}")
    return hidden is not None and hidden.get(qn("w:val"), "true") not in ("0", "false", "off")


def _within(node: Any, tags: Sequence[str], top: Any) -> bool:
    """Does `node` lie in one of `tags` below `top`?"""
    for above in node.iterancestors():
        if above is top:
            return False
        if above.tag in tags:
            return True
    return False


def _rows(table: Table) -> list[list[str]]:
    """Cells as text, with that of tables in them; a merged cell stands once."""
    rows = []
    for row in table.rows:
        cells, seen = [], set()
        for cell in row.cells:
            if cell._tc not in seen:
                seen.add(cell._tc)
                cells.append("\n".join(filter(None, map(_visible, cell._tc.iter(qn("w:p"))))))
        rows.append(cells)
    return rows
