"""Figures of a sentence beside those of a span: another value, unit or bound, or the figure of something else.

Part of the citation check.
"""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from ingest.tokens import fold
from serve.alignment import SMALL, match, within
from serve.bounds import AFTER, BEFORE, LEAST, MOST
from serve.quantities import PERIOD, RANGE, RANK, Quantity, quantities, same, unit_of, units
from serve.reading import Reading, Term, reading
from serve.units import UNITS
from serve.wording import CLAUSE, PIECE, belongs_elsewhere, likeness

FACTORS = frozenset(UNITS.values())
OPPOSED = ({MOST, LEAST}, {BEFORE, AFTER}, {MOST, AFTER})
# how many more words are about another figure than about its own: where other rules say so too, where none does, for a bare figure
LIKELY, CERTAIN, SURE = 0.0, 1.4, 2.5
TOPIC = 0.6  # what a word about a figure counts that may be the topic of those behind it too
FAR, MISSED = 0.6, 0.5  # what a word of another clause counts, and one that the sentence does not have
NEAREST, NEAREST_ZH = 4, 8  # words or characters about a figure
ALONE = re.compile(r"\s*(?:$|[,.;:!?，。；：！？)）|\"”])")
SIGN = r"[^\W_\u3400-\u9fff]"  # Chinese goes on without a blank after a code
COMPOUND = re.compile(rf"(?<!{SIGN})[A-Za-z]{SIGN}*(?:[-_./×:*]{SIGN}+)+")  # M8×1.25: compared whole, as a code
# what makes a bound a condition: if it weighs more than 30 kg, groups of more than 15, 超过五万元的
CASE = re.compile(
    r"\b(?:if|when|where|while|once|whenever)\b[^.;]*$|\b\w+s (?:of (?:more than|over)|above|over|exceeding|worth more than) \W?$", re.I
)
CASE_ZH = re.compile(r"(?:以上|以下|以内|不满)?.{0,4}?(?:的(?=[，,须应由按报])|时[，,])")
EXCHANGE = re.compile(
    r"\bfrom\s+([\d.,]*\d)\S*\s+to\s+([\d.,]*\d)|[从由]([\d.,]*\d)\D{0,3}[到至为]([\d.,]*\d)"
)
_NAMED = [
    unit
    for unit, (kind, size) in UNITS.items()
    if len(unit) > 3 and unit.isalpha() and unit != "second" and kind not in ("month", "shift") and (kind != "time" or size < 3600)
] + ["毫秒", "毫米", "厘米", "千克", "公斤", "毫升"]
UNIT_NAME = re.compile("|".join(rf"(?<![A-Za-z]){u}(?![A-Za-z])" if u.isascii() else u for u in sorted(_NAMED, key=len)[::-1]), re.I)
KIND = dict.fromkeys(("time", "month", "shift", "working day"), "time")
THROUGH = re.compile(r"\s*(?:to|至|到|[-~])\s*")
CUTS = (PIECE, re.compile("[,，]"), CLAUSE, re.compile("、"))  # what parts the words about one figure from those about the next
NUMBER = re.compile(r"(^|› )\s*(?:§\s*)?\d+(?:\.\d+)*\b\.?")  # of a heading: no figure
# nor is that of a part of the document, in a heading; a sentence may name it
PART = re.compile(
    r"\b(?:articles?|sections?|clauses?|parts?|schedules?|chapters?|tables?|annex(?:es)?|appendix|appendices|paragraphs?|figures?|steps?|rules?)"
    r"\s+\d+(?:\.\d+)*(?![\d%])|第\s*\d+\s*[条章节款项编部]", re.I
)
OFTEN = re.compile(r"\bonce\b|一次")


