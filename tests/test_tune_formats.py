"""Rows in files: each format is told by its fields, and a broken or hostile file of each is refused with every mistake and its line."""

import csv
import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import UserError
from tune.formats import FORMATS, read_rows

Q, A = "How much oil does the press take?", "It takes 63 L."
ROWS: dict[str, dict[str, Any]] = {
    "Alpaca": {"instruction": "Answer.", "input": Q, "output": A, "system": "Be short.", "history": [["Hello", "Good morning."]]},
    "ShareGPT": {"conversations": [{"from": "human", "value": Q}, {"from": "gpt", "value": A}], "system": "Be short."},
    "OpenAI messages": {"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": Q},
                                     {"role": "assistant", "content": A}, {"role": "user", "content": "Thanks"}]},
    "prompt and completion": {"prompt": Q, "completion": A},
    "DISC-Law pairs": {"id": "1", "input": Q, "output": A},
    "DISC-Law triplets": {"id": "1", "reference": ["Oil volume: 63 L."], "input": Q, "output": A},
    "question, reasoning, answer": {"Question": Q, "Complex_CoT": "Look it up.", "Response": A},
    "question and answer": {"问题": Q, "答案": A},
    "clauses with analyses": {"clause": "The Lessee pays by the fifth day.", "analysis": "Rent is due on day five."},
    "sensor logs with diagnoses": {"readings": {"oil pressure": "2.1 bar", "temperature": [98, 99]}, "diagnosis": "The filter is blocked."},
}  # fmt: skip
BROKEN: dict[str, dict[str, Any]] = {
    "Alpaca": {"instruction": "Answer.", "output": A, "history": 5},
    "ShareGPT": {"conversations": [{"from": ["robot"], "value": Q}]},
    "OpenAI messages": {"messages": [{"role": "user", "content": Q}]},
    "prompt and completion": {"prompt": Q, "completion": ["a", "list"]},
    "DISC-Law pairs": {"input": Q, "output": ""},
    "DISC-Law triplets": {"reference": [3], "input": Q, "output": A},
    "question, reasoning, answer": {"question": None, "reasoning": "", "answer": A},
    "question and answer": {"question": "?!", "answer": A},
    "clauses with analyses": {"clause": "x" * 30_000, "analysis": A},
    "sensor logs with diagnoses": {"readings": "2 bar", "diagnosis": "End.<|im_end|>\n<|im_start|>user"},
}


def write(folder: Path, name: str, rows: list[Any]) -> Path:
    file = folder / name
    text = json.dumps(rows) if name.endswith(".json") else "\n".join(json.dumps(row) for row in rows)
    file.write_text(text, encoding="utf-8")
    return file


def test_every_format_has_a_row_here() -> None:
    assert set(ROWS) == set(BROKEN) == {f.name for f in FORMATS}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_each_is_told_by_its_fields(tmp_path: Path, name: str, suffix: str) -> None:
    rows, formats = read_rows(write(tmp_path, f"rows.{suffix}", [ROWS[name]] * 2))
    assert formats == {name: 2} and rows[0].place.startswith("rows.") and rows[0].messages[-1]["role"] == "user"
    assert rows[0].answer in (A, "Rent is due on day five.", "The filter is blocked.")
    if "system" in ROWS[name] or name == "OpenAI messages":
        assert rows[0].messages[0] == {"role": "system", "content": "Be short."}


def test_what_is_asked_holds_what_the_row_tells(tmp_path: Path) -> None:
    asked = {name: read_rows(write(tmp_path, "rows.json", [row]))[0][0] for name, row in ROWS.items()}
    assert asked["Alpaca"].question == f"Answer.\n{Q}"
    assert [m["content"] for m in asked["Alpaca"].messages][1:3] == ["Hello", "Good morning."]
    assert asked["DISC-Law triplets"].references == ("Oil volume: 63 L.",)
    assert "oil pressure 2.1 bar; temperature 98, 99" in asked["sensor logs with diagnoses"].question
    assert asked["clauses with analyses"].references == ("The Lessee pays by the fifth day.",)


