"""Plain text in any encoding: paragraphs between blank lines, numbered titles as they stand."""

import codecs
from pathlib import Path

from corpora import UserError
from ingest.language import CJK
from ingest.readers.writer import Writer

BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read(path: Path, writer: Writer) -> None:
    for paragraph in decode(path.read_bytes()).split("\n\n"):
        writer.paragraph(paragraph)


def decode(data: bytes) -> str:
    """Bytes to text: by byte order mark, as UTF-8, as GB18030 where that reads as Chinese, else by charset-normalizer.

    Raises `UserError` for bytes that are no text.
    """
    for bom, encoding in BOMS.items():
        if data.startswith(bom):
            return _unix(data.decode(encoding, errors="replace"))
    if b"\0" in data[:65536]:
        raise UserError("The file is binary, whatever its name says.", "Give it the ending of its true kind.")
    try:
        return _unix(data.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("gb18030")
        letters = [c for c in text if ord(c) > 127]
        chinese = set(text) & set("的是在有和不为。，、")  # two umlauts in a row decode as one rare character
        if chinese and sum(1 for c in letters if CJK.match(c) or c in "，。；：、（）《》“”！？—·　") > 0.9 * len(
            letters
        ):
            return _unix(text)
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise UserError("The file is no text in any encoding known.", "Save it as UTF-8.")
    return _unix(str(best))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
