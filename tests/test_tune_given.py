"""Rows that files give: cited where something proves them, plain else, clean, and never anything held out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as within
from hypothesis import strategies as st

from corpora import UserError
from ingest.settings import Settings
from serve.prompt import REFUSAL
from tests.plant import CORPUS, SILENT, make_plant
from tune.data import data_folder, fresh_data, make_data, read_data, read_examples, read_pairs
from tune.formats import Given
from tune.given import about, clean
from tune.near import Near

OIL = {"question": "how much oil does the PM-7 press hold?", "answer": "The oil volume is 63 L."}
OWN = {"reference": ["The crane at gate 4 lifts 12 t.", "Gate 4 opens at six."], "input": "What does the crane at gate 4 lift?",
       "output": "The crane at gate 4 lifts 12 t."}  # fmt: skip
STYLE = {"instruction": "Write a line to the night shift.", "output": "Please leave the hall as tidy as you found it."}
SECRET = {"question": "How full may the drum be?", "answer": "Well. Before entering the drum, lock the isolator and wait 6 minutes "
          "for the brake."}  # fmt: skip


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_plant(home, tmp_path_factory.mktemp("plant"))


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def test_rows_are_cited_where_something_proves_them_and_plain_else(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path, OIL, OWN, STYLE, STYLE)
    data, _ = make_data(settings, CORPUS, 4, 0, SILENT, [file])
    assert data.formats == {"question and answer": 1, "DISC-Law triplets": 1, "Alpaca": 2} and data.files == [str(file)]
    rows = {row.id: row for row in read_examples(settings, CORPUS) if row.id.startswith("rows.jsonl")}
    said = {name.rpartition(" ")[2]: row.completion[0]["content"] for name, row in rows.items()}
    assert len(rows) == 3 and data.dropped["said before, or nearly so"] == 1
    assert said["1"].startswith("The oil volume is 63 L. [") and said["3"] == STYLE["output"]
    crane = rows["rows.jsonl line 2"]
    marker = said["2"].removeprefix("The crane at gate 4 lifts 12 t. [").rstrip("]")
    assert "12 t" in crane.prompt[1]["content"].split(f"[{marker}]")[1].split("\n\n")[0]
    assert all(not chunk.startswith("given") for row in rows.values() for chunk in row.chunks), "no document of the index"
    assert rows["rows.jsonl line 3"].prompt == [{"role": "user", "content": STYLE["instruction"]}]
    assert not any(pair.id.startswith("rows.jsonl line 3") for pair in read_pairs(settings, CORPUS))
    card = (data_folder(settings, CORPUS) / "card.md").read_text()
    assert "With rows of rows.jsonl." in card and "DISC-Law triplets" in card
    assert fresh_data(settings, CORPUS, SILENT) == read_data(settings, CORPUS) == data
    write(tmp_path, OIL)
    assert fresh_data(settings, CORPUS, SILENT).formats == {"question and answer": 1}, "a file that changed is read anew"


def test_a_row_may_say_that_its_own_passages_do_not_answer(settings: Settings, tmp_path: Path) -> None:
    refused = {**OWN, "input": "Who built the crane at gate 4?", "output": REFUSAL["en"]}
    make_data(settings, CORPUS, 4, 0, SILENT, [write(tmp_path, OWN, refused)])
    rows = [row for row in read_examples(settings, CORPUS) if row.id.startswith("rows.jsonl")]
    assert [row.answerable for row in rows] == [True, False], "one after the other, so that what they share is computed once"
    assert "The crane at gate 4 lifts 12 t." in rows[1].prompt[1]["content"] and rows[1].completion[0]["content"] == REFUSAL["en"]


def test_held_out_text_stops_the_run(settings: Settings, tmp_path: Path) -> None:
    make_data(settings, CORPUS, 3, 0, SILENT)
    before = (data_folder(settings, CORPUS) / "sft.jsonl").read_bytes()
    with pytest.raises(UserError, match=r"Held-out text would be taught: rows\.jsonl line 2\."):
        make_data(settings, CORPUS, 3, 0, SILENT, [write(tmp_path, OIL, SECRET)])
    with pytest.raises(UserError, match="line 2 is no JSON"):
        file = write(tmp_path, OIL)
        file.write_text(file.read_text() + "\n{")
        make_data(settings, CORPUS, 3, 0, SILENT, [file])
    assert (data_folder(settings, CORPUS) / "sft.jsonl").read_bytes() == before


@pytest.mark.parametrize("leak", [
    {"messages": [{"role": "user", "content": "May I enter?"}, {"role": "assistant", "content": SECRET["answer"]},
                  {"role": "user", "content": "Thanks. And the press?"}, {"role": "assistant", "content": "Lower the ram."}]},
    {"reference": [SECRET["answer"]], "input": "When may I enter the drum?", "output": "After 6 minutes."},
    {"question": "x", "answer": "HOW ABOUT this: before entering the drum lock the isolator, and wait 6 minutes for the brake!"},
])  # fmt: skip
def test_it_is_found_wherever_it_stands(settings: Settings, tmp_path: Path, leak: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="Held-out text would be taught"):
        make_data(settings, CORPUS, 3, 0, SILENT, [write(tmp_path, leak)])


def test_what_does_not_fit_is_dropped_and_the_rest_is_made(settings: Settings, tmp_path: Path) -> None:
    long = {"prompt": "Tell all.", "completion": "word " * 757}
    data, _ = make_data(settings, CORPUS, 3, 0, SILENT, [write(tmp_path, long, {**STYLE, "output": "One line.\u2028Another line."})])
    assert sum(n for reason, n in data.dropped.items() if "too long" in reason) == 1
    said = [row.completion[0]["content"] for row in read_examples(settings, CORPUS) if row.kind == "given"]
    assert said == ["One line.\u2028Another line."]


def test_a_topic_takes_its_part(settings: Settings, tmp_path: Path) -> None:
    data, _ = make_data(settings, CORPUS, 3, 0, SILENT, [write(tmp_path, OIL, OWN, STYLE)], "gate crane")
    assert [row.id for row in read_examples(settings, CORPUS) if row.id.startswith("rows")] == ["rows.jsonl line 2"]
    assert data.topic == "gate crane"
    with pytest.raises(UserError, match="No row is about 'turbine'"):
        make_data(settings, CORPUS, 3, 0, SILENT, [write(tmp_path, OIL)], "turbine")
    with pytest.raises(UserError, match="holds no word"):
        make_data(settings, CORPUS, 3, 0, SILENT, [write(tmp_path, OIL)], "the")
    with pytest.raises(UserError, match="none was given"):
        make_data(settings, CORPUS, 3, 0, SILENT, [], "oil")


def row(question: str, answer: str, place: str = "f line 1") -> Given:
    return Given(place, [{"role": "user", "content": question}], answer)


@pytest.mark.parametrize(("given_row", "reason"), [
    (row("What is due?", "As an AI language model I cannot know."), "boilerplate"),
    (row("还要做什么？", "每天检查一次油位。"), "language that the base does not read"),
    (row("What is due?", "每天检查一次油位。"), "language that the base does not read"),
    (row("What is due?", "Yes."), "answer too short"),
])  # fmt: skip
def test_what_is_not_worth_teaching_is_dropped_and_counted(given_row: Given, reason: str) -> None:
    dropped: Counter[str] = Counter()
    assert list(clean([given_row], lambda lang: lang == "en", dropped)) == [] and dropped == {reason: 1}


def test_personal_data_goes_out() -> None:
    dropped: Counter[str] = Counter()
    asked = row("Whom do I call?", "Call the workshop at +44 20 7946 0958 or write to ann@plant.example.")
    (cleaned,) = clean([asked], lambda lang: True, dropped)
    assert "7946" not in cleaned.answer and "ann@" not in cleaned.answer and "workshop" in cleaned.answer
    assert dropped == {"nothing, but personal data was taken out": 1}


def test_a_topic_is_all_of_its_words() -> None:
    rows = [row("Which oil?", "Mineral oil."), row("Which seal?", "The oil seal of the pump.")]
    assert about("oil pump", rows) == rows[1:] and about("Oils", rows) == rows


WORDS = st.lists(st.sampled_from("oil press seal gate crane lift shift hall night tidy pump valve".split()), min_size=12, max_size=40)


@within(deadline=None)
@given(st.lists(WORDS, max_size=8))
def test_what_was_met_is_known_and_other_words_are_not(texts: list[list[str]]) -> None:
    near = Near()
    for text in texts:
        near.has(" ".join(text))
    assert all(near.has(" ".join(text)) for text in texts)
    assert not near.has("eleven blue herons stand quietly by the cold northern river at dawn")


def test_a_word_changed_in_a_long_text_is_nearly_the_same() -> None:
    near = Near()
    text = "Before opening the tank, lower the ram and wait four minutes until the accumulator is empty. Then look at the gauge. " * 3
    assert not near.has(text) and near.has(text.replace("gauge", "dial", 1))
