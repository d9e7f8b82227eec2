"""Files as people leave them: no keys in the front matter, bare bytes in headers, a quote too many, sums never stored."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from docx import Document as new_docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from openpyxl import Workbook
from PIL import Image, ImageDraw, ImageFont

from ingest.readers import read
from ingest.readers.ocr_lines import running
from ingest.readers.pdf_characters import Line
from ingest.readers.text import decode
from ingest.schema import Document


def blocks(document: Document, kind: str) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.kind == kind]


def written(path: Path, text: str) -> Document:
    path.write_text(text, encoding="utf-8")
    return read(path)


# --- Markdown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nJust a line.\n---\nMore.\n", "Just a line.\n\nMore."),
        ("---\n\nNote: hot.\n\n---\nMore.\n", "Note: hot.\n\nMore."),
        ("---\n# by hand\ntitle: Pump\ntags:\n  - a\n---\nMore.\n", "More."),
        ("<!-- c --> visible text\n\nMore.\n", "visible text\n\nMore."),
        ("<!-- c\n\nd --> seen <!-- e -->\nMore.\n", "seen\n\nMore."),
        ("<!-- never closed\n\nMore.\n\nthan <b>this</b>", ""),
    ],
)
def test_rules_are_no_front_matter_and_comments_take_nothing_with_them(tmp_path: Path, text: str, said: str) -> None:
    document = written(tmp_path / "a.md", f"{text}\n# End\n" if said else f"# Begin\n\n{text}")
    assert document.text.replace("\n\nEnd", "").removeprefix("Begin") == said
    assert document.notes == ({"front matter left out": 1} if "title" in text else {})


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("title: Pump\n...\n", ""),
        ("title: Pump\n\n# by hand\ntags:\n- a\n\nnote: |\n  hot\n\n  ---\n...  \n", ""),
        ("Warning: hot\n\nNever touch.\n\n# One\n\nText.\n\n---\n", "Warning: hot\n\nNever touch.\n\nOne\n\nText."),
        ("Warning: hot\n\n# One\nText.\n\n---\n", "Warning: hot\n\nOne\n\nText."),
    ],
)
def test_front_matter_ends_with_dots_too_and_holds_no_prose(tmp_path: Path, front: str, said: str) -> None:
    document = written(tmp_path / "a.md", f"---\n{front}\n# End\n\n---\n\nMore.\n")
    assert document.text == f"{said}\n\nEnd\n\nMore.".strip()
    assert document.notes == ({} if said else {"front matter left out": 1})


# --- Mail

MIXED = """Subject: {subject}
From: {sender} <w@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: multipart/alternative; boundary=A

--A
Content-Type: text/html; charset={charset}

<p>第一段</p>
--A
Content-Type: text/plain; charset={charset}

第一段。
--A--
--B
Content-Type: text/csv
Content-Disposition: attachment; filename="故障.csv"

code,text
E1,stuck
--B
Content-Type: text/plain; charset={charset}

第二段。
--B
Content-Type: text/html

