"""RTF by striprtf: paragraphs and tables; hidden and deleted runs are cut out of the markup first."""

import re
from pathlib import Path

from striprtf.striprtf import rtf_to_text

from corpora import UserError
from ingest.readers.writer import Writer

TOKEN = re.compile(rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'[0-9a-fA-F]{2}|\\[^a-z]|[{}]|[^\\{}]+", re.I | re.S)
CODE_PAGE = re.compile(rb"\\ansicpg(\d{1,5})")
FIRST = "\ue100"  # characters of private use stand for outline levels until the text is cut into lines
HEADING = re.compile("[\ue100-\ue108]")
STYLE = re.compile(rb"\{\\s(\d{1,4})\\[^{}]{0,1000}[; ](?:heading|Heading) ([1-9]);\}")
BULLET = re.compile(r"^\s*[\uf0b7\uf0a7\uf0d8•·▪◦]\s+")
MAX_BYTES = 64 * 2**20  # striprtf works on the whole text at once


def read(path: Path, writer: Writer) -> None:
    data = path.read_bytes()
    if not data.lstrip().startswith(b"{\\rtf"):
        raise UserError("The file is damaged: it is no RTF.", "Open and save it again in the program that made it.")
    if len(data) > MAX_BYTES:
        raise UserError(f"The file is over the limit of {MAX_BYTES // 2**20} MiB for RTF.", "Save it as .docx.")
    page = CODE_PAGE.search(data)
    shown = _prepared(data, writer)
    # what is not ASCII in RTF stands as it was saved, in the code page that the file names
    text = shown.decode(_codec(page[1].decode()) if page else "cp1252", errors="replace")
    write_lines(rtf_to_text(text, errors="replace"), writer)


def write_lines(text: str, writer: Writer) -> None:
    """A line is a paragraph, lines of cells between `|` that follow each other are a table."""
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if line.rstrip().endswith("|"):
            rows.append([cell.strip() for cell in line.rstrip()[:-1].split("|")])
            continue
        writer.table(rows)
        rows = []
        if found := HEADING.search(line):
            writer.heading(ord(found[0]) - ord(FIRST) + 1, HEADING.sub("", line))
        else:
            writer.paragraph(BULLET.sub("- ", line))


def _codec(page: str) -> str:
    return {"65001": "utf-8", "10000": "mac_roman"}.get(page, f"cp{page}") if page in PAGES else "cp1252"


PAGES = frozenset(
    "437 850 852 866 874 932 936 949 950 1250 1251 1252 1253 1254 1255 1256 1257 1258 65001 10000".split()
)


def _heading_styles(data: bytes) -> dict[bytes, int]:
    """Number of a paragraph style → its outline level, from the style sheet: `{\\s3 … heading 1;}`."""
    start = data.find(b"{\\stylesheet")
    sheet = data[start : start + 200_000] if start >= 0 else b""
    return {found[1]: int(found[2]) - 1 for found in STYLE.finditer(sheet)}


def _prepared(data: bytes, writer: Writer) -> bytes:
    """The markup less the text of runs under \\v (hidden) or \\deleted; \\v0, \\plain and a group's end bring text back.

    Before the end of each heading stands the character of its level; a cell's paragraphs are joined.
    """
    out: list[bytes] = []
    stack: list[tuple[bool, int, bool]] = []
    hidden, outline, in_table = False, -1, False
    left_out = 0
    styles = _heading_styles(data)
    for found in TOKEN.finditer(data):
        token, word, number = found[0], found[1], found[2]
        if token == b"{":
            stack.append((hidden, outline, in_table))
        elif token == b"}":
            hidden, outline, in_table = stack.pop() if stack else (False, -1, False)
        elif word in (b"v", b"deleted"):
            left_out += number != b"0" and not hidden
            hidden = number != b"0"
        elif word == b"plain":
            hidden = False
        elif word == b"pard":
            outline, in_table = -1, False
        elif word == b"intbl":
            in_table = True
        elif word == b"par" and in_table:  # a cell of several paragraphs stays on the line of its row
            token = b" "
        elif word == b"s" and number in styles:
            outline = styles[number]
        elif word == b"outlinelevel" and number:
            outline = int(number) if 0 <= int(number) < 9 else -1
        elif word == b"par" and outline >= 0:
            out.append(b"\\u%d?" % (ord(FIRST) + outline - 0x10000))
        if not hidden or token in (b"{", b"}") or word in (b"par", b"cell", b"row", b"v", b"deleted"):
            out.append(token)
    writer.note("hidden texts left out", left_out)
    return b"".join(out)
