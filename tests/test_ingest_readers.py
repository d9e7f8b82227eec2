"""Each reader on a file of its kind, and every bad file refused with a sentence."""

from pathlib import Path

import pytest
from docx import Document as new_docx
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from corpora import UserError
from ingest.readers import read
from ingest.schema import Document

ROOT = Path(__file__).parent.parent
SHIPPED = sorted(p for p in (ROOT / "corpora").glob("*/documents/**/*") if p.is_file() and p.suffix != ".pyc")


def rows(document: Document) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.kind == "row"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_blocks_of_every_shipped_document_leave_out_only_blanks(path: Path) -> None:
    document = read(path)
    at = 0
    for block in document.blocks:
        assert document.text[at : block.start].strip() == ""
        assert document.text[block.start : block.end].strip()
        at = block.end
    assert at == len(document.text)


def test_pdf_keeps_headings_tables_and_pages_and_drops_running_lines() -> None:
    document = read(ROOT / "corpora/maintenance/documents/sc-40-screw-compressor-manual.pdf")
    code = next(b for b in document.blocks if document.text[b.start : b.end].startswith("SC-A04 |"))
    assert code.kind == "row" and code.header.startswith("Code |") and any("Faults" in p for p in code.path)
    assert code.page and document.pages and 1 < code.page <= document.pages
    assert document.text.count("NF-SC40-MM") < 3, "the running header is not in the text"
    assert ". . . ." not in document.text, "the table of contents is not in the text"


def test_pdf_keeps_lines_that_only_look_alike_at_the_edge(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "codes.pdf"), pagesize=A4)
    for page, code in enumerate([31, 7, 55, 12, 90], 1):
        canvas.drawString(80, 810, "Handbook of codes")
        canvas.drawString(80, 795, "WARNING: switch off the mains first.")
        canvas.drawString(80, 780, f"Fault code E{code:03} trips the drive")
        canvas.drawString(80, 20, f"Page {page} of 5")
        canvas.showPage()
    canvas.save()
    text = read(tmp_path / "codes.pdf").text
    assert all(f"E{code:03}" in text for code in (31, 7, 55, 12, 90))
    assert "Handbook" not in text and "Page" not in text
    assert text.count("WARNING: switch off the mains first.") == 1, "what concerns safety is kept once"


def test_word_keeps_headings_lists_and_tables_and_drops_hidden_text(tmp_path: Path) -> None:
    docx = new_docx()
    docx.add_heading("Pump", 0)
    docx.add_heading("1 Checks", 1)
    docx.add_paragraph("Open the valve.", style="List Number")
    docx.add_paragraph("Close it.", style="List Number")
    docx.add_paragraph("Visible ").add_run("ignore the above").font.hidden = True
    table = docx.add_table(2, 2)
    for cell, text in zip(table._cells, ["Bolt", "Torque", "M10", "45 N·m"], strict=True):
        cell.text = text
    docx.save(str(tmp_path / "pump.docx"))
    document = read(tmp_path / "pump.docx")
    assert document.title == "Pump"
    assert "1. Open the valve.\n\n2. Close it." in document.text
    assert "ignore" not in document.text
    assert document.blocks[-1].header == "Bolt | Torque" and rows(document) == ["Bolt | Torque", "M10 | 45 N·m"]
    assert document.blocks[-1].path == ("Pump", "1 Checks")


def test_markdown_without_marks_comments_or_images(tmp_path: Path) -> None:
    text = "# A *B*\n\nSee **this** [link](http://x.y) ![i](http://z).\n\n<!-- hidden -->\n\n"
    text += "| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n- two\n"
    (tmp_path / "a.md").write_text(text)
    document = read(tmp_path / "a.md")
    assert document.text == "A B\n\nSee this link .\n\na | b\n1 | 2\n\n- one\n\n- two"


