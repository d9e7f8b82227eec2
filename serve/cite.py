"""The citation check: does this span support this sentence? And markers: which passage a sentence says it stands on.

A first check, by rules alone: every number with its unit, every code and name of the sentence must stand in the span (names also
in its heading), and most of its words. It reads Chinese and English. It knows nothing of the model or of LangChain.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ingest.readers import SOURCE
from ingest.schema import Hit
from ingest.sentences import sentences, strip_span
from ingest.tokens import chinese_number, exact_tokens, fold, tokens
from serve.schema import Author, Support

MARKER = re.compile(r"\s*[\[【]\s*(\d{1,2}(?:\s*[,，、]\s*\d{1,2})*)\s*[\]】]")
COUNTED = "[个日天年月时分秒元米条项次份页名人倍]"
UNIT = rf"%|°\s?[CF]?|‰|[$€£¥]|[a-zA-Zµμ·Ωℓ/²³]{{1,8}}\b|[万亿]*{COUNTED}|[万亿]+"
# Digits of a code (CP-80, M10) are the code's; codes are compared whole.
NUMBER = re.compile(rf"(?<![A-Za-z0-9_.])(?<![A-Za-z]-)(-?\d+(?:[.,]\d+)*)(\s?(?:{UNIT}))?")
CHINESE = "[零一二两三四五六七八九十百千]+"
CHINESE_NUMBER = re.compile(rf"{CHINESE}(?=[万亿]*{COUNTED}|[万亿])")
PERCENT = re.compile(rf"百分之({CHINESE}|\d+(?:\.\d+)?)")
CURRENCY = re.compile(r"([$€£¥])\s?(-?\d+(?:[.,]\d+)*)")
PARTY = re.compile(r"[甲乙丙丁]方|出租方|承租方|买方|卖方")
# Words of which one must not stand for the other.
OPPOSITES = [
    (re.compile(a, re.I), re.compile(b, re.I))
    for a, b in (
        ("应当|必须|应该", "可以|可(?=自)"), ("最长", "最短"), ("最高", "最低"), ("最多", "最少"), ("最大", "最小"), ("至少", "至多"),
        ("以上", "以下"), ("之前|以前", "之后|以后"), ("高于|大于|超过", "低于|小于|不足"), ("增加", "减少"), ("左", "右"),
        (r"\b(?:must|shall)\b", r"\b(?:may|can)\b"), (r"\bminimum\b|\bat least\b", r"\bmaximum\b|\bat most\b"),
        (r"\bbefore\b", r"\bafter\b"), (r"\babove\b|\bover\b|\bmore than\b", r"\bbelow\b|\bunder\b|\bless than\b"),
        (r"\bopen(?:s|ed)?\b", r"\bclosed?s?\b"), (r"\bstart(?:s|ed)?\b", r"\bstop(?:s|ped)?\b"),
        (r"\bincreases?d?\b", r"\bdecreases?d?\b"), (r"\bleft\b", r"\bright\b"),
    )
]  # fmt: skip
SPELLED = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|sixty|ninety|hundred|half)\b", re.I
)
NEGATION = re.compile(
    r"\b(?:not|never|no|none|neither|nor|cannot|without|must ?n[o']t|n't)\b|n't\b|不|未|无|没|禁|勿|非", re.I
)
NAME = re.compile(r"(?<!^)(?<![.!?:|]\s)\b[A-Z][a-z]{2,}\b")
NO_UNIT = frozenset(
    "a an and as at by can each for from if in is it may must of on or per shall than the to was were when with".split()
)
SUPPORTED, PARTLY = 0.6, 0.4  # share of the sentence's words that the span and its heading have
TELLING = 1  # word, no figure or unit, that sentence and span must share
OWN = 0.35  # share that the span must have by itself
ADDED = 10  # one word in so many may be the sentence's own; more is a claim that nobody made
FEWEST = 3  # words of its own that a sentence has; a scrap claims nothing
LOOPS = 0.4  # share of different words in a long sentence below which it only repeats itself
# words that report without claiming
REPORTING = frozenset(
    tokens("accord answer describe document follow give indicate list manual mean passage question refer say show state use")
)


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a hit's chunk: offsets count in the chunk's text. `text` is verbatim."""

    hit: Hit
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.hit.chunk.text[self.start : self.end]


def check(sentence: str, span: str, context: str = "") -> Support:
    """How far `span`, which stands under `context`, supports `sentence` (without markers)."""
    if not numbers(sentence) <= numbers(span):
        return "unsupported"
    around = f"{context}\n{span}"
    codes, known = exact_tokens(sentence), set(tokens(around))
    if not codes <= exact_tokens(around) | known:
        return "unsupported"
    words = tokens(sentence)
    # A code counts once, not once more for each of its parts.
    said = set(words) - {part for code in codes for part in tokens(code)} | codes
    if len(said) < FEWEST or len(set(words)) < LOOPS * len(words):
        return "unsupported"
    share = len(said & known) / len(said)
    if share < PARTLY or not {n.lower() for n in NAME.findall(sentence)} <= set(re.findall(r"\w+", around.lower())):
        return "unsupported"
    if bool(NEGATION.search(sentence)) != bool(NEGATION.search(span)):
        return "partly"
    if turned(sentence, span):
        return "partly"
    own = said & set(tokens(span))
    # a bare figure ("The answer is 185 mm") could be a figure of anything
    telling = [t for t in own if not (t.isascii() and (len(t) < 3 or t[0].isdigit()))]
    added = [t for t in said - known - REPORTING if t.isascii() and len(t) > 2]  # the short are units, compared above
    supported = (
        share >= SUPPORTED
        and len(own) / len(said) >= OWN
        and len(telling) >= TELLING
        and len(added) <= len(said) // ADDED
    )
    return "supported" if supported else "partly"


