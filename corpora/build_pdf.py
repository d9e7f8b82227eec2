"""Lay a source out as PDF: a title page or a contents page, boxed warnings, ruled tables.  Run: python corpora/build.py"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor, grey
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import BaseDocTemplate, Frame, PageBreak, PageTemplate, Paragraph, Spacer, Table
from reportlab.platypus.tableofcontents import TableOfContents

from corpora.errors import UserError

if TYPE_CHECKING:
    from corpora.build import Source

FONTS = {"Plain": "DejaVuSans.ttf", "Bold": "DejaVuSans-Bold.ttf", "Han": "DroidSansFallback*.ttf"}
WIDTH = A4[0] - 40 * mm
ALARMS = ("WARNING", "DANGER", "警告", "危险")
MANUAL_CHAPTERS = 5  # from this many chapters on: a contents page, and every chapter on a new page
STEEL, RED, PALE, PINK = HexColor("#1f3a4d"), HexColor("#a3201d"), HexColor("#e3e9ed"), HexColor("#fbeaea")


def write_pdf(path: Path, source: Source) -> None:
    """Lay the blocks out on A4; the same source always gives the same bytes."""
    for name, file in font_files(source.is_chinese).items():
        pdfmetrics.registerFont(TTFont(name, file))
    wrap, heavy = ("CJK", "Plain") if source.is_chinese else (None, "Bold")  # the Chinese font has one weight
    style = partial(ParagraphStyle, fontName="Plain", wordWrap=wrap, leading=14.5, spaceAfter=6)
    bold = partial(style, fontName=heavy, textColor=STEEL, keepWithNext=1)
    heads = [bold("h", fontSize=s, leading=1.3 * s, spaceBefore=s / 2) for s in (16, 12.5, 10.5)]
    body, item = style("body"), style("item", leftIndent=20, spaceAfter=4)
    cell = partial(style, fontSize=8.5, leading=11.5, spaceAfter=0)
    cells = [cell("head", fontName=heavy), cell("cell")]
    boxed = partial(style, borderWidth=1, borderPadding=6, leftIndent=8, rightIndent=8, spaceBefore=17, spaceAfter=18)
    note, alarm = boxed("n", borderColor=STEEL, backColor=PALE), boxed("a", borderColor=RED, backColor=PINK)
    whole = ((0, 0), (-1, -1))
    ruled = [("GRID", *whole, 0.5, grey), ("BACKGROUND", (0, 0), (-1, 0), PALE), ("VALIGN", *whole, "TOP")]
    manual = sum(block.kind == "heading" and block.level == 1 for block in source.blocks) >= MANUAL_CHAPTERS
    story: list[Any] = [Spacer(0, 20 * mm if manual else 2 * mm)]
    for line, points in ((source.author, 11), (source.title, 22), (source.number, 10)):
        story.append(Paragraph(mark(line), bold("t", fontSize=points, leading=1.4 * points)))
    if manual:
        levels = [cell("c1", fontSize=10, spaceBefore=3), cell("c2", leftIndent=14)]
        story += [Spacer(0, 8 * mm), TableOfContents(levelStyles=levels, dotsMinLevel=0, rightColumnWidth=30)]
    for block in source.blocks:
        text = mark(block.text)
        if block.kind == "break" or (manual and block.kind == "heading" and block.level == 1):
            story += [] if isinstance(story[-1], PageBreak) else [PageBreak()]
        if block.kind == "heading":
            story.append(Paragraph(text, heads[block.level - 1]))
            story[-1].listed = block.level < 3 and (block.level - 1, text)
        elif block.kind == "table":
            rows = [[Paragraph(mark(c), cells[n > 0]) for c in row] for n, row in enumerate(block.rows)]
            story.append(Table(rows, column_widths(block.rows), None, ruled, 1, spaceBefore=4, spaceAfter=10))
        elif block.kind == "box":
            story.append(Paragraph(text, alarm if block.text.startswith(ALARMS) else note))
        elif text:
            sign = {"numbered": f"{block.level}.", "bullet": "•"}.get(block.kind)
            story.append(Paragraph(text, item if sign else body, bulletText=sign))

    def decorate(canvas: Any, document: BaseDocTemplate) -> None:
        head, foot = f"{source.title}, {source.number}", f"{source.author} – Page {document.page}"
        for line, height in ((head, 283), (foot, 10)):
            paragraph = Paragraph(mark(line), cell("running", fontSize=8))
            paragraph.wrapOn(canvas, WIDTH, 12 * mm)
            paragraph.drawOn(canvas, 20 * mm, height * mm)
        canvas.line(20 * mm, 281 * mm, 190 * mm, 281 * mm)

    def list_heading(flowable: Any) -> None:
        if entry := getattr(flowable, "listed", None):
            document.notify("TOCEntry", (*entry, document.page))

    keys = {"title": source.title, "author": source.author, "subject": source.number, "lang": source.front["lang"]}
    document = BaseDocTemplate(str(path), pagesize=A4, invariant=1, **keys)
    document.afterFlowable = list_heading
    frame = Frame(20 * mm, 16 * mm, WIDTH, 262 * mm, 0, 6, 0, 6)
    document.addPageTemplates(PageTemplate(frames=[frame], onPage=decorate))
    document.multiBuild(story)


def font_files(chinese: bool) -> dict[str, Path]:
    """The font files that a PDF is set in. Raises `UserError` where one is not installed."""
    files = {}
    for name in FONTS if chinese else ("Plain", "Bold"):
        found = sorted(Path("/usr/share").glob(f"fonts*/truetype/**/{FONTS[name]}"))
        if not found:
            raise UserError(f"No font {FONTS[name]} here.", "Try: apt install fonts-dejavu-core fonts-droid-fallback")
        files[name] = found[0]
    return files


def mark(text: str) -> str:
    """Inline Markdown as platypus markup, with the characters DejaVu lacks set in the Chinese font."""
    known = pdfmetrics.getFont("Plain").face.charToGlyph
    others = "".join(sorted({char for char in text if ord(char) not in known}))
    text = re.sub(r"\*\*(.+?)\*\*", r'<font name="Bold">\1</font>', escape(text).replace("`", ""))
    return re.sub(f"[{re.escape(others)}]+", r'<font name="Han">\g<0></font>', text) if others else text


def column_widths(rows: list[list[str]]) -> list[float]:
    """Widths in proportion to the text, none narrower than its longest word (a few signs of Chinese)."""
    columns = [" ".join(column) for column in zip(*rows, strict=True)]
    words = [[len(word) if word.isascii() else min(2 * len(word), 11) for word in text.split()] for text in columns]
    floors = [min(6 * max(lengths, default=1) + 13, WIDTH / 3) for lengths in words]
    weights = [(len(text) + 1) ** 0.7 for text in columns]
    spare = max(WIDTH - sum(floors), 0) / sum(weights)
    widths = [floor + spare * weight for floor, weight in zip(floors, weights, strict=True)]
    return [width * WIDTH / sum(widths) for width in widths]
