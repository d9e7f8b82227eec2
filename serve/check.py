"""The citation check: does this span support this sentence? By rules alone; Chinese and English.

A sentence falls for a figure, unit, bound, code or name that the span does not have, or has for something else; for a negation, a duty,
an order or an opposite where the span says otherwise; for a deed that the span gives to another; for a claim of which the span has no
word. What is left must share enough words with it. It knows nothing of the model or of LangChain.
"""

import re
from difflib import SequenceMatcher
from itertools import accumulate
from typing import NamedTuple

from ingest.tokens import fold, is_cjk
from serve.contradiction import beyond, clashes, contradicted
from serve.figures import apart, wrong_quantity, wrong_unit
from serve.labels import wrong_label
from serve.names import by_role, wrong_name
from serve.quantities import quantities
from serve.reading import reading
from serve.roles import wrong_role
from serve.rows import wrong_item
from serve.schema import Support
from serve.tables import wrong_cell, wrong_column, wrong_extreme, wrong_heading, wrong_row
from serve.wording import EMPTY_ZH, PIECE, content, pairs

ENOUGH = 0.4  # share of a sentence's words that the span and its heading must have
UNKNOWN = 0.5  # share of its words for which neither has that word or another that may stand for it
ADDED = 0.3  # of a clause's words; a clause that shares fewer is a claim of its own
OWN = 0.6  # share of a clause's words that nothing has, where it is such a claim
CLAIM = 2  # words or characters that make a claim; fewer are connectives
FEWEST = 2  # words of its own that a sentence must have in common with the span
COPY = 0.85  # share of a sentence's words that follow each other as in the span: it is nearly a copy
LONGEST = 4000  # characters of a sentence or a span; what is longer is neither, and would take long
MANY = 100  # figures; what has more is a list of them, of which no rule here can say what each is of
LOOPS = 0.4  # share of different words in a long sentence below which it only repeats itself
LISTED = re.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s+")
ANSWER = re.compile(r"^\s*(?:yes|no|是的|是|不是|可以|不可以|能|不能|不行|对)\s*[,，。.]\s*", re.I)
SOURCE = re.compile(r"^\s*(?:according to|under|as stated in|per|根据|依据|按照|依照)[^,，]{1,60}[,，]\s*", re.I)
NUMBERING = re.compile(r"(?>[-*•]|[(（]?[\da-z一二三四五六七八九十]{1,4}+[)）]?|第[\d一二三四五六七八九十百]++[条款项]){0,3}+", re.I)


class Verdict(NamedTuple):
    """How far a span supports a sentence, and where it does not, why: a word and what it is about."""

    support: Support
    why: str = ""
    share: float = 0.0  # of the sentence's words that the span and its heading have; 0 where it fell for something else


def check(sentence: str, span: str, context: str = "") -> Verdict:
    """How far `span`, which stands under `context`, supports `sentence` (without markers)."""
    said = SOURCE.sub("", ANSWER.sub("", LISTED.sub("", sentence))) or sentence
    if copied(said, span):
        return Verdict("supported", share=1.0)
    if max(len(said), len(span)) > LONGEST or max(len(quantities(said)), len(quantities(span))) > MANY:
        return Verdict("unsupported", "too long to be compared")
    words, known = content(said), set(content(context)) | set(content(span))
    told = len(set(words)) + (len(quantities(said)) if any(len(word) > 2 for word in words) else 0)  # one word says something of a figure
    if told < FEWEST or len(set(words)) < LOOPS * len(words):
        return Verdict("unsupported", "no claim")
    if len(known.intersection(words)) < ENOUGH / 2 * len(set(words)):
        return Verdict("unsupported", "other words")  # most spans are of something else, and nothing more need be looked at
    said, span = by_role(said, context), by_role(span, context)
    if fault := _fault(said, span, context):
        return Verdict("unsupported", fault)
    return _covered(said, span, context)


