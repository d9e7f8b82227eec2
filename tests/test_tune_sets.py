"""Public sets: search measured on a BEIR folder, rows answered from their own passages, two results compared question by question."""

import gzip
import json
from math import log2
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import UserError
from ingest.settings import Settings
from tests import conftest
from tune.beir import read_corpus, read_judgements
from tune.cli import main
from tune.qa import token_f1
from tune.ranking import ndcg, recall, reciprocal_rank
from tune.result import compare, difference, write_result

TEXTS = {
    "pump": ("Pump manual", "The pump P-12 is greased every 400 hours. Use lithium grease."),
    "fan": ("Fan manual", "The fan belt is changed every two years. Stop the fan before the guard is opened."),
    "lease": ("Lease", "The tenant pays the rent by the fifth day of each month."),
    "考勤": ("考勤办法", "员工每月迟到三次的，扣发当月全勤奖。请假应当提前一天申请。"),
}
ASKED = {"q1": ("How often is the pump greased?", "pump"), "q2": ("When must the tenant pay the rent?", "lease"),
         "q3": ("迟到三次怎么处理？", "考勤")}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(conftest.models())
    monkeypatch.setenv("LECTERN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHROMA_URL", "")
    return tmp_path


def write(folder: Path, packed: bool = True) -> Path:
    folder.mkdir()
    lines = "".join(json.dumps({"_id": i, "title": t, "text": x}) + "\n" for i, (t, x) in TEXTS.items()).encode()
    (folder / ("corpus.jsonl.gz" if packed else "corpus.jsonl")).write_bytes(gzip.compress(lines) if packed else lines)
    (folder / "queries.jsonl").write_text("".join(json.dumps({"id": i, "text": q}) + "\n" for i, (q, _) in ASKED.items()))
    (folder / "qrels.tsv").write_text("query\ttext\tscore\n" + "".join(f"{i}\t{right}\t1\n" for i, (_, right) in ASKED.items()))
    return folder


