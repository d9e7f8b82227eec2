"""Words as the keyword index knows them: the same for chunks and questions, Chinese and English.

Chinese: characters and pairs of characters, traditional as simplified. English: stemmed, stop words dropped. Codes and identifiers
(`SK-42`, `M8×1.25`, `snake_case`, `camelCase`) whole and in their parts, however they are joined. `第三十九条`, `第39条`, `Article 39`
all carry the token `§39`; so does what is numbered so at the head of a line or heading.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from Stemmer import Stemmer

TOKENS_VERSION = "2"  # part of a corpus's stamp: raise it when tokens() changes
STOP = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have he her his how i if in into is it its "
    "me my no not of on or our shall she should so than that the their them then there these they this to was we were what "
    "when where which who whom why will with would you your".split()
)
ZH_STOP = frozenset("的了吗呢吧啊呀么")
DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
UNITS = {"十": 10, "百": 100, "千": 1000}
HAN = "零〇一二两三四五六七八九十百千"

# What has no decomposition and yet is a variant. An em dash stands between words, not in them.
VARIANTS = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
                          "đ": "d", "Đ": "D", "ı": "i", "⁄": "/", **dict.fromkeys("‐‑‒–−﹣", "-")})  # fmt: skip
CJK = "㐀-鿿豈-﫿\U00020000-\U0003ffff"
RUN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:(?:[-_./×:]|(?<=\d)\*(?=\d))[^\W_{CJK}]+)*|_+[^\W{CJK}]+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
PIECE = re.compile(r"[-_./×:*]+|(?<=\d)[xX](?=\d)")  # between the pieces of a code
JOINT = re.compile(r"(?<!\d)[-_]|[-_](?!\d)")  # may as well be left out: SK-42, SK42
MEASURE = re.compile(r"[kcdmμ]?m[23](?:/[a-zA-Z]+)?")  # m³/h has a digit and is no code
TIMES = re.compile(r"(?<=\d)[×*X](?=\d)|×")

ZH_CLAUSE = re.compile(rf"第\s*(?:([{HAN}]+)|(\d+))\s*条(?:之([{HAN}]+))?")
POINT_CLAUSE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)+)\s*[条款项节]")  # 第1.1条, 2.1款
EN_CLAUSE = re.compile(
    r"(?:\b(?:articles?|clauses?|sections?|art\.|sec\.|cl\.)\s*|§+\s*)"
    r"(?:(\d+(?:\.\d+)*)(?:-(\d{1,2})(?![\d-])|(?-i:([A-Z]))(?!\w))?|((?-i:[IVXL]{2,7}\b|[IVX](?=[.:)—–]))))",
    re.I,
)
# A clause is what contracts call their bare 12.
FIGURE = "figure"
EN_FORMS = {"a": "article", "s": "section", "§": "section", "c": FIGURE}
EN_WORDS = ("artic", "clause", "section", "art.", "sec.", "cl.", "§")
# A number that begins a line or a name in a trail of headings: 2.1 …, 12. Liability
HEAD = re.compile(
    rf"(?:^|\n|› )[ \t]*(?:(\d{{1,3}}(?:\.\d{{1,3}})+)[.、)]?(?=[ \t]*(?:$|[\n›{CJK}\"“(\[《A-Z]))"
    rf"|(\d{{1,3}})[.、)](?=\s*[{CJK}]|[ \t]+[\"“A-Z]))"
    rf"|› [ \t]*(\d{{1,3}})(?=[ \t]+[A-Z{CJK}]|[ \t]*(?:$|[\n›]))"
)
BARE = re.compile(r"\s*(\d{1,3}(?:\.\d{1,3})+|\d{1,3}(?=[.、)]))[.、)]?\s*[?？]?\s*")  # a question that is nothing but 3. or 8.5
BEGINS = re.compile(r"(?:^|\n|› )[ \t]*$")
ROMAN = {"".join(("", "X", "XX", "XXX", "XL")[n // 10] + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[n % 10]): n
         for n in range(1, 50)}  # fmt: skip
stem = lru_cache(2**15)(Stemmer("english").stemWord)


class Place(NamedTuple):
    """Where a clause number stands, its token, and how it is written."""

    start: int
    end: int
    token: str
    form: str


class _Folds(dict[int, str]):
    """Character → its one shape, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        char = was = chr(code)
        for _ in range(4):  # a compatibility form may stand for a traditional one
            bare = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
            char = unicodedata.normalize("NFKC", bare).translate(VARIANTS).translate(_simplified())
            if char == was:
                break
            was = char
        self[code] = "".join(c for c in char if unicodedata.category(c) != "Cf")  # soft hyphens, joiners
        return self[code]


FOLDS = _Folds()


@lru_cache(1)
def _simplified() -> dict[int, str]:
    """Traditional characters to simplified ones, by OpenCC's table."""
    spec = find_spec("opencc")
    assert spec is not None and spec.origin is not None
    table = (Path(spec.origin).parent / "dictionary" / "TSCharacters.txt").read_text(encoding="utf-8")
    pairs = (line.split() for line in table.splitlines())
    return {ord(pair[0]): pair[1] for pair in pairs if len(pair) > 1}