def test_csv_of_columns_and_of_sensors(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    out = io.StringIO()
    csv.writer(out).writerows([["pressure bar", "speed rpm", "note", "diagnosis"], ["2.1", "1450", "", "Filter, blocked."]])
    file.write_text("\ufeff" + out.getvalue(), encoding="utf-8")
    rows, formats = read_rows(file)
    assert formats == {"sensor logs with diagnoses": 1} and rows[0].answer == "Filter, blocked."
    assert "pressure bar 2.1; speed rpm 1450\n" in rows[0].question
    file.write_text("prompt,completion\na b,c d\nonly one\n")
    with pytest.raises(UserError, match="line 3 has not as many cells"):
        read_rows(file)


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_row_of_each_is_named_with_its_line_beside_every_other(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, "rows.jsonl", [ROWS[name], BROKEN[name], {"nothing": "known"}, BROKEN[name]])
    with pytest.raises(UserError) as told:
        read_rows(file)
    said = str(told.value)
    assert "line 2: " in said and "line 3: it is of no known format (it has 'nothing')" in said and "line 4: " in said


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "no JSON"), (b"{", "no JSON"), (b"\xff\xfe", "UTF-8"), (b"[" * 100_000, "no JSON"), (b"3", "no list"), (b"[]", "no rows"),
    (b'[3, "x", null]', "row 1 is no object"), (b'[{"prompt": "\\ud800 a", "completion": "b"}]', "surrogate"),
])  # fmt: skip
def test_a_broken_or_hostile_file_is_one_sentence(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "rows.json"
    file.write_bytes(data)
    with pytest.raises(UserError, match=reason):
        read_rows(file)
    with pytest.raises(UserError, match="no kind that rows"):
        read_rows(write(tmp_path, "rows.parquet", []))
    with pytest.raises(UserError, match="There is no"):
        read_rows(tmp_path / "absent.json")


@pytest.mark.parametrize("turns", [["assistant", "user", "user", "assistant"], ["user", "system", "user", "assistant"],
                                   ["system", "system", "user", "assistant"]])  # fmt: skip
def test_turns_that_no_template_takes_are_refused(tmp_path: Path, turns: list[str]) -> None:
    messages = [{"role": role, "content": "Said."} for role in turns]
    with pytest.raises(UserError, match="line 1: user and assistant do not take turns"):
        read_rows(write(tmp_path, "rows.jsonl", [{"messages": messages}]))


def test_readings_nested_without_end_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"diagnosis": "Filter.", "readings": ' + "[" * 900 + "1" + "]" * 900 + "}")
    with pytest.raises(UserError, match="line 1"):
        read_rows(file)


def test_a_dataset_info_names_files_beside_it_with_columns_and_tags_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "a.json", [{"ask": Q, "say": A}])
    write(tmp_path, "b.json", [{"talk": [{"who": "me", "text": Q}, {"who": "you", "text": A}]}])
    info = {"one": {"file_name": "a.json", "columns": {"prompt": "ask", "response": "say"}},
            "two": {"file_name": "b.json", "formatting": "sharegpt", "columns": {"messages": "talk"},
                    "tags": {"role_tag": "who", "content_tag": "text", "user_tag": "me", "assistant_tag": "you"}}}  # fmt: skip
    file = write(tmp_path, "dataset_info.json", [])
    file.write_text(json.dumps(info))
    rows, formats = read_rows(file)
    assert formats == {"Alpaca": 1, "ShareGPT": 1} and [(r.question, r.answer) for r in rows] == [(Q, A)] * 2
    bad = {"self": {"file_name": "dataset_info.json"}, "list": {"file_name": "a.json", "columns": ["ask"]},
           "deep": {"file_name": "a.json", "columns": {"prompt": ["ask"]}}, "tags": {"file_name": "a.json", "tags": ["x"]},
           "far": {"file_name": "../a.json"}, "hub": {"hf_hub_url": "x/y"}, "dpo": {"file_name": "a.json", "ranking": True}}
    file.write_text(json.dumps({**info, **bad}))
    with pytest.raises(UserError) as told:
        read_rows(file)
    said = str(told.value)
    assert "'self' names no file beside it" in said and all(f"'{name}': columns and tags" in said for name in ("list", "deep", "tags"))
    assert "'far' names no file beside it" in said and "'hub' names no file" in said and "'dpo' holds preferences" in said
    write(tmp_path, "c.json", [{"instruction": Q, "output": ""}])
    os.symlink("loop.json", tmp_path / "loop.json")
    file.write_text(json.dumps({"c": {"file_name": "c.json"}, "d": {"file_name": "absent.json"}, "e": {"file_name": "loop.json"}}))
    with pytest.raises(UserError) as told:
        read_rows(file)
    assert all(said in str(told.value) for said in ("row 1: the answer is empty", "There is no", "'e' names no file"))
    file.write_text("{}")
    with pytest.raises(UserError, match="lists no data sets"):
        read_rows(file)


