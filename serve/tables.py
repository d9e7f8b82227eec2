"""A sentence that reads a table: the figure of another column, or of another row than the one it names.

Part of the citation check.
"""

import re

from ingest.tokens import fold, tokens
from serve.alignment import match, within
from serve.quantities import Quantity, quantities, same, units
from serve.reading import Term, reading
from serve.wording import content, pairs

RULE = re.compile(r"[\s|:-]+")
EXTREMES = [  # a row is too short to be laid beside a clause, and one word of it tells it from its neighbour
    (re.compile(a, re.I), re.compile(b, re.I))
    for a, b in (
        (r"\bmin(?:imum)?\b|\bsmallest\b|\blowest\b", r"\bmax(?:imum)?\b|\bgreatest\b|\bhighest\b"),
        ("最小|最低|最少|最短", "最大|最高|最多|最长"),
    )
]


def wrong_column(sentence: str, span: str, context: str) -> str:
    """A figure that stands under another column than those which the sentence names."""
    header, cells = _row(span, context)
    if not header:
        return ""
    folded, said = fold(sentence), set(tokens(sentence))
    amounts = {q.value for q in quantities(sentence) if q.value > 1 or folded[q.start : q.end].strip().isdecimal()}  # but not one of them
    named = {n for n, name in enumerate(header) if (label := set(pairs(name) or content(name))) and label <= said}
    values = [{q.value for q in quantities(cell)} for cell in cells]
    common = {v for n, own in enumerate(values) for v in own if any(v in other for other in values[n + 1 :])}
    holds = {n for n, own in enumerate(values) if (own - common) & amounts}
    figures = {n for n, cell in enumerate(cells) if any(q.dimension or not q.value < 2 for q in quantities(cell))}
    labels = [set(pairs(name) or content(name)) for name in header]
    others = set().union(*(labels[n] for n in holds - named)) - set().union(*(labels[n] for n in named))
    torn = {n for n in named & figures & holds if len(values[n]) > 1 and not values[n] <= amounts}  # said in part, as half a range
    if holds - named and ((named & figures) - holds or torn) and not others & said:
        return f"a figure of another column: {header[min(holds - named)].strip()}"
    return ""


def _row(span: str, context: str) -> tuple[list[str], list[str]]:
    """Header and cells of the table row that the span is; nothing where it is none."""
    header = re.split(r": | › | > ", fold(context))[-1].strip().strip("|").split("|")
    cells = fold(span).strip().strip("|").split("|")
    return (header, cells) if 2 <= len(header) == len(cells) and "\n" not in span.strip() else ([], [])


def wrong_cell(sentence: str, span: str, context: str) -> str:
    """A column that the sentence names while it says nothing of what stands under it in the row that is the span."""
    header, cells = _row(span, context)
    said, amounts = set(tokens(sentence)), {q.value for q in quantities(sentence)}
    for name, cell in zip(header, cells, strict=True):
        label, held = set(content(name)), set(content(cell))
        if len(label) > 1 and len(held) > 1 and label <= said and not held & said and not {q.value for q in quantities(cell)} & amounts:
            return f"not what stands under {name.strip()}"
    return ""


def wrong_heading(sentence: str, span: str, context: str) -> str:
    """In a table of several rows, a figure under another heading or beside another name than the sentence's."""
    header, rows = _table(span, context)
    said, words = reading(sentence), reading(re.sub(r"\d", " ", sentence))  # else 最高温度25 would be a bound, and no name
    held = {q: at for q in said.figures if (at := _places(q, header, rows))}
    for q, at in held.items():
        whole = (0, len(said.text))
        clause = next((c for c in said.clauses if len(held) > 1 and within((q.start, q.end), c)), whole)
        for names, places in ((["", *header[1:]], {c for _, c in at}), ([row[0] for row in rows], {r for r, _ in at})):
            if (other := _named(names, words.within(clause))) and not places & other and not places & _named(names, words.within(whole)):
                return f"a figure of something else: {said.text[q.start : q.end].strip()}"
    return ""


def _places(q: Quantity, header: list[str], rows: list[list[str]]) -> list[tuple[int, int]]:
    """Row and column of each cell that has the figure."""
    return [(r, c) for r, row in enumerate(rows) for c in range(1, len(row)) if any(same(q, k) for k in _figures(row[c], header[c]))]


def _table(span: str, context: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a span that is rows of a table; its header may stand in the context."""
    rows = [line.strip().strip("|").split("|") for line in fold(span).splitlines() if "|" in line and not RULE.fullmatch(line)]
    above = re.split(r": | › | > |[(（]", fold(context))[-1].strip().rstrip(")）").strip("|").split("|")
    if len(rows) < 2 or len({len(row) for row in rows}) > 1:
        return [], []
    return (above, rows) if len(above) == len(rows[0]) else (rows[0], rows[1:])


def _figures(cell: str, name: str) -> list[Quantity]:
    """The cell's figures, in the unit that its column has where it has none itself."""
    own, measures = list(quantities(cell)), units(name)
    return own + [q._replace(value=q.value * size, dimension=kind) for q in own if not q.dimension for kind, size in measures]


def _named(names: list[str], words: list[Term]) -> set[int]:
    """Which of the names the words have something of that no other name has."""
    terms = [reading(name).terms for name in names]
    return {n for n, own in enumerate(terms)
            if any(match(t, words) and not any(match(t, other) for k, other in enumerate(terms) if k != n) for t in own)}  # fmt: skip


def wrong_extreme(sentence: str, span: str, context: str) -> str:
    """The least where the row that is the span has the most, or the other way round."""
    row = " ".join(_row(span, context)[1])
    for pair in EXTREMES:
        for a, b in (pair, pair[::-1]):
            if (m := a.search(sentence)) and b.search(row) and not b.search(sentence) and not a.search(row):
                return f"the opposite: {m[0]}"
    return ""


def wrong_row(sentence: str, span: str) -> str:
    """In a table of several rows, a cell that is not in the one row of which the sentence names the first cell."""
    rows = [line.strip().strip("|").split("|") for line in fold(span).splitlines() if "|" in line and not RULE.fullmatch(line)]
    if len(rows) < 3 or len({len(row) for row in rows}) > 1:
        return ""
    header, *body = rows
    named = [row for row in body if _has(sentence, row[0], header[0])]
    if len(named) != 1:
        return ""
    right = {cell.strip() for cell in named[0]}
    for row in body:
        for name, cell in zip(header[1:], row[1:], strict=True):
            own = named[0][header.index(name)]
            if row is not named[0] and cell.strip() not in right and _has(sentence, cell, name) and not _has(sentence, own, name):
                return f"a cell of another row: {cell.strip()}"
    return ""


def _has(sentence: str, cell: str, name: str) -> bool:
    """Does the sentence say the cell: all of its words, or its figure in the unit of its column?"""
    figures = quantities(cell)
    if figures and not content(re.sub(r"[\d.,%]+", "", cell)):
        factors = [1.0, *(factor for _, factor in units(name))]
        return any(abs(q.value - k.value * f) < 1e-9 for q in quantities(sentence) for k in figures[:1] for f in factors)
    words = set(content(cell))
    return bool(words) and words <= set(tokens(sentence))
