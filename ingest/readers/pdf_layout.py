"""Lines of a page in the order in which people read them: columns one after the other, rows of aligned pieces as tables."""

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from ingest.readers.pdf_characters import Line
from ingest.readers.pdf_tables import Table

GUTTER = 0.8  # font sizes; a narrower blank does not part columns
MAX_DEPTH = 12
PROSE = 22  # characters of a column's lines, on average, from which it is prose and no column of a table
MAX_GAPS = 400  # looked at on one page
MAX_PIECES = 600  # ordered by white space; of more, only by place
PARTED = 5  # rows that a gutter cuts in two before they are taken for columns


@dataclass(slots=True)
class Piece:
    """What stays together when a page is ordered: lines below each other, or a table."""

    left: float
    top: float
    right: float
    bottom: float
    lines: list[Line] = field(default_factory=list)
    table: Table | None = None


def reading_order(lines: list[Line], tables: list[Table]) -> list[Piece]:
    """The page's lines and tables as a person would read them; turned lines come last."""
    level = [line for line in lines if not line.turned]
    level, aligned = _whole_rows(level) if any(a.row == b.row for a, b in pairwise(level)) else (level, [])
    pieces = _runs(level)
    for table in (*tables, *aligned):
        pieces.append(Piece(table.left, table.top, table.right, table.bottom, table=table))
    size = median(line.size for line in level) if level else 10.0
    if len(pieces) > MAX_PIECES:
        pieces.sort(key=lambda p: (p.top, p.left))
    elif not _goes_down(pieces):
        pieces = _cut(pieces, GUTTER * size, 0)
    turned = [Piece(x.left, x.top, x.right, x.bottom, [x]) for x in lines if x.turned]
    return pieces + turned


def _runs(lines: list[Line]) -> list[Piece]:
    """Lines drawn one after the other that stand below each other."""
    pieces: list[Piece] = []
    for line in lines:
        p = pieces[-1] if pieces else None
        if p and _follows(p, line):
            p.lines.append(line)
            p.left, p.right = min(p.left, line.left), max(p.right, line.right)
            p.bottom = max(p.bottom, line.bottom)
        else:
            pieces.append(Piece(line.left, line.top, line.right, line.bottom, [line]))
    return pieces


def _follows(piece: Piece, line: Line) -> bool:
    above = piece.lines[-1]
    gap = line.top - above.bottom
    overlap = min(above.right, line.right) - max(above.left, line.left)
    return -0.6 * line.height < gap < 1.5 * line.size and line.top > above.top and overlap > 0


def _goes_down(pieces: list[Piece]) -> bool:
    """Is every piece below the one before it, as on a page of one column?"""
    return all(b.top >= a.bottom - 3 for a, b in pairwise(pieces))


def _cut(pieces: list[Piece], gutter: float, depth: int) -> list[Piece]:
    """Order by white space: columns from left to right, within them bands from top to bottom."""
    if len(pieces) < 2 or depth > MAX_DEPTH:
        return pieces
    columns = _columns(pieces, gutter)
    if len(columns) > 1:
        return [p for column in columns for p in _cut(column, gutter, depth + 1)]
    bands = _bands(pieces)
    if len(bands) == 1:
        return _by_place(pieces)
    ordered: list[Piece] = []
    at = 0
    while at < len(bands):
        group, after = list(bands[at]), at + 1
        # Bands that share a gutter are columns side by side, not one line of text after the other.
        if len(_columns(group, gutter)) > 1:
            while after < len(bands) and len(_columns(group + bands[after], gutter)) > 1:
                group += bands[after]
                after += 1
        else:
            ahead = at + 1
            grown = list(group)
            while ahead < len(bands) and len(_columns(grown + bands[ahead], gutter)) > 1:
                grown += bands[ahead]
                ahead += 1
            if ahead > at + 1:
                group, after = grown, ahead
        ordered += _cut(group, gutter, depth + 1) if after - at < len(bands) else _by_place(group)
        at = after
    return ordered


def _columns(pieces: list[Piece], gutter: float) -> list[list[Piece]]:
    """Pieces parted by a blank that runs from top to bottom."""
    columns: list[list[Piece]] = []
    end = float("-inf")
    for piece in sorted(pieces, key=lambda p: p.left):
        if piece.left - end > gutter or not columns:
            columns.append([])
        columns[-1].append(piece)
        end = max(end, piece.right)
    return columns


def _bands(pieces: list[Piece]) -> list[list[Piece]]:
    bands: list[list[Piece]] = []
    end = float("-inf")
    for piece in sorted(pieces, key=lambda p: p.top):
        if piece.top >= end - 2 or not bands:
            bands.append([])
        bands[-1].append(piece)
        end = max(end, piece.bottom)
    return bands


