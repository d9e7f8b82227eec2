"""Chunks tile their document, keep under their cap, and begin where sections, rows and clauses do."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunkers import chunk
from ingest.embed import Embedder
from ingest.readers import READERS, read
from ingest.readers.writer import Writer
from ingest.schema import Chunk, Chunker, Document
from tests.test_ingest_readers import SHIPPED


def words(texts: list[str]) -> list[int]:
    return [len(t.split()) for t in texts]


def check_tiling(document: Document, chunks: list[Chunk]) -> None:
    assert "".join(c.text for c in chunks) == document.text
    at = 0
    for n, c in enumerate(chunks):
        assert (c.start, c.ordinal) == (at, n) and c.text == document.text[c.start : c.end]
        at = c.end


NUMBERS = ["", "3.", "Article ", "Section 2.", "附件", "E0", "一、\n", "Annex B\nSection "]
pieces = st.one_of(
    st.tuples(st.just("heading"), st.integers(1, 4), st.text(min_size=1, max_size=30)),
    st.tuples(st.just("paragraph"), st.text(max_size=400)),
    st.tuples(st.just("table"), st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), max_size=5)),
    st.tuples(st.just("code"), st.text(max_size=200)),
    st.tuples(st.just("paragraph"), st.builds("{}{} {}".format, st.sampled_from(NUMBERS), st.integers(1, 20), st.text(max_size=60))),
    st.tuples(st.just("paragraph"), st.builds("第{}条{}".format, st.integers(1, 9), st.text(max_size=60))),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=12), st.integers(3, 40), st.sampled_from(["auto", "prose", "legal", "maintenance"]))
def test_any_document_is_tiled_by_its_chunks(parts: list[tuple[object, ...]], cap: int, chunker: Chunker) -> None:
    writer = Writer("T")
    for kind, *arguments in parts:
        getattr(writer, str(kind))(*arguments)
    document = writer.document()
    chunks = chunk(document, "v", words, cap, chunker)
    check_tiling(document, chunks)
    assert all(n <= cap for n in words([c.text for c in chunks]))


@pytest.mark.parametrize("path", [p for p in SHIPPED if p.suffix in READERS], ids=lambda p: p.name)
def test_every_shipped_document_is_tiled_under_the_cap(path: Path, home: Path) -> None:
    embedder = Embedder(home / "models" / "all-MiniLM-L6-v2", ["en"])
    document = read(path)
    for chunker in ("auto", "prose", "legal", "maintenance"):
        chunks = chunk(document, "v", embedder.count, 160, chunker, embedder.window)
        check_tiling(document, chunks)
        assert max(embedder.count([c.text for c in chunks])) <= 160
        assert max(embedder.count([f"{c.context}\n{c.text}" for c in chunks])) + 2 <= embedder.window, "cut unseen"


def test_a_section_a_row_and_a_clause_begin_a_chunk() -> None:
    writer = Writer("Rules")
    writer.heading(1, "1 General")
    writer.paragraph("第一条 甲。")
    writer.paragraph("第二条 乙。")
    writer.paragraph("第三条 丙。")
    writer.heading(1, "2 Table")
    writer.table([["a", "b"], ["1", "2"], ["3", "4"]])
    chunks = chunk(writer.document(), "v", words, 100)
    assert [c.text.strip() for c in chunks] == [
        "1 General\n\n第一条 甲。",
        "第二条 乙。",
        "第三条 丙。",
        "2 Table\n\na | b",
        "1 | 2",
        "3 | 4",
    ]
    assert chunks[1].context == "Rules › 1 General › 第二条"
    assert chunks[-1].context == "Rules › 2 Table: a | b"


def test_a_chunk_lies_on_one_page() -> None:
    writer = Writer("Manual")
    for page in (1, 1, 2):
        writer.paragraph(f"Words on page {page}.", page)
    assert [(c.page, c.text.strip()) for c in chunk(writer.document(), "v", words, 100)] == [
        (1, "Words on page 1.\n\nWords on page 1."),
        (2, "Words on page 2."),
    ]


def test_a_wide_table_does_not_multiply() -> None:
    writer = Writer("T")
    writer.table([[f"column {n}" for n in range(2000)], [f"{n}" for n in range(2000)]])
    document = writer.document()
    chunks = chunk(document, "v", words, 40)
    check_tiling(document, chunks)
    assert max(len(c.context) for c in chunks) < 400


def test_a_long_text_without_seams_is_not_counted_over_and_over() -> None:
    counted = 0

    def count(texts: list[str]) -> list[int]:
        nonlocal counted
        counted += sum(map(len, texts))
        return [len(t) for t in texts]

    writer = Writer("t")
    writer.paragraph("阀" * 100_000)
    chunks = chunk(writer.document(), "v", count, 50)
    assert "".join(c.text for c in chunks) == "阀" * 100_000 and max(len(c.text) for c in chunks) <= 50
    assert counted < 1_000_000, "halving alone would count the whole once for each time it is halved"
