"""XLSX, row by row: a sheet is a heading, its cells stand as they are shown, what is hidden stays out.

Dates and number formats are openpyxl's; the rows are read by lxml, in a fifth of the time and from files that openpyxl refuses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from lxml import etree
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils import column_index_from_string, range_boundaries
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

from corpora import UserError
from ingest.readers.charts import write_chart
from ingest.readers.grid import MAX_CELLS, Cell, Grid
from ingest.readers.writer import Writer
from ingest.readers.zips import open_zip, read_xml, related

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)(?:-[^\]]*)?\]')
NUMBER = re.compile(r"[#0?][#0?,]*(?:\.([0#?]+))?")
YES = ("1", "true")


def read(path: Path, writer: Writer) -> None:
    with open_zip(path, "XLSX") as archive:
        main = next(iter(related(archive, "", "officeDocument").values()), "")
        root = read_xml(archive, main)
        if root is None or etree.QName(root).localname != "workbook":
            raise UserError(
                "The file is no Excel workbook, whatever its name says.", "Give it the ending of its true kind."
            )
        book = _Book.of(archive, main, root)
        places = related(archive, main, "worksheet")
        for sheet in root.iterfind("{*}sheets/{*}sheet"):
            place = next((places[value] for value in sheet.attrib.values() if value in places), "")
            if sheet.get("state", "visible") != "visible":
                writer.note("hidden sheets left out")
            elif place in archive.NameToInfo:
                _write_sheet(book, sheet.get("name", ""), place, writer)
        for entry in archive.namelist():
            if re.search(r"(?:^|/)comments\d*\.xml$", entry):
                writer.note("comments left out", archive.read(entry).count(b"<comment "))


@dataclass(slots=True)
class _Book:
    """What the cells of a workbook share."""

    archive: ZipFile
    strings: list[str]
    formats: list[str]  # by the number of a cell's style
    epoch: datetime
    cells: int = 0  # read so far

    @classmethod
    def of(cls, archive: ZipFile, main: str, root: etree._Element) -> "_Book":
        strings: list[str] = []
        for place in related(archive, main, "sharedStrings").values():
            if place in archive.NameToInfo:
                strings = [_said(one) for one in _elements(archive, place, "{*}si")]
        formats: list[str] = []
        for place in related(archive, main, "styles").values():
            styles = read_xml(archive, place)
            if styles is not None:
                own = {f.get("numFmtId"): f.get("formatCode", "") for f in styles.iterfind("{*}numFmts/{*}numFmt")}
                ids = [xf.get("numFmtId", "0") for xf in styles.iterfind("{*}cellXfs/{*}xf")]
                formats = [own.get(n) or str(BUILTIN_FORMATS.get(_whole(n), "General")) for n in ids]
        properties = root.find("{*}workbookPr")
        mac = properties is not None and properties.get("date1904") in YES
        return cls(archive, strings, formats, CALENDAR_MAC_1904 if mac else CALENDAR_WINDOWS_1900)

    def cell(self, element: etree._Element) -> tuple[Cell | None, bool]:
        """What a cell shows, or None; and whether it holds a formula whose result was never stored."""
        raw, inline, formula = "", "", False
        for child in element:
            tag = etree.QName(child).localname
            if tag == "v":
                raw = child.text or ""
            elif tag == "is":
                inline = _said(child)
            elif tag == "f":
                formula = True
        kind = element.get("t", "n")
        if kind == "inlineStr":
            return (Cell(inline.strip()) if inline.strip() else None), False
        if not raw.strip():
            return None, formula and not raw
        if kind == "s":
            at = _whole(raw)
            text = self.strings[at].strip() if at < len(self.strings) else ""
            return (Cell(text) if text else None), False
        if kind in ("str", "e"):
            return Cell(raw.strip()), False
        if kind == "d":
            return Cell(raw.strip().removesuffix("T00:00:00"), True), False
        style = _whole(element.get("s", "0"))
        form = self.formats[style] if style < len(self.formats) else "General"
        return Cell(shown_as(self._value(raw, kind, form), form), True), False

    def _value(self, raw: str, kind: str, form: str) -> Any:
        if kind == "b":
            return raw.strip() in YES
        try:
            number = int(raw) if raw.lstrip("-").isdecimal() and len(raw) < 16 else float(raw)
            if is_date_format(form):
                return from_excel(number, self.epoch, timedelta=is_timedelta_format(form))
        except (ValueError, OverflowError, TypeError):
            return raw
        return number


def _write_sheet(book: _Book, name: str, place: str, writer: Writer) -> None:
    grid = _read_sheet(book, place, writer)
    if grid.rows:
        writer.heading(1, name)
        grid.write(writer)
    for drawing in related(book.archive, place, "drawing").values():
        _boxes(book.archive, drawing, writer)
        for chart in related(book.archive, drawing, "chart").values():
            write_chart(book.archive, chart, writer)


def _boxes(archive: ZipFile, drawing: str, writer: Writer) -> None:
    """The paragraphs of the text boxes that lie on a sheet."""
    root = read_xml(archive, drawing)
    for body in root.iter("{*}txBody") if root is not None else ():
        if not any(above.tag == FALLBACK for above in body.iterancestors()):
            for paragraph in body.iter(f"{A}p"):
                writer.paragraph("".join(text.text or "" for text in paragraph.iter(f"{A}t")))


def _read_sheet(book: _Book, place: str, writer: Writer) -> Grid:
    grid = Grid()
    shut: list[tuple[int, int]] = []
    number = bare = 0
    several = False  # whether a row of several cells was met: what stands alone before it is a title
    for element in _elements(book.archive, place, "{*}row", "{*}col", "{*}mergeCell"):
        tag = etree.QName(element).localname
        if tag == "col":
            if element.get("hidden") in YES:
                shut.append((_whole(element.get("min", "0")), _whole(element.get("max", "0"))))
        elif tag == "mergeCell":
            left, top, right, bottom = range_boundaries(element.get("ref"))
            grid.merged.append((top, left, bottom, right))
        else:
            number = _whole(element.get("r", "")) or number + 1
            filled: dict[int, Cell] = {}
            column, known = 0, bare
            for one in element:
                column = _column(one.get("r", "")) or column + 1
                cell, unstored = book.cell(one)
                bare += unstored
                if cell is not None and cell.text.startswith(
                    ("=DISPIMG(", "=_xlfn.DISPIMG(")
                ):  # a picture, as WPS keeps it
                    writer.note("pictures in cells left out")
                elif cell is not None:
                    filled[column] = cell
            if filled and element.get("hidden") in YES:
                writer.note("hidden rows left out")
            elif several and bare > known and [cell.figure for cell in filled.values()] == [False]:
                pass  # "Total" beside sums that were never stored says nothing
            elif filled:
                several = several or len(filled) > 1
                grid.rows[number] = filled
                book.cells += len(filled)
                if book.cells > MAX_CELLS:
                    raise UserError(f"The workbook has more than {MAX_CELLS:,} filled cells.", "Split it.")
    writer.note("formulas without a stored value left out", bare)
    hidden = (
        {column for row in grid.rows.values() for column in row if any(a <= column <= b for a, b in shut)}
        if shut
        else set()
    )
    writer.note("hidden columns left out", len(hidden))
    if hidden:
        grid.shut = hidden
        for row in grid.rows.values():
            for column in hidden:
                row.pop(column, None)
    return grid


def _elements(archive: ZipFile, place: str, *tags: str) -> Iterator[etree._Element]:
    """The elements of these tags as they end, each forgotten before the next: a sheet is larger than its table."""
    with archive.open(place) as source:
        for _, element in etree.iterparse(source, tag=tags, resolve_entities=False, no_network=True, huge_tree=False):
            yield element
            element.clear()
            while element.getprevious() is not None and element.getparent() is not None:
                del element.getparent()[0]


def _said(element: etree._Element) -> str:
    """The text of a string in all its runs, less how its characters are read aloud."""
    return "".join(t.text or "" for t in element.iter("{*}t") if etree.QName(t.getparent()).localname != "rPh")


def _column(place: str) -> int:
    """C7 → 3; 0 where the cell does not say."""
    letters = place.rstrip("0123456789")
    return int(column_index_from_string(letters)) if letters.isalpha() and len(letters) <= 3 else 0


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def shown_as(value: Any, number_format: str = "General") -> str:
    """A cell's value much as its format shows it: 45%, 1,234.50, 007, 2024-03-05, 2024年3月5日."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (datetime, date, time, timedelta)):
        return _moment(value, number_format)
    if isinstance(value, (int, float)):
        return _figure(value, number_format)
    return str(value).strip()


