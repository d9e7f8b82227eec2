"""What is drawn on a page of a PDF beside its letters: rules, boxes and pictures; and which texts may not be seen."""

from collections.abc import Iterator
from ctypes import c_float, c_int, c_uint, c_void_p, cast
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

from ingest.readers.upright import Box

MAX_OBJECTS = 20_000  # looked at on one page; a map or a drawing may have more
MAX_POINTS = 400  # of one path that may be a grid
MAX_DEPTH = 6  # of forms within forms
THIN = 3.0  # points; a thicker bar is a box
WHITE = 250  # of 255
FEWEST_RULES = 4  # from which a page may hold a ruled table
INVISIBLE = (3, 7)  # text render modes: neither filled nor stroked
Matrix = tuple[float, float, float, float, float, float]
IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(slots=True)
class Objects:
    """All boxes are `(left, bottom, right, top)` in the PDF's own coordinates."""

    rules: list[Box] = field(default_factory=list)  # no thicker than THIN, one way or the other
    backgrounds: list[Box] = field(default_factory=list)  # coloured boxes and pictures, on which white letters show
    doubtful: dict[int, bool] = field(default_factory=dict)  # text objects by address: drawn white (True) or not at all
    pictured: float = 0.0  # which part of the page its largest picture covers
    shown: int = 0  # text objects drawn as usual
    drawn: int = 0  # objects that are no text

    @property
    def ruled(self) -> bool:
        return len(self.rules) >= FEWEST_RULES

    def is_hidden(self, at: int, character: Box) -> bool:
        """Does nobody see this doubtful text? White may stand on a colour; text not drawn may lie over a scan of it."""
        if not self.doubtful[at]:
            return self.pictured < 0.5 or self.shown > len(self.doubtful)
        x, y = (character[0] + character[2]) / 2, (character[1] + character[3]) / 2
        return not any(left <= x <= right and bottom <= y <= top for left, bottom, right, top in self.backgrounds)


def address(pointer: Any) -> int:
    return cast(pointer, c_void_p).value or 0


def page_objects(page: Any) -> Objects:
    found = Objects()
    left, bottom, right, top = page.get_bbox()
    area = max((right - left) * (top - bottom), 1.0)
    f = (c_float(), c_float(), c_float(), c_float())
    c = (c_uint(), c_uint(), c_uint(), c_uint())
    for obj, kind, matrix in _walk(page.raw):
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            mode = pdfium.FPDFTextObj_GetTextRenderMode(obj)
            pdfium.FPDFPageObj_GetFillColor(obj, *c)
            if mode in INVISIBLE or c[3].value < 12:
                found.doubtful[address(obj)] = False
            elif mode == 0 and c[0].value >= WHITE and c[1].value >= WHITE and c[2].value >= WHITE:
                found.doubtful[address(obj)] = True
            else:
                found.shown += 1
            continue
        found.drawn += 1
        if not pdfium.FPDFPageObj_GetBounds(obj, *f):
            continue
        box = f[0].value, f[1].value, f[2].value, f[3].value
        if matrix is not IDENTITY:
            box = _moved(box, matrix)
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            _path(obj, box, matrix, found)
        elif kind in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING):
            found.backgrounds.append(box)
            if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                inside = max(0.0, min(box[2], right) - max(box[0], left)) * max(
                    0.0, min(box[3], top) - max(box[1], bottom)
                )
                found.pictured = max(found.pictured, inside / area)
    return found


def _walk(page: Any) -> Iterator[tuple[Any, int, Matrix]]:
    """Every object of the page, in forms too, with its kind and what moves its form onto the page."""
    left = MAX_OBJECTS
    m = pdfium.FS_MATRIX()
    queue: list[tuple[Any, Matrix, int]] = [(None, IDENTITY, 0)]
    while queue and left > 0:
        form, matrix, depth = queue.pop()
        count = pdfium.FPDFFormObj_CountObjects(form) if form else pdfium.FPDFPage_CountObjects(page)
        for i in range(min(count, left)):
            obj = pdfium.FPDFFormObj_GetObject(form, i) if form else pdfium.FPDFPage_GetObject(page, i)
            kind = pdfium.FPDFPageObj_GetType(obj)
            left -= 1
            if kind != pdfium.FPDF_PAGEOBJ_FORM:
                yield obj, kind, matrix
            elif depth < MAX_DEPTH:
                pdfium.FPDFPageObj_GetMatrix(obj, m)
                queue.append((obj, _after((m.a, m.b, m.c, m.d, m.e, m.f), matrix), depth + 1))


def _path(obj: Any, box: Box, matrix: Matrix, found: Objects) -> None:
    """Sort a path into rules and coloured boxes; the edges of a box are rules too."""
    wide, high = box[2] - box[0], box[3] - box[1]
    if wide <= THIN or high <= THIN:
        if max(wide, high) > THIN:
            found.rules.append(box)
        return
    fill, stroke = c_int(), c_int()
    pdfium.FPDFPath_GetDrawMode(obj, fill, stroke)
    c = (c_uint(), c_uint(), c_uint(), c_uint())
    coloured = False
    if fill.value:
        pdfium.FPDFPageObj_GetFillColor(obj, *c)
        coloured = c[3].value > 12 and min(c[0].value, c[1].value, c[2].value) < WHITE
        if coloured:
            found.backgrounds.append(box)
    if not (stroke.value or coloured):
        return
    points = pdfium.FPDFPath_CountSegments(obj)
    if points > MAX_POINTS:
        return
    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(obj, own)
    whole = _after((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
    found.rules.extend(_edges(obj, points, whole))


def _edges(obj: Any, points: int, matrix: Matrix) -> Iterator[Box]:
    """The straight level and upright lines of a path; of one with a curve none."""
    x, y = c_float(), c_float()
    edges: list[Box] = []
    start = at = (0.0, 0.0)
    for i in range(points):
        segment = pdfium.FPDFPath_GetPathSegment(obj, i)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_BEZIERTO:
            return
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        a, b, c, d, e, f = matrix
        to = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = to
        else:
            edges.append((*at, *to))
        if pdfium.FPDFPathSegment_GetClose(segment):
            edges.append((*to, *start))
        at = to
    for x0, y0, x1, y1 in edges:
        if abs(x1 - x0) < 1 or abs(y1 - y0) < 1:
            yield min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _moved(box: Box, m: Matrix) -> Box:
    xs = [m[0] * x + m[2] * y + m[4] for x in (box[0], box[2]) for y in (box[1], box[3])]
    ys = [m[1] * x + m[3] * y + m[5] for x in (box[0], box[2]) for y in (box[1], box[3])]
    return min(xs), min(ys), max(xs), max(ys)


def _after(inner: Matrix, outer: Matrix) -> Matrix:
    """First `inner`, then `outer`."""
    a, b, c, d, e, f = inner
    A, B, C, D, E, F = outer
    return (a * A + b * C, a * B + b * D, c * A + d * C, c * B + d * D, e * A + f * C + E, e * B + f * D + F)
