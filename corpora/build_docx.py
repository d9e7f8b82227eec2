"""Write a source as DOCX: headings, lists, tables, the rules of form of an official document.  Run: python corpora/build.py"""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import docx
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.enum.text import WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph

from corpora.errors import UserError

if TYPE_CHECKING:
    from corpora.build import Block, Source

SAVED = datetime(2025, 12, 1, 9)  # stands for the time of saving, so that a rebuild changes no byte
SONG, FANG, HEI, KAI = "方正小标宋简体", "仿宋", "黑体", "楷体"
RED, BLACK = RGBColor(0xE0, 0, 0), RGBColor(0, 0, 0)
EM = 16  # the width of one character of the official body size, in points
OFFICIAL_STYLES = {"Normal": (FANG, 16), "Title": (SONG, 22), "Subtitle": (KAI, 16),
                   "Heading 1": (HEI, 16), "Heading 2": (KAI, 16)}  # fmt: skip
LIST_STYLES = {"bullet": "List Bullet", "numbered": "List", "box": "Intense Quote"}


class Part(NamedTuple):
    """How one part of an official document is set; indents and space in characters."""

    style: str = "Normal"
    font: str = FANG
    size: float = 16
    align: Any = ALIGN.LEFT
    left: float = 0
    right: float = 0
    before: float = 0
    colour: RGBColor = BLACK


# The first seven come from the front block, the others are named in the body.
PARTS = {
    "书名": Part("Title", SONG, 26, ALIGN.CENTER, before=2),  # title of a handbook
    "副题": Part("Subtitle", KAI, align=ALIGN.CENTER),  # subtitle
    "标志": Part(font=SONG, size=34, align=ALIGN.CENTER, before=2, colour=RED),  # masthead
    "函标志": Part(font=SONG, size=34, align=ALIGN.CENTER, colour=RED),  # masthead of a letter
    "文号": Part(align=ALIGN.CENTER, before=2),  # number
    "函号": Part(align=ALIGN.RIGHT),  # number of a letter
    "标题": Part("Title", SONG, 22, ALIGN.CENTER, before=2),  # title
    "主送": Part(before=1),  # addressees
    "附件说明": Part(left=2, before=1),  # list of attachments
    "附件续": Part(left=5),  # its further lines
    "署名": Part(align=ALIGN.RIGHT, right=2, before=2),  # issuing body
    "日期": Part(align=ALIGN.RIGHT, right=4),  # date
    "附注": Part(left=2),  # note, such as whom to call
    "附件号": Part(font=HEI),  # number of an attachment
    "附件题": Part("Heading 1", SONG, 22, ALIGN.CENTER, before=1),  # its title
    "版记": Part(size=14, left=1, right=1),  # imprint
}


def write_docx(path: Path, source: Source) -> None:
    """Write the blocks; the same source always gives the same bytes."""
    document = docx.Document()
    core = document.core_properties
    core.title, core.subject, core.comments = source.title, source.number, ""
    core.author = core.last_modified_by = source.author
    core.language = "zh-CN" if source.is_chinese else "en"
    core.created = core.modified = SAVED
    begin, add = (begin_official, add_official) if source.is_official else (begin_plain, add_plain)
    begin(document, source)
    imprint, new_page = [], False
    for block in source.blocks:
        if block.kind != "break":
            paragraph = add(document, block)
            paragraph.paragraph_format.page_break_before = new_page or None
            imprint += [paragraph] if block.part == "版记" else []
        new_page = block.kind == "break"
    if imprint:  # thick rules outside, a thin one between
        imprint[0].paragraph_format.space_before = Pt(3 * EM)
        add_rule(imprint[0], "top", "single", 8, BLACK)
        add_rule(imprint[-1], "top", "single", 6, BLACK)
        add_rule(imprint[-1], "bottom", "single", 8, BLACK)
    document.save(packed := io.BytesIO())
    with zipfile.ZipFile(packed) as read, zipfile.ZipFile(path, "w") as write:
        for name in read.namelist():
            entry = zipfile.ZipInfo(name, SAVED.timetuple()[:6])
            entry.create_system = 0  # the same on every operating system
            write.writestr(entry, read.read(name), zipfile.ZIP_DEFLATED)


def begin_plain(document: Document, source: Source) -> None:
    """The styles, title and number of a manual, a contract or a policy."""
    for name in ("Title", "Heading 1", "Heading 2", "Heading 3"):
        set_font(document.styles[name], "Arial", HEI)
    set_font(document.styles["Normal"], "Times New Roman", "宋体")
    document.styles["Normal"].font.size = Pt(11)
    document.add_heading(source.title, 0)
    if source.number:
        document.sections[0].header.paragraphs[0].text = f"{source.title}, {source.number}"
        document.add_paragraph(f"{source.author}, {source.number}")


def add_plain(document: Document, block: Block) -> Paragraph:
    if block.kind == "table":
        first = add_table(document, block.rows)
        document.add_paragraph()  # or Word would join two tables in a row
        return first
    if block.kind == "heading":
        return document.add_heading(block.text, block.level)
    paragraph = document.add_paragraph(f"{block.level}.\t" * (block.level > 0), LIST_STYLES.get(block.kind, "Normal"))
    add_runs(paragraph, block.text)
    return paragraph


