"""Render the sources of the shipped corpora into their documents.  Run: python corpora/build.py [CORPUS …]

A source is Markdown under a front block of `key: value` lines: title, author, format (pdf, docx or md), lang and, where
the document carries one, number. Chinese official documents add `layout: official` and a masthead or a subtitle, and
name what a paragraph is at its end: `2025年3月17日 {.日期}`. The same source gives the same bytes each time. Documents
without a source were written in documents/ and stay as they are.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

if __name__ == "__main__":  # started as a file, Python looks beside it, where profile.py would hide its own module
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from corpora.errors import UserError

SHIPPED = Path(__file__).resolve().parent
REQUIRED = ("title", "author", "format", "lang")
OPTIONAL = ("number", "layout", "masthead", "subtitle")


@dataclass
class Block:
    """A piece of a source's body."""

    kind: Literal["heading", "text", "numbered", "bullet", "table", "box", "break"]
    text: str = ""
    level: int = 0  # of a heading; the number of a numbered item
    rows: list[list[str]] = field(default_factory=list)
    part: str = ""  # what an official document's paragraph is, such as its date


@dataclass
class Source:
    """One document before it is rendered."""

    front: dict[str, str]
    body: str
    blocks: list[Block]

    @property
    def title(self) -> str:
        return self.front["title"]

    @property
    def number(self) -> str:
        return self.front.get("number", "")

    @property
    def author(self) -> str:
        return self.front["author"]

    @property
    def is_chinese(self) -> bool:
        return self.front["lang"] == "zh"

    @property
    def is_official(self) -> bool:
        return self.front.get("layout") == "official"


def read_source(path: Path) -> Source:
    """Parse one source. Raises `UserError` where its front block or a table of it is not sound."""
    pieces = path.read_text(encoding="utf-8").split("---\n", 2)
    if len(pieces) < 3 or pieces[0]:
        raise UserError(f"{path} has no front block.", f"Begin it with {', '.join(REQUIRED)} between lines of ---.")
    front = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in pieces[1].splitlines())}
    if wrong := {key for key in REQUIRED if not front.get(key)} | (front.keys() - {*REQUIRED, *OPTIONAL}):
        raise UserError(
            f"{path}: {', '.join(sorted(wrong))} is missing or unknown in the front block.",
            f"It needs {', '.join(REQUIRED)} and may have {', '.join(OPTIONAL)}.",
        )
    source = Source(front, pieces[2].strip() + "\n", [])
    source.blocks = parse(source.body, "" if source.is_chinese else " ")
    for block in source.blocks:
        if len({len(row) for row in block.rows}) > 1:
            raise UserError(f"{path}: the rows under {block.rows[0]} differ in length.", "Give each as many cells.")
        if source.is_official and (match := re.fullmatch(r"(.+) \{\.(\w+)\}", block.text)):
            block.text, block.part = match.groups()
    return source


def parse(body: str, joint: str) -> list[Block]:
    """The blocks of a body; the lines of one paragraph are put together with `joint`."""
    blocks: list[Block] = []
    joins = False  # whether a plain line continues the last block
    for line in map(str.strip, body.splitlines()):
        last, joins = blocks[-1] if joins else None, bool(line) and not line.startswith("#")
        if line == "<!-- pagebreak -->":
            blocks.append(Block("break"))
        elif match := re.match(r"(#{1,3}) (.+)", line):
            blocks.append(Block("heading", match[2], len(match[1])))
        elif line.startswith("|"):
            if last is None or last.kind != "table":
                blocks.append(Block("table"))
            if not re.fullmatch(r"[|:\- ]+", line):
                blocks[-1].rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif match := re.match(r"(\d+)\. (.+)", line):
            blocks.append(Block("numbered", match[2], int(match[1])))
        elif line.startswith("- "):
            blocks.append(Block("bullet", line[2:]))
        elif line and last and last.kind not in ("table", "break"):
            last.text += joint + line.removeprefix(">").strip()
        elif line:
            blocks.append(Block("box" if line.startswith(">") else "text", line.removeprefix(">").strip()))
    return blocks


def render(path: Path, folder: Path) -> Path:
    """Render one source into `folder`, and say where it went."""
    source = read_source(path)
    target = folder / f"{path.stem}.{source.front['format']}"
    match source.front["format"]:
        case "pdf":
            from corpora.build_pdf import write_pdf

            write_pdf(target, source)
        case "docx":
            from corpora.build_docx import write_docx

            write_docx(target, source)
        case "md":
            target.write_text(f"# {source.title}\n\n{source.body}", encoding="utf-8")
        case other:
            raise UserError(f"{path} asks for format {other!r}.", "Known formats: pdf, docx, md.")
    return target


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="corpora/build.py", description="Render the sources of the shipped corpora into their documents."
    )
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help="all that have sources where none is named")
    known = sorted(folder.parent.name for folder in SHIPPED.glob("*/source"))
    wanted = parser.parse_args(argv).corpora or known
    try:
        if strangers := [name for name in wanted if name not in known]:
            raise UserError(f"No sources for {strangers[0][:60]!r}.", f"Corpora with sources: {', '.join(known)}.")
        for name in wanted:
            for path in sorted((SHIPPED / name / "source").glob("*.md")):
                sys.stdout.write(f"{render(path, SHIPPED / name / 'documents').relative_to(SHIPPED)}\n")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
