"""A chart of an Office file as the table it was drawn from: a row for each category, a column for each series."""

from typing import Any
from zipfile import ZipFile

from lxml import etree

from ingest.readers.writer import Writer
from ingest.readers.zips import read_xml

MAX_POINTS = 2000  # of one chart; what is denser is a curve, not a table
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def write_chart(archive: ZipFile, name: str, writer: Writer, page: int | None = None) -> None:
    """Append the title and the table of the chart in the entry `name`, from the figures that are stored in it."""
    root = read_xml(archive, name)
    if root is None:
        return
    title = root.find("{*}chart/{*}title")
    if title is not None:
        writer.paragraph("".join(t.text or "" for t in title.iter(A + "t", "{*}v")), page)
    series = list(root.iter("{*}ser"))
    names = ["".join(v.text or "" for v in one.iterfind("{*}tx//{*}v")) for one in series]
    values = [_points(one, "val", "yVal") for one in series]
    categories: dict[int, str] = {}
    for one in series:
        categories = {**_points(one, "cat", "xVal"), **categories}
    places = sorted({at for points in values for at in points})
    if len(places) * len(series) > MAX_POINTS:
        writer.note("charts left out")
        return
    rows = [[categories.get(at, ""), *(points.get(at, "") for points in values)] for at in places]
    if rows:
        writer.table([["", *names], *rows], page)


def _points(series: etree._Element, *names: str) -> dict[int, str]:
    """Place → what is stored there; of categories in levels, the lowest."""
    for name in names:
        held: Any = series.find(f"{{*}}{name}")
        if held is not None:
            level = held.find(".//{*}lvl")
            points = (level if level is not None else held).iter("{*}pt")
            return {
                int(p.get("idx", "0")): _figure(p.findtext("{*}v") or "")
                for p in points
                if p.get("idx", "0").isdecimal()
            }
    return {}


def _figure(text: str) -> str:
    """4.2999999999999998, as it is stored, is 4.3."""
    try:
        return f"{float(text):.10g}" if "." in text and len(text) > 10 else text
    except ValueError:
        return text
