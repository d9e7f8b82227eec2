"""Questions that ask of all documents: every chunk is read, what matches is quoted, cited and counted."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.index import Index
from ingest.search import Searcher
from ingest.settings import Settings
from ingest.where import Where
from serve.chain import Assistant, open_assistant
from serve.intent import intent
from serve.schema import Trace
from serve.survey import FAULT, MOST, survey
from tests.conftest import models
from tests.echo import echo

LOG = Path(__file__).parents[1] / "corpora" / "maintenance" / "documents" / "fault_log.csv"


@pytest.fixture(scope="module")
def searcher(indexed: Path) -> Iterator[Searcher]:
    with Searcher(Settings(home=indexed, chroma_url="", tier="cpu")) as searcher:
        yield searcher


def ask(searcher: Searcher, corpus: str, question: str) -> Trace:
    return assistant(searcher, corpus).ask(question)


def assistant(searcher: Searcher, corpus: str) -> Assistant:
    return open_assistant(corpus, searcher.settings, searcher)


def lines(trace: Trace) -> list[str]:
    return [c.quote for c in trace.answer.citations]


def stands(trace: Trace, searcher: Searcher) -> bool:
    """Each quote is in its document and in the answer, under its number, and its chunk in the trace."""
    seen = {hit["chunk_id"] for hit in trace.hits}
    return all(
        searcher.manifest.text(c.version)[c.start : c.end] == c.quote
        and f"{c.quote} [{c.marker}]" in trace.answer.answer
        and c.chunk_id in seen
        for c in trace.answer.citations
    )


def test_rows_are_counted_as_the_table_has_them(searcher: Searcher) -> None:
    trace = ask(searcher, "maintenance", "How many rows of the fault log mention SC-40?")
    with LOG.open(encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if "SC-40" in row]
    assert f"{len(rows)} rows have “SC-40”" in trace.answer.answer and len(rows) < MOST
    assert [row[2] for row in rows] == [line.split(" | ")[2] for line in lines(trace)]
    chunks = sum(1 for _ in LOG.open(encoding="utf-8"))
    assert trace.answer.answer.startswith(f"Read {chunks} of {chunks} chunks of 1 document (fault_log.csv);") and stands(trace, searcher)
    assert {c.document for c in trace.answer.citations} == {"fault_log.csv"} and trace.answer.mode == "extractive"


def test_all_faults_of_a_kind_are_listed(searcher: Searcher) -> None:
    trace = ask(searcher, "maintenance", "List all faults that stop the pump.")
    assert "CP-P12" in trace.answer.answer and stands(trace, searcher)
    total = searcher.manifest.count_chunks("maintenance")
    assert f"Read {total:,} of {total:,} chunks of 5 documents; " in trace.answer.answer
    own = ask(searcher, "maintenance", "List all faults of the CP-80")
    assert {f"CP-P{n:02}" for n in range(1, 15)} <= set(re.findall(r"CP-P\d\d", own.answer.answer))


def test_clauses_are_counted_once_each(searcher: Searcher) -> None:
    trace = ask(searcher, "legal", "合同管理办法里有多少条提到总经理？")
    (version,) = searcher.within("legal", Where(("hengchuan-contract-management-measures.docx",)))
    text = searcher.manifest.text(version)
    clauses = re.split(r"\n(?=第[一二三四五六七八九十]+条)", text[: text.index("附表一 合同审批权限表")])[1:]
    assert f"；{sum('总经理' in clause for clause in clauses)}条有“总经理”。" in trace.answer.answer and stands(trace, searcher)


def test_more_than_can_be_shown_are_counted(searcher: Searcher) -> None:
    trace = ask(searcher, "maintenance", "List all lines that mention oil")
    shown, count = lines(trace), int(re.search(r"; ([\d,]+) lines have", trace.answer.answer)[1].replace(",", ""))  # type: ignore[index]
    assert len(shown) == MOST < count and f", {count - MOST} of them not shown." in trace.answer.answer
    assert all(re.search(r"\boil", line, re.I) for line in shown)


def test_things_are_compared_one_below_the_other(searcher: Searcher) -> None:
    trace = ask(searcher, "maintenance", "compare SC-40, CP-80 and SC-60 mass")
    answer = trace.answer.answer
    assert answer.index("\n\nSC-40\n\n") < answer.index("Mass | 640 kg") < answer.index("\n\nCP-80\n\n") < answer.index("Mass of pump")
    assert answer.endswith("\n\nSC-60: –") and "SC-60 0." in answer and stands(trace, searcher)


def test_a_document_is_summed_up_by_the_first_sentence_of_each_section(searcher: Searcher) -> None:
    trace = ask(searcher, "maintenance", "Summarise service bulletin SB-2044")
    heads = ["1 Scope", "2 Reason", "3 What to do now", "4 Cleaning a varnished machine", "5 Sampling as an alternative"]
    places = [trace.answer.answer.index(f"\n\n{head}\n\n") for head in heads]
    assert places == sorted(places) and len(lines(trace)) == len(heads) and stands(trace, searcher)
    assert lines(trace)[1] == "Over the last two years the laboratory examined 412 oil samples from SC-40 compressors."
    chapters = ask(searcher, "legal", "总结一下合同管理办法")
    assert survey("概括一下考勤制度", searcher, "legal") is not None
    assert "第一章 总则" in chapters.answer.answer and len(lines(chapters)) <= MOST and stands(chapters, searcher)


def test_a_count_of_none_is_an_answer_and_a_list_of_none_is_not(searcher: Searcher) -> None:
    none = ask(searcher, "maintenance", "How many documents mention plutonium?")
    assert "0 documents have “plutonium”" in none.answer.answer and none.answer.citations == [] and not none.answer.refused
    assert survey("List all documents that mention plutonium", searcher, "maintenance") is None


@pytest.mark.parametrize(
    ("corpus", "question"),
    [
        ("maintenance", "List all faults of the CP-80 that do not stop the pump"), ("maintenance", "List all machines with no belt"),
        ("maintenance", "Summarise the maintenance schedule of the CP-80"), ("legal", "How many clauses contain penalties above 5%?"),
        ("legal", "概括合同管理办法的归档要求"), ("official", "有多少条提到附件？"),
    ],
)  # fmt: skip
def test_what_words_cannot_tell_is_no_survey(searcher: Searcher, corpus: str, question: str) -> None:
    assert survey(question, searcher, corpus) is None


def test_a_word_that_begins_as_a_denial_is_looked_for() -> None:
    assert intent("有多少条提到不可抗力？", lambda text: False) and intent("哪些条款提到未成年工？", lambda text: False)
    assert intent("有多少条提到不需要审批的合同？", lambda text: False) is None


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Three tables and a page that speaks of them."""
    home = tmp_path_factory.mktemp("plant")
    (home / "models").symlink_to(models())
    docs = home / "corpora" / "plant" / "documents"
    docs.mkdir(parents=True)
    (docs.parent / "profile.yaml").write_text("title: Plant\ndescription: A plant.\nlanguages: [en, zh]\n")
    (docs / "设备故障记录表.csv").write_text("日期,设备,代码\n" + "".join(f"2024-01-{n:02},空压机,E-{n:02}\n" for n in range(1, 9)))
    (docs / "spare_parts_list.csv").write_text("part,machine\n" + "".join(f"seal {n},SC-{40 + n % 2}\n" for n in range(1, 7)))
    (docs / "fault_log.csv").write_text("date,machine,code\n" + "".join(f"2024-02-{n:02},SC-40,F-{n:02}\n" for n in range(1, 6)))
    (docs / "rules.md").write_text("# Rules\n\nThe spare parts list and the fault log are kept by the shift.\n\n故障记录由值班员填写。\n")
    settings = Settings(home=home, chroma_url="", tier="cpu")
    Index("plant", settings).add([docs])
    with Searcher(settings) as searcher:
        yield searcher