def _by_place(pieces: list[Piece]) -> list[Piece]:
    """Pieces that no white space parts: those that stand side by side from the left, else from the top."""
    ordered: list[Piece] = []
    for piece in sorted(pieces, key=lambda p: (p.top, p.left)):
        at = len(ordered)
        while at and _is_left_of(piece, ordered[at - 1]):
            at -= 1
        ordered.insert(at, piece)
    return ordered


def _is_left_of(a: Piece, b: Piece) -> bool:
    return a.right <= b.left + 2 and min(a.bottom, b.bottom) - max(a.top, b.top) > 0


def _whole_rows(lines: list[Line]) -> tuple[list[Line], list[Table]]:
    """Pieces of rows as what they are: cells of a table, lines of two columns, or one line with a wide blank in it."""
    rows: dict[int, list[Line]] = {}
    for line in lines:
        rows.setdefault(line.row, []).append(line)
    listed = list(rows.values())
    tables, used = _aligned(listed)
    left = [row for row in listed if id(row) not in used]
    gutter = _gutter(left)
    whole: list[Line] = []
    for row in left:
        if gutter is not None and len(row) > 1 and any(a.right <= gutter <= b.left for a, b in pairwise(row)):
            whole += [
                _joined(part)
                for part in ([x for x in row if x.right <= gutter], [x for x in row if x.left >= gutter])
                if part
            ]
        else:
            whole.append(_joined(row))
    return whole, tables


def _joined(row: list[Line]) -> Line:
    if len(row) == 1:
        return row[0]
    most = max(row, key=lambda x: len(x.text))
    return Line(" ".join(x.text for x in row), min(x.left for x in row), min(x.top for x in row),
                max(x.right for x in row), max(x.bottom for x in row), most.size,
                all(x.bold for x in row), most.row, mono=all(x.mono for x in row))  # fmt: skip


def _gutter(rows: list[list[Line]]) -> float | None:
    """The x of a blank that cuts many rows into two lines of prose."""
    gaps = [(a, b) for row in rows if len(row) > 1 for a, b in pairwise(row) if b.left > a.right][:MAX_GAPS]
    best: list[tuple[Line, Line]] = []
    for a, b in gaps:
        x = (a.right + b.left) / 2
        shared = [gap for gap in gaps if gap[0].right <= x <= gap[1].left]
        if len(shared) > len(best):
            best = shared
    if len(best) < PARTED or min(sum(len(gap[side].text) for gap in best) for side in (0, 1)) < PROSE * len(best):
        return None
    return (max(a.right for a, _ in best) + min(b.left for _, b in best)) / 2


def _aligned(rows: list[list[Line]]) -> tuple[list[Table], set[int]]:
    """Tables without rules: three rows or more below each other whose pieces stand in the same columns."""
    tables: list[Table] = []
    used: set[int] = set()
    at = 0
    while at < len(rows):
        run = [rows[at]]
        while at + len(run) < len(rows) and len(rows[at]) > 1 and _is_next_row(run[-1], rows[at + len(run)]):
            run.append(rows[at + len(run)])
        table = _table(run) if len(run) > 2 else None
        if table:
            tables.append(table)
            used.update(map(id, run))
        at += len(run)
    return tables, used


def _is_next_row(above: list[Line], row: list[Line]) -> bool:
    gap = row[0].top - above[0].bottom
    return len(row) > 1 and -0.5 * row[0].size < gap < 1.5 * row[0].size


def _table(run: list[list[Line]]) -> Table | None:
    """The rows as a table, if their pieces stand in columns; its columns are those of its fullest rows."""
    most = max(map(len, run))
    columns: list[list[float]] = []
    for cell in sorted((x for row in run if len(row) > 0.7 * most for x in row), key=lambda x: x.left):
        if columns and cell.left < columns[-1][1] + 0.3 * cell.size:
            columns[-1][1] = max(columns[-1][1], cell.right)
        else:
            columns.append([cell.left, cell.right])
    if len(columns) < 2:
        return None
    rows = []
    for row in run:
        said = [""] * len(columns)
        for cell in row:
            at = next((i for i, c in enumerate(columns) if cell.left <= c[1]), len(columns) - 1)
            said[at] = f"{said[at]} {cell.text}".strip()
        rows.append(said)
    filled = sum(bool(text) for row in rows for text in row) / (len(rows) * len(columns))
    widths = [[len(row[c]) for row in rows if row[c]] for c in range(len(columns))]
    means = [sum(w) / len(w) for w in widths if w]
    marks = len(columns) == 2 and all(len(row[0]) <= 3 for row in rows)  # the numbers of a list
    if filled < 0.5 or min(means) > PROSE or marks:
        return None
    cells = [x for row in run for x in row]
    return Table(rows, min(x.left for x in cells), min(x.top for x in cells), max(x.right for x in cells),
                 max(x.bottom for x in cells), [c[0] for c in columns])  # fmt: skip