def test_search_is_measured_and_compared_with_itself(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(home / "set")
    assert main(["eval", "--beir", str(folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["bm25", "dense", "hybrid"]
    assert set(report["hybrid"]) == {"nDCG@10", "Recall@5", "Recall@10", "MRR@10", "n_queries"}
    assert report["bm25"]["nDCG@10"] == report["hybrid"]["nDCG@10"] == 1.0 and report["hybrid"]["n_queries"] == 3
    result = next((home / "home" / "runs" / "eval").glob("beir-set-*.json"))
    written = json.loads(result.read_text())
    assert written["versions"]["embedder"] and set(written["hashes"]) == {"corpus.jsonl.gz", "qrels.tsv", "queries.jsonl"}
    assert main(["eval", "--beir", str(folder), "--against", str(result)]) == 0
    assert "+0.000 [+0.000, +0.000]" in capsys.readouterr().out
    assert not list((home / "home").glob("chroma*")), "the set is indexed elsewhere"


def test_rows_are_answered_from_their_own_passages(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passages = [{"id": i, "title": t, "text": x} for i, (t, x) in TEXTS.items()]
    rows: list[dict[str, Any]] = [
        {"id": "a", "question": "How often is the pump greased?", "answers": ["every 400 hours"], "passages": passages[:2],
         "answerable": True},
        {"id": "b", "question": "How often is the pump greased?", "answers": [], "passages": passages[2:3], "answerable": False},
        {"id": "c", "question": "迟到三次怎么处理？", "answers": ["扣发当月全勤奖"], "passages": passages[3:], "answerable": True},
    ]  # fmt: skip
    (home / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = home / "out" / "predictions.jsonl"
    assert main(["eval", "--qa", str(home / "qa.jsonl"), "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    said = {row["id"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert "every 400 hours" in said["a"]["answer"] and said["a"]["citations"] == ["pump"] and "[1]" not in said["a"]["answer"]
    assert said["b"]["refused"] and not said["b"]["answer"] and not said["b"]["citations"], "another row's passage is no answer"
    assert said["c"]["citations"] == ["考勤"]
    assert report["en"]["accuracy"] == report["zh"]["accuracy"] == report["en"]["refusal_recall"] == 1.0
    assert report["en"]["n"] == 2 and report["en"]["false_refusal"] == 0.0


def test_mistakes_are_sentences(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(home / "set", packed=False)
    (home / "list.json").write_text('{"questions": [{"id": "q1", "figures": [1]}]}')
    for argv, says in (
        (["eval"], "Name one thing"), (["eval", "maintenance", "--beir", str(folder)], "Name one thing"),
        (["eval", "--qa", "x"], "--out"), (["eval", "--beir", str(home / "none")], "There is no"),
        (["eval", "--beir", str(folder), "--against", str(folder / "qrels.tsv")], "no result"),
        (["eval", "--beir", str(folder), "--against", str(home / "list.json")], "no result"),
        (["eval", "--qa", str(folder / "queries.jsonl"), "--out", str(folder / "queries.jsonl")], "a file that is read"),
        (["eval", "--qa", str(folder / "queries.jsonl"), "--out", str(folder)], "is a folder"),
    ):  # fmt: skip
        assert main(argv) == 2
        assert says in capsys.readouterr().err
    (folder / "corpus.jsonl").write_text('{"id": "a"}\n{\n[]\n')
    with pytest.raises(UserError, match="line 1 has no text; line 2 is no JSON; line 3 is no object"):
        read_corpus(folder)
    (folder / "corpus.jsonl").write_text('{"id": "a", "text": "x"}\n' * 2)
    with pytest.raises(UserError, match="line 2 has the id of line 1, 'a'"):
        read_corpus(folder)
    (folder / "corpus.jsonl").write_text('{"id": "a", "text": "half \\ud800"}\n')
    with pytest.raises(UserError, match="line 1 has half"):
        read_corpus(folder)
    (folder / "corpus.jsonl").write_text(json.dumps({"id": "a", "text": "one\u2028two\x85three"}, ensure_ascii=False), encoding="utf-8")
    assert [row.text for row in read_corpus(folder)] == ["one\u2028two\x85three"]
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(b"{}")[:10] + b"damaged")
    with pytest.raises(UserError, match="cannot be read"):
        read_corpus(folder)
    (folder / "qrels.tsv").write_text("q\tx\t1\nq x 1\nq\tx\t0\n")
    with pytest.raises(UserError, match=r"line 2 is not question.*; line 3 judges what line 1 does"):
        read_judgements(folder)


def test_all_mistakes_of_a_set_are_told_at_once_with_their_lines(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "a", "question": "Why?", "passages": [{"id": "p", "text": "x"}], "answerable": True}
    wrong = [row, {**row, "question": ""}, {**row, "id": "b", "passages": [{}]}, {"id": 7, "question": "Why?", "passages": []}]
    (home / "qa.jsonl").write_text("\n".join(map(json.dumps, wrong)))
    assert main(["eval", "--qa", str(home / "qa.jsonl"), "--out", str(home / "out.jsonl")]) == 2
    said = capsys.readouterr().err
    for mistake in ("line 2 has the id of line 1, 'a'", "line 2: question: string should have",
                    "line 3 has no passages.0.id, passages.0.text", "line 4: id: ", "line 4: passages: list should",
                    "line 4 has no answerable"):  # fmt: skip
        assert mistake in said
    folder = write(home / "set", packed=False)
    (folder / "queries.jsonl").write_text('{"id": 1, "text": "a"}\n{"_id": "1", "text": "b"}\n{"id": "2"}\n')
    assert main(["eval", "--beir", str(folder)]) == 2
    assert "line 2 has the id of line 1, '1'; line 3 has no text" in capsys.readouterr().err


def test_a_set_without_texts_is_told_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(home / "set", packed=False)
    for texts, says in (("", "has no texts"), ('{"id": "a", "text": "\\u200b."}\n', "line 1: text: it holds no words")):
        (folder / "corpus.jsonl").write_text(texts)
        assert main(["eval", "--beir", str(folder)]) == 2
        said = capsys.readouterr().err
        assert says in said and "trial" not in said


def test_results_of_one_second_stand_beside_each_other(home: Path) -> None:
    settings = Settings()
    files = [write_result(settings, "set", {"n": n}, {}, []) for n in range(20)]
    assert [json.loads(file.read_text())["n"] for file in files] == list(range(20))


def test_the_figures_of_a_ranking_by_hand() -> None:
    ranked, right = ["x", "a", "y", "b"], {"a", "b", "c"}
    assert ndcg(ranked, right) == pytest.approx((1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / 2))
    assert recall(ranked, right, 2) == pytest.approx(1 / 3) and recall(ranked, right, 10) == pytest.approx(2 / 3)
    assert reciprocal_rank(ranked, right) == 0.5 and reciprocal_rank(["x"], right) == 0.0


@given(st.lists(st.sampled_from("abcdefgh"), unique=True), st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_figures_lie_in_0_1_and_the_ideal_is_1(ranked: list[str], right: set[str]) -> None:
    assert 0 <= ndcg(ranked, right) <= 1 + 1e-9 and 0 <= recall(ranked, right, 10) <= 1
    assert ndcg(sorted(right), right) == pytest.approx(1.0)


def test_two_results_are_compared_on_the_questions_of_both() -> None:
    then = [{"id": str(n), "figures": {"hybrid": {"nDCG@10": 0.2}}} for n in range(40)]
    now = [{"id": str(n), "figures": {"hybrid": {"nDCG@10": 0.2 + 0.5 * (n % 2)}}} for n in range(10, 60)]
    row = compare(then, now)["hybrid"]["nDCG@10"]
    assert row["n"] == 30 and row["then"] == 0.2 and row["now"] == 0.45 and row["interval"][0] > 0
    with pytest.raises(UserError, match="no question in common"):
        compare(then, now[30:])
    assert difference([0.0] * 10) == {"difference": 0.0, "interval": [0.0, 0.0]}


def test_token_f1_counts_repeats() -> None:
    assert token_f1("扣发奖金", "扣发全勤奖") == pytest.approx(2 * 3 / (4 + 5))
    assert token_f1("the the pump", "the pump") == pytest.approx(2 * 2 / 5) and token_f1("", "x") == 0.0
