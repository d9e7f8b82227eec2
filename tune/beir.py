"""Measure search on a BEIR folder: words alone, meaning alone, and search as it is served.  Run: tune eval --beir DIR

The folder holds corpus.jsonl (or .jsonl.gz), queries.jsonl and qrels.tsv. What is right is read last, when every question has been asked.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from corpora import UserError
from ingest.keywords import Keywords
from ingest.search import MAX_QUERY
from ingest.settings import Settings
from ingest.vectors import Vectors, open_chroma
from tune.lines import Words, read_lines, refuse, text_of
from tune.ranking import FIGURES, score
from tune.talk import Talk
from tune.trial import NAME, Row, Trial, trial

SYSTEMS = ("bm25", "dense", "hybrid")
DEPTH = 10  # rows that are looked at
CHUNKS = 50  # searched for, so that ten rows are left of them
SHOWN = 5  # questions without a text that are named


class Text(BaseModel):
    """A line of corpus.jsonl or queries.jsonl."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    title: str | None = ""
    text: Words


def measure_search(settings: Settings, folder: Path, talk: Talk) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """The figures of each system, a row for each question with its rankings and figures, and what was fitted on the corpus."""
    rows = read_corpus(folder)
    queries = read_queries(folder)
    with trial(settings, rows, talk) as made:
        ranked = list(search_all(made, list(queries.values()), talk))
        fitted = json.loads((made.settings.root / "corpora" / NAME / "fitted.json").read_text())["languages"]
    right = read_judgements(folder)
    if not any(q in queries for q in right):
        raise UserError(f"{folder / 'qrels.tsv'} judges none of the questions as answered.", "Without right texts nothing can be measured.")
    if strangers := [q for q in right if q not in queries]:
        raise UserError(f"{folder / 'qrels.tsv'} judges questions that queries.jsonl has not ({', '.join(strangers[:SHOWN])}).", "Mend it.")
    asked = [{"id": id_, "ranked": found, "figures": {name: score(found[name], right[id_]) for name in SYSTEMS}}
             for id_, found in zip(queries, ranked, strict=True) if right.get(id_)]  # fmt: skip
    return search_figures(asked), asked, fitted


def search_figures(asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the questions, for each system."""
    return {
        name: {f: round(sum(row["figures"][name][f] for row in asked) / max(len(asked), 1), 4) for f in FIGURES} | {"n_queries": len(asked)}
        for name in SYSTEMS
    }


def search_all(made: Trial, questions: Sequence[str], talk: Talk) -> Iterator[dict[str, list[str]]]:
    """For each question the ten best rows by each system."""
    corpus_id = str(made.searcher.manifest.corpus_id(NAME))
    keywords = Keywords(made.settings.root / "keywords" / corpus_id)
    vectors = made.embedder.encode(questions)
    with open_chroma(made.settings) as client:
        near = [Vectors(client, corpus_id).search(vector, CHUNKS) for vector in vectors]
    documents = {d["version"]: d["document"] for d in made.searcher.manifest.documents(NAME)}

    def rows(chunk_ids: Sequence[str]) -> list[str]:
        found = dict.fromkeys(made.row_of[documents[i.rpartition(":")[0]]] for i in chunk_ids)
        return list(found)[:DEPTH]

    with talk.bar("search", len(questions)) as advance:
        for question, by_meaning in zip(questions, near, strict=True):
            hits = made.searcher.search(NAME, question, CHUNKS)
            yield {"bm25": rows([w.id for w in keywords.search(question, CHUNKS, codes=())]), "dense": rows([i for i, _ in by_meaning]),
                   "hybrid": rows([hit.chunk.id for hit in hits])}  # fmt: skip
            advance(1, "questions")


def read_corpus(folder: Path) -> list[Row]:
    """Raises `UserError` with the mistakes of the file."""
    packed = folder / "corpus.jsonl.gz"
    return [Row(row.id, row.title or "", row.text) for row in read_lines(packed if packed.is_file() else folder / "corpus.jsonl", Text)]


def read_queries(folder: Path) -> dict[str, str]:
    queries = {row.id: row.text[:MAX_QUERY] for row in read_lines(folder / "queries.jsonl", Text)}
    if not queries:
        raise UserError(f"{folder / 'queries.jsonl'} has no questions.", "Write one JSON object a line: id, text.")
    return queries


def read_judgements(folder: Path) -> dict[str, set[str]]:
    """Question → the ids of its right texts."""
    right: dict[str, set[str]] = {}
    wrong, first = list[str](), dict[tuple[str, str], int]()
    for number, line in enumerate(text_of(folder / "qrels.tsv").splitlines(), 1):
        cells = line.split("\t")
        if number == 1 and not cells[-1].strip().isdecimal():
            continue  # the names of the columns
        if len(cells) < 3 or not cells[-1].strip().lstrip("-").isdecimal():
            wrong.append(f"line {number} is not question, text and grade with tabs between")
        elif (at := first.setdefault((cells[0], cells[-2]), number)) != number:
            wrong.append(f"line {number} judges what line {at} does")
        elif int(cells[-1]) > 0:
            right.setdefault(cells[0], set()).add(cells[-2])
    refuse(folder / "qrels.tsv", wrong)
    return right
