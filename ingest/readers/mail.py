"""EML: subject, people and date as lines, the text of the message, and under a heading each what is attached and readable."""

from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import EmailPolicy
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from corpora import UserError
from ingest.readers.html import write_html
from ingest.readers.text import decode
from ingest.readers.writer import Writer, clean

HEADERS = ("From", "To", "Cc", "Date")
MAX_ATTACHMENTS = 50
MAX_DEPTH = 3  # of messages in messages


class _Headers(EmailPolicy):
    """Headers may hold bytes that no RFC allows and many programs write: subjects, names and file names as UTF-8 or GBK."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        try:
            return name, value if value.isascii() else decode(value.encode("utf-8", "surrogateescape"))
        except UserError:  # a header of no text at all spoils no message
            return name, value


def read(path: Path, writer: Writer) -> None:
    message = BytesParser(_class=EmailMessage, policy=_Headers()).parsebytes(path.read_bytes())
    assert isinstance(message, EmailMessage)
    if not any(message.get(name) for name in ("From", "To", "Subject", "Date", "Received")):
        raise UserError("The file is damaged: it is no message.", "Save it again from the mail program as .eml.")
    write_message(message, writer, 0)


def write_message(message: EmailMessage, writer: Writer, depth: int) -> None:
    subject = _header(message, "Subject")
    if subject and depth == 0:
        writer.title = subject
    writer.heading(1 + 2 * depth, subject or writer.title)
    lines = [f"{name}: {value}" for name in HEADERS if (value := _header(message, name))]
    writer.paragraph("\n".join(lines))
    texts, files = _sorted(message)
    for part in texts:
        if part.get_content_subtype() == "html":
            _embed_html(_text(part), writer)
        else:
            for paragraph in _text(part).split("\n\n"):
                writer.paragraph(paragraph)
    for part in files[:MAX_ATTACHMENTS]:
        _attachment(part, writer, depth)
    writer.note("attachments over the limit left out", max(0, len(files) - MAX_ATTACHMENTS))


def _sorted(part: MIMEPart, top: bool = True) -> tuple[list[MIMEPart], list[MIMEPart]]:
    """The texts that a mail program shows one below the other, as after an attachment the rest; and what is attached."""
    kind = part.get_content_type()
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        return _leaf(part, kind)
    children = [child for child in part.iter_parts() if isinstance(child, MIMEPart)]
    found = [_sorted(child, False) for child in children]
    files = [file for _, inner in found for file in inner]
    texts = [inner for inner, _ in found if inner]
    # parts that belong to the text, a picture in its HTML or the other version of it, are no attachments
    if kind == "multipart/alternative":
        versions = zip(children, found, strict=True)
        return _best(texts), [f for child, (_, inner) in versions for f in inner if f.is_attachment() or f is not child]
    if kind == "multipart/related":
        start = str(part.get_param("start", "")).strip("<> ")
        names = (_header(child, "Content-ID").strip("<> ") for child in children)
        roots = [inner for name, (inner, _) in zip(names, found, strict=True) if inner and start and name == start]
        files = [file for file in files if file.is_attachment() or (top and file.get_filename())]
        return [*roots, *texts, []][0], files
    return [text for inner in texts for text in inner], files


def _leaf(part: MIMEPart, kind: str) -> tuple[list[MIMEPart], list[MIMEPart]]:
    """A part that holds no others: a text unless it is attached, or named as a file that is read by itself."""
    from ingest.readers import READERS

    name = part.get_filename() or ""
    named = PurePosixPath(name).suffix.lower() in READERS
    if kind in ("text/plain", "text/html") and not part.is_attachment() and not named:
        return [part], []
    is_file = bool(name) or kind == "message/rfc822" or part.get_content_disposition() != "inline"
    return [], [part] if is_file and part.get_content_maintype() != "multipart" else []


def _best(versions: list[list[MIMEPart]]) -> list[MIMEPart]:
    """Of one text in several versions the plain one, unless it is blank, as it is where a program writes HTML alone."""
    said = [parts for parts in versions if any(_text(part).strip() for part in parts)]
    return min(said, key=lambda parts: any(p.get_content_subtype() == "html" for p in parts), default=[])


def _text(part: MIMEPart) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload.strip():
        return ""
    return decode(payload, part.get_content_charset() or "")


def _header(message: MIMEPart, name: str) -> str:
    """A header's words; a date as 2024-03-05 08:30 +0800."""
    try:
        value = clean(str(message.get(name) or "")).replace("\n", " ")
        return parsedate_to_datetime(value).strftime("%Y-%m-%d %H:%M %z").strip() if name == "Date" and value else value
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        IndexError,
    ):  # the library's own parsers fall over odd headers
        raw = next((v for k, v in message.raw_items() if k.lower() == name.lower()), "")
        return clean(str(raw)).replace("\n", " ")


def _embed_html(text: str, writer: Writer) -> None:
    page = Writer(writer.title, writer.ocr)
    write_html(text, page)
    writer.embed(page.document())


def _attachment(part: MIMEPart, writer: Writer, depth: int) -> None:
    from ingest.readers import READERS
    from ingest.readers import read as read_file

    name = clean(part.get_filename() or "").replace("\n", " ")[:200]
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        message = inner[0] if isinstance(inner, list) and inner else None
        if isinstance(message, EmailMessage) and depth < MAX_DEPTH:
            write_message(message, writer, depth + 1)
        else:
            writer.note("attachments left out")
        return
    ending = PurePosixPath(name).suffix.lower()
    payload = part.get_payload(decode=True)
    writer.heading(2 + 2 * depth, name or "Attachment")
    if ending not in READERS or ending == ".eml" or not isinstance(payload, bytes):
        writer.note("attachments left out")
        return
    with TemporaryDirectory() as folder:
        file = Path(folder, f"attachment{ending}")  # of its name only an ending that we know comes near the disk
        file.write_bytes(payload)
        try:
            writer.embed(read_file(file, writer.ocr))
        except UserError:
            writer.note("attachments that could not be read")
