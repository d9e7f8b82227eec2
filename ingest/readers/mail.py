"""EML: subject, people and date as lines, the text of the message, and under a heading each what is attached and readable."""

from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
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


def read(path: Path, writer: Writer) -> None:
    message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
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
    body = _body(message)
    if body is not None:
        text = _text(body)
        if body.get_content_subtype() == "html":
            _embed_html(text, writer)
        else:
            for paragraph in text.replace("\r\n", "\n").split("\n\n"):
                writer.paragraph(paragraph)
    # parts that belong to the body, a picture in its HTML or the other version of its text, are no attachments
    parts = [
        p for p in _parts(message) if p.get_filename() or (p is not body and p.get_content_disposition() != "inline")
    ]
    for part in parts[:MAX_ATTACHMENTS]:
        _attachment(part, writer, depth)
    writer.note("attachments over the limit left out", max(0, len(parts) - MAX_ATTACHMENTS))


def _parts(message: EmailMessage) -> list[MIMEPart]:
    return [part for part in message.iter_attachments() if isinstance(part, MIMEPart)] if message.is_multipart() else []


def _body(message: EmailMessage) -> MIMEPart | None:
    """The plain text unless it is blank, as it is where a program writes HTML alone."""
    plain = message.get_body(("plain",))
    if plain is not None and _text(plain).strip():
        return plain
    return message.get_body(("html",)) or plain


def _text(part: MIMEPart) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload.strip():
        return ""
    return decode(payload, part.get_content_charset() or "")


def _header(message: EmailMessage, name: str) -> str:
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
