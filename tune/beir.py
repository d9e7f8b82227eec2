"""Measure search on a BEIR folder: words alone, meaning alone, and search as it is served.  Run: tune eval --beir DIR

The folder holds corpus.jsonl (or .jsonl.gz), queries.jsonl and qrels.tsv. What is right is read last, when every question has been asked.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.keywords import Keywords
from ingest.search import MAX_QUERY
from ingest.settings import Settings
from ingest.vectors import Vectors, open_chroma
from tune.ranking import FIGURES, score
from tune.talk import Talk
from tune.trial import NAME, Row, Trial, trial

SYSTEMS = ("bm25", "dense", "hybrid")
DEPTH = 10  # rows that are looked at
CHUNKS = 50  # searched for, so that ten rows are left of them
SHOWN = 5  # mistakes of a file that are named


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
    file = packed if packed.is_file() else folder / "corpus.jsonl"
    rows = [Row(str(row["id"]), str(row.get("title") or ""), str(row["text"])) for row in read_lines(file, "id", "text")]
    if twice := [id_ for id_, n in Counter(row.id for row in rows).items() if n > 1]:
        raise UserError(f"{file} has {', '.join(twice[:SHOWN])} twice.", "Give each text an id of its own.")
    return rows


def read_queries(folder: Path) -> dict[str, str]:
    queries = {str(row["id"]): str(row["text"])[:MAX_QUERY] for row in read_lines(folder / "queries.jsonl", "id", "text")}
    if not queries:
        raise UserError(f"{folder / 'queries.jsonl'} has no questions.", "Write one JSON object a line: id, text.")
    return queries


def read_judgements(folder: Path) -> dict[str, set[str]]:
    """Question → the ids of its right texts."""
    right: dict[str, set[str]] = {}
    for number, line in enumerate(text_of(folder / "qrels.tsv").splitlines(), 1):
        cells = line.split("\t")
        if number == 1 and not cells[-1].strip().isdecimal():
            continue  # the names of the columns
        if len(cells) < 3 or not cells[-1].strip().lstrip("-").isdecimal():
            raise UserError(f"{folder / 'qrels.tsv'}, line {number}: not question, text and grade with tabs between.", "Mend the line.")
        if int(cells[-1]) > 0:
            right.setdefault(cells[0], set()).add(cells[-2])
    return right


def read_lines(file: Path, *needed: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one a line; BEIR's own `_id` is `id` here. Raises `UserError` with its first mistakes at once."""
    wrong, rows = list[str](), list[dict[str, Any]]()
    for number, line in enumerate(text_of(file).split("\n"), 1):  # U+2028 and U+0085 may stand in a JSON string
        try:
            row = json.loads(line) if line.strip() else None
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            wrong.append(f"line {number} has half a surrogate pair")
            continue
        except (ValueError, RecursionError):
            wrong.append(f"line {number} is no JSON")
            continue
        if row is None:
            continue
        if not isinstance(row, dict):
            wrong.append(f"line {number} is no object")
            continue
        row = {**row, "id": row.get("id", row.get("_id"))}
        missing = [key for key in needed if row.get(key) is None]
        if missing:
            wrong.append(f"line {number} has no {' and no '.join(missing)}")
        rows.append(row)
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise UserError(f"{file}: {'; '.join(wrong[:SHOWN])}{more}.", "Mend the file and try again.")
    yield from rows


def text_of(file: Path) -> str:
    """The text of a file, packed or not. Raises `UserError` where it cannot be read."""
    try:
        data = file.read_bytes()
        return (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"There is no {file}.", "A BEIR folder holds corpus.jsonl, queries.jsonl and qrels.tsv.") from None
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise UserError(f"{file} cannot be read ({error}).", "Save it as UTF-8 and try again.") from None
