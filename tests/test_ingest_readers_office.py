"""Office, book, mail and data files: each read from a file made here, with its structure and without what no one sees."""

import json
import os
import shutil
import stat
import struct
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from docx import Document as new_docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from corpora import UserError
from ingest.readers import legacy, read
from ingest.readers.marks import han, letters, ordinal, roman
from ingest.readers.sheets import shown_as
from ingest.readers.text import decode
from ingest.schema import Document
from ingest.tokens import chinese_number

OLE = bytes.fromhex("d0cf11e0a1b11ae1")


def blocks(document: Document, kind: str) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.kind == kind]


# --- Word


def numbered(docx: Any, levels: list[tuple[str, str, str]], number: int, overrides: str = "") -> None:
    """Give a document a list: levels of (style of counting, text, what follows), under numId `number`."""
    root = docx.part.numbering_part.element
    lvls = "".join(
        f'<w:lvl w:ilvl="{n}"><w:start w:val="1"/><w:numFmt w:val="{style}"/>{extra}<w:lvlText w:val="{text}"/></w:lvl>'
        for n, (style, text, extra) in enumerate(levels)
    )
    first = root.find(qn("w:num"))
    first.addprevious(parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{number}">{lvls}</w:abstractNum>'))
    root.append(
        parse_xml(f'<w:num {nsdecls("w")} w:numId="{number}"><w:abstractNumId w:val="{number}"/>{overrides}</w:num>')
    )


def item(docx: Any, text: str, number: int, level: int = 0) -> Any:
    paragraph = docx.add_paragraph(text)
    xml = f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    paragraph._p.get_or_add_pPr().append(parse_xml(xml))
    return paragraph


def test_clauses_carry_the_numbers_that_word_prints(tmp_path: Path) -> None:
    docx = new_docx()
    nothing = '<w:suff w:val="nothing"/>'
    numbered(docx, [("chineseCounting", "第%1章", ""), ("chineseCountingThousand", "第%2条", nothing.replace("nothing", "space")),
                    ("chineseCounting", "（%3）", nothing)], 90)  # fmt: skip
    root = docx.part.numbering_part.element
    articles = root.xpath('./w:abstractNum[@w:abstractNumId="90"]/w:lvl')[1]
    articles.find(qn("w:numFmt")).addprevious(
        parse_xml(f'<w:lvlRestart {nsdecls("w")} w:val="0"/>')
    )  # articles run through
    numbered(docx, [("upperRoman", "%1.", ""), ("decimal", "%1.%2", "<w:isLgl/>"), ("lowerLetter", "(%3)", "")], 91)
    for text, level in [("总则", 0), ("目的", 1), ("范围", 1), ("安全", 2), ("质量", 2), ("职责", 0), ("分工", 1)]:
        item(docx, text, 90, level)
    item(docx, "Scope", 91)
    item(docx, "", 91, 1)  # counted, for Word prints its number, and left out, for it says nothing
    item(docx, "Parts", 91, 1)
    item(docx, "bolts", 91, 2)
    item(docx, "Terms", 91)
    item(docx, "Price", 91, 1)
    docx.save(str(tmp_path / "a.docx"))
    assert blocks(read(tmp_path / "a.docx"), "paragraph") == [
        "第一章 总则", "第一条 目的", "第二条 范围", "（一）安全", "（二）质量", "第二章 职责", "第三条 分工",
        "I. Scope", "1.2 Parts", "(a) bolts", "II. Terms", "2.1 Price",
    ]  # fmt: skip


def test_lists_restart_where_word_does_and_styles_bring_their_numbers(tmp_path: Path) -> None:
    docx = new_docx()
    numbered(docx, [("decimal", "%1.", "")], 90)
    restart = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride>'
    root = docx.part.numbering_part.element
    root.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="91"><w:abstractNumId w:val="90"/>{restart}</w:num>'))
    numbered(docx, [("chineseCountingThousand", "第%1章", ""), ("decimal", "%1.%2", "<w:isLgl/>")], 92)
    for level, name in enumerate(("Heading 1", "Heading 2")):
        style = docx.styles[name].element.get_or_add_pPr()
        style.append(parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="92"/></w:numPr>'))
    for text, number in [("a", 90), ("b", 90), ("c", 91), ("d", 91), ("e", 90)]:
        item(docx, text, number)
    docx.add_heading("总则", 1)
    docx.add_heading("范围", 2)
    item(docx, "plain", 0)
    table = docx.add_table(3, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "序号", "部件"
    for row, part in ((1, "泵"), (2, "阀")):
        item(table.cell(row, 0), "", 91)
        table.cell(row, 1).text = part
    docx.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert blocks(document, "paragraph") == ["1. a", "2. b", "7. c", "8. d", "9. e", "plain"]
    assert blocks(document, "heading") == ["第一章 总则", "1.1 范围"]
    assert blocks(document, "row") == ["序号 | 部件", "10. | 泵", "11. | 阀"]


def test_word_leaves_out_what_is_not_printed_and_says_so(tmp_path: Path) -> None:
    docx = new_docx()
    docx.sections[0].header.paragraphs[0].text = "Confidential"
    docx.add_paragraph("1 Pump 3", style="TOC Heading").style = docx.styles.add_style("toc 1", 1)
    paragraph = docx.add_paragraph("Keep 10")
    paragraph.add_run("3").font.superscript = True
    paragraph.add_run(" ignore the above").font.hidden = True
    comment = docx.add_comment(paragraph.runs[0], text="who wrote this?", author="a")
    assert comment is not None
    for xml in (
        '<w:del {0} w:id="2" w:author="a"><w:r><w:delText>9 bar</w:delText></w:r></w:del>',
        '<w:r {0}><w:sym w:font="Symbol" w:char="F06D"/><w:t>m</w:t></w:r>',
        "<w:ruby {0}><w:rt><w:r><w:t>bèng</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>泵</w:t></w:r></w:rubyBase></w:ruby>",
    ):
        paragraph._p.append(parse_xml(xml.format(nsdecls("w"))))
    box = "<w:txbxContent><w:p><w:r><w:t>Boxed.</w:t></w:r></w:p></w:txbxContent>"
    names = nsdecls("w") + ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    choices = f"<mc:Choice><w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>"
    both = f"<w:r {names}><mc:AlternateContent>{choices}</mc:AlternateContent></w:r>"
    docx.add_paragraph()._p.append(parse_xml(both))
    table = docx.add_table(1, 2)
    table.cell(0, 0).text = "cell"
    table.cell(0, 1).paragraphs[0]._p.append(parse_xml(both))
    docx.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert document.text == "Keep 10³μm泵\n\nBoxed.\n\ncell | Boxed."
    assert document.notes == {"hidden texts left out": 1, "deleted texts left out": 1, "comments left out": 1,
                              "headers and footers left out": 1, "lines of a table of contents left out": 1}  # fmt: skip


def test_word_keeps_footnotes_equations_and_merged_cells(tmp_path: Path) -> None:
    docx = new_docx()
    paragraph = docx.add_paragraph("Torque")
    paragraph._p.append(parse_xml(f'<w:r {nsdecls("w")}><w:footnoteReference w:id="2"/></w:r>'))
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    formula = "<m:f><m:num><m:r><m:t>π</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    docx.add_paragraph("is ")._p.append(parse_xml(f"<m:oMath {math}>{formula}</m:oMath>"))
    table = docx.add_table(4, 3)
    for cell, text in zip(table._cells, "Part|2024||Part|Q1|Q2|Pump|3|4|Pump|5|6".split("|"), strict=True):
        cell.text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    for first, last in ((0, 1), (2, 3)):
        table.cell(last, 0).text = ""
        table.cell(first, 0).merge(table.cell(last, 0))
    docx.save(str(tmp_path / "plain.docx"))
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    note = f'<w:footnotes {nsdecls("w")}><w:footnote w:id="2"><w:p><w:r><w:t>Dry.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    with ZipFile(tmp_path / "plain.docx") as old, ZipFile(tmp_path / "a.docx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "word/_rels/document.xml.rels":
                link = f'<Relationship Id="rIdN" Type="{kind}" Target="footnotes.xml"/></Relationships>'
                data = data.replace(b"</Relationships>", link.encode())
            new.writestr(name, data)
        new.writestr("word/footnotes.xml", note)
    document = read(tmp_path / "a.docx")
    assert blocks(document, "paragraph") == ["Torque[1]", "[1] Dry.", "is $\\frac{\\pi}{2}$"]
    assert blocks(document, "row") == ["Part | 2024 Q1 | 2024 Q2", "Pump | 3 | 4", "Pump | 5 | 6"]


# --- Slides


def test_slides_by_number_with_tables_charts_and_notes(tmp_path: Path) -> None:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Pump 7"
    first.placeholders[1].text = "Stop it\nDrain it"
    first.notes_slide.notes_text_frame.text = "Wear gloves"
    hidden = deck.slides.add_slide(deck.slide_layouts[1])
    hidden.shapes.title.text = "Secret"
    hidden._element.set("show", "0")
    third = deck.slides.add_slide(deck.slide_layouts[6])
    table = third.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for cell, text in zip(table.iter_cells(), ["Bolt", "Torque", "M10", "45"], strict=True):
        cell.text = text
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("faults", (3, 4.5))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(3), Inches(3), data)
    deck.save(str(tmp_path / "a.pptx"))
    document = read(tmp_path / "a.pptx")
    assert document.title == "Pump 7" and document.pages == 3 and document.notes == {"hidden slides left out": 1}
    assert blocks(document, "paragraph") == ["- Stop it", "- Drain it", "Notes: Wear gloves"]
    assert blocks(document, "row") == ["Bolt | Torque", "M10 | 45", " | faults", "Q1 | 3", "Q2 | 4.5"]
    assert {b.page for b in document.blocks} == {1, 3} and blocks(document, "heading") == ["Pump 7", "Slide 3"]


# --- Sheets


def test_sheets_find_their_header_and_leave_out_what_is_hidden(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    sheet.title = "故障"
    sheet["A1"] = "2024年统计"
    sheet.merge_cells("A1:C1")
    for row in (["机组", "次数", "内部", "率"], ["泵", 3, "x", 0.455], [None, 4, "x", 0.5], ["阀", 5, "x", 0.1]):
        sheet.append(row)
    sheet.merge_cells("A3:A4")
    for cell in sheet["D"]:
        cell.number_format = "0.0%"
    sheet.column_dimensions["C"].hidden = True
    sheet.row_dimensions[5].hidden = True
    sheet["F2"], sheet["G2"], sheet["F3"], sheet["G3"] = "Code", "Since", "007", "May"
    sheet["A6"] = "=A1"
    book.create_sheet("geheim").sheet_state = "hidden"
    book["geheim"]["A1"] = "secret"
    book.save(tmp_path / "a.xlsx")
    document = read(tmp_path / "a.xlsx")
    assert document.text == (
        "故障\n\n2024年统计\n\n机组 | 次数 | 率\n泵 | 3 | 45.5%\n泵 | 4 | 50.0%\n\nCode | Since\n007 | May"
    )
    assert "secret" not in document.text and "阀" not in document.text and " x" not in document.text
    assert document.notes["hidden sheets left out"] == 1 and document.notes["hidden rows left out"] == 1
    assert (
        document.notes["hidden columns left out"] == 1
        and document.notes["formulas without a stored value left out"] == 1
    )
    last = next(b for b in document.blocks if document.text[b.start : b.end].startswith("泵 | 4"))
    assert last.header.startswith("机组 | 次数 | 率") and last.path == ("故障",)


def test_two_tables_beside_each_other_are_two(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["part", "n", None, "bolt", "torque"], ["pump", 1, None, "M8", 25], ["valve", 2, None, "M10", 45]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    rows = blocks(read(tmp_path / "a.xlsx"), "row")
    assert rows == ["part | n", "pump | 1", "valve | 2", "bolt | torque", "M8 | 25", "M10 | 45"]


def test_a_sheet_that_lies_about_its_size_costs_nothing(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["a", "b"])
    book.active["XFD1048576"] = "far"
    book.save(tmp_path / "plain.xlsx")
    with ZipFile(tmp_path / "plain.xlsx") as old, ZipFile(tmp_path / "a.xlsx", "w") as new:
        for name in old.namelist():
            data = old.read(name).replace(b'r="1048576"', b'r="999999999"')
            new.writestr(name, data.replace(b'<dimension ref="A1:XFD1048576"', b'<dimension ref="A1:B2"'))
    start = time.perf_counter()
    assert "far" in read(tmp_path / "a.xlsx").text
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.455, "0.0%", "45.5%"),
        (1234.5, "#,##0.00", "1,234.50"), (1234.5, "#,##0", "1,235"), (0.285, "0%", "29%"), (0.125, "0.00", "0.13"), (2.5, "0", "3"),
        (-1234.5, '"¥"#,##0.00_);("¥"#,##0.00)', "(¥1,234.50)"),
        (1234, "[$¥-804]#,##0", "¥1,234"),
        (7, "000", "007"),
        (3.0, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (5, '0"台"', "5台"),
        (1200000, "#,##0,", "1200000"),
        (True, "General", "TRUE"),
    ],
)
def test_figures_stand_as_they_are_shown(value: Any, form: str, shown: str) -> None:
    assert shown_as(value, form) == shown


# --- OpenDocument

ODF = 'xmlns:{0}="urn:oasis:names:tc:opendocument:xmlns:{1}:1.0"'
NAMES = " ".join(ODF.format(*pair) for pair in (("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"),
                                                ("draw", "drawing"), ("presentation", "presentation")))  # fmt: skip


def opendocument(path: Path, kind: str, body: str, styles: str = "") -> Document:
    with ZipFile(path, "w") as archive:
        automatic = f"<office:automatic-styles>{styles}</office:automatic-styles>"
        xml = f"<office:document-content {NAMES}>{automatic}<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        archive.writestr("content.xml", f"{xml}</office:document-content>")
    return read(path)


def test_odt_numbers_its_lists_and_leaves_out_what_is_hidden(tmp_path: Path) -> None:
    level = '<text:list-level-style-number text:level="{0}" style:num-format="{1}" style:num-prefix="{2}" style:num-suffix="{3}"/>'
    styles = f'<text:list-style style:name="L">{level.format(1, "一", "第", "条")}{level.format(2, "a", "(", ")")}</text:list-style>'
    styles += (
        '<style:style style:name="H" style:family="text"><style:text-properties text:display="none"/></style:style>'
    )
    nested = "<text:list><text:list-item><text:p>inner</text:p></text:list-item></text:list>"
    document = opendocument(
        tmp_path / "a.odt",
        "text",
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion></text:changed-region>"
        '</text:tracked-changes><text:h text:outline-level="1">总则</text:h>'
        f'<text:list text:style-name="L"><text:list-item><text:p>目的</text:p>{nested}</text:list-item></text:list>'
        '<text:list text:style-name="L" text:continue-numbering="true"><text:list-item><text:p>范围</text:p></text:list-item></text:list>'
        '<text:p>Seen<text:span text:style-name="H"> trap</text:span><text:s/>x<text:note><text:note-citation>1</text:note-citation>'
        "<text:note-body><text:p>Dry.</text:p></text:note-body></text:note></text:p>",
        styles,
    )
    assert document.text == "总则\n\n第一条 目的\n\n(a) inner\n\n第二条 范围\n\nSeen x[1]\n\n[1] Dry."
    assert document.notes == {"deleted texts left out": 1, "hidden texts left out": 1}


def test_ods_reads_repeated_rows_once_each_and_not_the_empty_end(tmp_path: Path) -> None:
    def row(*cells: str, extra: str = "") -> str:
        inner = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>' for c in cells
        )
        return f"<table:table-row {extra}>{inner}</table:table-row>"

    many, shut = 'table:number-rows-repeated="{}"', 'table:visibility="collapse"'
    empty = f'<table:table-row {many.format(1048000)}><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    hidden = '<style:style style:name="T2" style:family="table"><style:table-properties table:display="false"/></style:style>'
    rows = row("size", "Nm") + row("M8", "25", extra=many.format(2)) + row("M9", "1", extra=shut) + empty
    secret = f'<table:table table:name="S" table:style-name="T2">{row("secret")}</table:table>'
    document = opendocument(
        tmp_path / "a.ods", "spreadsheet", f'<table:table table:name="Bolts">{rows}</table:table>{secret}', hidden
    )
    assert document.text == "Bolts\n\nsize | Nm\nM8 | 25\nM8 | 25"
    assert document.notes == {"hidden rows left out": 1, "hidden sheets left out": 1}


def test_odp_has_a_page_for_each_slide(tmp_path: Path) -> None:
    box = "<draw:text-box><text:p>{2}</text:p></draw:text-box>"
    page = f'<draw:page draw:name="page{{0}}"><draw:frame presentation:class="{{1}}">{box}</draw:frame></draw:page>'
    document = opendocument(
        tmp_path / "a.odp", "presentation", page.format(1, "title", "Pump") + page.format(2, "outline", "停机")
    )
    assert document.pages == 2 and document.text == "Pump\n\n第2页\n\n停机"
    assert [b.page for b in document.blocks] == [1, 2, 2]


# --- RTF, EPUB, mail, reStructuredText, JSON, notebooks


def test_rtf_in_chinese_with_a_table_and_without_hidden_text(tmp_path: Path) -> None:
    (tmp_path / "a.rtf").write_bytes(
        rb"{\rtf1\ansi\ansicpg936\deff0{\fonttbl{\f0\fnil\fcharset134 SimSun;}}{\stylesheet{\s1\b heading 1;}}{\info{\title secret}}"
        rb"\pard\s1 \'d7\'dc\'d4\'f2\par\pard\f0 \'b5\'da\'d2\'bb\'cc\'f5 {\v trap}\u35774?\u22791?\par"
        rb"\trowd\intbl Bolt\cell Tor\par que\cell\row\trowd\intbl M10\cell 45\cell\row\pard End.\par}"
    )
    document = read(tmp_path / "a.rtf")
    assert document.text == "总则\n\n第一条 设备\n\nBolt | Tor que\nM10 | 45\n\nEnd." and document.blocks[1].path == (
        "总则",
    )
    assert document.notes == {"hidden texts left out": 1}


def book(path: Path, chapters: dict[str, str], extra: dict[str, str] | None = None) -> None:
    items = "".join(
        f'<item id="{n}" href="t/{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="{n}"/>' for n in range(len(chapters)))
    with ZipFile(path, "w") as archive:
        container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="O/b.opf"/>'
        archive.writestr("META-INF/container.xml", container + "</rootfiles></container>")
        title = '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Pumps</dc:title></metadata>'
        nav = '<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        xml = f'<package xmlns="http://www.idpf.org/2007/opf">{title}<manifest>{nav}{items}</manifest><spine>{spine}</spine></package>'
        archive.writestr("O/b.opf", xml)
        archive.writestr(
            "O/nav.xhtml",
            '<html xmlns="http://www.w3.org/1999/xhtml"><body><a href="t/b.xhtml">Second</a></body></html>',
        )
        for name, text in {**{f"O/t/{n}": t for n, t in chapters.items()}, **(extra or {})}.items():
            archive.writestr(name, text)


def test_epub_in_the_order_of_its_spine(tmp_path: Path) -> None:
    doctype = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
    page = "<html><head><title>x</title></head><body><h1>First</h1><p>One&#160;two</p></body></html>"
    first = f'<?xml version="1.0" encoding="utf-8"?>{doctype}{page}'
    book(tmp_path / "a.epub", {"z.xhtml": first, "b.xhtml": "<html><body><p>Four<br/>five</p></body></html>"})
    document = read(tmp_path / "a.epub")
    assert document.title == "Pumps" and document.text == "First\n\nOne two\n\nSecond\n\nFour\nfive"
    lock = '<encryption><EncryptedData><CipherData><CipherReference URI="O/t/z.xhtml"/></CipherData></EncryptedData></encryption>'
    book(tmp_path / "drm.epub", {"z.xhtml": first}, {"META-INF/encryption.xml": lock})
    with pytest.raises(UserError, match="encrypted"):
        read(tmp_path / "drm.epub")


def test_mail_with_its_readable_attachments(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "检修通知 Pump 7", "王工 <w@example.com>", "a@example.com"
    mail["Date"] = "Tue, 05 Mar 2024 08:30:00 +0800"
    mail.set_content("您好，\n\n请更换滤芯。", charset="gb18030")
    mail.add_alternative("<p>HTML</p>", subtype="html")
    mail.add_attachment(b"code,text\nE1,stuck\n", maintype="text", subtype="csv", filename="../../故障.csv")
    mail.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="tool.exe")
    mail.add_attachment(b"PK\3\4", maintype="application", subtype="octet-stream", filename="broken.docx")
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    document = read(tmp_path / "a.eml")
    assert document.title == "检修通知 Pump 7" and "HTML" not in document.text
    assert (
        "From: 王工 <w@example.com>\nTo: a@example.com\nDate: 2024-03-05 08:30 +0800\n\n您好，\n\n请更换滤芯。"
        in document.text
    )
    row = document.blocks[
        next(i for i, b in enumerate(document.blocks) if document.text[b.start : b.end] == "E1 | stuck")
    ]
    assert row.header == "code | text" and row.path == ("检修通知 Pump 7", "../../故障.csv")
    assert document.notes == {"attachments left out": 1, "attachments that could not be read": 1}


def test_rst_reads_no_other_file_and_keeps_unknown_directives(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    (tmp_path / "a.rst").write_text(
        "Pump\n====\n\nSee :ref:`the guide <guide>`.\n\n.. include:: secret.txt\n\n.. raw:: html\n\n   <b>RAW</b>\n\n"
        ".. function:: stop(now)\n\n   Stops *it*.\n\n   .. code-block:: python\n\n      stop(1)\n\n.. warning:: Hot.\n\n"
        "#. one\n#. two\n\n=== ===\n k   v\n=== ===\n a   1\n=== ===\n"
    )
    document = read(tmp_path / "a.rst")
    assert (
        document.text
        == "Pump\n\nSee the guide.\n\nstop(now)\n\nStops it.\n\nstop(1)\n\nWarning: Hot.\n\n1. one\n\n2. two\n\nk | v\na | 1"
    )


def test_json_says_its_paths_and_keeps_numbers_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        '{"name": "SC-40", "limits": {"bar": 7.50, "temp": {"max": 12345678901234567890}},'
        ' "faults": [{"code": "E1", "text": "stuck"}, {"code": "E2", "text": null}], "deep": [{"x": {"y": [1, 2]}}]}'
    )
    text = read(tmp_path / "a.json").text
    assert "name: SC-40" in text and "limits.bar: 7.50" in text and "limits.temp.max: 12345678901234567890" in text
    assert "code | text\nE1 | stuck" in text and "deep[0].x.y: 1, 2" in text
    (tmp_path / "a.jsonl").write_text('{"q": "a", "n": 1.0}\nbroken\n{"q": "b", "n": 2}\n')
    document = read(tmp_path / "a.jsonl")
    assert document.text == "q | n\na | 1.0\nb | 2" and document.notes == {"lines that are no JSON left out": 1}


@pytest.mark.parametrize("data", ["[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "{broken", "1" * 10_000 + "x"])
def test_hostile_json_ends_in_a_sentence(tmp_path: Path, data: str) -> None:
    (tmp_path / "a.json").write_text(data)
    with pytest.raises(UserError):
        read(tmp_path / "a.json")


def test_notebook_cells_and_short_outputs(tmp_path: Path) -> None:
    output = {"output_type": "stream", "text": ["\x1b[31mdone\x1b[0m\n" + "x" * 60 + "\n"] * 60}
    cells = [{"cell_type": "markdown", "source": ["# Pump\n", "\n", "- one\n"]},
             {"cell_type": "code", "source": "if x:\n    stop()", "outputs": [output]},
             {"cell_type": "code", "source": "y", "outputs": [{"output_type": "error", "ename": "KeyError", "evalue": "'k'"}]}]  # fmt: skip
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    document = read(tmp_path / "a.ipynb")
    assert document.text.startswith("Pump\n\n- one\n\nif x:\n    stop()\n\ndone\n") and document.text.endswith(
        "KeyError: 'k'"
    )
    assert len(document.text) < 2000 and document.notes == {"long outputs cut": 1}


# --- HTML and encodings


def test_html_as_a_browser_shows_it(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<style>.ghost{display:none} @media print{.seen{display:none}}</style><nav>Home</nav><h1>Pump</h1>"
        "<p class=seen>Seen 10<sup>3</sup><span class=ghost>trap</span><span style='font-size:0px'>trap</span></p>"
        "<ol type=a start=3><li>first<ul><li>inner</ul><li>second</ol>"
        "<table><tr><th>k<th colspan=2>v<tr><td rowspan=2>a<td>1<td>2<tr><td>3<td>4</table><article><footer>Kept</footer></article>"
        "<footer>© all rights</footer>",
        encoding="utf-8",
    )
    document = read(tmp_path / "a.html")
    assert (
        document.text
        == "Pump\n\nSeen 10³\n\nc. first\n\n- inner\n\nd. second\n\nk | v | \na | 1 | 2\na | 3 | 4\n\nKept".replace(
            " | \n", " | \n"
        )
    )
    assert document.notes == {"hidden texts left out": 2, "menus and page footers left out": 2}


def test_html_in_the_encoding_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes("<meta charset=gb2312><p>镕基</p>".encode("gb18030"))
    assert read(tmp_path / "a.html").text == "镕基"


def test_deep_and_wide_html_is_bounded(tmp_path: Path) -> None:
    cells = "".join(f"<td rowspan=99999 colspan=99999>c{i}</td>" for i in range(300))
    (tmp_path / "a.html").write_text(
        "<div>" * 1500 + "deep" + "</div>" * 1500 + f"<table><tr>{cells}</tr>{'<tr><td>x</td></tr>' * 50}</table>"
    )
    start = time.perf_counter()
    text = read(tmp_path / "a.html").text
    assert "deep" in text and "c299" in text and len(text) < 500_000 and time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("第一条", "gb18030"), ("设备", "gb18030"), ("检查记录", "gb18030"), ("第三條 記錄", "big5"), ("設備檢查", "big5"),
        ("設備は毎月点検してください。", "cp932"), ("記録を保存する。", "euc_jp"), ("설비는 매월 점검해야 한다.", "cp949"),
        ("Größe für Müller", "cp1252"), ("45 °C ± 5 µm", "cp1252"), ("“smart” — one’s", "cp1252"), ("ÉTÉ À LA CARTE", "cp1252"),
        ("plain text\nof two lines", "utf-16-le"), ("第一条 A\n", "utf-16-be"),
    ],
)  # fmt: skip
def test_short_texts_in_their_encodings(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


COMMON = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学"
    "法所民得经设备检查记录维修合同责任"
)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=COMMON, min_size=6, max_size=40), st.sampled_from(["gb18030", "utf-8", "utf-16"]))
def test_chinese_is_read_as_it_was_written(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assume(encoding != "gb18030" or not _is_utf8(data))  # 一一 in GB18030 is һһ in UTF-8
    assert decode(data) == text


def _is_utf8(data: bytes) -> bool:
    try:
        return bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def test_chinese_far_into_an_english_file() -> None:
    text = "line of English\n" * 6000 + "第一条 设备检查"
    assert decode(text.encode("gb18030")) == text


def test_numbers_in_every_style() -> None:
    assert all(chinese_number(han(n)) == n for n in range(1, 10_000))
    assert [
        han(n) for n in (10, 15, 20, 101, 110, 1001, 12_000, 10_001)
    ] == "十 十五 二十 一百零一 一百一十 一千零一 一万二千 一万零一".split()
    assert [roman(n) for n in (4, 9, 49, 1994)] == ["iv", "ix", "xlix", "mcmxciv"] and letters(28) == "bb"
    assert (
        ordinal(3, "decimalEnclosedCircle") == "③"
        and ordinal(2, "ideographTraditional") == "乙"
        and ordinal(7, "unheard-of") == "7"
    )
    assert (
        ordinal(21, "chineseLegalSimplified") == "贰拾壹"
        and ordinal(2, "upperRoman") == "II"
        and ordinal(5, "decimalZero") == "05"
    )


# --- What is refused


def bomb(path: Path) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<a>" + b" " * (40 * 2**20))


def crowd(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        for n in range(20_001):
            archive.writestr(str(n), b"")


def entities(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        head = '<?xml version="1.0" encoding="utf-16"?><!-- a --><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
        archive.writestr("content.xml", head.encode("utf-16"))


def locked_zip(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("a", b"x")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    struct.pack_into("<H", data, at + 8, 1)
    path.write_bytes(data)


def locked_office(path: Path) -> None:
    path.write_bytes(OLE + b"\0" * 504 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 500)


def locked_odf(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        names = 'xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
        archive.writestr(
            "META-INF/manifest.xml",
            f"<m:manifest {names}><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>",
        )
        archive.writestr("content.xml", b"\x01\x02")


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx", ".odt", ".epub"])
@pytest.mark.parametrize(
    ("make", "says"),
    [(bomb, "bomb"), (entities, "entities"), (locked_zip, "encrypted"), (locked_office, "encrypted")],
)
def test_every_zip_goes_through_one_guard(tmp_path: Path, suffix: str, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path / f"a{suffix}")
    with pytest.raises(UserError, match=says) as raised:
        read(tmp_path / f"a{suffix}")
    assert raised.value.next_step


def test_an_archive_of_too_many_parts_is_refused(tmp_path: Path) -> None:
    crowd(tmp_path / "a.docx")
    with pytest.raises(UserError, match="20001 parts"):
        read(tmp_path / "a.docx")


def test_an_encrypted_opendocument_is_refused(tmp_path: Path) -> None:
    locked_odf(tmp_path / "a.ods")
    with pytest.raises(UserError, match="encrypted with a password"):
        read(tmp_path / "a.ods")


def samples(folder: Path) -> dict[str, bytes]:
    """A small valid file of each kind that is more than text."""
    new_docx().save(str(folder / "a.docx"))
    Workbook().save(folder / "a.xlsx")
    Presentation().save(str(folder / "a.pptx"))
    book(folder / "a.epub", {"z.xhtml": "<html><body><p>x</p></body></html>"})
    opendocument(folder / "a.odt", "text", "<text:p>x</text:p>")
    return {path.suffix: path.read_bytes() for path in folder.glob("a.*")}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kept = getattr(test_damaged_files_are_read_or_refused, "samples", None)
    if kept is None:
        kept = samples(tmp_path_factory.mktemp("samples"))
        test_damaged_files_are_read_or_refused.samples = kept  # type: ignore[attr-defined]
    suffix = data.draw(st.sampled_from(sorted(kept)))
    content = bytearray(kept[suffix])
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / f"a{suffix}"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content)
    try:
        assert read(path).text.strip()
    except UserError:
        pass


def test_a_zip_whose_list_of_entries_points_outside_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.odt"
    data = bytearray(samples(tmp_path)[".odt"])
    data[data.rindex(b"PK\x05\x06") + 18] = 1  # the third byte of where the list begins
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        read(path)


KINDS = [
    ".rtf",
    ".epub",
    ".eml",
    ".rst",
    ".json",
    ".jsonl",
    ".ipynb",
    ".doc",
    ".xlsx",
    ".pptx",
    ".odt",
    ".html",
    ".csv",
    ".txt",
]


@settings(max_examples=120, deadline=None)
@given(data=st.binary(min_size=1, max_size=300), suffix=st.sampled_from(KINDS))
def test_any_bytes_under_any_name_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"a{suffix}"
    path.write_bytes(data)
    try:
        assert read(path).text.strip()
    except UserError:
        pass


# --- Old formats, by LibreOffice


def old_file(path: Path) -> Path:
    path.write_bytes(OLE + b"\0" * 2000)
    return path


def test_without_libreoffice_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="LibreOffice") as raised:
        read(old_file(tmp_path / "a.xls"))
    assert "apt install libreoffice-calc" in str(raised.value)


def test_a_slow_libreoffice_is_stopped_with_all_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "soffice"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path}/child\nwait\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(legacy, "SECONDS", 1)
    with pytest.raises(UserError, match="within 1 s"):
        read(old_file(tmp_path / "a.doc"))
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            return
        time.sleep(0.05)
    raise AssertionError("the office's own child lives on")


def test_a_file_of_today_under_an_old_name_needs_no_libreoffice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docx = new_docx()
    docx.add_paragraph("第一条")
    docx.save(str(tmp_path / "a.docx"))
    (tmp_path / "a.docx").rename(tmp_path / "a.doc")
    (tmp_path / "b.doc").write_bytes(rb"{\rtf1\ansi Rich.\par}")
    (tmp_path / "c.xls").write_text("<html><table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>1</td></tr></table>")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [read(tmp_path / name).text for name in ("a.doc", "b.doc", "c.xls")] == ["第一条", "Rich.", "k | v\na | 1"]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_an_old_document_by_libreoffice(tmp_path: Path) -> None:
    docx = new_docx()
    docx.add_heading("总则", 1)
    docx.add_paragraph("Change the filter.", style="List Number")
    docx.save(str(tmp_path / "new.docx"))
    made = legacy.convert(tmp_path / "new.docx", tmp_path / "made", ".docx", "doc", "libreoffice-writer")
    made.rename(tmp_path / "a.wps")
    document = read(tmp_path / "a.wps")
    assert blocks(document, "heading") == ["总则"] and "1. Change the filter." in document.text
