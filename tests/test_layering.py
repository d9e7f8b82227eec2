"""Imports go one way: corpora ← ingest ← serve ← tune, and ui speaks HTTP alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ["corpora", "ingest", "serve", "tune", "ui"]
MAY_IMPORT = {
    "corpora": {"corpora"},
    "ingest": {"corpora", "ingest"},
    "serve": {"corpora", "ingest", "serve"},
    "tune": {"corpora", "ingest", "serve", "tune"},
    "ui": {"ui"},
}


def files(room: str) -> list[Path]:
    return [p for p in (ROOT / room).rglob("*.py") if "documents" not in p.parts]


def imported_rooms(source: str) -> set[str]:
    """The rooms that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        found |= {n.split(".")[0] for n in names}
    return found & set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_upstream(room: str) -> None:
    assert files(room), f"{room}/ has no modules"
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}; {other} is not upstream of {room}"
        for path in files(room)
        for other in sorted(imported_rooms(path.read_text(encoding="utf-8")) - MAY_IMPORT[room])
    ]
    assert not wrong, "\n".join(wrong)


def test_a_wrong_import_is_seen() -> None:
    assert imported_rooms("def f():\n    from serve.chain import Assistant\n") == {"serve"}


def test_every_module_opens_with_a_sentence() -> None:
    bare = [
        str(p.relative_to(ROOT))
        for r in ROOMS
        for p in files(r)
        if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert not bare
