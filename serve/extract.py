"""Extractive answers: the documents' own sentences, verbatim, in reading order. Used where no model answers, or quoting is wanted."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log
from typing import NamedTuple

from ingest.keywords import HEAD
from ingest.schema import Hit
from ingest.sentences import strip_span
from ingest.tokens import exact_tokens, heads, tokens
from serve.cite import Span, sentence_spans
from serve.evidence import strays
from serve.instructions import HOLE
from serve.question import answers, asked_words, asks_how, expected

MOST = 3  # sentences; more is reading the documents oneself
NUMBER = re.compile(r"[A-Z][A-Z0-9/-]*\d[A-Z0-9/-]*,?\s+(?:rev|issue|edition|ed|version|v|版)\b\.?\s*\w{1,6}", re.I)  # of a document
LOOKED_UP = 10.0  # what a question names by its number comes before what only resembles it
NEAR = 0.2  # of the best sentence's score: what falls below says something else
K1, B = 1.2, 0.75  # of BM25 (Robertson and Zaragoza 2009)
ABOVE = 0.3  # of a word's weight, for one that stands in the heading above
ANSWERS = 0.6  # more, for a sentence with the date or figure that is asked for
ALIKE = 0.8  # of a sentence's words; one that shares more with a chosen one says it again
GAP = 3  # characters of white space between two sentences that follow each other
STEPS = 0.5  # of the best sentences' score; so much must sentences in a row have to be quoted in their stead as steps


class Scored(NamedTuple):
    """A sentence that may be quoted, its words, and how well it answers."""

    span: Span
    words: Counter[str]
    score: float

    @property
    def place(self) -> tuple[str, int, int]:
        """Version, start and end in the document's text."""
        chunk = self.span.hit.chunk
        return chunk.version, chunk.start + self.span.start, chunk.start + self.span.end


def extract(question: str, hits: Sequence[Hit]) -> list[Span]:
    """Up to three spans that answer `question` best, none within another, in reading order; none where no word matches."""
    scored = sorted(score_sentences(question, hits), key=lambda s: -s.score)
    chosen: list[Scored] = []
    steps = asks_how(question)
    for candidate in scored:
        if len(chosen) == MOST or candidate.score < (0 if steps else NEAR) * scored[0].score or not candidate.score:
            break
        if not any(_again(candidate, other) for other in chosen):
            chosen.append(candidate)
    if steps and len(chosen) == MOST and (row := _in_a_row(scored)) and _total(row) >= STEPS * _total(chosen):
        chosen = row
    order = {hit.chunk.version: n for n, hit in reversed(list(enumerate(hits)))}
    return [s.span for s in sorted(chosen, key=lambda s: (order[s.place[0]], s.place[1]))]


def nearest(question: str, hits: Sequence[Hit]) -> list[Span]:
    """The best sentence of each of the three passages that come nearest to an answer, best first."""
    found: dict[str, Span] = {}
    for s in sorted(score_sentences(question, hits), key=lambda s: -s.score):
        if s.score:
            found.setdefault(s.span.hit.chunk.id, s.span)
    return list(found.values())[:MOST]


def score_sentences(question: str, hits: Sequence[Hit]) -> list[Scored]:
    """Every sentence of the hits, by BM25 among themselves; 0 for one that shares no word with the question.

    What all passages found have in common is the subject; what few of them say tells the answer. So a word's weight is its rarity
    here, not in the corpus.
    """
    codes = exact_tokens(question)
    looked_up = {hit.chunk.id: whole for hit in hits if (whole := _looked_up(hit, codes))}
    # two documents have an Article 23; where the question names one of them, the other's is no answer
    named = any(hit.named and hit.chunk.id in looked_up for hit in hits)
    found = [Scored(whole, Counter(tokens(whole.text)), LOOKED_UP + whole.hit.score)
             for whole in looked_up.values() if whole.hit.named or not named]  # fmt: skip
    spans = [span for hit in hits if hit.chunk.id not in looked_up for span in sentence_spans(hit)]
    words = [Counter(tokens(span.text)) for span in spans]
    if not spans:
        return found
    asked, expects = asked_words(question), expected(question)
    counts = Counter(word for said in words for word in said)
    weight = {word: log(1 + (len(spans) - counts[word] + 0.5) / (counts[word] + 0.5)) for word in asked}
    total = sum(weight.values()) or 1.0
    average = sum(said.total() for said in words) / len(spans) or 1.0
    best = max(hit.score for hit in hits) or 1.0
    above = {hit.chunk.id: set(tokens(hit.chunk.context)) for hit in hits}
    headers = {hit.chunk.context.rpartition(": ")[2] for hit in hits if "|" in hit.chunk.context}
    for span, said in zip(spans, words, strict=True):
        heading = above[span.hit.chunk.id]
        shared = asked & said.keys()
        text = span.text.strip()
        if said.keys() <= heading or text in headers or NUMBER.fullmatch(text) or strays(question, text, text):
            continue  # a heading alone says nothing
        long = K1 * (1 - B + B * said.total() / average)
        score = sum(weight[w] * said[w] * (K1 + 1) / (said[w] + long) for w in shared)
        if not shared:  # it may still stand between two that have
            found.append(Scored(span, said, 0.0))
            continue
        score += ABOVE * sum(weight[w] for w in (asked & heading) - said.keys())
        score *= 1 + ANSWERS * answers(expects, question, span.text)
        found.append(Scored(span, said, score / total * (0.5 + 0.5 * span.hit.score / best)))
    return found


def _in_a_row(scored: Sequence[Scored]) -> list[Scored]:
    """Three sentences of one document in a row, the best one among them, that score most together."""
    first = scored[0].span.hit.chunk.version
    row = sorted((s for s in scored if s.span.hit.chunk.version == first), key=lambda s: s.place[1])
    runs = [row[n : n + MOST] for n in range(len(row) - MOST + 1)]
    runs = [r for r in runs if scored[0] in r and all(b.place[1] - a.place[2] <= GAP for a, b in pairwise(r))]
    return max(runs, key=_total, default=[])


def _total(scored: Sequence[Scored]) -> float:
    return sum(s.score for s in scored)


def _looked_up(hit: Hit, codes: set[str]) -> Span | None:
    """The whole chunk, if it is the clause, table row or definition that the question names."""
    start, end = strip_span(hit.chunk.text, 0, len(hit.chunk.text))
    if HOLE.search(hit.chunk.text, start, end):
        return None  # its whole is no longer its own words
    begins = heads(hit.chunk.text[start : start + HEAD].split("\n")[0])
    clause = {c for c in codes if c.startswith("§")}
    return Span(hit, start, end) if clause and clause <= begins else None


def _again(a: Scored, b: Scored) -> bool:
    """Does one of them say what the other says?"""
    return len(a.words.keys() & b.words.keys()) > ALIKE * min(len(a.words), len(b.words))