def wrong_quantity(sentence: str, span: str, context: str) -> str:
    """The first figure of the sentence that is not the span's: another value, unit or bound, or one that stands for something else."""
    said, known = quantities(sentence), quantities(span)
    numbered = NUMBER.sub(r"\1", context)
    heading = fold(PART.sub(lambda m: " " * len(m[0]), numbered))
    above, plain = quantities(numbered), quantities(heading)
    table = "|" in span or "|" in context
    named = units(f"{context}\n{span}") if table else units(context)
    folded, text = fold(sentence), fold(span)
    if not table:
        known = (*known, *_elliptic(known, text))
    codes = [m.span() for m in COMPOUND.finditer(folded)]
    for q in said:
        shown = folded[q.start : q.end].strip()
        if q.value == 1 and q.dimension in ("", RANK) and not any(c.isdigit() for c in shown):
            continue  # one of them, once
        counts = not ALONE.match(folded, q.end)  # three of something are not three months
        alike = [k for k in known if _equal(q, k, named, counts, text)]
        if not alike:
            is_part = any(m.start() <= q.start and q.end <= m.end() for m in PART.finditer(folded))
            if any(_equal(q, k, named, counts, heading) for k in (above if is_part else plain)):
                continue
            if any(start <= q.start and q.end <= end for start, end in codes):
                continue
            if _instance(q, said, known, text):
                continue
            return f"another figure: {shown}"
        ranged = [k for k in known for a in alike if k != a and _ranged(reading(span), k, a)]
        rivals = [k for k in known if k not in (*alike, *ranged) and k.dimension == alike[0].dimension and not _rate(reading(span), k)]
        if q.bound:
            like = {k: likeness(folded, (q.start, q.end), text, (k.start, k.end)) for k in alike}
            near = [k for k in alike if like[k] >= 0.6 * max(like.values())]
            if all({q.bound, _limit(k, known, text)} in OPPOSED for k in near):
                return f"another bound: {shown}"
        mine, others = ([(k.start, k.end) for k in found] for found in (alike, rivals))
        if others and (alike[0].dimension or table) and belongs_elsewhere(folded, (q.start, q.end), text, mine, others):
            margin = elsewhere(reading(sentence), reading(span), q)
            if margin is None or margin >= LIKELY:
                return f"a figure of something else: {shown}"
    one, two = reading(sentence), reading(span)
    for q in said:
        if (elsewhere(one, two, q) or 0.0) >= (CERTAIN if q.dimension else SURE):
            return f"a figure of something else: {folded[q.start : q.end].strip()}"
    here = {m.groups() for m in EXCHANGE.finditer(folded)}
    there = {m.groups() for m in EXCHANGE.finditer(text)}
    if any((b, a, d, c) in there and (a, b, c, d) not in there for a, b, c, d in here):
        return "figures exchanged"
    return ""


def _limit(q: Quantity, known: Sequence[Quantity], span: str) -> str:
    """The bound that a figure is, an end of a range too: from 15 to 25 is at least 15."""
    if q.bound or q.dimension in ("clock", "hour", "day", "date"):  # closed after 17:00 follows from open until then
        return q.bound
    for other in known:
        first, last = sorted((q, other), key=lambda k: k.start)
        if first.value < last.value and first.dimension == last.dimension and THROUGH.fullmatch(span, first.end, last.start):
            return LEAST if q == first else MOST
    return ""


def _elliptic(known: Sequence[Quantity], span: str) -> list[Quantity]:
    """Bare figures with the unit of the one before, which goes without saying: 60 km/h (normally 100)."""
    found = []
    for n, q in enumerate(known):
        before = next((k for k in reversed(known[:n]) if k.dimension), None)
        if before and not q.dimension and span[q.start].isdigit() and ALONE.match(span, q.end) and (unit := unit_of(span, before)):
            found.append(q._replace(value=round(q.value * unit[1], 9), dimension=unit[0]))
    return found


def _instance(figure: Quantity, said: Collection[Quantity], known: Collection[Quantity], span: str) -> bool:
    """Is the figure one of those that a condition of the span is about? 40 days where it says what holds after more than 30.

    Not where the sentence has the condition's own figure too, nor where its other figures are those of another sentence of the span.
    """
    cases = [k for k in known if _case(figure, k, span)]
    if not cases or any(same(f, k) for f in said for k in cases):
        return False
    nearest = min(cases, key=lambda k: abs(k.value - figure.value))
    for f in said:
        places = [k.start for k in known if same(f, k)]
        if places and all(PIECE.search(span, min(nearest.start, at), max(nearest.start, at)) for at in places):
            return False
    return True