<p>Third.</p>
--B--
"""


@pytest.mark.parametrize("charset", ["gb18030", "utf-8"])
def test_a_mail_in_parts_with_bare_bytes_in_its_headers(tmp_path: Path, charset: str) -> None:
    mail = MIXED.format(subject="关于2号泵的检修通知", sender="王工", charset=charset)
    (tmp_path / "a.eml").write_bytes(mail.encode(charset))
    document = read(tmp_path / "a.eml")
    assert document.title == "关于2号泵的检修通知"
    assert document.text == (
        "关于2号泵的检修通知\n\nFrom: 王工 <w@example.com>\n\n第一段。\n\n第二段。\n\nThird.\n\n"
        "故障.csv\n\ncode | text\nE1 | stuck"
    )


def test_a_mail_whose_header_is_no_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: \x01\x02\x03\xff\xfe\x04\x05\nFrom: a@example.com\n\nBody.\n")
    assert "Body." in read(tmp_path / "a.eml").text


def test_a_picture_of_a_mails_html_is_no_attachment(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["Subject"] = "S"
    mail.set_content("<p>Seen.</p><img src=cid:1>", subtype="html")
    mail.add_related(b"GIF", maintype="image", subtype="gif", cid="1", filename="logo.gif", disposition="inline")
    mail.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="tool.exe")
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    document = read(tmp_path / "a.eml")
    assert "Seen." in document.text and "logo" not in document.text and document.notes == {"attachments left out": 1}


def mailed(folder: Path, kind: str, *parts: str) -> Document:
    """A message of parts, each its headers and, after a blank line, its content."""
    lines = ["Subject: S", f"Content-Type: multipart/{kind}; boundary=A", ""]
    (folder / "a.eml").write_text("\n".join([*lines, *(f"--A\n{part}" for part in parts), "--A--\n"]))
    return read(folder / "a.eml")


def test_a_file_between_the_html_of_the_other_version_is_read(tmp_path: Path) -> None:
    html = "Content-Type: text/html\n\n<p>Prices:</p>"
    picture = "Content-Type: image/gif\nContent-ID: <1>\nContent-Disposition: inline; filename=logo.gif\n\nGIF"
    related = f"Content-Type: multipart/related; boundary=C\n\n--C\n{html}\n--C\n{picture}\n--C--"
    file = "Content-Type: text/csv\nContent-Disposition: inline; filename=p.csv\n\npart,price\nbolt,7"
    mixed = f"Content-Type: multipart/mixed; boundary=B\n\n--B\n{related}\n--B\n{file}\n--B\n{html}\n--B--"
    invitation = "Content-Type: text/calendar; name=a.ics\n\nBEGIN:VCALENDAR"
    document = mailed(tmp_path, "alternative", "Content-Type: text/plain\n\nPrices.", mixed, invitation)
    assert document.text == "S\n\nPrices.\n\np.csv\n\npart | price\nbolt | 7" and not document.notes


def test_a_message_forwarded_inline_is_read(tmp_path: Path) -> None:
    inner = "Content-Type: message/rfc822\nContent-Disposition: inline\n\nSubject: Terms\n\n24 months."
    document = mailed(tmp_path, "mixed", "Content-Type: text/plain\n\nPlease see.", inner)
    assert document.text == "S\n\nPlease see.\n\nTerms\n\n24 months."


@pytest.mark.parametrize(("start", "said"), [("<r>", "Root."), ("<gone>", "Note."), (None, "Note.")])
def test_the_root_of_related_parts_is_the_one_they_name(tmp_path: Path, start: str | None, said: str) -> None:
    note = "Content-Type: text/plain\nContent-ID: <n>\n\nNote."
    root = "Content-Type: text/html\nContent-ID: <r>\n\n<p>Root.</p>"
    nameless = "Content-Type: text/plain\n\nNever."
    document = mailed(tmp_path, f'related; start="{start}"' if start else "related", note, nameless, root)
    assert document.text == f"S\n\n{said}"


# --- Tables


def test_years_are_a_header(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["Costs"], ["Item", 2021, 2022, 2023], ["Pumps", 5, 6, 7], ["Valves", 8, 9, 2021]):
        book.active.append(row)
    book.create_sheet("bought")
    for row in (["pump", 2021, 2030], ["valve", 2019, 2031]):
        book["bought"].append(row)
    book.save(tmp_path / "a.xlsx")
    document = read(tmp_path / "a.xlsx")
    headers = {document.text[b.start : b.end]: b.header for b in document.blocks if b.kind == "row"}
    assert headers["Pumps | 5 | 6 | 7"] == "Item | 2021 | 2022 | 2023"
    assert headers["valve | 2019 | 2031"] == "", "a row of years among rows of years is none"
    document = written(tmp_path / "a.csv", "Item,2021,2022\nPumps,5,6\n")
    assert document.blocks[-1].header == "Item | 2021 | 2022"


@pytest.mark.parametrize("rows", [[["Bolt", 1950, "pcs"], ["Nut", 800, "pcs"]], [["Budget", 2000], ["Spent", 1800]]])
def test_one_figure_that_could_be_a_year_is_no_header(tmp_path: Path, rows: list[list[Any]]) -> None:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert {b.header for b in read(tmp_path / "a.xlsx").blocks if b.kind == "row"} == {""}


def test_one_year_over_its_quarters_is_a_header(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["Region", 2024, None], [None, "Q1", "Q2"], ["North", 5, 6]):
        book.active.append(row)
    book.active.merge_cells("B1:C1")
    book.save(tmp_path / "a.xlsx")
    document = read(tmp_path / "a.xlsx")
    assert document.blocks[-1].header == "Region | 2024 Q1 | 2024 Q2"
    assert blocks(document, "row")[1:] == ["North | 5 | 6"]


@pytest.mark.parametrize("title", ["2024年设备统计\n", "2024年设备统计,,\n\n"])
def test_a_title_above_a_csv_is_no_header(tmp_path: Path, title: str) -> None:
    document = written(tmp_path / "a.csv", f"{title}设备,2023,2024\n泵,3,4\n")
    assert blocks(document, "paragraph") == ["2024年设备统计"]
    assert document.blocks[-1].header == "设备 | 2023 | 2024" and blocks(document, "row")[1:] == ["泵 | 3 | 4"]


def test_a_header_of_one_name_over_figures_stays_one(tmp_path: Path) -> None:
    assert blocks(written(tmp_path / "a.csv", "Name,,\nA,3,4\n"), "row") == ["Name |  | ", "A | 3 | 4"]


@pytest.mark.parametrize("third", ["3,c", '3,"c, d"'])
def test_a_quote_that_closes_nowhere_swallows_no_rows(tmp_path: Path, third: str) -> None:
    document = written(tmp_path / "a.csv", f'id,text\n0,"two\nlines, ""so"""\n1,"broken\n2,fine\n{third}\n4,x\n')
    said = third.replace(",", " | ", 1).replace('"', "")
    assert blocks(document, "row") == ["id | text", '0 | two lines, "so"', '1 | "broken', "2 | fine", said, "4 | x"]
    assert document.notes == {"quotes that close nowhere read as text": 1}


