"""The citation check: does this span support this sentence? By rules alone; Chinese and English.

A sentence falls for a figure, unit, bound, code or name that the span does not have, or has for something else; for a negation, a duty
or an opposite where the span says otherwise; for a claim of which the span has no word. What is left must share enough words with it.
It knows nothing of the model or of LangChain.
"""

import re
from collections.abc import Collection
from difflib import SequenceMatcher
from typing import NamedTuple

from ingest.tokens import exact_tokens, fold, is_cjk, tokens
from serve.contradiction import contradicted
from serve.quantities import AFTER, BEFORE, LEAST, MOST, RANGE, UNITS, Quantity, quantities, units
from serve.schema import Support
from serve.wording import EMPTY_ZH, PIECE, belongs_elsewhere, clauses, content, likeness, pairs

ENOUGH = 0.4  # share of a sentence's words that the span and its heading must have
ADDED = 0.3  # of a clause's words; a clause that shares fewer is a claim of its own
CLAIM = 2  # words or characters that make a claim; fewer are connectives
FEWEST = 2  # words of its own that a sentence must have in common with the span
COPY = 0.85  # share of a sentence's words that follow each other as in the span: it is nearly a copy
LOOPS = 0.4  # share of different words in a long sentence below which it only repeats itself
ANSWER = re.compile(r"^\s*(?:yes|no|是的|是|不是|可以|不可以|能|不能|不行|对)\s*[,，。.]\s*", re.I)
SOURCE = re.compile(r"^\s*(?:according to|under|as stated in|per|根据|依据|按照|依照)[^,，]{1,60}[,，]\s*", re.I)
NAME = re.compile(r"(?<!^)(?<![.!?:|\"'“‘]\s)(?<![\"'“‘`])\b[A-Z][a-z]{2,}\b")
PARTY = re.compile(
    r"[甲乙丙丁]方|出租方|承租方|买方|卖方|发包方|承包方|出租人|承租人|披露方|接收方|用人单位|劳动者"
    r"|\b(?:tenant|landlord|lessor|lessee|buyer|seller|supplier|distributor|client|customer|contractor|provider|licen[cs]or|licen[cs]ee"
    r"|employer|employee|recipient|discloser|borrower|lender|insurer|insured|purchaser|vendor|consultant|owner|publisher|consumer"
    r"|producer|sender|receiver|server)(?=s?\b)",
    re.I,
)
PASSIVE = re.compile(r"被|由|\bby\b|\bfrom\b", re.I)
OFFICE = re.compile(
    r"[\u4e00-\u9fff]{2}(?:部门|管理局|委员会|办公室|董事会|监事会|部(?![门分件位署])(?<!全部)(?<!内部))|工会"
    r"|(?<=[由向报给经])[\u4e00-\u9fff]{2,4}(?:经理|主管|主任)"
)
LABEL = re.compile(
    r"(?<![A-Za-z0-9.-])[A-Z]{1,5}-?\d{1,5}(?:-[A-Z0-9]+)*(?![A-Za-z0-9-])|`[^`\n]{2,60}`|\b[A-Za-z_]\w+(?=\(\))"
)
SIGN = r"[^\W_\u3400-\u9fff]"  # Chinese goes on without a blank after a code
COMPOUND = re.compile(rf"(?<!{SIGN})[A-Za-z]{SIGN}*(?:[-_./×:*]{SIGN}+)+")  # M8×1.25: compared whole, as a code
FACTORS = frozenset(UNITS.values())
ALONE = re.compile(r"\s*(?:$|[,.;:!?，。；：！？)）|\"”])")
NO_CODE = re.compile(r"\d+(?:st|nd|rd|th|[a-z]{3,})|[ap]\.?m\.?")  # 5th, 30-second, p.m.
NUMBERING = re.compile(r"(?>[-*•]|[(（]?[\da-z一二三四五六七八九十]{1,4}+[)）]?|第[\d一二三四五六七八九十百]++[条款项]){0,3}+", re.I)
EXCHANGE = re.compile(
    r"\bfrom\s+([\d.,]*\d)\S*\s+to\s+([\d.,]*\d)|[从由]([\d.,]*\d)\D{0,3}[到至为]([\d.,]*\d)"
)


class Verdict(NamedTuple):
    """How far a span supports a sentence, and where it does not, why: a word and what it is about."""

    support: Support
    why: str = ""
    share: float = 0.0  # of the sentence's words that the span and its heading have; 0 where it fell for something else


