"""Words as the keyword index knows them: the same for chunks and questions, Chinese and English.

Chinese: characters and pairs of characters. English: stemmed, stop words dropped. Codes and identifiers (`SK-42`, `M8×1.25`,
`snake_case`, `camelCase`) whole and in their parts. `第三十九条`, `第39条`, `Article 39` all carry the token `§39`.
"""

import re
import unicodedata
from functools import lru_cache

from Stemmer import Stemmer

STOP = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have he her his how i if in into is it its "
    "me my no not of on or our shall she should so than that the their them then there these they this to was we were what "
    "when where which who whom why will with would you your".split()
)
ZH_STOP = frozenset("的了吗呢吧啊呀么")
DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
UNITS = {"十": 10, "百": 100, "千": 1000}

ARTICLE = re.compile(
    r"第\s*([零〇一二两三四五六七八九十百千]+|\d+)\s*(?:条|條)|\b(?:article|clause|section|art\.)\s*(\d+(?:\.\d+)*)",
    re.I,
)
RUN = re.compile(r"[㐀-鿿豈-﫿]+|[^\W_㐀-鿿豈-﫿]+(?:[-_./×:][^\W_㐀-鿿豈-﫿]+)*|_+[^\W㐀-鿿]+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
stem = lru_cache(200_000)(Stemmer("english").stemWord)


def fold(text: str) -> str:
    """One shape for full and half width, and for accents: NFKD without combining marks, then NFKC."""
    stripped = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", stripped)


def tokens(text: str) -> list[str]:
    """Every token of `text`, in order, repeats kept. No token holds white space."""
    text = fold(text)
    found = [f"§{article_number(m)}" for m in ARTICLE.finditer(text)]
    for match in RUN.finditer(text):
        run = match[0]
        if "㐀" <= run[0] <= "鿿" or "豈" <= run[0] <= "﫿":
            found += [c for c in run if c not in ZH_STOP]
            found += [run[i : i + 2] for i in range(len(run) - 1)]
            continue
        lower = run.lower()
        parts = [p.lower() for p in PART.findall(run)]
        if len(parts) > 1:
            found.append(lower)
        found += [stem(p) for p in parts if p not in STOP]
    return found


def exact_tokens(text: str) -> set[str]:
    """The tokens of `text` that name one thing: fault codes, clause numbers, identifiers. Found whole, they come first."""
    text = fold(text)
    exact = {f"§{article_number(m)}" for m in ARTICLE.finditer(text)}
    for run in RUN.findall(ARTICLE.sub(" ", text)):
        code = any(c.isdigit() for c in run) and any(c.isascii() and c.isalpha() for c in run)
        name = "_" in run.strip("_") or re.search(r"[a-z][A-Z]", run) or re.search(r"[a-zA-Z]\.[a-zA-Z]", run)
        if (code or name) and len(run) > 2 and run[0].isascii():
            exact.add(run.lower())
    return exact


def article_number(match: re.Match[str]) -> str:
    """`39` for the number in a match of ARTICLE, however it is written."""
    number = match[1] or match[2]
    return number if number[0].isdigit() else str(chinese_number(number))


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
