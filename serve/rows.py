"""A sentence that takes a figure from one row of a table: what of the row's own name it says.

Part of the citation check.
"""

import re
from itertools import pairwise

from ingest.tokens import exact_tokens, fold
from serve.alignment import match
from serve.quantities import Quantity, quantities, same
from serve.reading import Reading, reading

NAMED = 0.5  # share of a name's words that must be said
BEHIND = re.compile(r"[,，(（;；]")  # what stands behind is more about it: Oil charge, total
EXTREME = re.compile(
    r"\b(?:low|high|small|great|large|short|long)est\b|\b(?:min|max)(?:imum)?\b|\b(?:at (?:most|least)|permi\w+|allowed|limit)\b"
    r"|最[低高小大少多短长]|允许|极限",
    re.I,
)
# what may stand before a name without making another thing of it
PLAIN = frozenset(
    "total overal requir recommend permit given correct specifi main standard nomin normal usual own new same exact whole full".split()
)
TOLD = 2  # words of a cell that make a claim of its own
LIST = re.compile(r"[;；]")
TIMES = re.compile(r"\s*[×xX*]\s*")


def wrong_item(sentence: str, span: str, context: str) -> str:
    """A figure from a row that is called otherwise than what the sentence gives it for."""
    row = fold(span).strip()
    cells = [cell.strip() for cell in row.strip("|").split("|") if cell.strip()]
    if len(cells) < 2 or "\n" in row:
        return ""
    figures, said = reading(sentence).figures, reading(re.sub(r"\d", " ", sentence))  # else 最高温度25 would be a bound, and no name
    said = said._replace(terms=(*said.terms, *(t for t in reading(sentence).terms if t not in said.terms)))  # and B2 no name either
    held = [k for cell in cells for k in quantities(cell)]
    taken = next((q for q in figures if (q.dimension or q.value > 1) and any(_held(q, k) for k in held)), None)
    names = [cell for n, cell in enumerate(cells) if not n or not quantities(cell)]
    if taken is None or exact_tokens(sentence) & set().union(*map(exact_tokens, names)):
        return ""
    if any(_is_told(said, reading(cell)) for cell in cells if any(_held(taken, k) for k in quantities(cell))):
        return ""
    heads = [(part, [reading(side) for side in TIMES.split(BEHIND.split(part)[0])]) for name in names for part in _items(name)]
    name, sides = max(heads, key=lambda head: max(_share(side, said) for side in head[1]))
    best = max(sides, key=lambda side: _share(side, said))
    if not any(side.terms for _, found in heads for side in found):
        return ""
    figure = fold(sentence)[taken.start : taken.end].strip()
    if _share(best, said) < NAMED or _other_side(taken, sides, cells, said) or _compound(said, best, reading(f"{context}\n{row}")):
        return f"a figure of something else: {figure}"
    if EXTREME.search(name) and not EXTREME.search(sentence) and not taken.bound:
        return f"a bound, not the figure itself: {figure}"
    return ""


def _is_told(said: Reading, cell: Reading) -> bool:
    """Is the sentence what the figure's own cell says in words: adjust the actuator to 4 mm engagement?"""
    words = [t for t in said.terms if len(t.text) > 2 or t.text >= "\u4e00"]  # shorter ones may be a unit's
    shared = sum(match(t, cell.terms) for t in words)
    return shared >= TOLD and shared >= NAMED * len(words)


def _items(name: str) -> list[str]:
    """The name, or each thing that a cell lists: alignment check; strainer; coupling."""
    items = [item for item in LIST.split(name) if item.strip()]
    return items if len(items) > 1 else [name]


def _held(said: Quantity, known: Quantity) -> bool:
    """Is it the row's figure? Its unit may stand in the header, or behind the last of several."""
    return same(said, known) or (not known.dimension and known.value == said.value)


def _share(name: Reading, said: Reading) -> float:
    return sum(match(t, said.terms) for t in name.terms) / len(name.terms) if name.terms else 0.0


def _compound(said: Reading, name: Reading, known: Reading) -> bool:
    """Does a word that neither row nor heading has make another thing of the name: oil charge, where the row says charge?"""
    for a, b in pairwise(said.terms):
        beside = said.text[a.start : b.start].replace("-", " ").count(" ") == 1 and a.text < "\u4e00"
        if beside and match(b, name.terms) and not match(a, known.terms) and a.text not in PLAIN:
            return True
    return False


def _other_side(taken: Quantity, sides: list[Reading], cells: list[str], said: Reading) -> bool:
    """Of length × width × height, is it the figure of one that the sentence does not name?"""
    named = {n for n, side in enumerate(sides) if _share(side, said) >= NAMED}
    for cell in cells[1:]:
        parts = [quantities(part) for part in TIMES.split(cell)]
        at = {n for n, part in enumerate(parts) if part and _held(taken, part[0])}
        if len(sides) == len(parts) > len(named) > 0 and at and not at & named:
            return True
    return False