def _moment(value: datetime | date | time | timedelta, number_format: str) -> str:
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")
    text = ""
    if isinstance(value, date):  # and so a datetime
        year, month, day = f"{value.year:04}", f"{value.month:02}", f"{value.day:02}"
        form = re.sub(r'["\\]', "", number_format.lower())
        if "年" in form:
            text = f"{value.year}年{value.month}月" + (f"{value.day}日" if "d" in form else "")
        elif "m" in form and "d" not in form and "y" in form and "h" not in form:
            text = f"{year}-{month}"
        else:
            text = f"{year}-{month}-{day}"
    if isinstance(value, time) or (isinstance(value, datetime) and (value.hour or value.minute or value.second)):
        clock = f"{value.hour:02}:{value.minute:02}" + (f":{value.second:02}" if value.second else "")
        text = f"{text} {clock}".strip()
    return text


def _figure(value: int | float, number_format: str) -> str:
    """A number by the section of its format that holds for it; a format not understood leaves it plain."""
    sections = number_format.split(";")
    section = sections[0]
    if value < 0 and len(sections) > 1 and NUMBER.search(sections[1]):
        section, value = sections[1], -value
    before, after = "", ""
    literals: dict[int, str] = {}

    def keep(found: re.Match[str]) -> str:
        literals[len(literals)] = found[1] or found[2] or found[3] or ""
        return chr(0xE000 + len(literals) - 1)

    form = LITERAL.sub(keep, section)
    form = re.sub(r"_.|\*.|\[[^\]]*\]", "", form)  # blanks as wide as a character, fillers, colours and conditions
    found = NUMBER.search(form)
    if not found or re.search(r"[eE][+-]|/|General", form):
        return _plain(value)
    before, after = (
        "".join(literals.get(ord(c) - 0xE000, c) for c in part) for part in (form[: found.start()], form[found.end() :])
    )
    places = len(found[1]) if found[1] else 0
    with localcontext(prec=400):  # halves go up, as in the program that shows them; binary fractions would go either way
        exact = Decimal(repr(value)) * (100 if "%" in after else 1)
        shown = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    digits = f"{shown:,f}" if "," in found[0] else f"{shown:f}"
    if found[1] and found[1].endswith("#"):
        digits = digits.rstrip("0").rstrip(".")
    whole = found[0].partition(".")[0]
    if set(whole) == {"0"} and len(whole) > 1:  # codes: 007
        digits = digits.zfill(len(whole) + (places + 1 if places else 0))
    if found[0].endswith(","):  # shown in thousands: what is shown is not the value, so the value stands
        return _plain(value)
    return f"{before}{digits}{after}".strip()


def _plain(value: int | float) -> str:
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return str(int(value))
    text = f"{value:.10g}"
    return text if "e" not in text else f"{value:.15f}".rstrip("0") if 1e-9 < abs(value) < 1 else text
