"""Markdown by markdown-it-py: headings, paragraphs, list items, tables and code, without the marks."""

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.readers.hidden import STYLE
from ingest.readers.text import decode
from ingest.readers.writer import Writer

NESTING = 200  # its own limit of 20 drops what lies deeper without a word
KEY = re.compile(r"[\"']?[\w.-]+[\"']?:(?:[ \t]|\Z)")
TITLE = re.compile(r"""^title:[ \t]+(["']?)(\S.*?)\1[ \t]*$""", re.M)
NO_PROSE = re.compile(r"[ \t#]|-(?:[ \t]|\Z)")  # beside a key: an indented line, a comment, an item of a list
TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)([^>]*)")
HIDES = re.compile(r"""\shidden(?:\s|=|/|$)|aria-hidden\s*=\s*["']?true""", re.I)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)


def read(path: Path, writer: Writer) -> None:
    text = decode(path.read_bytes())
    body = _without_front_matter(text)
    writer.note("front matter left out", int(body != text))
    named = TITLE.search(text[: len(text) - len(body)])
    write_markdown(body, writer)
    if named:
        writer.title = named[2]


def _without_front_matter(text: str) -> str:
    """What follows front matter: it begins with a key and holds no prose after a blank line, as text between rules does."""
    first, *lines = text.split("\n") if text.startswith("---") else [text]
    begun = blank = False
    for number, line in enumerate(map(str.rstrip, lines if first.rstrip() == "---" else ()), 1):
        key = KEY.match(line) is not None
        if begun and line in ("---", "..."):
            return "\n".join(lines[number:])
        if (blank and line and not key and not NO_PROSE.match(line)) or not (begun or key or line[:1] == "#"):
            break
        begun = begun or key
        blank = blank or not line
    return text


def write_markdown(text: str, writer: Writer) -> None:
    """Append the blocks of `text`; blocks of HTML in it are read as such, comments stay out."""
    marks: list[str] = []  # what precedes the next paragraph: "- ", "3. "
    counters: list[int | None] = []  # open lists; None for bullets
    rows: list[list[str]] = []
    heading = 0
    for token in MarkdownIt("commonmark", {"maxNesting": NESTING}).enable("table").parse(text):
        kind = token.type
        if kind == "heading_open":
            heading = int(token.tag[1])
        elif kind in ("bullet_list_open", "ordered_list_open"):
            counters.append(int(token.attrs.get("start", 1)) if kind[0] == "o" else None)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            counters.pop()
        elif kind == "list_item_open":
            number = counters[-1]
            marks = ["- " if number is None else f"{number}. "]
            if number is not None:
                counters[-1] = number + 1
        elif kind == "tr_open":
            rows.append([])
        elif kind == "table_close":
            writer.table(rows)
            rows = []
        elif kind == "html_block":
            if shown := COMMENT.sub("", token.content).strip():  # text may follow a comment in its line
                from ingest.readers.html import write_html  # which reads HTML by way of Markdown

                write_html(shown, writer)
        elif kind in ("fence", "code_block"):
            writer.code(token.content)
        elif kind == "inline":
            content = plain(token)
            if rows:
                rows[-1].append(content)
            elif heading:
                if not writer._text and heading == 1:
                    writer.title = content
                writer.heading(heading, content)
                heading = 0
            else:
                writer.paragraph("".join(marks) + content)
                marks = []


def plain(token: Token) -> str:
    """The words of an inline token: emphasis and links lose their marks, images and raw HTML go, with what HTML hides."""
    parts = []
    hidden = ""  # the tag within which nothing is seen
    for child in token.children or []:
        if child.type == "html_inline" and (tag := TAG.match(child.content)):
            if hidden:
                hidden = "" if tag[1] and tag[2].lower() == hidden else hidden
            elif not tag[1] and (HIDES.search(tag[3]) or STYLE.search(tag[3])):
                hidden = tag[2].lower()
        if hidden:
            continue
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak") or child.content[:3].lower() == "<br":
            parts.append("\n")
    return "".join(parts)
