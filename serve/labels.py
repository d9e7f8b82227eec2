"""What a figure is of, by the words close to it: its label, how it is counted, the part of the span that it stands in.

Part of the citation check.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from serve.alignment import SMALL, match, within
from serve.quantities import PERIOD, RANK, Quantity, same
from serve.reading import Reading, Term
from serve.wording import Place

# how a figure is counted: the sentence has the one where the span has the other
COUNTED = [
    (re.compile(a, re.I), re.compile(b, re.I))
    for a, b in (
        (r"\bgross\b|\bbefore (?:any )?(?:tax|deductions)\b|税前|毛重|应发",
         r"\bnet\b|\bafter (?:any )?(?:tax|deductions)\b|税后|净重|实发|到手"),
        (r"\b(?:exactly|precisely|not a \w+ more or less)\b|正好|恰好|整整|不多不少|刚好",
         r"\b(?:about|around|roughly|approximately|some|nearly|almost|an estimated|or so)\b|约|大概|左右|近(?=\d)|上下"),
        (r"\b(?:per|each|every) household\b|每户",
         r"\b(?:per|each|every) (?:person|member|head|resident|individual)\b|每人|每名|每位|人均"),
        (r"\bper (?:unit|piece|item)\b|每件|每个", r"\bper (?:box|crate|pallet|batch|carton)\b|每箱|每批|每盒"),
    )
]  # fmt: skip
CUT = re.compile(r"[。；;，,](?!\d)|\.(?=\s)")
# what may stand between a figure and its label: the deposit is 500, a deposit of 500, 上火160, 首付款为5万元
LINK = re.compile(
    r"\s*(?:(?:is|are|was|were|of|at|to|from|be|comes? to|amounts? to|stands? at)\s+)*(?:an? |the )?$|\s*[为是达至到:：]?\s*$", re.I
)
LABEL = re.compile(r"[\u4e00-\u9fff]{2}$|[A-Za-z][\w'-]+$")
JOINS = frozenset("and or but with by in on for the".split())
DUE = re.compile(r"[\u4e00-\u9fff]{0,4}|[A-Za-z ]{0,16}")  # what may stand between a period and what is due in it
FAR = 40  # characters before a figure in which its label may stand
EVERY = re.compile(r"(?:\b(?:every|each|per)|每隔?)\s*(?:\w+\s)?$", re.I)
OFTEN = re.compile(
    r"\b(?:interval|every|each|per|daily|weekly|monthly|yearly|annual\w*|quarterly|regular\w*|once|twice|times)\b"
    r"|每|间隔|周期|一次|定期|逐", re.I
)
FROM = re.compile(
    r"(?:\b(?:from|between|starting at|up to|to|than|exceed\w*|reach\w*|above|below|over|under|by)|[从自由到至达超过~～-])\s*$", re.I
)
FROM_ZH = re.compile(r"\s*(?:起|开始|以上|以下|之后|以后|后|前|为止|止|to\b|到|至|[~～-])", re.I)
TO = re.compile(r"\s*(?:up )?(?:to|and|or|至|到|和|[-~～±/])\s*", re.I)
CLEARLY = 3  # times as many words must point to another figure as to the sentence's own


class Part(NamedTuple):
    """A clause or sentence of a text: its terms and the figures in it."""

    terms: list[Term]
    figures: list[Quantity]


def wrong_label(said: Reading, has: Reading) -> str:
    """A figure of the sentence that the span counts otherwise, has under another label, or in another part.

    Rows of tables are not looked at: what a figure is of stands in their header.
    """
    if end := _range_end(said, has):
        return f"an end of a range: {end}"
    if "|" in has.text:
        return ""
    if mixed := _mixed_range(said, has):
        return mixed
    for q in said.figures:
        alike = [k for k in has.figures if same(q, k)]
        if not alike:
            continue
        if otherwise := _counted(said, has, q, alike):
            return f"counted otherwise: {otherwise}"
        if _again(said, has, q, alike):
            return f"counted otherwise: every {said.text[q.start : q.end].strip()}"
        if _called(said, has, q, alike) or (
            not (q.value in (0, 1) and q.dimension in ("", RANK))
            and (_outvoted(said, has, q, said.clauses, has.clauses) or _outvoted(said, has, q, ((0, len(said.text)),), has.pieces))
        ):
            return f"a figure of something else: {said.text[q.start : q.end].strip()}"
    return ""


def _range_end(said: Reading, has: Reading) -> str:
    """A figure that the span has as one end of a range alone, where the sentence gives it for the value."""
    ranged = _ranges(has)
    for q in said.figures:
        own = (q.value, q.dimension)
        ends = {other for pair in ranged if own in pair for other in pair} - {own}
        alone = any(same(q, k) and not any(own in pair for pair in ranged) for k in has.figures)
        bounded = q.bound or FROM.search(said.text[max(0, q.start - 12) : q.start]) or FROM_ZH.match(said.text, q.end)
        if ends and q.dimension and not alone and not bounded and not any((f.value, f.dimension) in ends for f in said.figures):
            return said.text[q.start : q.end].strip()
    return ""


def _mixed_range(said: Reading, has: Reading) -> str:
    """A range whose ends are those of two ranges."""
    theirs = _ranges(has)
    for a, b in _ranges(said):
        if any(a in r for r in theirs) and any(b in r for r in theirs) and not any(a in r and b in r for r in theirs):
            return f"the ends of two ranges: {a[0]:g}, {b[0]:g}"
    return ""


def _ranges(text: Reading) -> list[tuple[tuple[float, str], tuple[float, str]]]:
    return [((a.value, a.dimension), (b.value, b.dimension)) for a, b in pairwise(text.figures)
            if a.dimension == b.dimension and TO.fullmatch(text.text, a.end, b.start)]  # fmt: skip


def _counted(said: Reading, has: Reading, q: Quantity, alike: list[Quantity]) -> str:
    """The word by which the sentence counts the figure otherwise than the span does everywhere."""
    mine, theirs = _beside(said, q), [_beside(has, k) for k in alike]
    for pair in COUNTED:
        for a, b in (pair, pair[::-1]):
            if (m := a.search(mine)) and not b.search(mine) and all(b.search(text) and not a.search(text) for text in theirs):
                return m[0]
    period, periods = _period(said, q), [_period(has, k) for k in alike]
    if period and all(p and not same(period, p) for p in periods):
        return said.text[period.start : period.end].strip()
    return ""


def _period(text: Reading, q: Quantity) -> Quantity | None:
    """For how long the figure is due, where that stands beside it: £3 an hour, 每日按万分之五."""
    for p in text.figures:
        ahead = p.end <= q.start and DUE.fullmatch(text.text, p.end, q.start)
        behind = q.end <= p.start and not text.text[q.end : p.start].strip(" /")
        if (ahead or behind) and PERIOD.fullmatch(text.text, p.start, p.end):
            return p
    return None


def _again(said: Reading, has: Reading, q: Quantity, alike: list[Quantity]) -> bool:
    """Does the sentence give for the time between two of many what the span gives for one?"""
    if q.dimension not in ("time", "month", "length") or not EVERY.search(said.text[max(0, q.start - 12) : q.start]):
        return False
    return not any(EVERY.search(has.text[max(0, k.start - 24) : k.start]) for k in alike) and not OFTEN.search(has.text)


def _beside(text: Reading, q: Quantity) -> str:
    """What stands about the figure, from comma to comma."""
    cuts = [m.end() for m in CUT.finditer(text.text)]
    return text.text[max((c for c in cuts if c <= q.start), default=0) : min((c for c in cuts if c >= q.end), default=len(text.text))]


def _called(said: Reading, has: Reading, q: Quantity, alike: list[Quantity]) -> bool:
    """Is the figure's label in the span that of another figure of its kind, and its label there nowhere before it in the sentence?"""
    label, own = _label(said, q), {_label(has, k) for k in alike}
    if not label or own & {label, ""}:
        return False
    start = next((a for a, b in said.pieces if a <= q.start < b), 0)
    labels = {_label(said, f) for f in said.figures if f != q}
    if any(name in said.text[start : q.start].lower() and name not in labels for name in own):
        return False
    return any(_label(has, k) == label for k in has.figures if not same(q, k) and k.dimension == q.dimension)


