"""The one door to every format that is a ZIP: bombs, passwords and XML entities are refused before a parser sees them."""

from errno import EINVAL
from pathlib import Path
from posixpath import join, normpath, split
from xml.sax import ContentHandler, SAXException
from zipfile import BadZipFile, ZipFile

from defusedxml import DefusedXmlException
from defusedxml.sax import make_parser
from lxml import etree

from corpora import UserError

MAX_ENTRIES = 20_000
MAX_UNPACKED = 512 * 2**20
MAX_RATIO = (
    300  # of one entry over MIN_BOMB; office XML shrinks to a twentieth, a sheet of one repeated row to a hundredth
)
MIN_BOMB = 32 * 2**20
OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # the container of .doc, .xls, .ppt, and of an encrypted .docx, .xlsx, .pptx
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
UNLOCK = "Save it without a password in the program that made it."
PIECE = 65_536


def open_zip(path: Path, kind: str) -> ZipFile:
    """Open a file of `kind` ("DOCX") whose entries are safe to unpack in memory; the caller closes it.

    Raises `UserError` for what is no ZIP, what is encrypted, what would unpack to too much, and XML that declares entities.
    """
    try:
        archive = ZipFile(path)
    except BadZipFile:
        raise _no_zip(path, kind) from None
    try:
        _check_sizes(archive)
        for entry in archive.infolist():
            if not entry.is_dir():
                _check_entities(archive, entry.filename)
    except OSError as error:
        archive.close()
        if error.errno != EINVAL:  # else its list of entries points outside the file
            raise
        raise _no_zip(path, kind) from None
    except BaseException:
        archive.close()
        raise
    return archive


def parse_xml(data: bytes) -> etree._Element:
    """A tree without entities, network or absurd depth; comments and processing instructions stay out."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)


def read_xml(archive: ZipFile, name: str) -> etree._Element | None:
    """The tree of one entry; None where the archive has none of that name."""
    try:
        return parse_xml(archive.read(name))
    except KeyError:
        return None


def related(archive: ZipFile, name: str, kind: str) -> dict[str, str]:
    """Relationship id → entry, of those that an office file's entry `name` relates to as `kind`: "styles", "chart".

    The relations of the file itself, to its main part, are those of "".
    """
    folder, base = split(name)
    root = read_xml(archive, f"{folder}/_rels/{base}.rels".lstrip("/"))
    found = {}
    for relation in root if root is not None else ():
        if relation.get("Type", "").rpartition("/")[2] == kind and relation.get("TargetMode") != "External":
            target = relation.get("Target", "")
            found[relation.get("Id", "")] = target[1:] if target.startswith("/") else normpath(join(folder, target))
    return found


def _no_zip(path: Path, kind: str) -> UserError:
    data = path.read_bytes()
    if not data.startswith(OLE):
        return UserError(
            f"The file is damaged: it is no {kind}.", "Open and save it again in the program that made it."
        )
    if ENCRYPTED_STREAM in data:
        return UserError("The file is encrypted with a password.", UNLOCK)
    return UserError(f"The file is encrypted, or of the kind before {kind}.", f"Save it without a password as {kind}.")


def _check_sizes(archive: ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise UserError(f"The file holds {len(entries)} parts, over the limit of {MAX_ENTRIES}.", "Split it.")
    unpacked = sum(entry.file_size for entry in entries)  # zipfile unpacks no entry past the size it declares
    if unpacked > MAX_UNPACKED:
        raise UserError(f"The file unpacks to {unpacked / 2**20:.0f} MiB, over the limit.", "Split it.")
    for entry in entries:
        if entry.flag_bits & 1:
            raise UserError("The file is encrypted with a password.", UNLOCK)
        if entry.file_size > MIN_BOMB and entry.file_size > MAX_RATIO * entry.compress_size:
            raise UserError(
                "The file unpacks to hundreds of times its size, as a decompression bomb does.",
                "Open and save it again in the program that made it.",
            )


class _Root(SAXException):
    """The root element has begun: no declaration can follow."""


class _Prolog(ContentHandler):
    def startElement(self, name: str, attrs: object) -> None:
        raise _Root("root")


def _check_entities(archive: ZipFile, name: str) -> None:
    """Read an XML entry up to its root element. HTML is left to a parser that knows no declared entities."""
    if name.lower().endswith((".html", ".htm", ".xhtml")):
        return
    with archive.open(name) as entry:
        piece = entry.read(PIECE)
        if not piece.lstrip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe").startswith(b"<"):
            return
        parser = make_parser()
        parser.forbid_external = False  # a DOCTYPE may name a file elsewhere; nothing here fetches it
        parser.setContentHandler(_Prolog())
        try:
            while piece:
                parser.feed(piece)
                piece = entry.read(PIECE)
        except DefusedXmlException:
            raise UserError(
                "The file's XML declares entities of its own, which no office program writes.",
                "Open and save it again in the program that made it.",
            ) from None
        except SAXException:
            pass  # the root, or XML so broken that its own parser says so
