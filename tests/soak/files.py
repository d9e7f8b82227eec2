"""Damaged and hostile files: shipped documents broken in every way, and files made to exhaust, mislead or escape a reader."""

import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from corpora import load_profile, profile_names
from tests.soak.build import (
    ESCAPED,
    MIB,
    bomb,
    docx,
    gzip_bomb,
    laughs,
    links,
    outside,
    pdf,
    saved,
    tarred,
    xlsx,
    zipped,
)

Content = bytes | Callable[[Path], object]  # what a file holds, or what makes it at its path
SECRET = "qzv-71-heron-of-the-lower-lock"  # stands in a file that no document may pull in
KINDS = (".pdf", ".docx", ".md", ".html", ".csv", ".py", ".go", ".js")


def healthy() -> list[tuple[str, bytes]]:
    """`(name, bytes)` of sound files: one or more shipped ones of each kind, and one made here of each other kind."""
    found = []
    for corpus in profile_names():
        paths = sorted(p for p in load_profile(corpus).folder.glob("documents/**/*") if p.suffix in KINDS)
        found += [(path.name, path.read_bytes()) for path in paths]
    return found + list(_made())


def damaged(rng: random.Random, sound: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """One sound file broken in one way."""
    name, data = rng.choice(sound)
    other_name, other = rng.choice(sound)
    at = rng.randrange(len(data))
    length = rng.randint(1, max(1, len(data) // 4))
    how = rng.choice(["cut", "flips", "zeros", "gone", "ending", "spliced", "noise", "nuls", "doubled", "front"])
    if how == "flips":
        broken = bytearray(data)
        for _ in range(rng.choice([1, 10, 100, 1000])):
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        data = bytes(broken)
    elif how == "ending":
        name += Path(other_name).suffix
    else:
        data = {
            "cut": data[:at], "zeros": data[:at] + bytes(length) + data[at + length :], "gone": data[:at] + data[at + length :],
            "spliced": data[:at] + other[at:], "noise": data[:at] + rng.randbytes(length) + data[at + length :],
            "nuls": data.replace(b" ", b"\0 ", 50), "doubled": data + data, "front": rng.randbytes(64) + data,
        }[how]  # fmt: skip
    return f"{how}-{name}", data


def hostile(rng: random.Random, secret: Path) -> Iterator[tuple[str, Content]]:
    """`(name, content)` of each file that is made to do harm; `secret` is the path of the file that must not be read."""
    yield from _texts(rng)
    yield from _markup(secret)
    yield from _offices(secret)
    yield from _archives()
    yield from _pdfs()
    yield from _images()
    yield from _places()


def _made() -> Iterator[tuple[str, bytes]]:
    from openpyxl import Workbook
    from PIL import Image, ImageDraw
    from pptx import Presentation

    book = Workbook()
    for row in [["Part", "Torque"], ["M8", 25], ["M10", 49]]:
        book.active.append(row)
    yield "torques.xlsx", saved(book.save)
    slides = Presentation()
    slides.slides.add_slide(slides.slide_layouts[1]).shapes.title.text = "Oil change every 500 hours"
    yield "oil.pptx", saved(slides.save)
    picture = Image.new("L", (400, 60), 255)
    ImageDraw.Draw(picture).text((10, 20), "OIL LEVEL BELOW MARK 4", fill=0)
    for kind in ("png", "jpeg", "tiff"):
        yield f"plate.{kind}", saved(lambda out, kind=kind: picture.save(out, kind))
    yield "notes.zip", zipped({"a/notes.md": b"# Pump\n\nClose the valve.", "b.csv": b"code,text\nE1,stuck\n"})
    yield "notes.tgz", tarred({"a/notes.md": b"# Pump\n\nClose the valve."})
    yield "mail.eml", b"From: a@b.c\nTo: d@e.f\nSubject: Pump\nContent-Type: text/plain\n\nClose the valve.\n"
    yield "note.rtf", rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 Close the valve.\par Open it again.\par}"
    yield "config.yaml", b"pump:\n  valve: closed\n  marks: [1, 2, 3]\n"
    yield "data.json", b'{"pump": {"valve": "closed", "marks": [1, 2, 3]}}'


def _texts(rng: random.Random) -> Iterator[tuple[str, Content]]:
    line = "The valve closes at 4 bar, then the pump stops; "
    yield "one-line.txt", (line * (10 * MIB // len(line))).encode()
    for suffix in (".md", ".csv", ".js", ".html", ".rst", ".json"):
        yield f"one-line{suffix}", (line * (MIB // 2 // len(line))).encode()
    yield "no-spaces.txt", b"x" * (10 * MIB)
    yield "no-spaces-chinese.txt", ("阀" * 300_000).encode()
    yield "abbreviations.txt", b"No. 5 e.g. Fig. " * 20_000
    yield "blank-lines.txt", b"\n" * (5 * MIB) + b"end"
    yield "blanks.md", b" " * (5 * MIB) + b"end"
    yield "empty.pdf", b""
    yield "empty.docx", b""
    yield "blank.md", b" \n \n"
    yield "nul.txt", b"\0" * 4096
    yield "late-nul.txt", b"text " * 20_000 + b"\0\1\2" + b"text " * 100
    yield "noise.txt", rng.randbytes(200_000)
    yield "high-bytes.csv", bytes(range(128, 256)) * 500
    yield "utf16-odd.txt", "阀门".encode("utf-16") + b"\x41"
    yield "utf32-broken.txt", b"\xff\xfe\0\0" + rng.randbytes(4001)
    yield "surrogates.md", b"# \xed\xa0\x80\xed\xb0\x80 text"
    yield "controls.md", bytes(range(1, 32)) * 200 + b" text"
    yield "marks.md", ("a" + "\u0301" * 100_000 + " \u202e" + "x" * 500 + "\u200b" * 10_000).encode()
    yield "columns.csv", b",".join(b"c%d" % n for n in range(100_000)) + b"\n" + b"1," * 100_000
    yield "open-quote.csv", b'a,b\n"' + b"x,y\n" * 100_000
    for suffix in (".py", ".ts", ".java", ".c", ".cpp", ".rs", ".go", ".js"):
        yield f"brackets{suffix}", b"({[" * 20_000
    yield "indents.py", b"".join(b" " * n + b"if a:\n" for n in range(1500))
    yield "unlike.rs", b"@a\n" * 100_000
    yield "many.c", b"int f(void) { return 1; }\n" * 2000
    yield (
        "anchors.yaml",
        b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [*a%d,*a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60)),
    )


def _markup(secret: Path) -> Iterator[tuple[str, Content]]:
    yield "deep.json", b"[" * 100_000 + b"]" * 100_000
    yield "deep-objects.json", b'{"a":' * 50_000
    yield "deep.html", b"<html><body>" + b"<div>" * 200_000 + b"text"
    yield "deep-tables.html", b"<table><tr><td>" * 20_000 + b"text"
    yield "wide.html", b"<table><tr>" + b"<td colspan=99999 rowspan=99999>x" * 300 + b"</table>"
    yield "open-tags.html", b"<a href='" * 50_000
    yield "deep.xml", b"<a>" * 300_000 + b"text"
    yield "quotes.md", b">" * 100_000 + b" text"
    yield "brackets.md", b"[" * 50_000 + b"text"
    yield "stars.md", b"*a _b " * 30_000
    yield "links.md", b"[a](" * 50_000
    yield "lists.md", b"".join(b"  " * n + b"- x\n" for n in range(1000))
    yield "ticks.md", b"".join(b"`" * n + b" " for n in range(2000))
    yield "laughs.xml", laughs("r") + b"<r>&l9;</r>"
    yield "laughs.html", laughs("html") + b"<html><body>&l9;</body></html>"
    yield "outside.xml", outside(secret, "r") + b"<r>&o;</r>"
    yield "include.rst", f".. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n".encode()
    yield "frame.html", f"<p>x</p><iframe src='file://{secret}'></iframe><img src='file://{secret}'>".encode()
    yield "deep.rtf", rb"{\rtf1 " + b"{" * 200_000 + b"text"
    parts = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(2000))
    yield "deep.eml", b"From: a@b.c\nSubject: x\nMIME-Version: 1.0\n" + parts + b"Content-Type: text/plain\n\ntext\n"


def _offices(secret: Path) -> Iterator[tuple[str, Content]]:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = f"<w:document {space}><w:body>%s</w:body></w:document>"
    text = "<w:p><w:r><w:t>%s</w:t></w:r></w:p>"
    yield "laughs.docx", docx(laughs("w:document") + (body % text % "&l9;").encode())
    yield "outside.docx", docx(outside(secret, "w:document") + (body % text % "&o;").encode())
    yield "bomb.docx", lambda path: bomb(path, "word/document.xml", (body % "").encode(), 400 * MIB)
    nested = "<w:tbl><w:tr><w:tc>" * 5000 + text % "deep" + "</w:tc></w:tr></w:tbl>" * 5000
    yield "tables.docx", docx((body % nested).encode())
    yield "unclosed.docx", docx((body % (text % "x" * 10)).encode()[:-30])
    yield "no-parts.docx", zipped({"[Content_Types].xml": b"<Types/>"})
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s<sheetData>%s</sheetData></worksheet>'
    row = b'<row r="%d"><c r="%s" t="inlineStr"><is><t>x</t></is></c></row>'
    yield (
        "far.xlsx",
        xlsx(sheet % (b'<dimension ref="A1:XFD1048576"/>', row % (1, b"A1") + row % (1_048_576, b"XFD1048576"))),
    )
    yield "laughs.xlsx", xlsx(laughs("worksheet") + sheet % (b"", (row % (1, b"A1")).replace(b">x<", b">&l9;<")))
    yield "cells.xlsx", xlsx(sheet % (b"", b"".join(row % (n, b"A%d" % n) for n in range(1, 20_000))))
    yield "bomb.xlsx", lambda path: bomb(path, "xl/worksheets/sheet1.xml", sheet % (b"", b""), 400 * MIB)
    yield "bomb.pptx", lambda path: bomb(path, "ppt/presentation.xml", b"<p/>", 400 * MIB)
    yield "bomb.epub", lambda path: bomb(path, "META-INF/container.xml", b"<c/>", 400 * MIB)
    yield "bomb.odt", lambda path: bomb(path, "content.xml", b"<c/>", 400 * MIB)


def _archives() -> Iterator[tuple[str, Content]]:
    inner = zipped({"a.md": b"# deep\n\ntext"})
    for n in range(30):
        inner = zipped({f"{n}.zip": inner})
    yield "nested.zip", inner
    yield "bomb.zip", lambda path: bomb(path, "a.txt", b"", 800 * MIB)
    ten = zipped({f"{n}.txt": b"0" * (8 * MIB) for n in range(10)})
    yield "tenfold.zip", zipped({f"{n}.zip": ten for n in range(10)})
    names = (
        f"../../{ESCAPED}.txt",
        f"/tmp/{ESCAPED}.txt",
        f"a/../../../{ESCAPED}.md",
        f"..\\..\\{ESCAPED}.txt",
        "C:\\x.txt",
    )
    yield "paths.zip", zipped(dict.fromkeys(names, b"escaped text"))
    yield "paths.tar", tarred(dict.fromkeys(names, b"escaped text"), "")
    yield "links.tar", links()
    yield "many.zip", zipped({f"{n}.{'txt' if n % 1000 == 0 else 'bin'}": b"x" for n in range(20_000)})
    yield "twins.zip", zipped({"a.md": b"# A\n\ntext", "A.MD": b"# B\n\ntext", "a.md/b.md": b"# C\n\ntext"})
    yield "bomb.tgz", lambda path: gzip_bomb(path, 800 * MIB)
    yield "mail.zip", zipped({"x.docx": b"PK\3\4", "y.pdf": b"%PDF-1.7", "z.zip": b"PK"})
    yield "empty.zip", zipped({})


def _pdfs() -> Iterator[tuple[str, Content]]:
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    root, text = "<</Type/Catalog/Pages 2 0 R>>", b"BT /F 12 Tf 20 20 Td (Close the valve.) Tj ET"
    kids = "<</Type/Pages/Kids[%s]/Count %d>>"
    yield "loop.pdf", pdf([root, kids % ("2 0 R 3 0 R", 2), page % "200 200", text, font])
    yield "count.pdf", pdf([root, kids % ("3 0 R", 2_000_000_000), page % "200 200", text, font])
    yield "same-page.pdf", pdf([root, kids % ("3 0 R " * 3000, 3000), page % "200 200", text, font])
    yield "huge-page.pdf", pdf([root, kids % ("3 0 R", 1), page % "99999999 99999999", text, font])
    yield "no-page.pdf", pdf([root, kids % ("3 0 R", 1), page % "0 0", text, font])
    yield "bomb.pdf", pdf([root, kids % ("3 0 R", 1), page % "200 200", b" " * (300 * MIB), font])
    yield "glyphs.pdf", pdf([root, kids % ("3 0 R", 1), page % "200 200", text * 100_000, font])
    yield "lines.pdf", pdf([root, kids % ("3 0 R", 1), page % "200 200", b"0 0 m 9 9 l S\n" * 300_000 + text, font])
    outline = "<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>"
    item = "<</Title(Part)/Parent 6 0 R/Next 7 0 R/First 7 0 R/Last 7 0 R/Dest[3 0 R/Fit]>>"
    yield (
        "outline.pdf",
        pdf([outline, kids % ("3 0 R", 1), page % "200 200", text, font, "<</First 7 0 R/Last 7 0 R>>", item]),
    )
    yield "deep.pdf", pdf([root, kids % ("3 0 R", 1), "[" * 100_000, text, font])


def _images() -> Iterator[tuple[str, Content]]:
    from PIL import Image

    for name, side, data in (("claims.png", 65_000, bytes(100)), ("bomb.png", 30_000, bytes(30_000 * 3751))):
        head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
        chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b"")]
        yield (
            name,
            b"\x89PNG\r\n\x1a\n"
            + b"".join(
                struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
                for kind, body in chunks
            ),
        )
    yield "loop.tiff", b"II*\0\x08\0\0\0" + struct.pack("<HHHIIHHIII", 2, 256, 4, 1, 60_000, 257, 4, 1, 60_000, 8)
    yield "thin.png", saved(lambda out: Image.new("1", (60_000, 1)).save(out, "png"))
    frames = [Image.new("1", (40, 40), n % 2) for n in range(400)]
    yield "frames.tiff", saved(lambda out: frames[0].save(out, "tiff", save_all=True, append_images=frames[1:]))


def _places() -> Iterator[tuple[str, Content]]:
    yield "pipe.txt", lambda path: os.mkfifo(path)
    yield "itself.md", lambda path: path.symlink_to(path.name)
    yield "nowhere.pdf", lambda path: path.symlink_to("nothing-there.pdf")
    yield "device.txt", lambda path: path.symlink_to("/dev/zero")
    yield os.fsdecode(b"name-\xff\xfe.txt"), b"The name is no UTF-8."
    yield "line\nbreak.txt", b"A line breaks in the name."
    yield "n" * 230 + ".txt", b"The name is long."
    yield "阀门\u202e手册.txt", "阀门在四巴时关闭。".encode()