def fold(text: str) -> str:
    """One shape for full and half width, accents, dashes, traditional and simplified. Case stays. `fold(fold(x)) == fold(x)`."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.translate(FOLDS))


def tokens(text: str) -> list[str]:
    """Every token of `text`, clauses first, then in order, repeats kept. No token holds white space."""
    return list(_tokens(text))


@lru_cache(2**9)  # every step from the search to the check cuts the same passages
def _tokens(text: str) -> tuple[str, ...]:
    text = fold(text)
    found = [*_clauses(text), *_heads(text)]
    for run in RUN.findall(text):
        if is_cjk(run[0]):
            found += [c for c in run if c not in ZH_STOP]
            found += [a + b for a, b in pairwise(run)]
        else:
            found += _parts(run)
    return tuple(found)


def exact_tokens(text: str) -> set[str]:
    """The tokens of `text` that name one thing: fault codes, clause numbers, identifiers. Found whole, they come first."""
    text = fold(text)
    clauses = list(_clause_places(text))
    exact = {place.token for place in clauses}
    for match in RUN.finditer(text):
        run = match[0]
        if run[0].isascii() and _is_exact(run) and not any(c.start < match.end() and match.start() < c.end for c in clauses):
            exact.add(_whole(run))
    return exact


def heads(text: str) -> set[str]:
    """Clause numbers (`§2.1`) that begin a line of `text`, or a name in a trail of headings, with a keyword or without."""
    return {token for token, _ in written_heads(text)}


def written(text: str) -> set[tuple[str, str]]:
    """The clause numbers of `text` and how they are written: `§3` as 条, article or section, or as a figure (clause 3)."""
    return {(place.token, place.form) for place in _clause_places(fold(text))}


def written_heads(text: str) -> set[tuple[str, str]]:
    """The same of those that begin a line, or a name in a trail of headings, figures without a keyword among them."""
    text = fold(text)
    begin = {(place.token, place.form) for place in _clause_places(text) if BEGINS.search(text, max(0, place.start - 9), place.start)}
    return begin | {(token, FIGURE) for token in _heads(text)}


def without_clauses(text: str, mark: str) -> str:
    """`text`, folded, with `mark` for each clause number."""
    text = fold(text)
    for pattern in (ZH_CLAUSE, POINT_CLAUSE, EN_CLAUSE):
        text = pattern.sub(mark, text)
    return text


def chinese_number(text: str) -> int:
    """三十九 → 39, 一百零二 → 102, 十 → 10."""
    total, digit = 0, 0
    for c in text:
        if c in UNITS:
            total += (digit or 1) * UNITS[c]
            digit = 0
        else:
            digit = DIGITS[c]
    return total + digit


def _clauses(text: str) -> list[str]:
    """Clause numbers that a word says are such, in folded text."""
    return [place.token for place in _clause_places(text)]


def _clause_places(text: str) -> Iterator[Place]:
    if bare := BARE.fullmatch(text):
        yield Place(bare.start(1), bare.end(1), f"§{bare[1]}", FIGURE)
    if "第" in text:
        for m in ZH_CLAUSE.finditer(text):
            number = str(chinese_number(m[1])) if m[1] else m[2]
            yield Place(m.start(), m.end(), f"§{number}-{chinese_number(m[3])}" if m[3] else f"§{number}", "条")
    if "." in text and not text.isascii():
        for m in POINT_CLAUSE.finditer(text):
            yield Place(m.start() - (text[m.start() - 1 : m.start()] == "第"), m.end(), f"§{m[1]}", "条")
    lower = text.lower()
    if any(word in lower for word in EN_WORDS):  # most texts have none, and this is quicker to see
        for m in EN_CLAUSE.finditer(text):
            number = m[1] + (f"-{m[2]}" if m[2] else (m[3] or "").lower()) if m[1] else str(ROMAN.get(m[4], ""))
            if number:
                yield Place(m.start(), m.end(), f"§{number}", EN_FORMS[lower[m.start()]])


def _heads(text: str) -> list[str]:
    return [f"§{m[1] or m[2] or m[3]}" for m in HEAD.finditer(text)]


@lru_cache(2**15)
def _parts(run: str) -> tuple[str, ...]:
    """The tokens of a word, code or identifier: whole, its pieces, and their parts."""
    found = []
    pieces = [piece for piece in PIECE.split(run) if piece]
    if len(pieces) > 1:
        found.append(_whole(run))
    for piece in pieces:
        parts = [part.casefold() for part in PART.findall(piece)]
        if len(parts) > 1:
            found.append(_whole(piece))
        found += [stem(part) for part in parts if part not in STOP]
    return tuple(token for token in found if token)


def _whole(run: str) -> str:
    """One shape for a code (`SK-42`, `sk42`), a compound (`back-off`, `backoff`) or an identifier (`a_b`, `aB`, `ab`)."""
    run = JOINT.sub("", TIMES.sub("x", run.strip("_"))).casefold()
    return stem(run) if run.isalpha() else run


@lru_cache(2**15)
def _is_exact(run: str) -> bool:
    code = any(c.isdigit() for c in run) and any(c.isascii() and c.isalpha() for c in run)
    name = "_" in run.strip("_") or re.search(r"[a-z][A-Z]", run) or re.search(r"[a-zA-Z]\.[a-zA-Z]", run)
    return len(run) > 2 and bool(code or name) and not MEASURE.fullmatch(run)


def is_cjk(char: str) -> bool:
    """Is it a Chinese character?"""
    return "㐀" <= char <= "鿿" or "豈" <= char <= "﫿" or char >= "\U00020000"
