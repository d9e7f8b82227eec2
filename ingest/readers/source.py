"""Source code: a block a function, class and method by the syntax tree of its language; other languages by blank lines.

Nothing is left out but blanks at the ends of pieces and runs of blank lines between them.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest.readers import imports
from ingest.readers.syntax import Cut, cuts
from ingest.readers.text import decode
from ingest.readers.writer import CONTROL, Writer

GRAMMARS = {  # ending → language
    **dict.fromkeys((".py", ".pyi"), "python"),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), "javascript"),
    **dict.fromkeys((".ts", ".mts", ".cts"), "typescript"),
    **dict.fromkeys((".c", ".h"), "c"),
    **dict.fromkeys((".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx"), "cpp"),
    ".tsx": "tsx",
    ".java": "java",
    ".go": "go",
    ".rs": "rust",
}
ROOM = 600  # bytes up to which statements that define nothing share a block
LARGEST = 4 * 2**20  # bytes that are parsed; a larger file is data in the shape of code
DENSE = 400  # characters a line on average that make code minified
LONG = 2000  # characters of one line that stay in one block
SEAMS = ";},> "
CLOSING = re.compile(rb"#[ \t]*(?:endif|else|ifdef[ \t]+__cplusplus)\b[^\n]*")
WORDS = re.compile(rb"[\w\x80-\xff]")
CPP = re.compile(r"^\s*(?:class|namespace|template|using)\b|\b(?:public|private|protected):|std::", re.M)
GENERATED = re.compile(r"lock\.ya?ml$|\.lock$|^go\.sum$|-lock\.json$")
# What names a piece of a language that has no tree here: TOML's table, YAML's key, SQL's object, a shell function.
NAMED = {
    ".toml": re.compile(r"\[+([^\]\n]{1,80})\]+[ \t]*(?:#.*)?$", re.M),
    ".yaml": re.compile(r"([\w.-]{1,80}):[ \t]*(?:#.*)?$", re.M),
    ".sql": re.compile(r"(create\s+(?:or\s+replace\s+)?(?:\w+\s+){0,2}(?:table|view|function|procedure|trigger|index|type)\s+"
                       r"(?:if\s+not\s+exists\s+)?[\w.\"`]{1,80})", re.I | re.M),
    ".sh": re.compile(r"(?:function\s+)?([\w-]{1,80})[ \t]*\(\)", re.M),
}  # fmt: skip
NAMED |= {".yml": NAMED[".yaml"], ".bash": NAMED[".sh"]}


Piece = tuple[int, int, str, str]  # start, end, name, and the imports that it uses


def read(path: Path, writer: Writer) -> None:
    writer.title = path.name
    text = CONTROL.sub("", decode(path.read_bytes()))
    at = 0
    for start, end, name, header in _pieces(path, text, writer):
        for a, b in _bounded(text, start, end):
            gap = text[at:a]
            writer.code(text[a:b], name=name, header=header, gap="\n" * min(gap.count("\n"), 2) or gap)
            at = b


def _pieces(path: Path, text: str, writer: Writer) -> Iterable[Piece]:
    suffix = path.suffix.lower()
    language = GRAMMARS.get(suffix, "")
    if language == "c" and suffix == ".h" and CPP.search(text):
        language = "cpp"
    dense = len(text) > max(DENSE * (text.count("\n") + 1), 2 * LONG)
    if dense and language:
        writer.note("minified files")
    if dense or GENERATED.search(path.name):
        return _paragraphs(text, None)
    if not language or len(text) > LARGEST:
        return _paragraphs(text, NAMED.get(suffix))
    try:
        return _definitions(text, language)
    except TimeoutError:
        writer.note("code unlike its language")
        return _paragraphs(text, None)


def _definitions(text: str, language: str) -> list[Piece]:
    """A piece a definition, each with its name and the imports that it uses."""
    data = text.encode("utf-8", "replace")
    found, imported = cuts(data, language, ROOM)
    known = imports.names(language, [data[a:b].decode("utf-8", "replace") for a, b in imported])
    lines = [a for a, _ in imported]
    pieces: list[Piece] = []
    at = 0  # characters before the piece
    for start, end, name in _joined(data, found):
        piece = data[start:end].decode("utf-8", "replace")
        brings = bisect_left(lines, start) < bisect_left(lines, end)
        pieces.append((at, at + len(piece), name, "" if brings else imports.used(piece, known)))
        at += len(piece)
    return pieces


def _joined(data: bytes, found: list[Cut]) -> list[tuple[int, int, str]]:
    """`(start, end, name)` in bytes: from cut to cut, a class's bare line with its first method, a bracket with what it closes."""
    starts = [_line_start(data, cut.start) for cut in found]
    kept: list[tuple[int, int, str]] = []
    bare = 0  # the end of a class of which the last one is but the first line
    for cut, start, end in zip(found, starts, [*starts[1:], len(data)], strict=True):
        piece = data[start:end].strip()
        if kept and not WORDS.search(CLOSING.sub(b"", piece)):
            kept[-1] = (kept[-1][0], end, kept[-1][2])
            continue
        if start < bare:
            start = kept.pop()[0]
        kept.append((start, end, cut.name))
        bare = 0 if b"\n" in piece else cut.opens
    return kept


def _line_start(data: bytes, at: int) -> int:
    """The start of the line, where only blanks stand before `at`: a piece keeps its indentation."""
    start = at
    while start > 0 and data[start - 1] in b" \t":
        start -= 1
    return start if start == 0 or data[start - 1] in b"\n" else at


def _paragraphs(text: str, named: re.Pattern[str] | None) -> Iterator[Piece]:
    """Pieces of about `ROOM` characters, cut at blank lines and where a name opens; called by a name where they hold but one."""
    start = at = 0
    lead: int | None = None  # where the comment lines right above begin
    blank = False
    names: dict[str, None] = {}
    for line in text.split("\n"):
        begin, at = at, at + len(line) + 1
        if not line.strip():
            blank, lead = True, None
            continue
        if line.startswith(("#", "--")):
            lead = begin if lead is None else lead
            continue
        found = named.match(line) if named else None
        here = begin if lead is None else lead
        if (found or blank) and here - start > ROOM // 2:
            yield start, here, next(iter(names)) if len(names) == 1 else "", ""
            start = here
            goes_on = not found and (line[0].isspace() or line[0] in ")}]" or named is NAMED[".toml"])
            names = {list(names)[-1]: None} if names and goes_on else {}
        if found:
            names[" ".join(found[1].split())] = None
        blank, lead = False, None
    yield start, len(text), next(iter(names)) if len(names) == 1 else "", ""


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without blank lines at its start and blanks at its end; lines over `LONG` by themselves, cut where they have seams."""
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        if stop - at > LONG:
            yield from _trimmed(text, start, at)
            while stop - at > LONG:
                seam = max(text.rfind(c, at + LONG // 2, at + LONG) for c in SEAMS) + 1
                seam = seam or at + LONG
                yield from _trimmed(text, at, seam)
                at = seam
            start = at
        at = stop + 1
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end > start and text[end - 1].isspace():
        end -= 1
    at = start
    while at < end and text[at].isspace():
        at += 1
        if text[at - 1] == "\n":
            start = at
    if start < end:
        yield start, end
