"""Redaction: what points to a person goes, everywhere in the document; what only looks like it stays."""

import re
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.cn import ric

from corpora import read_profile
from ingest.readers import read
from ingest.readers.writer import Writer
from ingest.redact import PLACEHOLDERS, redact, redacted
from ingest.schema import Document

ROOT = Path(__file__).parent.parent
MARK = re.compile(r"⟦([^:⟧]+):([^⟧]+)⟧")
SENTENCES = [
    s for s in (ROOT / "tests/redaction.txt").read_text(encoding="utf-8").splitlines() if not s.startswith("#")
]
MANUALS = sorted((ROOT / "corpora/maintenance/documents").rglob("*.*"))
ALL = [text for languages in PLACEHOLDERS.values() for text in languages.values()]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_is_marked_goes_and_nothing_else(sentence: str) -> None:
    text, found = redact(MARK.sub(r"\2", sentence))
    assert found == Counter(m[1] for m in MARK.finditer(sentence))
    lang = "zh" if any(PLACEHOLDERS[kind]["zh"] in text for kind in found) else "en"
    assert text == MARK.sub(lambda m: PLACEHOLDERS[m[1]][lang], sentence)


@pytest.mark.parametrize("path", MANUALS, ids=lambda p: p.name)
def test_a_manual_full_of_numbers_stays_as_it_is(path: Path) -> None:
    document = read(path)
    assert redacted(document) == document


def test_shipped_documents_lose_the_people_in_them_alone() -> None:
    folders = ("legal", "official")
    found = [read(p, redact=True) for name in folders for p in (ROOT / "corpora" / name / "documents").rglob("*.*")]
    counts = sum((Counter(d.redacted) for d in found), Counter())
    assert counts == {"name": 5, "e-mail": 1}
    text = "\n".join(d.text for d in found)
    assert not any(name in text for name in ("顾闻远", "白若溪", "陆以宁", "郑知行", "sjaq@"))


# properties

digits = st.text("0123456789", min_size=1, max_size=1)
around_zh = st.sampled_from(["请核对", "，", "见", "其号码为", "（", "已登记", "。", ""])
around_en = st.sampled_from(["see ", "(", "it is ", "", "“"])
after = st.sampled_from(["。", "，请核对", "）", " is his.", "", "; next", "\n"])


@st.composite
def id_cards(draw: st.DrawFn) -> str:
    region = draw(st.sampled_from(["110105", "440306", "510107", "650102", "320508", "820000"]))
    born = draw(st.dates(min_value=date(1930, 1, 1), max_value=date(2020, 1, 1)))
    number = f"{region}{born:%Y%m%d}{draw(st.integers(0, 999)):03}"
    number += ric.calc_check_digit(number + "0")
    return draw(st.sampled_from([number, number.lower(), f"{number[:6]} {number[6:14]} {number[14:]}"]))


@st.composite
def cards(draw: st.DrawFn) -> str:
    start, size = draw(
        st.sampled_from([("4", 16), ("51", 16), ("2221", 16), ("6228", 19), ("6217", 19), ("622588", 16), ("37", 15)])
    )
    number = start + "".join(draw(st.lists(digits, min_size=size - 1 - len(start), max_size=size - 1 - len(start))))
    number += luhn.calc_check_digit(number)
    if size == 15 or not draw(st.booleans()):
        return number
    return draw(st.sampled_from([" ", "-"])).join(number[i : i + 4] for i in range(0, size, 4))


@st.composite
def plates(draw: st.DrawFn) -> str:
    place = draw(st.sampled_from("京津沪渝冀豫辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青川宁琼")) + draw(
        st.sampled_from("ABCDEFGHJ")
    )
    last = draw(st.integers(10000, 99999))
    letter = draw(st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ"))
    rest = draw(
        st.sampled_from(
            [f"{last}", f"{letter}{last % 10000:04}", f"D{last}", f"F{last}", f"{last}D", f"{last % 10000:04}学"]
        )
    )
    return place + draw(st.sampled_from(["", "·", " "])) + rest


@st.composite
def mobiles(draw: st.DrawFn) -> str:
    number = draw(st.sampled_from(["138", "159", "186", "199", "177"])) + f"{draw(st.integers(0, 99999999)):08}"
    shape = draw(st.sampled_from(["{0}{1}{2}", "{0} {1} {2}", "{0}-{1}-{2}", "+86 {0}{1}{2}", "86-{0}{1}{2}"]))
    return shape.format(number[:3], number[3:7], number[7:])


@st.composite
def ibans(draw: st.DrawFn) -> str:
    bank = "".join(draw(st.lists(digits, min_size=18, max_size=18)))
    number = "DE00" + bank
    number = "DE" + iban.calc_check_digits(number) + bank
    return draw(st.sampled_from([number, " ".join(number[i : i + 4] for i in range(0, 22, 4))]))


NUMBERS = {
    "ID number": id_cards(),
    "bank account": st.one_of(cards(), ibans()),
    "licence plate": plates(),
    "phone": mobiles(),
    "e-mail": st.emails(domains=st.sampled_from(["x.example", "mail.example.cn"])),
}


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(around_zh, around_en),
    after,
    st.sampled_from(sorted(NUMBERS)).flatmap(lambda kind: NUMBERS[kind].map(lambda number: (kind, number))),
)
def test_a_valid_number_always_goes(before: str, behind: str, number: tuple[str, str]) -> None:
    kind, value = number
    if kind == "e-mail" and not re.fullmatch(r"[A-Za-z0-9._%+-]+@[a-z.]+", value):
        return  # local parts that no mail program offers
    text, found = redact(before + value + behind)
    assert value not in text and found == {kind: 1}
    assert text.startswith(before) and text.endswith(behind)