def turned(sentence: str, span: str) -> bool:
    """Does the sentence say the opposite of a word of the span, or name its parties in another order?"""
    for a, b in OPPOSITES:
        for one, other in ((a, b), (b, a)):
            if one.search(sentence) and not other.search(sentence) and other.search(span) and not one.search(span):
                return True
    parties = iter(PARTY.findall(span))
    return not all(party in parties for party in PARTY.findall(sentence))


def numbers(text: str) -> set[str]:
    """Every number with its unit, in one shape: `45 N·m`, `45N·m` and `45 Nm` are one."""
    found = set()
    text = PERCENT.sub(lambda m: f"{m[1] if m[1][0].isdigit() else chinese_number(m[1])}%", fold(text))
    text = CURRENCY.sub(r"\2 \1 ", text)  # a sign before its figure is its unit
    text = CHINESE_NUMBER.sub(lambda m: str(chinese_number(m[0])), text).replace("−", "-").replace("–", "-")
    for match in NUMBER.finditer(text):
        figure = re.sub(r",(?=\d{3}\b)", "", match[1]).rstrip(".,")
        unit = re.sub(r"[\s·.]", "", match[2] or "").lower()
        found.add(figure + ("" if unit in NO_UNIT or len(unit) > 4 else unit))
    return found | {w.lower() for w in SPELLED.findall(text)}


def markers(sentence: str) -> tuple[str, list[int]]:
    """The sentence without its markers, and the passage numbers that it names."""
    named = [int(n) for m in MARKER.finditer(sentence) for n in re.findall(r"\d+", m[1])]
    return MARKER.sub("", sentence).strip(), list(dict.fromkeys(named))


def unmarked(text: str) -> str:
    """`text` to be shown as quoted: what looks like a marker in a document gets an invisible joiner, so that it is none of ours."""
    return MARKER.sub(lambda m: m[0].replace("[", "[\u2060").replace("【", "【\u2060"), text)


def spans(hit: Hit) -> list[Span]:
    """Every quotable place of a hit: its sentences, and two in a row of one paragraph; source code only whole."""
    text = hit.chunk.text
    if Path(hit.document).suffix in SOURCE:
        return [Span(hit, *strip_span(text, 0, len(text)))]
    heading = set(tokens(hit.chunk.context))  # a heading says what follows, not that it is so
    single = [(a, b) for a, b in sentences(text) if not set(tokens(text[a:b])) <= heading]
    double = [(a, d) for (a, b), (c, d) in pairwise(single) if "\n" not in text[b:c]]
    return [Span(hit, *strip_span(text, a, b)) for a, b in single + double]


def best_span(
    sentence: str, hits: Iterable[Hit], weigh: Callable[[str], float] = lambda token: 1.0
) -> tuple[Span, Support] | None:
    """The place among `hits` that supports `sentence` best, with what the check says of it; None where none has a word of it."""
    order: dict[Support, int] = {"supported": 2, "partly": 1, "unsupported": 0}
    said = set(tokens(sentence))
    best: tuple[tuple[float, ...], Span, Support] | None = None
    for hit in hits:
        for span in spans(hit):
            has = set(tokens(span.text))
            share = sum(weigh(t) for t in said & has)
            if not share:
                continue
            support = check(sentence, span.text, hit.chunk.context)
            score = (order[support], share, -len(has), -hit.rank)
            if best is None or score > best[0]:
                best = (score, span, support)
    return best and (best[1], best[2])


def cited(
    sentence: str, shown: Sequence[Hit], weigh: Callable[[str], float]
) -> tuple[str, list[tuple[Span, Support, Author]]]:
    """A sentence's words and the spans it stands on: the model's own markers where they hold, else the best span that does.

    Markers of passages that were not shown, or that do not support the sentence, are dropped. No spans: it does not stand.
    """
    words, named = markers(sentence)
    if words.endswith(("?", "？", ":", "：")):
        return words, []  # a question or an opening states nothing that could be supported
    found: list[tuple[Span, Support, Author]] = []
    for number in named:
        best = best_span(words, [shown[number - 1]], weigh) if 1 <= number <= len(shown) else None
        if best and best[1] == "supported":
            found.append((best[0], best[1], "model"))
    if not found and (best := best_span(words, shown, weigh)) and best[1] == "supported":
        found.append((best[0], best[1], "attached"))
    return words, found