@pytest.mark.parametrize(
    ("question", "document", "count"),
    [
        ("How many entries in the fault log?", "fault_log.csv", "5 rows."),
        ("How many records are there in the fault log?", "fault_log.csv", "5 rows."),
        ("How many rows does the spare parts list have?", "spare_parts_list.csv", "6 rows."),
        ("How many entries in the parts list for the SC-41?", "spare_parts_list.csv", "3 rows match “SC-41”."),
        ("List all entries of the parts list", "spare_parts_list.csv", "6 rows."),
        ("故障记录里有多少条？", "设备故障记录表.csv", "8行。"), ("设备故障记录表一共有多少条记录？", "设备故障记录表.csv", "8行。"),
        ("故障记录里有多少条提到E-03？", "设备故障记录表.csv", "1行有“E-03”。"),
    ],
)  # fmt: skip
def test_a_document_is_counted_by_its_common_name_which_is_said(plant: Searcher, question: str, document: str, count: str) -> None:
    found = survey(question, plant, "plant")
    assert found and document in found.said and found.said.endswith(count) and {h.document for h in found.hits} == {document}


@pytest.mark.parametrize(
    "question",
    ["How many entries in the visitors book?", "How many entries are there?", "How many starts in the fault log?", "备件清单里有多少条？",
     "How many clauses in the fault log?", "How many entries in the fault log are from last year?", "今天有多少条？"],
)  # fmt: skip
def test_what_is_asked_of_no_document_that_is_there_is_no_count(plant: Searcher, question: str) -> None:
    assert survey(question, plant, "plant") is None