def _case(figure: Quantity, known: Quantity, span: str) -> bool:
    if figure.bound or figure.dimension != known.dimension or known.bound not in (LEAST, MOST):
        return False
    if not (figure.value > known.value if known.bound == LEAST else figure.value < known.value):
        return False
    return bool(CASE_ZH.match(span, known.end)) or (known.bound == LEAST and bool(CASE.search(span, max(0, known.start - 60), known.start)))


def _equal(said: Quantity, known: Quantity, named: Collection[tuple[str, float]], counts: bool, text: str) -> bool:
    """Is it the same quantity as the one in the folded `text`? One without a unit may have that of its table's header."""
    if said.value == known.value and said.dimension == known.dimension:
        return True
    if {said.dimension, known.dimension} == {"hour", "clock"}:  # 四点 may be 16:00
        return said.value % 720 == known.value % 720
    if {said.dimension, known.dimension} in ({"degree", "°C"}, {"degree", "°F"}, {"degree", "°"}):
        return said.value == known.value
    if {said.dimension, known.dimension} == {"", RANK}:  # step 3 may be the third
        return said.value == known.value
    if said.dimension == "day" and known.dimension == "date":
        return said.value == known.value % 10000
    if not said.dimension and known.dimension and not counts:  # 30 for 30 days, but no 5 for 300 s
        if unit := unit_of(text, known):
            return abs(said.value * unit[1] - known.value) < 1e-9
        return any(abs(said.value * factor - known.value) < 1e-9 for dimension, factor in FACTORS if dimension == known.dimension)
    if said.dimension and not known.dimension:
        return any(abs(known.value * factor - said.value) < 1e-9 for dimension, factor in named if dimension == said.dimension)
    return False


def wrong_unit(sentence: str, span: str, context: str) -> str:
    """A unit that the sentence names without a figure where the span has another of its kind."""
    mine = {m[0].lower() for m in UNIT_NAME.finditer(sentence)}
    theirs = {m[0].lower() for m in UNIT_NAME.finditer(f"{context}\n{span}")} if mine else set()
    measures = {UNITS[u] for u in theirs}
    other = next((u for u in mine if UNITS[u] not in measures and UNITS[u][0] in {d for d, _ in measures}), "")
    return f"another unit: {other}" if other and not any(q.dimension == UNITS[other][0] for q in quantities(sentence)) else ""


def apart(sentence: str, span: str) -> str:
    """A measure of the sentence that stands in the span only where nothing else of the sentence does: it is of something else.

    Rows of tables are not looked at: what a figure is of stands in their header.
    """
    one, has = reading(sentence), reading(span)
    measures = [q for q in quantities(sentence) if q.dimension not in ("", RANK) and not _rate(one, q)]
    if not measures or "|" in span:
        return ""
    ends = [*(m.end() for m in PIECE.finditer(has.text)), len(has.text)]
    pieces = [reading(has.text[a:b]) for a, b in pairwise([0, *ends]) if has.text[a:b].strip()]
    for q in measures:
        holding = [piece for piece in pieces if any(same(q, k) for k in piece.figures)]
        if holding and not any(piece.has(term) for piece in holding for term in one.terms):
            return f"a figure of something else: {one.text[q.start : q.end].strip()}"
    return ""


