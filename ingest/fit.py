"""How much meaning counts beside words in a corpus, fitted on questions made from its own chunks.  Run: ingest fit CORPUS

A question is a part of a sentence, and the chunk that it was taken from is what must be found: the inverse cloze task of Lee, Chang and
Toutanova (2019). Of the sentence itself the chunk keeps some words, since people ask partly in the document's own. No question that
anybody measures with is looked at. Sentences are drawn, not chunks, so that a chunk that says much is asked about more; of code, its
comments are asked and the bare code is what must be found. Of questions in a language that the embedding model does not read nothing is
fitted: they are searched by words. The result is `fitted.json` in the corpus's folder of the home, with what it was fitted on.
"""

import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import log2
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corpora import UserError
from ingest.authority import count_citations
from ingest.embed import Embedder
from ingest.fitted import write_fitted
from ingest.fusion import fuse
from ingest.keywords import Keywords
from ingest.language import language
from ingest.manifest import Manifest, stamp
from ingest.proximity import CODE
from ingest.schema import Chunk
from ingest.search import CANDIDATES
from ingest.sentences import sentences
from ingest.settings import Settings
from ingest.tokens import tokens
from ingest.vectors import Vectors, open_chroma

QUESTIONS = 800  # of a language, at most; fewer than FEWEST decide nothing
FEWEST = 40
CHUNKS = 4000  # of the corpus that are searched; more cost time and change little
WORDS = (4, 12)  # of an English question
CHARACTERS = (6, 40)  # of a Chinese one
COMMENT = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'|/\*+(.*?)\*/|(?:#|//)[ \t]*([^\n]*)', re.S)
NO_PROSE = re.compile(r"[_{}()\[\]=<>;|\\@#$%^&*+~]|\w\.\w|\bimport\b")
KEPT = 0.6  # of a sentence's words or clauses stand in the question
LEFT = 0.3  # of a sentence's words are left in the chunk that it is asked of
UNKNOWN = 0.7  # of a comment's words that the code has too are not in the question: who asks does not know what things are called there
WEIGHTS = tuple(round(0.05 * n, 2) for n in range(21))
Advance = Callable[[float, str], None]


class Question(NamedTuple):
    """A part of a sentence of `chunk`, which is given with little of that sentence."""

    text: str
    chunk: Chunk


def fit(corpus: str, settings: Settings, embedder: Embedder, advance: Advance = lambda share, unit: None) -> dict[str, Any]:
    """Fit `corpus` and write fitted.json; returns what was written. Raises `UserError` where nothing is indexed."""
    manifest = Manifest(settings.root)
    corpus_id = manifest.corpus_id(corpus)
    if corpus_id is None:
        raise UserError(f"Nothing is indexed in {corpus} yet.", f"Run: ingest add {corpus} PATH")
    manifest.check_stamp(corpus, stamp(embedder))
    dice = random.Random(corpus)  # noqa: S311 - the same questions each time
    versions = sorted(document["version"] for document in manifest.documents(corpus))
    chunks = [chunk for version in dict.fromkeys(versions) for chunk in manifest.chunks(version)]
    total = len(chunks)
    chunks = sorted(dice.sample(chunks, min(CHUNKS, len(chunks))), key=lambda c: (c.version, c.ordinal))
    asked = [question for question in questions(chunks, dice) if language(question.text) in embedder.languages]
    found: dict[str, Any] = {}
    if asked:
        with open_chroma(settings) as client:
            vectors = Vectors(client, corpus_id).get([c.id for c in chunks]) if chunks else np.zeros((0, embedder.dimension), np.float32)
        found = _measure(chunks, vectors, asked, embedder, advance)
    documents = manifest.documents(corpus)
    texts = ((version, manifest.text(version)) for version in dict.fromkeys(versions))
    cited = count_citations(((d["version"], d["title"]) for d in documents), texts)
    written = {"languages": found, "cited": cited, "stamp": stamp(embedder), "chunks": total,
               "fitted": datetime.now(UTC).isoformat(timespec="seconds")}  # fmt: skip
    write_fitted(corpus, settings, written)
    return written


def questions(chunks: Sequence[Chunk], dice: random.Random) -> Iterator[Question]:
    """Up to QUESTIONS of each language, at most one of a chunk."""
    cuts = [(chunk, sentence, rest) for chunk in chunks for sentence, rest in taken_out(chunk.text, dice)]
    dice.shuffle(cuts)
    used, counts = set[str](), {"en": 0, "zh": 0}
    for chunk, sentence, rest in cuts:
        lang = language(sentence)
        if chunk.id in used or counts[lang] == QUESTIONS:
            continue
        text = part_of(sentence, lang, dice)
        if text and len(set(tokens(rest))) >= WORDS[0]:
            used.add(chunk.id)
            counts[lang] += 1
            yield Question(text, replace(chunk, text=rest, start=0, end=len(rest)))