def check(sentence: str, span: str, context: str = "") -> Verdict:
    """How far `span`, which stands under `context`, supports `sentence` (without markers)."""
    said = SOURCE.sub("", ANSWER.sub("", sentence)) or sentence
    if copied(said, span):
        return Verdict("supported", share=1.0)
    around = f"{context}\n{span}"
    words, known = content(said), set(content(context)) | set(content(span))
    if len(set(words)) < FEWEST or len(set(words)) < LOOPS * len(words):
        return Verdict("unsupported", "no claim")
    if len(known.intersection(words)) < ENOUGH / 2 * len(set(words)):
        return Verdict("unsupported", "other words")  # most spans are of something else, and nothing more need be looked at
    if known.issuperset(words) and copied(said, span):
        return Verdict("supported", share=1.0)
    for fault in (wrong_quantity(said, span, context), wrong_name(said, span, around), wrong_cell(said, span, context),
                  contradicted(said, span), replaced(said, span, around)):  # fmt: skip
        if fault:
            return Verdict("unsupported", fault)
    amounts = {(q.value, q.dimension) for q in quantities(said)} & {(q.value, q.dimension) for q in quantities(around)}
    own = set(content(span))
    share = (len(set(words) & known) + len(amounts)) / (len(set(words)) + len(amounts))
    if len(set(words) & own) + len(amounts) < FEWEST or share < ENOUGH / 2:
        return Verdict("unsupported", "other words")
    if share < ENOUGH:
        return Verdict("partly", "few of its words")
    twos_known = pairs(around)
    for clause in clauses(said):
        terms, twos = set(content(clause)), pairs(clause)
        if len(terms) < CLAIM or {(q.value, q.dimension) for q in quantities(clause)} & amounts:
            continue
        covered = len(terms & known) / len(terms)
        if twos:
            covered = (covered + len(twos & twos_known) / len(twos)) / 2
        if covered < ADDED:
            return Verdict("partly", f"added: {clause.strip()}")
    return Verdict("supported", share=share)


def copied(sentence: str, span: str) -> bool:
    """Is the sentence one whole sentence of the span, or several in a row, number and white space apart?"""
    wanted = _solid(sentence)
    pieces = [_solid(piece) for piece in PIECE.split(span) if piece.strip()]
    rows = ("".join(pieces[i:j]) for i in range(len(pieces)) for j in range(i + 1, len(pieces) + 1))
    return len(wanted) >= 12 and any(row.endswith(wanted) and NUMBERING.fullmatch(row[: -len(wanted)]) for row in rows)


def _solid(text: str) -> str:
    return re.sub(r"[\s。；;,，.、：:]", "", fold(text)).casefold()


def wrong_quantity(sentence: str, span: str, context: str) -> str:
    """The first figure of the sentence that is not the span's: another value, unit or bound, or one that stands for something else."""
    said, known, above = quantities(sentence), quantities(span), quantities(context)
    table = "|" in span or "|" in context
    named = units(f"{context}\n{span}") if table else units(context)
    folded, text = fold(sentence), fold(span)
    codes = [m.span() for m in COMPOUND.finditer(folded)]
    for q in said:
        shown = folded[q.start : q.end].strip()
        if q.value == 1 and not q.dimension and not any(c.isdigit() for c in shown):
            continue  # one of them, once
        counts = not ALONE.match(folded, q.end)  # three of something are not three months
        alike = [k for k in known if _equal(q, k, named, counts)]
        if not alike:
            if any(_equal(q, k, named, counts) for k in above) or any(start <= q.start and q.end <= end for start, end in codes):
                continue
            return f"another figure: {shown}"
        ranged = [k for k in known for a in alike if k != a and RANGE.fullmatch(text[min(k.end, a.end) : max(k.start, a.start)])]
        rivals = [k for k in known if k not in alike and k not in ranged and k.dimension == alike[0].dimension]
        if q.bound:
            like = {k: likeness(folded, (q.start, q.end), text, (k.start, k.end)) for k in alike}
            near = [k for k in alike if like[k] >= 0.6 * max(like.values())]
            if all({q.bound, k.bound} in ({MOST, LEAST}, {BEFORE, AFTER}) for k in near):
                return f"another bound: {shown}"
        elif rivals and q.dimension and all(k.bound in (MOST, LEAST) for k in alike) and not all(k.bound for k in rivals):
            return f"a bound, not the figure itself: {shown}"
        mine, others = ([(k.start, k.end) for k in found] for found in (alike, rivals))
        if others and (alike[0].dimension or table) and belongs_elsewhere(folded, (q.start, q.end), text, mine, others):
            return f"a figure of something else: {shown}"
    here = {m.groups() for m in EXCHANGE.finditer(folded)}
    there = {m.groups() for m in EXCHANGE.finditer(text)}
    if any((b, a, d, c) in there and (a, b, c, d) not in there for a, b, c, d in here):
        return "figures exchanged"
    return ""