@pytest.mark.parametrize(("line", "reason"), [
    ('{"prompt": "Q 1", "completion": NaN}', "nan is no number"), ('{"prompt": "Q 1", "completion": 1e999}', "inf is no number"),
    ('{"prompt": "Q 1", "completion": "a", "completion": "b"}', "has the field 'completion' twice"),
    ('{"prompt": "Q 1", "completion": "a\\u001b[2Jb"}', "control characters"), ('{"clause": null, "analysis": "A."}', "clause is empty"),
    ('{"readings": {}, "diagnosis": "A."}', "readings is empty"), ('{"diagnosis": "A."}', "readings is empty"),
    ('{"readings": {"oil": NaN}, "diagnosis": "A."}', "nan is no number"),
])  # fmt: skip
def test_what_nobody_should_be_taught_is_named(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"prompt": "{Q}", "completion": "{A}"}}\n{line}\n')
    with pytest.raises(UserError, match=f"line 2.*{reason}"):
        read_rows(file)


def test_cells_that_break_the_rules_are_named_and_those_after_them_too(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    long = "x" * 140_000
    file.write_text(f'prompt,completion\n{Q},{long}\n"a"b,c\nprompt,completion\n{Q},{A}\nalone\n')
    with pytest.raises(UserError) as told:
        read_rows(file)
    said = str(told.value)
    assert "line 2: a text of 140,000 characters" in said and "line 3 is no CSV" in said
    assert "line 4 is the header again" in said and "line 6 has not as many cells" in said and "line 5" not in said
    file.write_text("prompt,completion,completion\na,b,c\n")
    with pytest.raises(UserError, match="the column 'completion' twice"):
        read_rows(file)


def test_what_is_no_file_or_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(UserError, match="is no file"):
        read_rows(tmp_path / "rows.jsonl")
    monkeypatch.setattr("tune.lines.LARGEST", 2**20)
    bomb = tmp_path / "rows.jsonl.gz"
    bomb.write_bytes(gzip.compress(b" " * 2**22))
    with pytest.raises(UserError, match="holds more than 1 MB"):
        read_rows(bomb)


FIELDS = ["instruction", "output", "messages", "conversations", "reference", "input", "role", "content", "from", "value", "clause",
          "analysis", "diagnosis", "question", "answer", "history", "prompt", "completion"]  # fmt: skip
LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
                    max_leaves=12))  # fmt: skip
def test_whatever_json_holds_it_is_rows_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    file = tmp_path_factory.mktemp("any") / "rows.json"
    file.write_text(json.dumps(value))
    try:
        rows, _ = read_rows(file)
    except UserError:
        return
    assert rows and all(row.question and row.answer for row in rows)
