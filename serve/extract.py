"""Extractive answers: the documents' own sentences, verbatim, in reading order. Used where no model answers, or quoting is wanted."""

from collections.abc import Callable, Sequence

from ingest.keywords import HEAD
from ingest.schema import Hit
from ingest.sentences import strip_span
from ingest.tokens import exact_tokens, heads, tokens
from serve.cite import Span, spans
from serve.evidence import strays
from serve.instructions import HOLE

MOST = 3  # sentences; more is reading the documents oneself
LOOKED_UP = 1.0  # what a question names by its number comes before what only resembles it
NEAR = 0.7  # of the best sentence's score: what falls below says something else


def extract(question: str, hits: Sequence[Hit], weigh: Callable[[str], float]) -> list[Span]:
    """Up to three spans that answer `question` best, none within another, in reading order; none where no word matches."""
    asked = set(tokens(question))
    codes = exact_tokens(question)
    total = sum(map(weigh, asked)) or 1.0
    scored: list[tuple[float, Span]] = []
    looked_up = {hit.chunk.id: whole for hit in hits if (whole := _looked_up(hit, codes))}
    # two documents have an Article 23; where the question names one of them, the other's is no answer
    named = any(hit.named and hit.chunk.id in looked_up for hit in hits)
    for hit in hits:
        context = set(tokens(hit.chunk.context))
        if hit.chunk.id in looked_up:
            if hit.named or not named:
                scored.append((LOOKED_UP + hit.score, looked_up[hit.chunk.id]))
            continue
        for span in spans(hit):
            words = set(tokens(span.text))
            said = asked & words
            if not said or words <= context:  # a heading alone says nothing
                continue
            if strays(question, span.text, span.text):
                continue
            share = sum(map(weigh, said)) + 0.5 * sum(map(weigh, (asked & context) - words))
            length = min(1.0, len(words) / 6) / (1 + max(0, len(words) - 40) / 80)  # neither a scrap nor a page
            scored.append((share / total * length * (0.5 + 0.5 * hit.score), span))
    scored.sort(key=lambda pair: -pair[0])
    chosen: list[Span] = []
    for score, span in scored:
        if len(chosen) == MOST or score < NEAR * scored[0][0]:
            break
        if not any(_overlap(span, other) for other in chosen):
            chosen.append(span)
    order = {hit.chunk.version: n for n, hit in reversed(list(enumerate(hits)))}
    return sorted(chosen, key=lambda s: (order[s.hit.chunk.version], s.hit.chunk.start + s.start))


def _looked_up(hit: Hit, codes: set[str]) -> Span | None:
    """The whole chunk, if it is the clause, table row or definition that the question names."""
    start, end = strip_span(hit.chunk.text, 0, len(hit.chunk.text))
    if HOLE.search(hit.chunk.text, start, end):
        return None  # its whole is no longer its own words
    begins = heads(hit.chunk.text[start : start + HEAD].split("\n")[0])
    clause = {c for c in codes if c.startswith("§")}
    return Span(hit, start, end) if clause and clause <= begins else None


def _overlap(a: Span, b: Span) -> bool:
    same = a.hit.chunk.id == b.hit.chunk.id and a.start < b.end and b.start < a.end
    return same or a.text == b.text