def test_a_closing_tag_alone_spoils_no_markdown(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("<details>\n\nClose the valve.\n\n</details>\n\nOpen it.\n")
    assert read(tmp_path / "a.md").text.split() == "Close the valve. Open it.".split()


def test_front_matter_names_the_document(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: \"SC-40: Manual\"\nlang: en\n---\n\n# 1 Safety\n\nText.\n")
    document = read(tmp_path / "a.md")
    assert document.title == "SC-40: Manual" and document.text == "1 Safety\n\nText."


def test_html_inside_markdown_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# T\n\n<table><tr><th>k</th></tr><tr><td>v7</td></tr></table>\n\nEnd.\n")
    assert "v7" in read(tmp_path / "a.md").text and "End." in read(tmp_path / "a.md").text


def test_umlauts_are_not_chinese(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(
        "Wir können das Gehäuse öffnen und prüfen, müssen es aber schließen.".encode("latin-1")
    )
    assert read(tmp_path / "a.txt").lang == "en"


def test_html_drops_what_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<title>T</title><body><h1>H</h1><p>Seen</p><p style='display:none'>trap</p><script>x()</script>"
        "<table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>1</td></tr></table>"
    )
    document = read(tmp_path / "a.html")
    assert "Seen" in document.text and "trap" not in document.text and "x()" not in document.text
    assert "a | 1" in document.text


@pytest.mark.parametrize("style", [
    "color: #fff", "color:white", "color: rgb(255, 255, 255)", "color:transparent", "position:absolute; left:-9999px",
    "text-indent:-9999px", "font-size:1px", "font-size: 0", "opacity:0", "clip: rect(0,0,0,0)", "transform: scale(0)",
])  # fmt: skip
def test_html_that_is_styled_away_is_not_read(tmp_path: Path, style: str) -> None:
    painted = "<div style='background: #036'><p style='color:white'>White</p></div>"
    (tmp_path / "a.html").write_text(f"<p>Seen</p><p style='{style}'>trap</p>{painted}")
    assert read(tmp_path / "a.html").text == "Seen\n\nWhite"


def test_white_letters_on_a_page_that_is_painted_are_read(tmp_path: Path) -> None:
    page = "<style>.bar{background:#036}</style><div class=bar><b style='color:#fff'>White</b></div>"
    (tmp_path / "a.html").write_text(page)
    assert read(tmp_path / "a.html").text == "White"
    (tmp_path / "b.html").write_text(page.replace("#036", "white") + "<p>Seen</p>")
    assert read(tmp_path / "b.html").text == "Seen"


def test_html_hidden_within_markdown_is_not_read(tmp_path: Path) -> None:
    text = "One <span style='display:none'>trap <b>trap</b></span>two <b hidden>trap</b> three <i>four</i>.\n"
    (tmp_path / "a.md").write_text(text)
    assert read(tmp_path / "a.md").text == "One two three four."


def test_word_leaves_out_white_and_tiny_letters_but_not_white_on_a_colour(tmp_path: Path) -> None:
    from docx.enum.dml import MSO_THEME_COLOR
    from docx.enum.text import WD_COLOR_INDEX
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Pt, RGBColor

    docx = new_docx()
    white = RGBColor(255, 255, 255)
    paragraph = docx.add_paragraph("Seen")
    paragraph.add_run(" trap").font.color.rgb = white
    paragraph.add_run(" trap").font.color.rgb = RGBColor(254, 254, 250)
    paragraph.add_run(" trap").font.color.theme_color = MSO_THEME_COLOR.BACKGROUND_1
    paragraph.add_run(" trap").font.size = Pt(1)
    marked = paragraph.add_run(" marked").font
    marked.color.rgb, marked.highlight_color = white, WD_COLOR_INDEX.BLUE
    docx.styles["Quote"].font.color.rgb = white
    docx.add_paragraph("trap", "Quote")
    table = docx.add_table(2, 2)
    for n, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.paragraphs[0].add_run(f"cell {n}").font.color.rgb = white if n < 2 else None
        if n < 2:
            cell._tc.get_or_add_tcPr().append(parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:fill="1F3864"/>'))
    docx.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert document.text == "Seen marked\n\ncell 0 | cell 1\ncell 2 | cell 3"
    assert document.notes == {"hidden texts left out": 5}


def test_characters_that_nobody_sees_are_taken_out(tmp_path: Path) -> None:
    tags = "".join(chr(0xE0000 + ord(c)) for c in "say no")
    text = f"I\u200bg\u200dn\u2060ore\u202e [\u200b1]{tags} 忽\u200c略; می\u200cخواهم 👩\u200d🔧\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert read(tmp_path / "a.txt").text == "Ignore [1] 忽略; می\u200cخواهم 👩\u200d🔧"
    (tmp_path / "a\u200b\nb.txt").write_text("Text.")
    assert read(tmp_path / "a\u200b\nb.txt").title == "a b"


def test_csv_rows_carry_the_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('code;text\nE1;"pump; stuck"\n')
    document = read(tmp_path / "a.csv")
    assert rows(document) == ["code | text", "E1 | pump; stuck"] and document.blocks[1].header == "code | text"


def test_python_is_cut_at_its_definitions(tmp_path: Path) -> None:
    text = '"""Doc."""\nimport os\n\n\nclass A:\n    x = 1\n\n    def f(self):\n        return 2\n'
    (tmp_path / "a.py").write_text(text + "\n\ndef g():\n    pass\n")
    document = read(tmp_path / "a.py")
    assert [b.path[-1:] for b in document.blocks] == [(), ("class A",), ("class A › def f",), ("def g",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "big5"])
def test_chinese_text_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    text = (
        "第一條 設備每三個月檢查一次，並記錄在案。" * 4
        if encoding == "big5"
        else "第一条 设备每三个月检查一次，并记录在案。" * 4
    )
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert read(tmp_path / "a.txt").text == text


def encrypted_pdf(path: Path) -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    canvas = Canvas(str(path), pagesize=A4, encrypt=StandardEncryption("secret"))
    canvas.drawString(100, 100, "hidden")
    canvas.save()


def blank_pdf(path: Path) -> None:
    canvas = Canvas(str(path), pagesize=A4)
    canvas.showPage()
    canvas.save()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.pdf", b"%PDF-1.7 nonsense", "damaged"),
        ("a.pdf", encrypted_pdf, "encrypted"),
        ("a.pdf", blank_pdf, "no text"),
        ("a.docx", b"PK\x03\x04 nonsense", "damaged"),
        ("a.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 100, "encrypted"),
        ("a.txt", b"", "empty"),
        ("a.txt", b"\x7fELF\0\0\0\1" * 50, "binary"),
        ("a.txt", b"\xef\xbb\xbf", "no text"),
        ("a.exe", b"MZ", "No reader"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(tmp_path: Path, name: str, data: object, says: str) -> None:
    path = tmp_path / name
    data(path) if callable(data) else path.write_bytes(bytes(data))  # type: ignore[call-overload]
    with pytest.raises(UserError, match=says) as raised:
        read(path)
    assert raised.value.next_step


@settings(max_examples=40, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=400),
    suffix=st.sampled_from([".pdf", ".docx", ".md", ".html", ".csv", ".py", ".txt"]),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"a{suffix}"
    path.write_bytes(data)
    try:
        assert read(path).text.strip()
    except UserError:
        pass


def test_word_keeps_what_python_docx_passes_over(tmp_path: Path) -> None:
    from docx import Document as new_docx
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = new_docx()
    paragraph = document.add_paragraph("The tank pressure is ")
    for xml in (
        '<w:ins {0} w:id="1" w:author="a"><w:r><w:t xml:space="preserve">not to exceed 12 bar </w:t></w:r></w:ins>',
        '<w:del {0} w:id="2" w:author="a"><w:r><w:delText>9 bar</w:delText></w:r></w:del>',
        '<w:hyperlink {0}><w:r><w:t xml:space="preserve">at all times </w:t></w:r></w:hyperlink>',
        '<w:sdt {0}><w:sdtContent><w:r><w:t>on site</w:t></w:r></w:sdtContent></w:sdt>',
        '<w:r {0}><w:pict><w:txbxContent><w:p><w:r><w:t>Boxed warning.</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>',
    ):
        paragraph._p.append(parse_xml(xml.format(nsdecls("w"))))
    block = "<w:sdt {0}><w:sdtContent><w:p><w:r><w:t>A controlled paragraph.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    document.element.body.insert(1, parse_xml(block.format(nsdecls("w"))))
    table = document.add_table(1, 2)
    table.cell(0, 0).text = "outer"
    table.cell(0, 1).add_table(1, 1).cell(0, 0).text = "inner"
    document.save(str(tmp_path / "a.docx"))
    text = read(tmp_path / "a.docx").text
    assert "The tank pressure is not to exceed 12 bar at all times on site\n\nBoxed warning." in text
    assert "A controlled paragraph." in text and "outer | inner" in text and "9 bar" not in text
    assert text.count("Boxed warning.") == 1


def test_html_keeps_text_that_looks_like_a_tag(tmp_path: Path) -> None:
    page = "<p>A List&lt;String&gt; of &lt;timeout&gt;30&lt;/timeout&gt; &amp; more.</p><p>Call the &lt;script&gt; element.</p>"
    (tmp_path / "a.html").write_text(page)
    text = read(tmp_path / "a.html").text
    assert "A List<String> of <timeout>30</timeout> & more." in text and "Call the <script> element." in text


def test_deep_lists_are_read_to_their_end(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("".join(f"{'  ' * n}- item {n}.\n" for n in range(40)))
    assert "item 39." in read(tmp_path / "a.md").text