def begin_official(document: Document, source: Source) -> None:
    """The page, the styles and the head of an official document."""
    masthead = source.front.get("masthead", "")
    letter = bool(masthead) and not masthead.endswith("文件")  # a letter's masthead is the sender's bare name
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(30 if letter else 37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    section.footer_distance = Mm(25)
    section.different_first_page_header_footer = letter
    document.settings.odd_and_even_pages_header_footer = True
    add_page_number(section.footer.paragraphs[0], ALIGN.RIGHT)
    add_page_number(section.even_page_footer.paragraphs[0], ALIGN.LEFT)
    for name, (font, size) in OFFICIAL_STYLES.items():
        style = document.styles[name]
        set_official(style, font, size)
        layout = style.paragraph_format
        layout.space_before = layout.space_after = Pt(0)
        layout.line_spacing_rule, layout.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(28.95)
        if (lines := style.element.pPr.find(qn("w:pBdr"))) is not None:
            style.element.pPr.remove(lines)
    if not masthead:
        add_part(document, "书名", source.title)
        add_part(document, "副题", source.front.get("subtitle", ""))
        return
    head = add_part(document, "函标志" if letter else "标志", masthead)
    number = add_part(document, "函号" if letter else "文号", source.number)
    if letter:
        add_rule(head, "bottom", "thickThinSmallGap", 24, RED)
    else:
        add_rule(number, "bottom", "single", 12, RED)
    add_part(document, "标题", source.title)


def add_official(document: Document, block: Block) -> Paragraph:
    if block.kind == "table":
        return add_table(document, block.rows, official=True)
    if block.part:
        return add_part(document, block.part, block.text)
    style = f"Heading {block.level}" if block.kind == "heading" else "Normal"
    paragraph = document.add_paragraph(block.text, style)
    paragraph.paragraph_format.first_line_indent = Pt(2 * EM)
    return paragraph


def add_part(document: Document, name: str, text: str) -> Paragraph:
    if not (part := PARTS.get(name)):
        raise UserError(f"{text[:40]!r} is marked {name!r}, which is no part.", f"Known parts: {' '.join(PARTS)}")
    paragraph = document.add_paragraph(style=part.style)
    set_official(paragraph.add_run(text), part.font, part.size, part.colour)
    layout = paragraph.paragraph_format
    layout.alignment, layout.first_line_indent = part.align, Pt(0)
    layout.left_indent, layout.right_indent = Pt(part.left * EM), Pt(part.right * EM)
    layout.space_before = Pt(part.before * EM)
    if part.size > 20:
        layout.line_spacing = Pt(part.size * 1.5)
    return paragraph


def add_table(document: Document, rows: list[list[str]], official: bool = False) -> Paragraph:
    """Add a table whose first row is its header, repeated on each page; the first cell's paragraph."""
    table = document.add_table(len(rows), len(rows[0]), "Table Grid")
    for line, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(line.cells, texts, strict=True):
            paragraph, is_head = cell.paragraphs[0], texts is rows[0]
            add_runs(paragraph, text)
            for run in paragraph.runs:
                if official:
                    set_official(run, HEI if is_head else FANG, 12)
                elif is_head:
                    run.bold = True
            if official:
                paragraph.paragraph_format.line_spacing = Pt(20)
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    return table.cell(0, 0).paragraphs[0]


def add_runs(paragraph: Paragraph, text: str) -> None:
    """Add text to a paragraph, what stands between ** in bold."""
    for i, piece in enumerate(text.replace("`", "").split("**")):
        if piece:
            paragraph.add_run(piece).bold = True if i % 2 else None


def add_rule(paragraph: Paragraph, side: str, kind: str, eighths: int, colour: RGBColor) -> None:
    """Draw a line above or below a paragraph; its weight in eighths of a point."""
    properties = paragraph._p.get_or_add_pPr()
    edges = properties.find(qn("w:pBdr"))
    if edges is None:
        edges = OxmlElement("w:pBdr")
        properties.insert_element_before(edges, "w:shd", "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr")
    edge = OxmlElement(f"w:{side}")
    for name, value in (("val", kind), ("sz", eighths), ("space", 1), ("color", colour)):
        edge.set(qn(f"w:{name}"), str(value))
    edges.append(edge)


def add_page_number(paragraph: Paragraph, alignment: Any) -> None:
    """Write `— N —`, where Word counts N."""
    paragraph.alignment = alignment
    for kind, text in (("", "— "), ("begin", ""), ("instr", "PAGE"), ("end", ""), ("", " —")):
        run = paragraph.add_run("" if kind else text)
        set_official(run, "宋体", 14)
        if kind == "instr":
            instruction = OxmlElement("w:instrText")
            instruction.text = text
            run._r.append(instruction)
        elif kind:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)


def set_official(target: Any, font: str, size: float, colour: RGBColor = BLACK) -> None:
    """Give a run or a style one font for Chinese and Latin text, upright and not bold."""
    set_font(target, font, font)
    target.font.size, target.font.bold, target.font.italic = Pt(size), False, False
    target.font.color.rgb = colour


def set_font(target: Any, latin: str, chinese: str) -> None:
    """Give a run or a style its two fonts, in place of the theme's."""
    target.font.name = latin
    fonts = target._element.get_or_add_rPr().get_or_add_rFonts()
    for name in [name for name in fonts.attrib if name.endswith("Theme")]:
        del fonts.attrib[name]
    fonts.set(qn("w:eastAsia"), chinese)
