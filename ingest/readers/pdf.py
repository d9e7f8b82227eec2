"""PDF: text in reading order by PDFium, headings, lists and tables; pages without usable text are recognised from their image."""

from pathlib import Path
from typing import Any

import pypdfium2

from corpora import UserError
from ingest.readers.pdf_outline import outline
from ingest.readers.pdf_running import without_running
from ingest.readers.pdf_text import PageText, page_text
from ingest.readers.pdf_write import write_pages
from ingest.readers.writer import Writer

MAX_PAGES = 5000


def read(path: Path, writer: Writer) -> None:
    """Raises `UserError` for a PDF that is encrypted, damaged or too long."""
    pdf = _open(path)
    try:
        count = len(pdf)
        if count > MAX_PAGES:
            raise UserError(f"The PDF has {count} pages, over the limit of {MAX_PAGES}.", "Split it.")
        if not count:
            raise UserError("The PDF is damaged: it has no pages.", "Open and save it again, or print it to a new PDF.")
        writer.pages = count
        title = pdf.get_metadata_dict().get("Title", "").strip()
        if title:
            writer.title = title
        marks = outline(pdf)
        pages = [_page(pdf, number, writer) for number in range(count)]
    finally:
        pdf.close()
    writer.note("hidden texts left out", sum(page.hidden for page in pages))
    writer.note("running headers and footers left out", without_running(pages))
    write_pages(pages, marks, writer)


def _open(path: Path) -> pypdfium2.PdfDocument:
    """The document, also where it is encrypted with no password for reading."""
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UserError("The PDF is encrypted.", "Save it without a password and add it again.") from None
        raise UserError("The PDF is damaged.", "Open and save it again, or print it to a new PDF.") from None


def _page(pdf: pypdfium2.PdfDocument, number: int, writer: Writer) -> PageText:
    """The page from its text layer, or from its image where that says more, or where the writer asks for it."""
    try:
        writer.alive(number + 1)
        page: Any = pdf[number]
    except pypdfium2.PdfiumError:
        writer.note("damaged pages left out")
        return PageText([], [], 0, 0, True, 0.0, 0.0)
    try:
        text = page_text(page)
        if writer.ocr == "always" or (writer.ocr == "auto" and not text.usable):
            from ingest.readers.ocr import read_page

            seen = read_page(page)
            if seen.letters > (0.8 if writer.ocr == "always" else 1.2) * text.letters:
                writer.note("pages read by text recognition")
                writer.note("unsure places left out of text recognition", seen.unsure)
                return seen
        return text
    finally:
        page.close()