def test_quotes_without_end_cost_little(tmp_path: Path) -> None:
    document = written(tmp_path / "a.csv", 'x","\n' * 20_000)  # each line opens a cell that the last one leaves open
    assert len(blocks(document, "row")) == 20_000


def test_a_label_beside_sums_never_stored_is_left_out(tmp_path: Path) -> None:
    book = Workbook()
    book.active["B1"] = "=TODAY()"
    book.active["A1"] = "Costs of the year"
    for row in (["Item", "Costs", "Since"], ["Pump", 5, "May"], ["Valve", "=B3*2", "June"], ["合计", "=SUM(B3:B4)"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    document = read(tmp_path / "a.xlsx")
    assert blocks(document, "row") == ["Item | Costs | Since", "Pump | 5 | May", "Valve |  | June"]
    assert blocks(document, "paragraph") == ["Costs of the year"]
    assert document.notes == {"formulas without a stored value left out": 3}


# --- Word


def test_boxes_in_deleted_and_hidden_runs_stay_out(tmp_path: Path) -> None:
    def box(text: str, hidden: bool = False) -> str:
        properties = "<w:rPr><w:vanish/></w:rPr>" if hidden else ""
        inner = f"<w:txbxContent><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:txbxContent>"
        return f"<w:r {nsdecls('w')}>{properties}<w:drawing>{inner}</w:drawing></w:r>"

    def fill(paragraph: Any) -> None:
        for xml in (
            f'<w:del {nsdecls("w")} w:id="2" w:author="a">{box("struck")}</w:del>',
            box("invisible", hidden=True),
            box("Boxed."),
        ):
            paragraph._p.append(parse_xml(xml))

    docx = new_docx()
    fill(docx.add_paragraph("Text."))
    table = docx.add_table(1, 2)
    table.cell(0, 0).text = "cell"
    fill(table.cell(0, 1).paragraphs[0])
    docx.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert document.text == "Text.\n\nBoxed.\n\ncell | Boxed."
    assert document.notes == {"deleted and hidden text boxes left out": 4}


# --- Encodings


@pytest.mark.parametrize(
    "text", ["阀门压力", "合同", "泵", "归档", "名单", "单价", "计划", "锂基脂", "阀,泵\n甲,乙\n", "“备份”"]
)
def test_a_few_chinese_characters_are_chinese(text: str) -> None:
    assert decode(text.encode("gbk")) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Prüfung", "latin-1"), ("café", "latin-1"), ("GRÖßE", "latin-1"), ("20 ±½", "latin-1"), ("m²·K", "latin-1"),
        ("ÄÖ-Werk", "latin-1"), ("검사 기록을 보존한다", "euc_kr"), ("安全に関する注意", "cp932"), ("設備檢查", "big5"),
    ],
)  # fmt: skip
def test_what_is_not_chinese_stays_what_it_is(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


# --- Recognised lines


def lines(*said: str, pitch: float = 17) -> list[Line]:
    """Lines of 10 points, as wide as their letters."""
    return [
        Line(text, 50, 50 + pitch * n, 50 + sum(10 if c > "\x7f" else 5 for c in text), 60 + pitch * n, 10)
        for n, text in enumerate(said)
    ]


@pytest.mark.parametrize(
    "said",
    [
        ["Pump P-101", "Pressure: 5 bar", "Temperature: 60 C"],
        ["List of the things that the workshop needs", "Bolts", "Gaskets and a filter", "Oil"],
        ["Department of maintenance: building 4", "Inspector of the day: Miller, Ann", "Next check: May"],
        ["设备检修登记表", "设备名称：螺杆压缩机", "检修人：王工"],
    ],
)
def test_separate_lines_stay_lines(said: list[str]) -> None:
    assert [[x.text for x in group] for group in running(lines(*said))] == [[text] for text in said]


@pytest.mark.parametrize(
    "said",
    [
        ["The separator tank stays under", "pressure for two minutes after", "a stop. Wait 120 seconds."],
        ["The separator tank stays under the", "pressure of eight bar as", "differential-pressure gauges say."],
        ["本设备每三个月检查一次，并将检", "查结果记录在案，保存期不少于", "三年。"],
    ],
)
def test_prose_runs_on(said: list[str]) -> None:
    assert [len(group) for group in running(lines(*said))] == [3]


def test_each_column_has_an_edge_of_its_own() -> None:
    left, right = lines("The tank of the separator is", "under pressure for a while"), lines("after a stop, as it says")
    for line in right:
        line.left, line.right = line.left + 300, line.right + 300
    assert [len(group) for group in running(left + right)] == [3]


def test_a_form_in_a_picture_keeps_its_lines(tmp_path: Path) -> None:
    image = Image.new("RGB", (900, 420), "white")
    draw = ImageDraw.Draw(image)
    said = ["Pump P-101", "Pressure: 5 bar", "Temperature: 60 C"]
    for n, line in enumerate(said):
        draw.text((60, 90 + 60 * n), line, fill="black", font=ImageFont.load_default(34))
    image.save(tmp_path / "a.png")
    assert read(tmp_path / "a.png").text == "\n".join(said)
