"""Markers and spans: which passage a sentence says it stands on, and which of its sentences supports it by the citation check."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ingest.readers import SOURCE
from ingest.schema import Hit
from ingest.sentences import sentences, strip_span
from ingest.tokens import is_cjk, tokens
from serve.check import Verdict, check
from serve.schema import Author, Citation, Support

MARKER = re.compile(r"\s*[\[【]\s*(\d{1,2}(?:\s*[,，、]\s*\d{1,2})*)\s*[\]】]")
# A source in words of the model's own: only a number can be checked.
NAMED = re.compile(r"\s?[\[【](?:source|sources|see|ref|reference|来源|出处|参见|引自)\s*[:：][^\]】\n]{0,200}[\]】]", re.I)
# Where Markdown begins an image or a link's target, and HTML a tag; and an address that runs code.
JOINER = "\u2060"  # invisible, and no part of a word
STRUCK = re.compile(r"\s*~~(?:(?!~~).)+~~")  # a sentence that failed the check, where the profile has it shown
# Numbers in brackets of whatever kind look like markers: [1], [^1], 【1†source】, ［1］, [1-3].
ACTIVE = re.compile(r"[\[【［](?=\s*\^?\s*\d)|~(?=~)|!(?=\[)|\](?=[(:])|<(?=[a-zA-Z/!?])|\b(?:javascript|vbscript|data)(?=:\S)", re.I)
COMMA = re.compile(r"[，；：,;:](?!\d)")
LONG, LETTERS = 160, 3  # characters of a quote in Chinese; English takes about three letters for one
SURE = 0.6  # share of a sentence's words that a span must have to be attached where the model named none


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a hit's chunk: offsets count in the chunk's text. `text` is verbatim."""

    hit: Hit
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.hit.chunk.text[self.start : self.end]


def citation(marker: int, span: Span, support: Support, by: Author, path: str = "") -> Citation:
    """The citation of a span, its offsets counted in the document."""
    chunk = span.hit.chunk
    start, end = chunk.start + span.start, chunk.start + span.end
    return Citation(marker=marker, chunk_id=chunk.id, document=span.hit.document, version=chunk.version, page=chunk.page,
                    start=start, end=end, quote=span.text, support=support, by=by, path=path)  # fmt: skip


def markers(sentence: str) -> tuple[str, list[int]]:
    """The sentence without its markers, those of the model's own making too, and the passage numbers that it names."""
    named = [int(n) for m in MARKER.finditer(sentence) for n in re.findall(r"\d+", m[1])]
    return NAMED.sub("", MARKER.sub("", sentence)).strip(), list(dict.fromkeys(named))


def inert(text: str) -> str:
    """`text` as it leaves: a marker that is none of ours, an image, a link and a tag are broken by an invisible joiner.

    Whoever renders an answer as Markdown or HTML shows them as their own source and loads nothing.
    """
    return ACTIVE.sub(lambda m: f"{m[0]}{JOINER}", text)


def struck(text: str) -> str:
    """A sentence that does not stand, as it is shown: struck through, on one line, without markers."""
    line = " ".join(inert(text).split()).replace("~", f"~{JOINER}")  # three in a row would open a block of code
    return f"~~{JOINER}{line}~~"


def spans(hit: Hit) -> list[Span]:
    """Every place of a hit that may support a sentence: its sentences, and two in a row of one paragraph; source code only whole."""
    text = hit.chunk.text
    if Path(hit.document).suffix in SOURCE:
        return [Span(hit, *strip_span(text, 0, len(text)))]
    single = _statements(hit)
    double = [(a, d) for (a, b), (c, d) in pairwise(single) if "\n" not in text[b:c]]
    return [Span(hit, *strip_span(text, a, b)) for a, b in single + double]


def sentence_spans(hit: Hit) -> list[Span]:
    """The sentences of a hit as they are quoted, long ones in parts; source code only whole."""
    text = hit.chunk.text
    if Path(hit.document).suffix in SOURCE:
        return [Span(hit, *strip_span(text, 0, len(text)))]
    return [Span(hit, *strip_span(text, *part)) for start, end in _statements(hit) for part in _parts(text, start, end)]


def _statements(hit: Hit) -> list[tuple[int, int]]:
    """The sentences of a hit without those that its heading holds whole: a heading says what follows, not that it is so."""
    heading = set(tokens(hit.chunk.context))
    return [(a, b) for a, b in sentences(hit.chunk.text) if not set(tokens(hit.chunk.text[a:b])) <= heading]


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span, or parts of it that end at a comma, each at most LONG where the commas allow."""
    long = LONG if any(map(is_cjk, text[start:end])) else LONG * LETTERS
    begin = last = start
    for match in COMMA.finditer(text, start, end):
        if match.end() - begin > long and last > begin:
            yield begin, last
            begin = last
        last = match.end()
    if end - begin > long and last > begin and end - last > 1:
        yield begin, last
        begin = last
    yield begin, end


def best_span(
    sentence: str, hits: Iterable[Hit], weigh: Callable[[str], float] = lambda token: 1.0
) -> tuple[Span, Verdict] | None:
    """The place among `hits` that supports `sentence` best, with what the check says of it; None where none has a word of it."""
    order: dict[Support, int] = {"supported": 2, "partly": 1, "unsupported": 0}
    said = set(tokens(sentence))
    best: tuple[tuple[float, ...], Span, Verdict] | None = None
    for hit in hits:
        for span in spans(hit):
            has = set(tokens(span.text))
            share = sum(weigh(t) for t in said & has)
            if not share:
                continue
            verdict = check(sentence, span.text, hit.chunk.context)
            score = (order[verdict.support], share, -len(has), -hit.rank)
            if best is None or score > best[0]:
                best = (score, span, verdict)
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
        if best and best[1].support == "supported":
            found.append((best[0], "supported", "model"))
    if not found and (best := best_span(words, shown, weigh)) and best[1].support == "supported" and best[1].share >= SURE:
        found.append((best[0], "supported", "attached"))
    return words, found
