"""A file in, a Document out: each reader turns one kind of file into text with headings, paragraphs, table rows and pages."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from corpora import UserError
from ingest.readers.writer import Writer
from ingest.schema import Document, Ocr

MAX_BYTES = 256 * 2**20  # one file; a larger one is listed as failed
READER_VERSION = "6"  # part of a version's stamp: raise it when any reader's text changes


SOURCE = (
    ".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".go", ".java", ".c", ".h", ".cpp", ".cc", ".cxx",
    ".hpp", ".hh", ".hxx", ".rs", ".sh", ".bash", ".sql", ".toml", ".yaml", ".yml", ".lock", ".cs", ".kt", ".swift", ".scala",
    ".rb", ".php", ".lua", ".proto", ".css",
)  # fmt: skip
READERS = {  # ending → module of this package
    ".pdf": "pdf",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), "image"),
    **dict.fromkeys((".docx", ".docm", ".dotx"), "word"),
    **dict.fromkeys((".pptx", ".pptm"), "slides"),
    **dict.fromkeys((".xlsx", ".xlsm"), "sheets"),
    **dict.fromkeys((".odt", ".ods", ".odp"), "odf"),
    **dict.fromkeys((".doc", ".xls", ".ppt", ".wps", ".et", ".dps"), "legacy"),
    ".rtf": "rtf",
    ".epub": "epub",
    ".eml": "mail",
    ".rst": "restructured",
    **dict.fromkeys((".json", ".jsonl"), "records"),
    ".ipynb": "notebook",
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".csv", ".tsv"), "table"),
    **dict.fromkeys((".txt", ".log"), "text"),
    **dict.fromkeys(SOURCE, "source"),
}
PLAIN = ("rtf", "mail", "restructured", "records", "notebook", "markdown", "html", "table", "text", "source")  # no larger read than stored


def is_plain(path: Path) -> bool:
    """Is the text about as long as the file? What is packed may be many times longer."""
    return READERS.get(path.suffix.lower()) in PLAIN


def readable(path: Path) -> bool:
    return path.suffix.lower() in READERS


def no_reader(path: Path) -> str:
    """Why a file that is not `readable` is left out."""
    return f"No reader takes {path.suffix.lower() or 'a file without an ending'}."


def read(path: Path, ocr: Ocr = "auto", redact: bool = False, alive: Callable[[int], None] | None = None,
         title: str = "") -> Document:  # fmt: skip
    """Parse one file; `ocr` says when text is recognised in pictures, `redact` whether personal data is replaced.

    `alive` is told the page that is being read; `title` is the document's where it carries none itself, the file's name where left out.

    Raises `UserError` with the reason when it cannot be read; nothing else, whatever the bytes.
    """
    kind = READERS.get(path.suffix.lower())
    if kind is None:
        kinds = " ".join(sorted(READERS))
        raise UserError(no_reader(path), f"Readable: {kinds}")
    size = path.stat().st_size
    if size == 0:
        raise UserError("The file is empty.", "Leave it out, or save it again from the program that made it.")
    if size > MAX_BYTES:
        raise UserError(f"The file is {size / 2**20:.0f} MiB, over the limit of {MAX_BYTES // 2**20}.", "Split it.")
    writer = Writer(title or path.stem, ocr, alive)
    try:
        import_module(f"ingest.readers.{kind}").read(path, writer)
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:  # a parser may raise anything on damaged bytes; the file is then the one at fault
        said = " ".join(str(error).split())[:120]
        raise UserError(f"The file is damaged or not what its name says ({type(error).__name__}: {said}).",
                        "Open and save it again in the program that made it.") from None  # fmt: skip
    document = writer.document()
    if not document.text.strip():
        scan = " A scan needs text recognition: add it with --ocr auto." if kind == "pdf" and ocr == "never" else ""
        raise UserError(
            f"The file holds no text.{scan}", "Leave it out, or save it again from the program that made it."
        )
    if redact:
        from ingest.redact import redacted  # its patterns take longer to compile than a look at an unchanged folder

        document = redacted(document)
    return document
