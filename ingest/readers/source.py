"""Source code: Python by its own syntax tree, one block a function or method; other languages by blank lines."""

import ast
from pathlib import Path

from ingest.readers.text import decode
from ingest.readers.writer import Writer

DEFINES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def read(path: Path, writer: Writer) -> None:
    writer.title = path.name
    text = decode(path.read_bytes()).expandtabs(4)
    if path.suffix == ".py":
        try:
            _python(text, writer)
            return
        except SyntaxError:  # another dialect: still text
            pass
    for paragraph in text.split("\n\n"):
        writer.code(paragraph)


def _python(text: str, writer: Writer) -> None:
    lines = text.split("\n")
    cuts = _definitions(ast.parse(text))
    names = [(0, ""), *cuts]
    for (start, name), (end, _) in zip(names, [*cuts, (len(lines), "")], strict=True):
        writer.code("\n".join(lines[start:end]), name=name)


def _definitions(module: ast.Module) -> list[tuple[int, str]]:
    """`(first line from 0, name)` of each top-level statement that defines, and of each method; in order."""
    cuts: list[tuple[int, str]] = []
    after = 0
    for node in module.body:
        if isinstance(node, DEFINES):
            cuts.append((_first_line(node), f"{'class' if isinstance(node, ast.ClassDef) else 'def'} {node.name}"))
            if isinstance(node, ast.ClassDef):
                cuts += [(_first_line(m), f"class {node.name} › def {m.name}") for m in node.body
                         if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]  # fmt: skip
            after = node.end_lineno or 0
        elif cuts and node.lineno > after and cuts[-1][1] != "":
            cuts.append((node.lineno - 1, ""))
    return cuts


def _first_line(node: DEFINES) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