def taken_out(text: str, dice: random.Random) -> Iterator[tuple[str, str]]:
    """Each sentence of `text`, and the text with no more of it than some words.

    Code is asked for by what its comments say, for the most part in words that it has not, and is left without any.
    """
    if CODE.search(text):
        code = COMMENT.sub(" ", text)
        known = set(tokens(code))
        comments = (next(filter(None, match.groups()), "").strip() for match in COMMENT.finditer(text))
        for said in filter(None, comments):
            words = said[slice(*sentences(said)[0])].split()  # the first sentence says what it is for
            yield " ".join(word for word in words if not known & set(tokens(word)) or dice.random() >= UNKNOWN), code
    elif len(spans := sentences(text)) > 1:
        for start, end in spans:
            words = re.findall(r"[\u4e00-\u9fff]{1,2}|[^\s\u4e00-\u9fff]+", text[start:end])
            left = " ".join(word for word in words if dice.random() < LEFT)
            yield text[start:end], f"{text[:start]} {left} {text[end:]}"


def part_of(sentence: str, lang: str, dice: random.Random) -> str:
    """Some of a sentence's words in their order, of a Chinese one some of its clauses; empty where it is too short or no prose."""
    if lang == "zh":
        parts = [part for part in re.split(r"[，。；：、？！,;:\s]", sentence) if len(part) >= CHARACTERS[0] - 1]
        kept = sorted(dice.sample(range(len(parts)), max(1, round(KEPT * len(parts))))) if parts else []
        return "，".join(parts[n] for n in kept)[: CHARACTERS[1]]
    words = sentence.split()
    if len(words) < WORDS[0] or NO_PROSE.search(sentence):  # nobody asks in code or in table rows
        return ""
    many = min(max(WORDS[0], round(KEPT * len(words))), WORDS[1])
    return " ".join(words[n] for n in sorted(dice.sample(range(len(words)), many)))


def _measure(chunks: Sequence[Chunk], vectors: "np.ndarray[Any, Any]", asked: Sequence[Question], embedder: Embedder,
             advance: Advance) -> dict[str, Any]:  # fmt: skip
    """For each language its weight, and nDCG@10 of words, meaning and both on the questions."""
    cut = {question.chunk.id: question.chunk for question in asked}
    chunks = [cut.get(c.id, c) for c in chunks]
    place = {c.id: n for n, c in enumerate(chunks)}
    vectors = vectors.copy()
    vectors[[place[i] for i in cut]] = embedder.encode([c.embedded for c in cut.values()])
    said = embedder.encode([question.text for question in asked])
    gains: dict[str, list[list[float]]] = {"en": [], "zh": []}
    with tempfile.TemporaryDirectory() as folder:
        keywords = Keywords(Path(folder))
        keywords.write(chunks)
        keywords.reload()
        for n, (question, vector) in enumerate(zip(asked, said, strict=True)):
            words = {w.id: w.score for w in keywords.search(question.text, CANDIDATES, codes=())}
            cosines = vectors @ vector
            near = {chunks[i].id: float(cosines[i]) for i in np.argsort(-cosines, kind="stable")[:CANDIDATES]}
            ceiling = keywords.ceiling(question.text)
            gains[language(question.text)].append([_gain(fuse(words, near, w, ceiling), question.chunk.id) for w in WEIGHTS])
            advance((n + 1) / len(asked), f"{n + 1} of {len(asked)} questions")
    return {lang: _choose(np.array(rows)) for lang, rows in gains.items() if len(rows) >= FEWEST}


def _gain(scores: dict[str, float], wanted: str) -> float:
    """nDCG@10 where one chunk is right: 1 / log2(1 + its rank), 0 beyond the tenth."""
    if wanted not in scores:
        return 0.0
    rank = 1 + sum(s > scores[wanted] or (s == scores[wanted] and i < wanted) for i, s in scores.items())
    return 1 / log2(1 + rank) if rank <= 10 else 0.0


def _choose(gains: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """The weight, and what it brings; `gains` has a row for each question and a column for each weight.

    The middle of those within one standard error of the best (Breiman et al. 1984): the best of a flat curve is chance.
    """
    means = gains.mean(axis=0)
    best = int(means.argmax())
    error = (gains[:, [best]] - gains).std(axis=0) / len(gains) ** 0.5
    good = np.flatnonzero(means >= means[best] - error)
    at = int(good[0] + good[-1]) // 2
    return {"dense_weight": WEIGHTS[at], "questions": len(gains), "nDCG@10": {
        "words": round(float(means[0]), 4), "meaning": round(float(means[-1]), 4), "both": round(float(means[at]), 4)}}  # fmt: skip
