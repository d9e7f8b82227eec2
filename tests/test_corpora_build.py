"""The documents that the shipped corpora carry are what their sources render to."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pypdfium2
import pytest

from corpora import UserError
from corpora.build import SHIPPED, read_source, render
from corpora.build_pdf import font_files
from ingest.readers import read

SOURCES = sorted(SHIPPED.glob("*/source/*.md"))


def can_render(path: Path) -> bool:
    source = read_source(path)
    try:
        return source.front["format"] != "pdf" or bool(font_files(source.is_chinese))
    except UserError:
        return False


# Without a manual's fonts it cannot be set again; that the carried one says what its source says is tested everywhere.
RENDERED = [path for path in SOURCES if can_render(path)]


def name(path: Path) -> str:
    return f"{path.parts[-3]}/{path.stem}"


def carried(path: Path) -> Path:
    return path.parents[1] / "documents" / f"{path.stem}.{read_source(path).front['format']}"


READ: dict[bytes, str] = {}


def text_of(path: Path) -> str:
    """The document's text as ingest reads it; the same bytes are read once."""
    data = path.read_bytes()
    if data not in READ:
        READ[data] = read(path).text
    return READ[data]


def squeezed(text: str) -> str:
    return re.sub(r"[\s`]|\*\*", "", text)


def test_sources_are_of_every_format_and_those_without_fonts_of_their_own_always_render() -> None:
    formats = [read_source(path).front["format"] for path in SOURCES]
    assert {kind: formats.count(kind) for kind in formats} == {"docx": 11, "pdf": 6, "md": 3}
    assert {path for path in SOURCES if carried(path).suffix != ".pdf"} <= set(RENDERED)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_carried_document_says_in_order_all_that_its_source_says(path: Path) -> None:
    source = read_source(path)
    text, at = squeezed(text_of(carried(path))), 0
    for words in (source.title, *(t for b in source.blocks for t in (b.text, *(c for row in b.rows for c in row)))):
        found = text.find(squeezed(words), at)
        assert found >= 0, f"not in the document, or not in its place: {words}"
        at = found + len(squeezed(words))


@pytest.mark.parametrize("path", RENDERED, ids=name)
def test_rendering_again_gives_the_text_that_is_carried(path: Path, tmp_path: Path) -> None:
    again = render(path, tmp_path)
    assert again.name == carried(path).name
    assert text_of(again) == text_of(carried(path))


@pytest.mark.parametrize("suffix", sorted({carried(path).suffix for path in RENDERED}))
def test_rendering_twice_gives_the_same_bytes_and_no_date_of_today(suffix: str, tmp_path: Path) -> None:
    path = min((p for p in RENDERED if carried(p).suffix == suffix), key=lambda p: p.stat().st_size)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = render(path, tmp_path / "a"), render(path, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    if suffix == ".docx":  # dates are compared with the carried file: two runs within a second would agree by chance
        with ZipFile(first) as new, ZipFile(carried(path)) as old:
            assert [(e.filename, e.date_time) for e in new.infolist()] == [
                (e.filename, e.date_time) for e in old.infolist()
            ]
            assert new.read("docProps/core.xml") == old.read("docProps/core.xml")
    if suffix == ".pdf":
        new, old = (pypdfium2.PdfDocument(file) for file in (first, carried(path)))
        assert new.get_metadata_dict()["CreationDate"] == old.get_metadata_dict()["CreationDate"]


def test_command_renders_what_has_a_source_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    here = tmp_path / "corpora"
    shutil.copytree(SHIPPED / "legal", here / "legal")
    for module in SHIPPED.glob("*.py"):
        shutil.copy(module, here)
    documents = here / "legal" / "documents"
    for file in documents.glob("*.docx"):
        file.unlink()
    written = {file.name: file.read_bytes() for file in documents.iterdir()}
    done = subprocess.run([sys.executable, here / "build.py", "legal"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    rendered = [f"legal/documents/{path.stem}.docx" for path in SOURCES if path.parts[-3] == "legal"]
    assert done.stdout.splitlines() == rendered and len(rendered) == 3
    assert {file.name for file in documents.iterdir()} == {*written, *(Path(line).name for line in rendered)}
    assert {file: (documents / file).read_bytes() for file in written} == written


@pytest.mark.parametrize("corpus", ["nosuch", "code", "../legal"])
def test_command_names_the_corpora_that_have_sources(corpus: str) -> None:
    done = subprocess.run([sys.executable, SHIPPED / "build.py", corpus], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"No sources for {corpus!r}. Corpora with sources: legal, maintenance, official.\n"


FRONT = "---\ntitle: T\nauthor: A\nformat: docx\nlang: en\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# Only a heading\n", "no front block"),
        ("---\ntitle: T\nformat: md\n---\nText\n", "author, lang is missing or unknown"),
        (FRONT + "colour: red\n---\nText\n", "colour is missing or unknown"),
        (FRONT.replace("docx", "odt") + "---\nText\n", "format 'odt'"),
        (FRONT + "---\n| a | b |\n|---|---|\n| 1 |\n", "differ in length"),
        (FRONT + "layout: official\nsubtitle: S\n---\nText {.日子}\n", "marked '日子'"),
    ],
)
def test_unsound_source_is_refused_in_a_sentence(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=complaint) as caught:
        render(path, tmp_path)
    assert caught.value.next_step
    assert [file.name for file in tmp_path.iterdir()] == ["note.md"]
