"""Ruled tables of a PDF page: the grid that its lines draw, and in each cell the letters that stand in it."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ingest.readers.joining import join
from ingest.readers.pdf_characters import Characters
from ingest.readers.pdf_objects import Objects

SNAP = 3.0  # points; rules nearer than this are one
LEAST = 8.0  # points; a shorter rule is part of a drawing
MAX_RULES = 3_000  # of a page that is taken for tables, not for a drawing
MAX_CELLS = 20_000
SPREAD = 60  # characters; what a cell over several rows says is repeated in each row if it is no longer


@dataclass(slots=True)
class Table:
    """`rows` of cells, first the header; the box and `columns`, the x of each, in points of the page as it is read."""

    rows: list[list[str]]
    left: float
    top: float
    right: float
    bottom: float
    columns: list[float]


@dataclass(slots=True)
class _Rule:
    at: float  # x of an upright rule, y of a level one
    start: float
    end: float


def ruled_tables(objects: Objects, characters: Characters, gone: bytearray) -> list[Table]:
    """The page's ruled tables; their characters are marked in `gone`."""
    level, upright = _rules(objects, characters)
    if len(level) < 2 or len(upright) < 2:
        return []
    grids = [_Grid(*lines) for lines in _connected(level, upright)]
    grids = [grid for grid in grids if grid.is_table]
    if not grids:
        return []
    for i, character in enumerate(characters.text):
        if gone[i] or character.isspace():
            continue
        left, top, right, bottom = characters.ink(i)
        x, y = (left + right) / 2, (top + bottom) / 2
        for grid in grids:
            if grid.add(i, character, x, y, bottom):
                break
    tables = []
    for grid in grids:
        rows = grid.rows(characters)
        if sum(any(row) for row in rows) < 2 or max((sum(map(bool, row)) for row in rows), default=0) < 2:
            continue
        grid.take(gone, characters.text)
        tables.append(Table(rows, grid.xs[0], grid.ys[0], grid.xs[-1], grid.ys[-1], grid.xs[:-1]))
    return tables


def _rules(objects: Objects, characters: Characters) -> tuple[list[_Rule], list[_Rule]]:
    level: list[_Rule] = []
    upright: list[_Rule] = []
    for box in objects.rules[:MAX_RULES]:
        left, top, right, bottom = characters.upright(*box)
        if right - left >= bottom - top:
            level.append(_Rule((top + bottom) / 2, left, right))
        else:
            upright.append(_Rule((left + right) / 2, top, bottom))
    return _merged(level), _merged(upright)


def _merged(rules: list[_Rule]) -> list[_Rule]:
    """Rules in one line that touch, as one; what stays short goes."""
    whole: list[_Rule] = []
    for group in _near(rules):
        at = sum(r.at for r in group) / len(group)
        group.sort(key=lambda r: r.start)
        run = _Rule(at, group[0].start, group[0].end)
        for rule in group[1:]:
            if rule.start <= run.end + SNAP:
                run.end = max(run.end, rule.end)
            else:
                whole.append(run)
                run = _Rule(at, rule.start, rule.end)
        whole.append(run)
    return [rule for rule in whole if rule.end - rule.start >= LEAST]


def _near(rules: list[_Rule]) -> Iterator[list[_Rule]]:
    group: list[_Rule] = []
    for rule in sorted(rules, key=lambda r: r.at):
        if group and rule.at - group[0].at > SNAP:
            yield group
            group = []
        group.append(rule)
    if group:
        yield group


def _connected(level: list[_Rule], upright: list[_Rule]) -> list[tuple[list[_Rule], list[_Rule]]]:
    """Rules that cross or meet, directly or through others."""
    owner = list(range(len(level) + len(upright)))

    def root(i: int) -> int:
        while owner[i] != i:
            owner[i] = owner[owner[i]]
            i = owner[i]
        return i

    for i, h in enumerate(level):
        for j, v in enumerate(upright):
            if h.start - SNAP <= v.at <= h.end + SNAP and v.start - SNAP <= h.at <= v.end + SNAP:
                owner[root(i)] = root(len(level) + j)
    groups: dict[int, tuple[list[_Rule], list[_Rule]]] = {}
    for i, h in enumerate(level):
        groups.setdefault(root(i), ([], []))[0].append(h)
    for j, v in enumerate(upright):
        groups.setdefault(root(len(level) + j), ([], []))[1].append(v)
    return list(groups.values())


