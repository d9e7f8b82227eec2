"""reStructuredText by docutils, which may include no file and pass no raw markup through; unknown directives keep their text."""

import re
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree

from ingest.readers.marks import ordinal, superscript
from ingest.readers.text import decode
from ingest.readers.writer import Writer

SETTINGS = {"file_insertion_enabled": False, "raw_enabled": False, "report_level": 5, "halt_level": 5, "_disable_config": True,
            "input_encoding": "unicode", "syntax_highlight": "none", "warning_stream": False, "doctitle_xform": False,
            "smart_quotes": False}  # fmt: skip
ROLE = re.compile(r":[\w:+.-]+:`([^`<]*?)\s*(?:<[^`>]*>)?`|``?([^`]+)``?_{0,2}")
DIRECTIVE = re.compile(r"\s*\.\. (?:\|[^|]*\| )?([\w:+.-]+)::[ \t]*([^\n]*)\n?")
OPTION = re.compile(r"\s*:[\w -]+:[^\n]*\n?")
SILENT = (nodes.comment, nodes.raw, nodes.image, nodes.substitution_definition, nodes.target, nodes.pending, nodes.decoration,
          nodes.meta, nodes.generated)  # fmt: skip
NO_WORDS = frozenset("toctree include contents index highlight currentmodule module image only tabularcolumns automodule autoclass "
                     "autofunction literalinclude py:currentmodule py:module raw".split())  # fmt: skip
STYLES = {"loweralpha": "a", "upperalpha": "A", "lowerroman": "i", "upperroman": "I", "arabic": "1"}
MAX_DEPTH = 4  # of unknown directives in unknown directives


def read(path: Path, writer: Writer) -> None:
    _Rst(writer).source(decode(path.read_bytes()), 0)


class _Rst:
    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.level = 0
        self.nested = 0
        self.titled = False

    def source(self, text: str, nested: int) -> None:
        tree = publish_doctree(text, settings_overrides=SETTINGS)
        outer, self.nested = self.nested, nested
        for node in tree.children:
            self.block(node, "")
        self.nested = outer

    def block(self, node: nodes.Node, mark: str) -> None:
        writer = self.writer
        if isinstance(node, SILENT):
            return
        if isinstance(node, nodes.section):
            self.level += 1
            self.blocks(node)
            self.level -= 1
        elif isinstance(node, nodes.title) and isinstance(node.parent, nodes.section):
            if not self.titled:
                writer.title = said(node)
                self.titled = True
            writer.heading(self.level, said(node))
        elif isinstance(node, nodes.system_message):
            for literal in node.findall(nodes.literal_block):
                self.unknown(literal.astext())
        elif isinstance(node, nodes.math_block):
            writer.paragraph(f"$${node.astext()}$$")
        elif isinstance(node, (nodes.literal_block, nodes.doctest_block)):
            writer.code(node.astext())
        elif isinstance(node, (nodes.bullet_list, nodes.enumerated_list)):
            self.items(node)
        elif isinstance(node, nodes.field):
            writer.paragraph(f"{said(node[0])}: {said(node[1])}")
        elif isinstance(node, nodes.option_list_item):
            writer.paragraph(f"{', '.join(said(o) for o in node[0])}: {said(node[1])}")
        elif isinstance(node, nodes.table):
            self.table(node)
        elif isinstance(node, (nodes.footnote, nodes.citation)):
            label = node.next_node(nodes.label)
            self.blocks(node, f"[{label.astext()}] " if label is not None else "")
        elif isinstance(node, nodes.label):
            return
        elif isinstance(node, nodes.Admonition) and not isinstance(node, nodes.admonition):
            self.blocks(node, f"{node.tagname.capitalize()}: ")
        elif isinstance(node, nodes.TextElement):
            writer.paragraph(mark + said(node))
        else:
            self.blocks(node, mark)

    def blocks(self, node: nodes.Node, mark: str = "") -> None:
        for child in node.children:
            self.block(child, mark)
            mark = "" if isinstance(child, nodes.TextElement) and not isinstance(child, nodes.label) else mark

    def items(self, node: nodes.Element) -> None:
        style = STYLES.get(node.get("enumtype", ""), "1")
        number = int(node.get("start", 1))
        for item in node.children:
            ordered = isinstance(node, nodes.enumerated_list)
            mark = f"{node.get('prefix', '')}{ordinal(number, style)}{node.get('suffix', '.')} " if ordered else "- "
            number += 1
            self.blocks(item, mark)

    def table(self, node: nodes.Element) -> None:
        for title in node.findall(nodes.title):
            self.writer.paragraph(said(title))
        rows = [
            [" ".join(said(part) for part in entry.children) for entry in row.findall(nodes.entry)]
            for row in node.findall(nodes.row)
        ]
        self.writer.table(rows, has_header=any(True for _ in node.findall(nodes.thead)))

    def unknown(self, text: str) -> None:
        """A directive or role that only another program knows: its argument and its body are read, its options are not."""
        found = DIRECTIVE.match(text)
        if not found or self.nested >= MAX_DEPTH:
            return
        if found[1] in NO_WORDS:
            self.writer.note("directives without text left out")
            return
        argument, body = found[2].strip(), text[found.end() :]
        while option := OPTION.match(body):
            body = body[option.end() :]
        if found[1].startswith(("code", "sourcecode", "parsed-literal")):
            self.writer.code(_dedent(body))
            return
        if argument:
            self.writer.paragraph(argument)
        if body.strip():
            self.source(_dedent(body), self.nested + 1)


def said(node: nodes.Node) -> str:
    """The words of a node; a role that docutils does not know leaves its text."""
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, (*SILENT, nodes.system_message)):
        return ""
    if isinstance(node, nodes.problematic):
        return ROLE.sub(lambda found: (found[1] or found[2] or "").lstrip("~!"), node.astext())
    if isinstance(node, nodes.math):
        return f"${node.astext()}$"
    if isinstance(node, (nodes.footnote_reference, nodes.citation_reference)):
        return f"[{node.astext()}]"
    text = "".join(said(child) for child in node.children)
    return superscript(text) if isinstance(node, nodes.superscript) else text


def _dedent(text: str) -> str:
    from textwrap import dedent

    return dedent(text).strip("\n")
