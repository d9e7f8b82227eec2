"""Finished documents: a folder of real files becomes requests and the documents themselves; whatever else lies in it is named."""

import json
import os
import re
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from docx import Document
from hypothesis import given
from hypothesis import settings as within
from hypothesis import strategies as st
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate

from corpora import UserError
from ingest.readers import read
from ingest.redact import redact
from ingest.settings import Settings
from tests.conftest import ROOT
from tests.plant import CORPUS, HELD_OUT, MIXER, SILENT, make_plant
from tune import cli
from tune.chance import chance
from tune.data import data_folder, fresh_data, make_data, read_data, read_examples
from tune.elements import elements_of
from tune.files import parts_of
from tune.finished import files_of, read_folder
from tune.given import clean
from tune.request import request, requests
from tune.talk import Talk

MODELS = ROOT / "corpora" / "official" / "documents"
MEMO = """MEMORANDUM

To: All shift leaders
From: Plant engineering
Date: 3 June 2025
Subject: New lockout tags from July

From 1 July the red lockout tags replace the yellow ones. The yellow
ones must be handed in at the store by 27 June.

1. Where to get them
Each shift gets 40 tags. The store gives them out against a signature.

Enclosures: tag drawing LT-12
"""
LETTER = """Harbour Works Ltd, 12 Quay Street

14 March 2025

Dear Sir or Madam,

Re: Delay of the crane rails

We write about order HW-2231. The rails promised for 3 March have not come.

Please deliver the 24 rails by 28 March 2025. Our crew has waited for eight days.

Yours faithfully,

Works office
"""
NOTICE = [
    "Notice of water shutdown",
    "To: All tenants of Mill Court",
    "The water is off on 8 October 2025 from 09:00 to 13:00. In these hours the main valve in the cellar and both pumps are taken out, and "
    "the pipes behind them are rinsed before the taps may be opened again.",
    "Please fill a kettle before. Do not run washing machines.",
    "Mill Court Management",
    "1 October 2025",
]
MINUTES = """# Minutes of the safety committee

Date: 12 May 2025

Place: Room 4

## 1. Ladders

The committee found six ladders without a tag. They are scrapped by 30 May.

## 2. Next meeting

The next meeting is on 9 June 2025 at 14:00.
"""
ZH = """临江供水站
关于夏季用水调度的
通知

临供发〔2025〕7号

各泵房、各班组：

为保障夏季供水，现就有关事项通知如下：

一、调度时段

6月15日至9月10日，每日18时至22时为高峰时段。

二、值班要求

（一）双人值班。高峰时段每个泵房不少于2人。

特此通知。

附件：1.泵房值班表
2.高峰用水预测

临江供水站
二〇二五年六月九日

附件1

泵房 | 人数
一号 | 2

抄送：临江区水务局。
"""


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_plant(home, tmp_path_factory.mktemp("plant"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One document of each English kind, each in another format."""
    folder = tmp_path / "letters"
    folder.mkdir()
    document = Document()
    for block in MEMO.split("\n\n"):
        document.add_paragraph(block)
    document.save(str(folder / "memo.docx"))
    (folder / "a letter.txt").write_text(LETTER)
    (folder / "minutes.md").write_text(MINUTES)
    styles = getSampleStyleSheet()
    styles["Normal"].spaceAfter = 14
    page = [Paragraph(line, styles["Normal" if n else "Title"]) for n, line in enumerate(NOTICE)]
    SimpleDocTemplate(str(folder / "notice.pdf")).build(page)
    return folder


def parts(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(("name", "kind", "has"), [
    ("tongzhi-model.docx", "通知", {"number": "临数发〔2025〕23号", "addressee": "局机关各科室、局属各单位", "date": "2025年4月28日"}),
    ("qingshi-model.docx", "请示", {"number": "临数呈〔2025〕9号", "addressee": "临江区人民政府", "matter": "申请区政务云平台扩容资金"}),
    ("baogao-model.md", "报告", {"number": "临数呈〔2025〕21号", "date": "2025年7月11日", "copies": "云岭市数据管理局"}),
    ("pifu-model.docx", "批复", {"number": "临数复〔2025〕4号", "addressee": "区数据资源中心", "date": "2025年6月5日"}),
    ("han-model.docx", "函", {"number": "临数函〔2025〕38号", "addressee": "临江区自然资源局", "issuer": "云岭市临江区数据管理局"}),
])  # fmt: skip
def test_the_elements_of_the_model_documents_are_found_verbatim(name: str, kind: str, has: dict[str, str]) -> None:
    text = read(MODELS / name).text
    found = elements_of(text)
    assert (found.lang, found.kind) == ("zh", kind) and {slot: found.slots[slot] for slot in has} == {k: [v] for k, v in has.items()}
    assert found.slots["issuer"] == ["云岭市临江区数据管理局"] and len(found.points) >= 7
    values = [value for values in (*found.slots.values(), *found.points) for value in values]
    assert all(parts(value) in parts(text) for value in values)
    assert not any("印发" in value or " | " in value for value in values), "neither imprint nor annex"
    asked = request(found, chance(0, name))
    assert kind in asked and all(value in asked for value in values)


@pytest.mark.parametrize("name", [p.name for p in sorted(MODELS.iterdir()) if "model" not in p.name])
def test_rules_about_documents_are_no_finished_ones(name: str) -> None:
    with pytest.raises(ValueError, match="no title of a known kind"):
        elements_of(read(MODELS / name).text)


def test_a_title_over_three_lines_a_date_in_words_and_an_annex() -> None:
    found = elements_of(ZH)
    assert found.kind == "通知" and found.slots == {
        "issuer": ["临江供水站"], "number": ["临供发〔2025〕7号"], "addressee": ["各泵房、各班组"], "matter": ["夏季用水调度"],
        "date": ["二〇二五年六月九日"], "attachments": ["1.泵房值班表", "2.高峰用水预测"], "copies": ["临江区水务局"],
    }  # fmt: skip
    assert found.points == [("", "为保障夏季供水，现就有关事项通知如下"), ("调度时段", "6月15日至9月10日，每日18时至22时为高峰时段"),
                            ("值班要求", "双人值班。高峰时段每个泵房不少于2人")]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), [
    ("Lockout tags\n\nThe red tags replace the yellow ones.", "no letter, and no title"),
    ("Dear reader,\n\nThis is a leaflet that nobody signed.", "no letter, and no title"),
    ("Notice of works\n\n1 May 2025", "nothing is said"),
    ("Notice\n\nThe lift is out of order and will be mended soon.", "neither who writes"),
    ("夏季用水安排\n\n请节约用水。", "no title of a known kind"),
    ("关于夏季用水的通知\n\n各班组：\n\n特此通知。\n\n2025年6月9日", "nothing is said"),
    ("", "no letter"),
])  # fmt: skip
def test_what_is_none_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        elements_of(text)


@within(deadline=None)  # the first call reads tables
@given(st.text("关于的通知函：。\n〔2025〕号年月日 附件抄送 Dear,Notice:To|.1", max_size=120))
def test_whatever_the_text_it_is_elements_or_one_reason(text: str) -> None:
    try:
        found = elements_of(text)
    except ValueError:
        return
    assert found.points and all(parts(value) in parts(text) for values in found.slots.values() for value in values)
    assert request(found, chance(0, text))


def test_wordings_take_turns_and_the_same_seed_gives_the_same() -> None:
    found = elements_of(MEMO)
    asked = [request(found, chance(seed, "memo")) for seed in range(40)]
    assert asked == [request(found, chance(seed, "memo")) for seed in range(40)] and len(set(asked)) > 25
    openings = {opening.format(kind="memorandum") for opening in requests()["en"]["open"]}
    assert {next(o for o in openings if text.startswith(o)) for text in asked} == openings
    assert all("LT-12" in text and "27 June" not in text and "From 1 July" in text for text in asked)


def test_a_folder_becomes_plain_rows_of_whole_documents(settings: Settings, folder: Path) -> None:
    data, _ = make_data(settings, CORPUS, 3, 0, SILENT, [folder])
    rows = {row.document: row for row in read_examples(settings, CORPUS) if row.kind == "given"}
    assert set(rows) == {"letters/memo.docx", "letters/a letter.txt", "letters/minutes.md", "letters/notice.pdf"}
    assert data.formats == {"finished documents": 4} and data.left_out == {}
    for name, row in rows.items():
        text = read(folder.parent / name).text
        assert [m["role"] for m in row.prompt] == ["user"] and row.shown == [] and row.answerable
        assert row.completion[0]["content"] == redact(text)[0], "all of it, nothing cut"
    assert "Working" not in rows["letters/memo.docx"].prompt[0]["content"]
    notice = rows["letters/notice.pdf"].prompt[0]["content"]
    assert "notice" in notice and "All tenants of Mill Court" in notice and "1 October 2025" in notice and "09:00 to 13:00" in notice
    card = (data_folder(settings, CORPUS) / "card.md").read_text()
    assert "With rows of letters." in card and "| finished documents | 4 |" in card
    assert fresh_data(settings, CORPUS, SILENT) == data == read_data(settings, CORPUS)
    (folder / "minutes.md").write_text(MINUTES.replace("Room 4", "Room 5"))
    fresh_data(settings, CORPUS, SILENT)
    assert any("Room 5" in row.completion[0]["content"] for row in read_examples(settings, CORPUS)), "a file that changed is read anew"


def test_documents_of_the_index_are_not_taken_for_answers_to_cite(settings: Settings, folder: Path) -> None:
    """Each sentence of a finished document may stand in the index; a request for the whole is still answered by the whole."""
    text = "Notice of press care\n\nTo: all fitters\n\n1 May 2025\n\nThe guide play must stay below 0.15 mm over the whole stroke."
    (folder / "press.txt").write_text(text)
    make_data(settings, CORPUS, 3, 0, SILENT, [folder])
    row = next(row for row in read_examples(settings, CORPUS) if row.document == "letters/press.txt")
    assert row.kind == "given" and row.completion[0]["content"] == text


def test_what_does_not_fit_is_counted_and_none_is_cut(settings: Settings, folder: Path) -> None:
    (folder / "long.txt").write_text(NOTICE_LONG := "Notice of works\n\nTo: all\n\n" + "The lift is mended floor by floor. " * 90)
    (folder / "too-long.txt").write_text(NOTICE_LONG * 9)
    data, _ = make_data(settings, CORPUS, 3, 0, SILENT, [folder])
    assert data.dropped["finished document too long for the prompt budget"] == 1
    assert re.fullmatch(r"A text of [\d,]+ characters; at most 20,000 are read\.", data.left_out["letters/too-long.txt"])
    assert "long.txt" not in {row.document for row in read_examples(settings, CORPUS)}


def test_held_out_text_stops_the_run_whatever_it_is_dressed_as(settings: Settings, folder: Path) -> None:
    secret = MIXER.rsplit("\n\n", 1)[1].strip()
    (folder / "drum.txt").write_text(f"Notice of drum care\n\nTo: all fitters\n\n{secret}")
    with pytest.raises(UserError, match=r"Held-out text would be taught: letters/drum\.txt\."):
        make_data(settings, CORPUS, 3, 0, SILENT, [folder])
    assert HELD_OUT not in "".join(read_data(settings, CORPUS).documents)


def test_chinese_documents_lose_personal_data_in_request_and_answer(settings: Settings, tmp_path: Path) -> None:
    for name in ("tongzhi-model.docx", "qingshi-model.docx"):
        shutil.copy(MODELS / name, tmp_path)
    rows, left_out = read_folder(tmp_path, settings, 0, SILENT)
    assert left_out == {} and len(rows) == 2
    dropped: Counter[str] = Counter()
    for row in clean(rows, lambda lang: True, dropped):
        assert row.finished and "郑知行" not in row.answer + row.question and "sjaq@" not in row.answer + row.question
        found = elements_of(row.answer)
        assert all(value in row.question for values in found.slots.values() for value in values)
    assert dropped == {"nothing, but personal data was taken out": 2}


@pytest.fixture
def rough(folder: Path) -> Path:
    """The folder with what a stranger may have dropped into it too."""
    (folder / "empty.docx").touch()
    (folder / "torn.docx").write_bytes(b"PK\x03\x04 no zip at all")
    with zipfile.ZipFile(folder / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<a>" + b" " * (64 * 2**20))
    outside = folder.parent / "outside.txt"
    outside.write_text(LETTER.replace("HW-2231", "SECRET-1"))
    (folder / "link.txt").symlink_to(outside)
    (folder / "linked").symlink_to(folder.parent)
    (folder / "round.txt").symlink_to(folder / "round.txt")
    os.mkfifo(folder / "pipe.txt")
    (folder / "two\nlines.txt").write_text("A shopping list, no more.")
    (folder / "marks.txt").write_text(LETTER.replace("eight", "<|im_end|>"))
    (folder / "sheet.xyz").write_text("what?")
    (folder / ".hidden.txt").write_text(LETTER)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "memo.txt").write_text(MEMO.replace("red", "green"))
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_text(LETTER)
    return folder


def test_each_file_that_gives_no_row_is_named_with_its_reason(settings: Settings, rough: Path) -> None:
    said: list[str] = []
    rows, left_out = read_folder(rough, settings, 0, Talk(said.append))
    assert {row.place for row in rows} == {f"letters/{name}" for name in ("a letter.txt", "memo.docx", "minutes.md", "notice.pdf",
                                                                          "deep/er/memo.txt")}  # fmt: skip
    assert not any("SECRET-1" in row.answer for row in rows)
    reasons = {
        "empty.docx": "The file is empty", "torn.docx": "damaged", "bomb.docx": "decompression bomb", "link.txt": "It is a link",
        "linked": "It is a link", "round.txt": "It is a link", "pipe.txt": "It is no file", "two\\nlines.txt": "It is no letter",
        "marks.txt": "marks of a chat template", "sheet.xyz": "No reader takes .xyz", "\\udcff.txt": "no UTF-8",
    }  # fmt: skip
    assert {name.removeprefix("letters/") for name in left_out} == set(reasons)
    assert all(reason in left_out[f"letters/{name}"] for name, reason in reasons.items())
    told = next(line for line in said if "left out" in line).split("\n")
    assert len(told) == 1 + len(reasons) and told[0].startswith("11 files of")
    assert all(file.lstat().st_size >= 0 and not file.is_symlink() for file in parts_of(rough))


def test_the_run_goes_on_without_them_and_its_exit_says_so(
    settings: Settings, rough: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LECTERN_HOME", str(settings.root))
    monkeypatch.setenv("LECTERN_TIER", "cpu")
    assert cli.main(["data", CORPUS, "--rows", "3", "--from", str(rough), "--json"]) == 1
    out = capsys.readouterr().out
    made = json.loads(out)
    assert made["formats"] == {"finished documents": 5} and len(made["left_out"]) == 11
    assert "| letters/two\\nlines.txt | It is no letter" in (data_folder(settings, CORPUS) / "card.md").read_text()


def test_a_folder_with_nothing_usable_stops_the_run_with_every_reason(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No finished document was found in .*It holds no files\."):
        make_data(settings, CORPUS, 3, 0, SILENT, [tmp_path])
    (tmp_path / "empty.docx").touch()
    (tmp_path / "list.txt").write_text("Milk, eggs.")
    with pytest.raises(UserError) as told:
        make_data(settings, CORPUS, 3, 0, SILENT, [tmp_path])
    assert "empty.docx: The file is empty." in str(told.value) and "list.txt: It is no letter" in str(told.value)
    bad = tmp_path.parent / "bad.jsonl"
    bad.write_text("{")
    with pytest.raises(UserError, match=r"No finished document .*line 1 is no JSON"):
        make_data(settings, CORPUS, 3, 0, SILENT, [tmp_path, bad])


def test_a_folder_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tune.finished.MOST", 3)
    for n in range(4):
        (tmp_path / f"{n}.txt").touch()
    with pytest.raises(UserError, match="more than 3 files"):
        files_of(tmp_path)
