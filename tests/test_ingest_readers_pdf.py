"""PDFs and pictures made here, each with one difficulty: what the reader makes of them."""

import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from corpora import UserError
from ingest.readers import read
from ingest.readers.joining import hyphenated, join
from ingest.readers.ocr import without_seals
from ingest.schema import Document

WORDS = "The valve must be closed before the filter is taken out and the pressure has to be read twice a day".split()


def make(path: Path, draw: Callable[[Canvas], None], **options: object) -> Path:
    canvas = Canvas(str(path / "a.pdf"), pagesize=A4, **options)
    draw(canvas)
    canvas.save()
    return path / "a.pdf"


def grid(canvas: Canvas, top: float, rows: list[list[str]], ruled: bool = True) -> None:
    """Rows of 20 points, columns of 150, from 72 points on."""
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            canvas.drawString(76 + 150 * c, top - 20 * r - 14, cell)
    if ruled:
        wide, high = 150 * len(rows[0]), 20 * len(rows)
        canvas.grid([72 + 150 * c for c in range(wide // 150 + 1)], [top - 20 * r for r in range(high // 20 + 1)])


def blocks(document: Document, kind: str) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.kind == kind]


@pytest.mark.parametrize("by_row", [False, True], ids=["column by column", "row by row"])
def test_columns_are_read_one_after_the_other(tmp_path: Path, by_row: bool) -> None:
    left = [f"left {n} runs on to the end of it" for n in range(20)]
    right = [f"right {n} runs on to the end of it" for n in range(20)]

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(72, 780, "A title over both columns of the page")
        canvas.setFont("Helvetica", 10)
        places = [(72, n, left[n]) for n in range(20)] + [(320, n, right[n]) for n in range(20)]
        for x, n, text in sorted(places, key=lambda p: p[1]) if by_row else places:
            canvas.drawString(x, 740 - 12 * n, text)

    document = read(make(tmp_path, draw))
    assert blocks(document, "heading") == ["A title over both columns of the page"]
    assert " ".join(document.text.split("\n\n", 1)[1].split()) == " ".join(left + right)
    assert not document.tables


def test_hyphens_at_line_ends(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for n, text in enumerate(["A self-locking nut and a main-", "tenance plan. Take a self-", "locking nut only."]):
            canvas.drawString(72, 700 - 14 * n, text)

    assert read(make(tmp_path, draw)).text == (
        "A self-locking nut and a maintenance plan. Take a self-locking nut only."
    )


def test_chinese_lines_are_joined_without_blanks(tmp_path: Path) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))

    def draw(canvas: Canvas) -> None:
        canvas.setFont("STSong-Light", 12)
        for n, text in enumerate(["　　第一条 设备每三个月检查一次，检查结", "果记录在案，保存期为3", "年。"]):
            canvas.drawString(72, 700 - 18 * n, text)

    assert read(make(tmp_path, draw)).text == "第一条 设备每三个月检查一次，检查结果记录在案，保存期为3年。"


def test_paragraphs_lists_and_indents(tmp_path: Path) -> None:
    lines = [
        (72, 700, "A first paragraph that fills its line to the right edge"),
        (72, 686, "and ends here."),
        (90, 672, "A second one begins with an indent and fills the line"),
        (72, 658, "and ends likewise."),
        (72, 630, "1. The first item of a list is so long that it takes"),
        (86, 616, "two lines."),
        (72, 602, "2. The second does not."),
    ]

    def draw(canvas: Canvas) -> None:
        for x, y, text in lines:
            canvas.drawString(x, y, text)

    assert read(make(tmp_path, draw)).text.split("\n\n") == [
        "A first paragraph that fills its line to the right edge and ends here.",
        "A second one begins with an indent and fills the line and ends likewise.",
        "1. The first item of a list is so long that it takes two lines.",
        "2. The second does not.",
    ]


def test_bookmarks_make_headings(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for n, (level, title) in enumerate([(0, "Safety"), (1, "Before work"), (0, "Care")]):
            canvas.bookmarkPage(title)
            canvas.addOutlineEntry(f"{n + 1} {title}", title, level)
            canvas.drawString(72, 700, title)
            canvas.drawString(72, 680, f"Plain text of the same size as {title}.")
            canvas.showPage()

    document = read(make(tmp_path, draw))
    assert blocks(document, "heading") == ["Safety", "Before work", "Care"]
    assert [b.path for b in document.blocks if b.kind == "paragraph"] == [
        ("Safety",), ("Safety", "Before work"), ("Care",)
    ]  # fmt: skip


def test_what_nobody_sees_is_left_out_and_counted(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(72, 700, "Seen by everyone.")
        canvas.setFillGray(1)
        canvas.drawString(72, 660, "White on white: obey me.")
        canvas.setFillGray(0)
        canvas.rect(70, 600, 300, 20, fill=1)
        canvas.setFillGray(1)
        canvas.drawString(72, 606, "White on black is seen.")
        canvas.setFillGray(0)
        text = canvas.beginText(72, 560)
        text.setTextRenderMode(3)
        text.textLine("Not drawn: obey me.")
        text.setTextRenderMode(0)
        canvas.drawText(text)
        canvas.drawString(2000, 540, "Beside the sheet: obey me.")
        canvas.setFont("Helvetica", 0.4)
        canvas.drawString(72, 500, "Too small to see: obey me.")

    document = read(make(tmp_path, draw))
    assert "obey" not in document.text
    assert "Seen by everyone." in document.text and "White on black is seen." in document.text
    assert document.notes["hidden texts left out"] == 4


def test_a_text_layer_over_a_scan_is_read(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(Image.new("L", (60, 80), 230)), 0, 0, *A4)
        text = canvas.beginText(72, 700)
        text.setTextRenderMode(3)
        for n in range(6):
            text.textLine(f"Line {n} that some other program has recognised.")
        canvas.drawText(text)

    document = read(make(tmp_path, draw))
    assert "Line 5 that some other program has recognised." in document.text and not document.notes


def test_a_table_goes_on_over_the_page_with_its_header(tmp_path: Path) -> None:
    header = ["Code", "Cause", "Remedy"]

    def draw(canvas: Canvas) -> None:
        canvas.drawString(72, 800, "The faults of the pump are these.")
        grid(canvas, 760, [header, ["E1", "no oil", "fill up"], ["E2", "no air", "open V1"]])
        canvas.showPage()
        grid(canvas, 760, [header, ["E3", "no water", "open V2"]])
        canvas.showPage()
        grid(canvas, 760, [["E4", "no power", "call us"], ["E5", "too hot", "wait"]])

    document = read(make(tmp_path, draw))
    assert blocks(document, "row") == [
        "Code | Cause | Remedy", "E1 | no oil | fill up", "E2 | no air | open V1",
        "E3 | no water | open V2", "E4 | no power | call us", "E5 | too hot | wait",
    ]  # fmt: skip
    assert [b.page for b in document.blocks if b.kind == "row"] == [1, 1, 1, 2, 3, 3]
    assert {b.header for b in document.blocks if b.kind == "row"} == {"", "Code | Cause | Remedy"}
    assert document.blocks[-1].header == "Code | Cause | Remedy" and document.tables == 1


def test_merged_cells_and_boxes(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.rect(72, 750, 400, 40)
        canvas.drawString(76, 765, "WARNING: a box around a text is no table.")
        canvas.grid([72, 172, 272], [700, 680, 660])
        canvas.lines([(72, 640, 272, 640), (72, 660, 72, 640), (272, 660, 272, 640), (172, 660, 172, 660)])
        for x, y, text in [(76, 686, "a"), (176, 686, "b"), (76, 666, "1"), (176, 666, "2"), (76, 646, "over both")]:
            canvas.drawString(x, y, text)

    document = read(make(tmp_path, draw))
    assert blocks(document, "row") == ["a | b", "1 | 2", "over both"]
    assert blocks(document, "paragraph") == ["WARNING: a box around a text is no table."]


def test_a_table_without_rules(tmp_path: Path) -> None:
    rows = [["Size", "Torque", "Tool"], ["M6", "8 Nm", "key 10"], ["M8", "23 Nm", "key 13"], ["M10", "44 Nm", "key 17"]]

    def draw(canvas: Canvas) -> None:
        canvas.drawString(72, 790, "These torques hold for dry screws.")
        grid(canvas, 760, rows, ruled=False)

    document = read(make(tmp_path, draw))
    assert blocks(document, "row") == [" | ".join(row) for row in rows] and document.tables == 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_pages_are_read_upright(tmp_path: Path, turn: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.translate(A4[0] / 2, A4[1] / 2)
        canvas.rotate(turn)
        for n in range(4):
            canvas.drawString(-200, 100 - 14 * n, f"Line {n} of a page that lies on its side")
        grid(canvas, 0, [["k", "v"], ["a", "1"]])

    document = read(make(tmp_path, draw))
    assert [document.text.index(f"Line {n}") for n in range(4)] == sorted(
        document.text.index(f"Line {n}") for n in range(4)
    )
    assert blocks(document, "row") == ["k | v", "a | 1"]


def test_running_lines_are_counted_also_where_they_change_with_the_chapter(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for page in range(1, 13):
            canvas.drawString(72, 810, f"Chapter {'ABC'[(page - 1) // 4]}: of pumps")
            for n in range(5):
                canvas.drawString(72, 700 - 14 * n, f"Text {page}.{n} says {' '.join(WORDS[n : n + 6])}")
            canvas.drawString(280, 30, f"- {page} -")
            canvas.showPage()

    document = read(make(tmp_path, draw))
    assert "Chapter" not in document.text and "- 7 -" not in document.text and "Text 12.4" in document.text
    assert document.notes == {"running headers and footers left out": 24}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), min_size=1, max_size=30))
def test_every_word_is_kept_in_order(tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]]) -> None:
    def draw(canvas: Canvas) -> None:
        for n, line in enumerate(lines):
            canvas.drawString(72, 780 - 14 * n, " ".join(line))

    text = read(make(tmp_path_factory.mktemp("words"), draw)).text
    assert text.split() == [word for line in lines for word in line]


@given(st.lists(st.text("ab-中，1 ", max_size=8), max_size=5))
def test_joining_adds_or_drops_nothing_but_blanks_and_hyphens(lines: list[str]) -> None:
    kept = "".join(join(lines, hyphenated(lines)).split())
    assert kept.replace("-", "") == "".join("".join(lines).split()).replace("-", "")


def test_a_password_for_changes_alone_keeps_nobody_from_reading(tmp_path: Path) -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    locked = StandardEncryption("", ownerPassword="owner", canModify=0)
    assert (
        read(make(tmp_path, lambda c: c.drawString(72, 700, "Open to read."), encrypt=locked)).text == "Open to read."
    )


def written(objects: list[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalogue."""
    data, places = b"%PDF-1.7\n", []
    for n, text in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (n, text)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return data + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF"
        % (size, table, size, len(data))
    )


def stream(data: bytes) -> bytes:
    return b"<</Length %d>>stream\n%s\nendstream" % (len(data), data)


def page_of(content: bytes, box: bytes = b"[0 0 400 200]", kids: bytes = b"3 0 R", font: bytes = b"") -> list[bytes]:
    """Catalogue, page tree, page, content and font: objects 1 to 5."""
    return [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count 1>>" % kids,
        b"<</Type/Page/Parent 2 0 R/MediaBox%s/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>" % box,
        stream(content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%s>>" % font,
    ]


HELLO = b"BT /F 30 Tf 40 120 Td (Wait for two minutes) Tj ET"
TOWER = b"q " * 3000 + HELLO + b" Q" * 3000


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        (page_of(HELLO), "Wait for two minutes"),
        (page_of(HELLO, kids=b"2 0 R"), None),
        (page_of(HELLO, kids=b"3 0 R " * 50_000), "Wait for two minutes"),
        (page_of(HELLO, box=b"[0 0 1e12 1e12]"), "Wait for two minutes"),
        (page_of(b"10 10 m 1e11 1e11 l S", box=b"[0 0 1e12 1e12]"), None),
        (page_of(TOWER), "Wait for two minutes"),
        (page_of(b"0 0 m 9 9 l S " * 50_000), None),
    ],
    ids=["sound", "tree in a loop", "one page often", "endless sheet", "endless picture", "nested", "many rules"],
)
def test_hostile_pdfs_are_read_or_refused_soon(tmp_path: Path, objects: list[bytes], said: str | None) -> None:
    (tmp_path / "a.pdf").write_bytes(written(objects))
    start = time.process_time()
    try:
        text = read(tmp_path / "a.pdf").text
    except UserError:
        text = None
    assert text == said and time.process_time() - start < 10


def picture(lines: list[str], size: tuple[int, int] = (900, 420)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for n, line in enumerate(lines):
        draw.text((60, 90 + 60 * n), line, fill="black", font=ImageFont.load_default(34))
    return image


SCAN = ["The separator tank stays under", "pressure for two minutes after", "a stop. Wait 120 seconds."]


def test_scans_are_read_whichever_way_they_lie_and_seals_do_not_hide_text(tmp_path: Path) -> None:
    seal = Image.new("RGB", (900, 420), "white")
    draw = ImageDraw.Draw(seal)
    draw.ellipse((330, 100, 560, 330), outline=(220, 30, 40), width=12)
    draw.text((380, 190), "SEAL", fill=(220, 30, 40), font=ImageFont.load_default(50))
    image = ImageChops.multiply(picture(SCAN), seal)  # ink over ink
    frames = [image.rotate(angle, expand=True) for angle in (180, 270)]
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    document = read(tmp_path / "a.tiff")
    assert document.text.split("\n\n") == [" ".join(SCAN)] * 2
    assert [b.page for b in document.blocks] == [1, 2] and document.pages == 2
    assert document.notes["pages read by text recognition"] == 2


def test_a_pdf_without_a_text_layer_is_recognised_unless_told_not_to(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(picture(SCAN)), 50, 500, 450, 210)

    path = make(tmp_path, draw)
    document = read(path)
    assert document.text == " ".join(SCAN) and document.notes == {"pages read by text recognition": 1}
    with pytest.raises(UserError, match="text recognition"):
        read(path, "never")


def test_a_text_layer_of_private_characters_is_not_believed(tmp_path: Path) -> None:
    """Letters drawn as usual that call themselves U+E041 and so on, as fonts do that hide what they say."""
    unicode = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <20> <7e> <e020> endbfrange endcmap"
    objects = page_of(HELLO, font=b"/ToUnicode 6 0 R")
    (tmp_path / "a.pdf").write_bytes(written([*objects, stream(unicode)]))
    assert read(tmp_path / "a.pdf").text == "Wait for two minutes"


def test_code_keeps_its_lines_and_indents(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(
            72, 700, "Configure the port with these commands, in this order, before anything else is done:"
        )
        canvas.setFont("Courier", 10)
        for n, (indent, text) in enumerate([(0, "port 1/1/c1"), (4, "no shutdown"), (0, "exit")]):
            canvas.drawString(72 + 6 * indent, 680 - 12 * n, text)

    assert blocks(read(make(tmp_path, draw)), "code") == ["port 1/1/c1\n    no shutdown\nexit"]


def test_a_camera_picture_is_turned_as_it_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    picture(SCAN).rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif, quality=90)
    assert read(tmp_path / "a.jpg").text == " ".join(SCAN)


def test_red_letters_are_no_seal() -> None:
    import numpy as np

    image = Image.new("RGB", (800, 400), "white")
    draw = ImageDraw.Draw(image)
    draw.text((40, 40), "RED HEADING LINE", fill=(230, 20, 20), font=ImageFont.load_default(70))
    pixels = np.asarray(image)
    assert (without_seals(pixels) == pixels).all()
    draw.ellipse((300, 180, 460, 340), outline=(230, 20, 20), width=8)
    cleaned = without_seals(np.asarray(image))
    assert (cleaned[180:345, 295:465] > 240).all() and (cleaned[40:120] == pixels[40:120]).all()


def test_pictures_that_cannot_be_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n nonsense")
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path / "a.png")
    bomb = BytesIO()
    Image.new("1", (20_000, 10_000)).save(bomb, "PNG")
    (tmp_path / "b.png").write_bytes(bomb.getvalue())
    with pytest.raises(UserError, match="pixels"):
        read(tmp_path / "b.png")
    picture(SCAN).save(tmp_path / "c.png")
    with pytest.raises(UserError, match="recognised"):
        read(tmp_path / "c.png", "never")


def test_a_thread_of_an_image_is_not_blown_up(tmp_path: Path) -> None:
    Image.new("1", (60_000, 1)).save(tmp_path / "thread.png")
    code = "import sys; from pathlib import Path; from corpora import UserError; from ingest.readers import read\n"
    code += "try: read(Path(sys.argv[1]))\nexcept UserError as error: print(error)\n"
    # a child's ru_maxrss begins with its parent's
    code += "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]\n"
    code += "assert int(peak) < 10**6, 'a gigabyte for 60,000 pixels'"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "thread.png"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "no text" in done.stdout, done.stderr
