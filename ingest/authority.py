"""Authority: a document that other documents cite by name is preferred. Counted by `ingest fit`, kept in fitted.json.

The law that other laws refer to, the manual that bulletins refer to, is what is meant more often than a text that nobody cites: a
document's in-links as its prior (Kraaij, Westerveld and Hiemstra 2002), taken as 1 + WORTH · log(1 + n) / log(1 + MANY).
"""

import re
from collections import Counter
from collections.abc import Iterable
from math import log

from ingest.named import BRACKETS, CLAUSE, DATE, QUALIFIED, STATE
from ingest.tokens import fold, is_cjk, without_clauses

WORTH = 0.25  # of a score, for what is cited MANY times or more
MANY = 50
CITED = re.compile(r"《([^《》\n]{2,80})》")
FEWEST_WORDS = 3  # of an English title; fewer are words of any sentence
WORD = re.compile(r"[a-z0-9][a-z0-9'-]*")


def title_key(title: str) -> str:
    """One shape for a title as it stands on the document and as others cite it: without edition, year, clause number."""
    short = DATE.sub("", QUALIFIED.sub("", STATE.sub("", fold(title))))
    short = CLAUSE.sub("", without_clauses(BRACKETS.sub("", short), ""))
    return " ".join(WORD.findall(short.lower())) if short.isascii() else "".join(short.split()).lower()


def count_citations(titles: Iterable[tuple[str, str]], texts: Iterable[tuple[str, str]]) -> dict[str, int]:
    """How often each title is cited in other documents' texts; `titles` and `texts` come with their version."""
    key_of = {version: title_key(title) for version, title in titles}
    keys = {key for key in key_of.values() if _is_title(key)}
    begins: dict[tuple[str, ...], set[str]] = {}
    for key in keys:
        if not is_cjk(key[0]):
            begins.setdefault(tuple(key.split()[:FEWEST_WORDS]), set()).add(key)
    found: Counter[str] = Counter()
    for version, text in texts:
        own = key_of.get(version, "")
        cited = [title_key(name) for name in CITED.findall(text)] if "《" in text else []
        found.update(key for key in cited if key in keys and key != own)
        if begins:
            words = WORD.findall(text.lower())
            for n in range(len(words) - FEWEST_WORDS + 1):
                for key in begins.get(tuple(words[n : n + FEWEST_WORDS]), ()):
                    found[key] += key != own and words[n : n + key.count(" ") + 1] == key.split()
    return {key: n for key, n in found.items() if n}


def authority(citations: int) -> float:
    """What a score is multiplied by: 1 for what nobody cites, at most 1 + WORTH."""
    return 1 + WORTH * min(1.0, log(1 + citations) / log(1 + MANY))


def _is_title(key: str) -> bool:
    return bool(key) and (len(key) > 2 if is_cjk(key[0]) else key.count(" ") + 1 >= FEWEST_WORDS)