PIECES = [
    *ALL,
    *"电话 姓名： 张三 李四光 13800138000 62345678 010- 护照 E12345678 账号 6222021234567890128 京A12345".split(),
]
PIECES += [
    "Name: ",
    "John Smith",
    "Mr. ",
    "a@b.example",
    "11010519491231002X",
    "+44 20 7946 0958",
    "、",
    "，",
    "\n",
    " ",
    " | ",
]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from(PIECES), st.text("0123456789-+() .xXA[]Tel电话身份证号", max_size=12)), max_size=9
    ).map("".join)
)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once, _ = redact(text)
    assert redact(once) == (once, Counter())
    assert once.count(" | ") == text.count(" | ") and once.count("\n") == text.count("\n")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Nd"], exclude_characters="@")))
def test_text_without_digits_or_labels_loses_no_number(text: str) -> None:
    assert set(redact(text)[1]) <= {"name"}


# documents


def document(write: Writer) -> Document:
    return redacted(write.document())


def test_a_document_is_rebuilt_with_offsets_that_are_right() -> None:
    writer = Writer("张三的合同")
    writer.heading(1, "联系王小明 13800138000")
    writer.paragraph("张三负责维护，电话 010-62345678。")
    writer.table([["姓名", "手机", "班次"], ["李四光", "13912345678", "早"], ["赵敏", "-", "晚"]])
    writer.paragraph("联系人：张三；王小明先生备案。李四光另行通知。")
    made = document(writer)
    assert made.title == "[姓名]的合同"
    words = [made.text[b.start : b.end] for b in made.blocks]
    assert words == ["联系[姓名] [电话]", "[姓名]负责维护，电话 [电话]。", "姓名 | 手机 | 班次", "[姓名] | [电话] | 早", "[姓名] | - | 晚",
                     "联系人：[姓名]；[姓名]先生备案。[姓名]另行通知。"]  # fmt: skip
    assert all(b.path == ("联系[姓名] [电话]",) for b in made.blocks[1:])
    assert made.blocks[3].header == "姓名 | 手机 | 班次"
    assert made.redacted == {"name": 7, "phone": 3}
    again = redacted(made)
    assert again.text == made.text and again.blocks == made.blocks and again.redacted == {}


def test_a_heading_cut_short_in_a_path_holds_no_half_of_a_number() -> None:
    writer = Writer("a")
    writer.heading(1, "值" * 111 + " 13800138000 值班")
    writer.paragraph("正文。")
    assert not re.search(r"\d", "".join(document(writer).blocks[1].path))


def test_a_header_row_is_cleared_too() -> None:
    writer = Writer("a")
    writer.table([["Reading", "Call Ms. Jane Roe, +44 20 7946 0958"], ["5 bar", "ok"]])
    made = document(writer)
    assert (
        made.blocks[1].header
        == "Reading | Call Ms. [name], [phone]"
        == made.text[made.blocks[0].start : made.blocks[0].end]
    )


def test_reading_a_file_with_and_without(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("姓名,身份证号\n陈晓东,310104197605234113\n", encoding="utf-8")
    plain, cleared = read(tmp_path / "a.csv"), read(tmp_path / "a.csv", redact=True)
    assert "陈晓东" in plain.text and plain.redacted == {}
    assert cleared.text == "姓名 | 身份证号\n[姓名] | [身份证号]" and cleared.redacted == {"name": 1, "ID number": 1}


def test_a_profile_may_ask_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "profile.yaml"
    path.parent.mkdir()
    sound = "title: A\ndescription: B\nlanguages: [en]\n"
    path.write_text(sound)
    assert read_profile(path).ingest.redact is False
    path.write_text(sound + "ingest: {redact: true}\n")
    assert read_profile(path).ingest.redact is True


REPEATED = [
    "1",
    "1 ",
    "(1",
    "+1",
    "62-",
    "A1 ",
    "Aa ",
    "a@",
    "a.",
    "DE89 ",
    "Mr. A",
    "Tel no ",
    "张",
    "京A1",
    "电话",
    "电话：",
]
REPEATED += ["张三、", "账号 1", "姓名：张三\n", "[电话]/1"]


@pytest.mark.parametrize("piece", REPEATED)
def test_hostile_repetition_costs_no_more_than_its_length(piece: str) -> None:
    start = time.monotonic()
    redact(piece * (60_000 // len(piece)))
    assert time.monotonic() - start < 3


def test_a_long_list_of_people_is_found_in_time() -> None:
    given = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀兰霞平刚桂英华"
    names = [a + b + c for a in "王李张刘陈杨赵黄周吴" for b in given for c in given]
    text = "\n".join(f"姓名：{name}" for name in names) + "\n" + "".join(f"{name}到岗。" for name in names)
    start = time.monotonic()
    cleared, found = redact(text)
    assert found == {"name": 2 * len(names)} and time.monotonic() - start < 5
    assert "到岗。[姓名]到岗。" in cleared


def test_a_column_called_name_holds_people_where_they_have_telephones(tmp_path: Path) -> None:
    people, parts = tmp_path / "people.csv", tmp_path / "parts.csv"
    people.write_text("Name,Phone\nGreta Holm,+44 20 7946 0123\n")
    parts.write_text("Name,Weight\nBrass Valve,2 kg\n")
    assert "Greta" not in redacted(read(people)).text and "Brass Valve" in redacted(read(parts)).text
