"""The shipped questions: how many, of which shape, and that each quote stands in its document as ingest reads it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from corpora import load_profile, profile_names
from ingest.readers import read

KEYS = {"id", "question", "answerable", "answer", "document", "quote", "lang", "split"}
COUNTS = {  # corpus → questions, unanswerable ones
    "code": (780, 120),
    "legal": (1086, 167),
    "maintenance": (2509, 383),
    "official": (40, 10),
}


def questions(corpus: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in load_profile(corpus).questions.read_text(encoding="utf-8").splitlines()]


@cache
def text_of(path: Path) -> str:
    return read(path).text


def document(corpus: str, name: str) -> Path:
    path = load_profile(corpus).sources[0] / name
    assert path.is_file(), f"{corpus} has questions about {name}, which it does not hold"
    return path


def test_these_are_the_shipped_corpora() -> None:
    assert profile_names() == sorted(COUNTS)


@pytest.mark.parametrize("corpus", COUNTS)
def test_counts(corpus: str) -> None:
    rows = questions(corpus)
    assert (len(rows), sum(not row["answerable"] for row in rows)) == COUNTS[corpus]


def test_maintenance_holds_out_240_of_which_60_cannot_be_answered() -> None:
    held_out = [row for row in questions("maintenance") if row["split"] == "heldout"]
    assert (len(held_out), sum(not row["answerable"] for row in held_out)) == (240, 60)


@pytest.mark.parametrize("corpus", COUNTS)
def test_rows_have_exactly_their_keys_and_an_id_of_their_own(corpus: str) -> None:
    rows = questions(corpus)
    for row in rows:
        assert set(row) == KEYS, row["id"]
        assert row["id"].startswith(f"{corpus}-") and row["question"].strip() == row["question"] != ""
        assert isinstance(row["answerable"], bool)
        assert row["lang"] in ("en", "zh") and row["split"] in ("heldout", "seen"), row["id"]
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({row["question"] for row in rows}) == len(rows)


@pytest.mark.parametrize("corpus", COUNTS)
def test_a_question_is_held_out_exactly_where_its_document_is(corpus: str) -> None:
    held_out = load_profile(corpus).tune.held_out
    assert held_out and all(document(corpus, name) for name in held_out)
    rows = questions(corpus)
    assert {row["document"] for row in rows if row["split"] == "heldout"} == set(held_out)
    assert [row["id"] for row in rows if (row["split"] == "heldout") != (row["document"] in held_out)] == []


@pytest.mark.parametrize("corpus", COUNTS)
def test_quotes_stand_verbatim_in_their_documents(corpus: str) -> None:
    rows = [row for row in questions(corpus) if row["answerable"]]
    assert all(row["answer"].strip() and row["quote"].strip() for row in rows)
    assert [row["id"] for row in rows if row["quote"] not in text_of(document(corpus, row["document"]))] == []


@pytest.mark.parametrize("corpus", COUNTS)
def test_unanswerable_questions_carry_neither_answer_nor_quote(corpus: str) -> None:
    for row in questions(corpus):
        if not row["answerable"]:
            assert row["answer"] is None and row["quote"] is None, row["id"]
            assert row["document"] is None or document(corpus, row["document"])