class _Grid:
    """Cells between connected rules; two that no rule parts are one."""

    def __init__(self, level: list[_Rule], upright: list[_Rule]) -> None:
        self.xs = [sum(r.at for r in g) / len(g) for g in _near(upright)]
        self.ys = [sum(r.at for r in g) / len(g) for g in _near(level)]
        self.is_table = len(self.xs) > 2 and len(self.ys) > 2 and len(self.xs) * len(self.ys) < MAX_CELLS
        self._level, self._upright = level, upright
        self._pieces: dict[tuple[int, int], list[tuple[int, float]]] = {}

    def add(self, i: int, character: str, x: float, y: float, bottom: float) -> bool:
        """Take in a character whose middle lies in the grid."""
        if not (self.xs[0] < x < self.xs[-1] and self.ys[0] < y < self.ys[-1]):
            return False
        cell = bisect_right(self.ys, y) - 1, bisect_right(self.xs, x) - 1
        self._pieces.setdefault(cell, []).append((i, bottom))
        return True

    def take(self, gone: bytearray, text: str) -> None:
        for piece in self._pieces.values():
            for i, _ in piece:
                gone[i] = 1

    def rows(self, characters: Characters) -> list[list[str]]:
        """Cells as text; one that spans columns stands in the first of them, one that spans rows in each if it is short."""
        across, down = len(self.xs) - 1, len(self.ys) - 1
        owner = self._owners(across, down)
        held: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for cell, piece in sorted(self._pieces.items()):
            held.setdefault(owner[cell], []).extend(piece)
        said = {cell: _cell_text(sorted(piece), characters.text) for cell, piece in held.items()}
        rows = []
        for r in range(down):
            row = []
            for c in range(across):
                at = owner[r, c]
                text = said.get(at, "")
                starts = at == (r, c) or (at[1] == c and at[0] < r and len(text) <= SPREAD and r > 1)
                row.append(text if starts else "")
            rows.append(row)
        used = [c for c in range(across) if any(row[c] for row in rows)]
        return [[row[c] for c in used] for row in rows]

    def _owners(self, across: int, down: int) -> dict[tuple[int, int], tuple[int, int]]:
        """For each cell the first of those it is one with."""
        parts_right = [_cover(self._upright, x, self.ys) for x in self.xs]
        parts_below = [_cover(self._level, y, self.xs) for y in self.ys]
        owner: dict[tuple[int, int], tuple[int, int]] = {}
        for r in range(down):
            for c in range(across):
                at = (r, c)
                if c and not parts_right[c][r]:
                    at = owner[r, c - 1]
                if r and not parts_below[r][c]:
                    at = min(at, owner[r - 1, c]) if at == (r, c) else at
                owner[r, c] = at
        return owner


def _cover(rules: list[_Rule], at: float, marks: list[float]) -> list[bool]:
    """For each gap between two marks: does a rule at `at` run over its middle?"""
    near = [r for r in rules if abs(r.at - at) <= SNAP]
    middles = [(a + b) / 2 for a, b in pairwise(marks)]
    return [any(r.start <= m <= r.end for r in near) for m in middles]


def _cell_text(piece: list[tuple[int, float]], text: str) -> str:
    """Characters in the order drawn, with the blanks between them, lines joined."""
    lines: list[str] = []
    before: tuple[int, float] | None = None
    for i, bottom in piece:
        if before is None:
            lines.append("")
        else:
            between = text[before[0] + 1 : i]
            if "\n" in between or "\r" in between or text[before[0]] in "\x02\ufffe":
                lines.append("")
            elif between:
                lines[-1] += " "
        lines[-1] += text[i]
        before = i, bottom
    return join(lines)
