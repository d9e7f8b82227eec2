"""Questions that people wrote are taught in their own wording: not the held-out ones, and those without an answer are refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import UserError
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.prompt import REFUSAL
from tests.plant import CORPUS, HELD_OUT, SECRET, SILENT, make_plant
from tune.data import data_folder, make_data, one_thread, read_data, read_examples, read_pairs
from tune.heldout import held_out_versions
from tune.written import written_questions

BLANK = {"answerable": True, "lang": "en", "split": "seen", "answer": None, "quote": None, "document": "pm-7-press-manual.md"}
OIL = {"id": "q1", "question": "how much oil goes in the press?", "answer": "The oil volume is 63 L.", "quote": "Oil volume | 63 L"}
MILK = {"id": "q2", "question": "Oil in the PM-7 is milky, what now?", "answer": "It is changed at once.",
        "quote": "If the oil looks milky, change it at once"}  # fmt: skip
WHO = {"id": "q3", "question": "Who delivers seals for the PM-7?", "answerable": False}
LOST = {"id": "q4", "question": "How hot may the PM-7 get?", "answer": "It may reach 90 °C.", "quote": "It may reach 90 °C."}
OTHER = {"id": "q5", "question": f"What is {SECRET}?", "answer": "Shaft speed below 31 rpm.", "quote": "Shaft speed below 31 rpm",
         "document": HELD_OUT, "split": "heldout"}  # fmt: skip


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_plant(home, tmp_path_factory.mktemp("plant"))
    write(settings, OIL, MILK, WHO, LOST, OTHER)
    make_data(settings, CORPUS, 6, 0, SILENT)
    return settings


def write(settings: Settings, *rows: dict[str, object]) -> None:
    lines = [json.dumps({**BLANK, **row}) for row in rows]
    (settings.root / "corpora" / CORPUS / "questions.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def assistant(settings: Settings) -> Iterator[Assistant]:
    assistant = open_assistant(CORPUS, settings)
    with assistant.searcher, one_thread():
        yield assistant


def test_what_may_be_taught_is_found_with_its_place(assistant: Assistant) -> None:
    manifest = assistant.searcher.manifest
    written = written_questions(assistant.profile, manifest, held_out_versions(assistant.profile, manifest))
    assert [fact.question for fact in written.facts] == [OIL["question"], MILK["question"]]
    assert [fact.quote for fact in written.facts] == [OIL["quote"], MILK["quote"]]
    assert [ask.id for ask in written.unanswered] == ["q3"] and written.lost == 1


def test_they_come_first_answered_or_refused(settings: Settings) -> None:
    rows = {row.prompt[1]["content"].rpartition("Question: ")[2]: row for row in read_examples(settings, CORPUS)}
    assert len(rows) == 6 and not any(SECRET in question for question in rows)
    said = {question: row.completion[0]["content"] for question, row in rows.items() if row.kind == "written"}
    assert said.keys() == {OIL["question"], MILK["question"], WHO["question"]}
    assert said[WHO["question"]] == REFUSAL["en"] and rows[str(WHO["question"])].chunk_id == ""
    assert read_data(settings, CORPUS).dropped["quote that is not in the index"] == 1
    answered = [said[q] for q in (OIL["question"], MILK["question"]) if said[q] != REFUSAL["en"]]
    assert all(" [" in text for text in answered)


def test_what_nothing_answers_is_preferred_refused_to_the_sentence_most_like_it(settings: Settings) -> None:
    pair = next(p for p in read_pairs(settings, CORPUS) if p.id.startswith("q3"))
    assert pair.chosen[0]["content"] == REFUSAL["en"] and "[" in pair.rejected[0]["content"]
    assert pair.chunk_id == "" and set(pair.chunks) == set(pair.shown)


def test_prompts_of_one_group_begin_alike(settings: Settings) -> None:
    beginnings = {row.prompt[1]["content"].rpartition("Question: ")[0] for row in read_examples(settings, CORPUS)}
    assert len(beginnings) < 6


def test_a_file_with_mistakes_stops_the_run_and_tells_them_all(settings: Settings) -> None:
    file = settings.root / "corpora" / CORPUS / "questions.jsonl"
    before = (data_folder(settings, CORPUS) / "sft.jsonl").read_bytes()
    kept = file.read_text()
    try:
        file.write_text(kept + '{"id": "q6"}\nnot json\n')
        with pytest.raises(UserError) as told:
            make_data(settings, CORPUS, 6, 0, SILENT)
        assert "line 6" in str(told.value) and "line 7" in str(told.value)
    finally:
        file.write_text(kept)
    assert (data_folder(settings, CORPUS) / "sft.jsonl").read_bytes() == before
