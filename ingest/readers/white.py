"""Letters of a Word document that nobody sees: white on white, or too small."""

import re
from typing import Any

from docx.oxml.ns import qn

WHITE = re.compile("(?:[fF][a-fA-F0-9]){3}")  # nearly, too
SMALLEST = 3  # half points
FRAMES = {qn("w:r"): qn("w:rPr"), qn("w:p"): qn("w:pPr"), qn("w:tc"): qn("w:tcPr"), qn("w:tbl"): qn("w:tblPr")}


def is_white(properties: Any, otherwise: bool = False) -> bool:
    """Does `w:rPr` make letters white? `otherwise`: what a style says of those whose colour it leaves open."""
    colour = properties.find(qn("w:color")) if properties is not None else None
    if colour is None:
        return otherwise
    theme = colour.get(qn("w:themeColor"))
    if theme is not None:
        return theme in ("background1", "light1") and colour.get(qn("w:themeShade")) is None
    return WHITE.fullmatch(colour.get(qn("w:val"), "")) is not None


def is_small(properties: Any) -> bool:
    size = properties.find(qn("w:sz")) if properties is not None else None
    value = size.get(qn("w:val"), "") if size is not None else ""
    return value.isdecimal() and int(value) < SMALLEST


def is_painted(properties: Any) -> bool:
    """Do properties, or a style, put a shade or a highlight other than white behind letters?"""
    if properties is None:
        return False
    shades = (shade.get(qn("w:fill"), "auto") for shade in properties.iter(qn("w:shd")))
    marks = (mark.get(qn("w:val"), "none") for mark in properties.iter(qn("w:highlight")))
    return any(s != "auto" and not WHITE.fullmatch(s) for s in shades) or any(m not in ("none", "white") for m in marks)


def stands_on_colour(run: Any) -> bool:
    """Is anything painted behind a run: by itself, its paragraph, cell or table, by a box around it, on the whole page?"""
    if any(True for _ in run.iterancestors(qn("w:txbxContent"))):
        return True  # boxes are filled by the drawing that they are part of
    if any(is_painted(part.find(FRAMES[part.tag])) for part in (run, *run.iterancestors(*FRAMES))):
        return True
    page = run.getroottree().getroot().find(qn("w:background"))
    return page is not None and not WHITE.fullmatch(page.get(qn("w:color"), "FFFFFF"))