def _fault(said: str, span: str, context: str) -> str:
    """What the sentence says otherwise than the span."""
    around = f"{context}\n{span}"
    return (
        wrong_quantity(said, span, context)
        or wrong_unit(said, span, context)
        or wrong_column(said, span, context)
        or wrong_extreme(said, span, context)
        or wrong_row(said, span)
        or wrong_cell(said, span, context)
        or wrong_heading(said, span, context)
        or wrong_item(said, span, context)
        or wrong_name(said, span, around)
        or contradicted(said, span)
        or beyond(reading(said), reading(span))
        or clashes(reading(said), reading(span))
        or wrong_role(reading(said), reading(span))
        or replaced(said, span, around)
        or apart(said, span)
        or wrong_label(reading(said), reading(span))
    )


def _covered(said: str, span: str, context: str) -> Verdict:
    """Whether span and context have enough of the sentence's words, and some of each of its clauses."""
    around = f"{context}\n{span}"
    words, own, known = set(content(said)), set(content(span)), set(content(around))
    one, has, above = reading(said), reading(span), reading(context)
    amounts = {(q.value, q.dimension) for q in one.figures} & {(q.value, q.dimension) for q in quantities(around)}
    share = (len(words & known) + len(amounts)) / (len(words) + len(amounts))
    if len(words & own) + len(amounts) < FEWEST or share < ENOUGH / 2:
        return Verdict("unsupported", "other words")
    unknown = [t.start for t in one.terms if not has.has(t) and t.text not in above.known]
    if share < ENOUGH and len(unknown) >= UNKNOWN * len(one.terms):
        return Verdict("partly", "few of its words")
    twos_known = pairs(around)
    for start, end in one.clauses:
        clause = one.text[start:end]
        terms, twos = set(content(clause)), pairs(clause)
        if len(terms) < CLAIM or not one.within((start, end)) or {(q.value, q.dimension) for q in quantities(clause)} & amounts:
            continue
        covered = len(terms & known) / len(terms)
        if twos:
            covered = (covered + len(twos & twos_known) / len(twos)) / 2
        if covered < ADDED and sum(start <= at < end for at in unknown) >= OWN * len(one.within((start, end))):
            return Verdict("partly", f"added: {clause.strip()}")
    return Verdict("supported", share=share)


def copied(sentence: str, span: str) -> bool:
    """Is the sentence one whole sentence of the span, or several in a row, number and white space apart?"""
    wanted = _solid(sentence)
    pieces = [_solid(piece) for piece in PIECE.split(span) if piece.strip()]
    solid, ends = "".join(pieces), list(accumulate(map(len, pieces), initial=0))
    places = [end - len(wanted) for end in ends if solid.endswith(wanted, 0, end)] if len(wanted) >= 12 else []
    return any(NUMBERING.fullmatch(solid, begin, at) for at in places for begin in ends if begin <= at)


def _solid(text: str) -> str:
    return re.sub(r"[\s。；;,，.、：:]", "", fold(text)).casefold()


def replaced(sentence: str, span: str, around: str) -> str:
    """In what is nearly a copy, the word that stands in another's place."""
    mine, its = _sequence(sentence), _sequence(span)
    known, has = set(_sequence(around)), reading(around)
    alike = {t.text for t in reading(sentence).terms if has.has(t)}
    blocks = SequenceMatcher(None, its, mine, autojunk=False).get_opcodes()
    same = sum(j2 - j1 for op, _, _, j1, j2 in blocks if op == "equal")
    if same < COPY * len(mine):
        return ""
    for op, i1, i2, j1, j2 in blocks:
        new = [t for t in mine[j1:j2] if t not in known and t not in alike]
        short = max(i2 - i1, j2 - j1) <= 6
        if op == "replace" and short and len(new) > is_cjk(new[0] if new else "a") and any(t not in mine for t in its[i1:i2]):
            return f"another word: {' '.join(mine[j1:j2])}"
    return ""


def _sequence(text: str) -> list[str]:
    """Content words in their order, Chinese by the character, without figures, which are compared by value."""
    text = fold(text)
    for q in reversed(quantities(text)):
        text = f"{text[: q.reach[0]]} {text[q.reach[1] :]}"
    words = re.findall(r"[\u4e00-\u9fff]|[A-Za-z][\w'-]*", text)
    return [term for word in words for term in (content(word) if word.isascii() else [word] * (word not in EMPTY_ZH))]