def _label(text: Reading, q: Quantity) -> str:
    """The word, or two characters, just before a figure and its bound; nothing where none of them can be its name."""
    end = min(q.reach[0], q.start)
    before = text.text[max(0, end - FAR) : end]
    link = LINK.search(before)
    m = LABEL.search(before[: link.start()] if link else before)
    if not m or m[0].lower() in JOINS or (m[0].isascii() and not (link and link[0].strip())):
        return ""  # in `takes two days` no name stands before the figure
    return m[0].lower()


def _outvoted(said: Reading, has: Reading, q: Quantity, mine: Iterable[Place], theirs: Iterable[Place]) -> bool:
    """Do the words about the sentence's figure stand in a part of the span that has another of its kind, and hardly in its own?"""
    parts = [_part(has, place) for place in theirs]
    own = [p for p in parts if any(same(q, k) for k in p.figures)]
    # a rival that the sentence has too stands there with words of its own
    rivals = [p for p in parts if p not in own and any(k.dimension == q.dimension and not _holds(said.figures, k) for k in p.figures)]
    place = next((c for c in mine if within((q.start, q.end), c)), None)
    if not own or not rivals or place is None:
        return False
    here, whole = _part(said, place), _part(said, (0, len(said.text)))
    topic = _topic([p for p in parts if p in own or p in rivals])

    def told(part: Part) -> Part:
        return part._replace(terms=[t for t in part.terms if t not in topic])

    against = max(_votes(q, here, told(p), own) for p in rivals)
    return max(_votes(q, whole, told(p), rivals) for p in own) < against / CLEARLY


def _votes(q: Quantity, said: Part, part: Part, others: list[Part]) -> int:
    """How many words and other figures `said` has of the part, that none of the others has."""
    common, known = [t for p in others for t in p.terms], [k for p in others for k in p.figures]
    words = {t.text: t for t in part.terms if t.text not in SMALL and not match(t, common)}.values()
    figures = [f for f in said.figures if f != q and _holds(part.figures, f) and not _holds(known, f)]
    return sum(match(t, said.terms) for t in words) + 2 * len(figures)


def _topic(parts: list[Part]) -> list[Term]:
    """What stands before the first part's figure, where the other parts have nothing of their own before theirs: all are about it."""
    before = [[t for t in p.terms if t.start < p.figures[0].start] for p in parts]
    return before[0] if not any(not match(t, before[0]) for terms in before[1:] for t in terms) else []


def _part(text: Reading, place: Place) -> Part:
    return Part(text.within(place), [f for f in text.figures if within((f.start, f.end), place)])


def _holds(figures: Iterable[Quantity], q: Quantity) -> bool:
    return any(same(q, k) for k in figures)