def _equal(said: Quantity, known: Quantity, named: Collection[tuple[str, float]], counts: bool) -> bool:
    """Is it the same quantity? One without a unit may have that of its table's header."""
    if said.value == known.value and said.dimension == known.dimension:
        return True
    if not said.dimension and known.dimension and not counts:  # 30 for 30 days
        return any(abs(said.value * factor - known.value) < 1e-9 for dimension, factor in FACTORS if dimension == known.dimension)
    if said.dimension and not known.dimension:
        return any(abs(known.value * factor - said.value) < 1e-9 for dimension, factor in named if dimension == said.dimension)
    return False


def wrong_name(sentence: str, span: str, around: str) -> str:
    """The first code, name or party of the sentence that the span does not have, or has for something else."""
    known = set(tokens(around)) | exact_tokens(around)
    folded, text, low = fold(sentence), fold(span), fold(around).lower()
    figures = [folded[q.start : q.end].strip().lower() for q in quantities(folded)]
    for code in exact_tokens(sentence):
        if code not in known and not NO_CODE.fullmatch(code) and not any(code in figure for figure in figures):
            return f"another code: {code}"
    for label in LABEL.findall(folded):
        if label.strip("`() ").lower() not in low and not any(label.lower() in f for f in figures):
            return f"another code: {label}"
    words = set(re.findall(r"\w+", low))
    for name in NAME.findall(sentence):
        if name.lower() not in words and name.lower() not in low and not set(tokens(name)) <= known:
            return f"another name: {name}"
    for pattern in (PARTY, OFFICE):
        theirs = {m[0].lower() for m in pattern.finditer(text)}
        for m in pattern.finditer(folded):
            if theirs and not any(m[0].lower() in t or t in m[0].lower() for t in theirs) and m[0].lower() not in text.lower():
                return f"another party: {m[0]}"
    mine, its = ([m[0].lower() for m in PARTY.finditer(t)] for t in (folded, text))
    if sorted(mine) == sorted(its) and mine != its and not PASSIVE.search(folded) and not PASSIVE.search(text):
        return f"parties exchanged: {' '.join(mine)}"
    for pattern in (PARTY, LABEL):
        places = [(m[0].lower(), m.span()) for m in pattern.finditer(text)]
        if len({p for p, _ in places}) < 2:
            continue
        for m in pattern.finditer(folded):
            same, rivals = [at for p, at in places if p == m[0].lower()], [at for p, at in places if p != m[0].lower()]
            if same and rivals and belongs_elsewhere(folded, m.span(), text, same, rivals):
                return f"another party or code: {m[0]}"
    return ""


def wrong_cell(sentence: str, span: str, context: str) -> str:
    """A column that the sentence names while it says nothing of what stands under it in the row that is the span."""
    header = context.rpartition(": ")[2].split("|")
    cells = span.strip().strip("|").split("|")
    if len(header) < 2 or len(header) != len(cells) or "\n" in span.strip():
        return ""
    said, amounts = set(tokens(sentence)), {q.value for q in quantities(sentence)}
    for name, cell in zip(header, cells, strict=True):
        label, held = set(content(name)), set(tokens(cell))
        if label and held and label <= said and not held & said and not {q.value for q in quantities(cell)} & amounts:
            return f"not what stands under {name.strip()}"
    return ""


def replaced(sentence: str, span: str, around: str) -> str:
    """In what is nearly a copy, the word that stands in another's place."""
    mine, its = _sequence(sentence), _sequence(span)
    known = set(_sequence(around))
    blocks = SequenceMatcher(None, its, mine, autojunk=False).get_opcodes()
    same = sum(j2 - j1 for op, _, _, j1, j2 in blocks if op == "equal")
    if same < COPY * len(mine):
        return ""
    for op, i1, i2, j1, j2 in blocks:
        new = [t for t in mine[j1:j2] if t not in known]
        short = max(i2 - i1, j2 - j1) <= 6
        if op == "replace" and short and len(new) > is_cjk(new[0] if new else "a") and any(t not in mine for t in its[i1:i2]):
            return f"another word: {' '.join(mine[j1:j2])}"
    return ""


def _sequence(text: str) -> list[str]:
    """Content words in their order, Chinese by the character, without figures, which are compared by value."""
    text = fold(text)
    for q in reversed(quantities(text)):
        text = f"{text[: q.start]} {text[q.end :]}"
    words = re.findall(r"[\u4e00-\u9fff]|[A-Za-z][\w'-]*", text)
    return [term for word in words for term in (content(word) if word.isascii() else [word] * (word not in EMPTY_ZH))]