def elsewhere(said: Reading, has: Reading, figure: Quantity) -> float | None:
    """How many more of the words about the sentence's figure stand about another of its kind in the span; None where there is no other."""
    if "|" in has.text or (figure.value in (0, 1) and figure.dimension in ("", RANK)):
        return None
    zones = [(k, terms) for k, terms in _zones(has, figure) if not _rate(has, k)]
    alike = [(k, terms) for k, terms in zones if same(k, figure)]
    others = [(k, terms) for k, terms in zones if not same(k, figure) and (k.dimension or k.value != 1)]
    rivals = [(k, terms) for k, terms in others if not any(_ranged(has, k, a) for a, _ in alike)]
    if not alike or not rivals:
        return None
    beside = [f for f in said.figures if _kind(f) == _kind(figure) and f != figure and not _rate(said, f)]
    near: list[Term]
    far: tuple[Term, ...] = ()
    if beside:
        near = next((terms for k, terms in _zones(said, figure) if k == figure), [])
    else:
        clause = next((c for c in said.clauses if within((figure.start, figure.end), c)), (0, len(said.text)))
        near, far = said.within(clause), said.terms

    near_pairs, far_pairs = _pairs(near), _pairs(far)

    def score(figure: Quantity, terms: list[Term], theirs: list[tuple[Quantity, list[Term]]]) -> float:
        topic = any(figure.start < k.start and not PIECE.search(has.text, figure.end, k.start) for k, _ in theirs)
        common = {t.text for _, words in theirs for t in words}
        own = {t.text: t for t in terms if t.text not in common}.values()
        twos = _pairs(terms).difference(*(_pairs(words) for _, words in theirs))
        hits = sum(1.0 if match(t, near) else FAR if match(t, far) else 0.0 for t in own) * (TOPIC if topic else 1.0)
        together = len(twos & near_pairs) + FAR * len((twos & far_pairs) - near_pairs)
        return hits + together - MISSED * min(4, sum(not said.has(t) for t in own))

    return max(score(k, terms, alike) for k, terms in rivals) - max(score(k, terms, rivals) for k, terms in alike)


def _pairs(terms: Collection[Term]) -> set[tuple[str, str]]:
    """English words that follow each other: the oil filter is not the air filter."""
    words = sorted((t for t in terms if t.text < "\u4e00"), key=lambda t: t.start)
    return {(a.text, b.text) for a, b in pairwise(words) if b.start - a.start <= len(a.text) + 4}


def _kind(q: Quantity) -> str:
    return KIND.get(q.dimension, q.dimension)


def _zones(text: Reading, like: Quantity) -> list[tuple[Quantity, list[Term]]]:
    """Each figure of one kind and the words nearest to it, from the cut behind the figure before it to the cut behind itself."""
    figures = [q for q in text.figures if _kind(q) == _kind(like)]
    found = []
    for n, q in enumerate(figures):
        start = max((a for a, _ in text.pieces if a <= q.start), default=0)
        end = min((b for _, b in text.pieces if b >= q.end), default=q.end)
        if n:
            start = _cut(text, figures[n - 1].end, q.start)
        if n + 1 < len(figures):
            end = _cut(text, q.end, figures[n + 1].start)
        words = [t for t in text.within((start, end)) if t.text not in SMALL]
        terms = sorted(words, key=lambda t: min(abs(t.start - q.start), abs(t.start - q.end)))
        found.append((q, terms[: NEAREST_ZH if terms and terms[0].text >= "\u4e00" else NEAREST]))
    return found


def _cut(text: Reading, start: int, end: int) -> int:
    return next((start + m.end() for cut in CUTS if (m := cut.search(text.text[start:end]))), start)


def _rate(text: Reading, q: Quantity) -> bool:
    """Is it what something is counted by, as in 8 hours a day, rather than how often something is done?"""
    period = PERIOD.fullmatch(text.text, q.start, q.end) or text.text[q.start : q.end] in ("一天", "一日", "一年", "一周")
    return bool(period) and not OFTEN.search(text.text[max(0, q.start - 6) : q.end + 9])


def _ranged(text: Reading, one: Quantity, two: Quantity) -> bool:
    """Are they the ends of one range: 5 to 10 mm, at least 5 mm and at most 10?"""
    first, second = sorted((one, two), key=lambda q: q.start)
    between = text.text[first.end : second.start]
    return bool(RANGE.fullmatch(between)) or ({one.bound, two.bound} == {LEAST, MOST} and len(between) < 30 and not PIECE.search(between))