def test_a_survey_keeps_to_what_is_searched(plant: Searcher) -> None:
    question = "How many rows mention SC-40?"
    for where, count in ((Where(), "8 rows"), (Where(("fault_*",)), "5 rows"), (Where(lang="en"), "8 rows")):
        found = survey(question, plant, "plant", where)
        assert found and f"{count} have “SC-40”" in found.said, where
        assert f"{count} have “SC-40”" in assistant(plant, "plant").ask(question, where=where).answer.answer
    assert survey("How many entries in the parts list?", plant, "plant", Where(("fault_*",))) is None
    assert survey(question, plant, "plant", Where(section="nowhere")) is None


def test_a_column_of_defaults_makes_no_table_of_faults() -> None:
    assert FAULT.search("date | machine | fault_code") and not FAULT.search("Setting | Variable | Default")


def test_the_model_is_not_asked(searcher: Searcher) -> None:
    run = searcher.settings.run
    run.mkdir(exist_ok=True)
    with echo("Some of them.") as (url, seen):
        (run / "vllm.url").write_text(url)
        trace = ask(searcher, "maintenance", "How many rows mention CP-P07?")
        (run / "vllm.url").unlink()
    assert seen == [] and "rows have “CP-P07”" in trace.answer.answer


@pytest.mark.parametrize(
    "question",
    [
        "How many starts per hour are allowed?",
        "What are the three kinds of working time?",
        "List the steps of an oil change.",
        "How many days may an employee be absent?",
        "Compare the two manuals.",
        "Summarise what to do when SC-A04 shows.",
        "Which alarm stops the pump?",
        "一年有几次培训提到安全？",
        "列出三种工时制度。",
        "总结一下。",
        "合同专用章一共有几枚？",
        "比较年休假和病假。",
    ],
)
def test_what_is_not_plainly_asked_of_all_is_answered_as_any_other(question: str) -> None:
    assert intent(question, lambda text: False) is None


def test_no_question_of_the_shipped_corpora_is_taken_for_one() -> None:
    import json

    files = (LOG.parents[2]).glob("*/questions.jsonl")
    questions = [json.loads(line)["question"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(questions) > 400 and [q for q in questions if intent(q, lambda text: True)] == []
