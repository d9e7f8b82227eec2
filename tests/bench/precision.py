"""What the machine's own precision costs: nDCG@10 of vectors alone beside fp32, same model and texts.

Run: python -m tests.bench.precision [--beir FOLDER …]
Without a folder: the shipped assistants' English questions, whose right chunks are those that hold their quote. A BEIR folder holds
corpus.jsonl (or .jsonl.gz), queries.jsonl and qrels.tsv; give one or more with --beir.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np

from corpora import load_profile, profile_names
from ingest.chunkers import chunk
from ingest.embed import DEFAULT, Embedder
from ingest.readers import read
from tests.bench import report
from tests.bench.home import models
from tune.beir import read_corpus, read_judgements, read_queries
from tune.ranking import ndcg

Set = tuple[list[str], list[str], list[set[int]]]  # texts, questions, and the places of each question's right texts


def shipped(embedder: Embedder) -> Set:
    texts, questions, right = list[str](), list[str](), list[set[int]]()
    for name in profile_names():
        profile = load_profile(name)
        rows = [json.loads(line) for line in profile.questions.read_text(encoding="utf-8").splitlines()]
        for document in sorted({row["document"] for row in rows if row["answerable"] and row["lang"] == "en"}):
            path = profile.sources[0] / document
            chunks = chunk(read(path), document, embedder.count, profile.ingest.chunk_tokens, profile.ingest.chunker)
            for row in rows:
                found = {len(texts) + c.ordinal for c in chunks if row["quote"] and row["quote"] in c.text}
                if row["document"] == document and row["lang"] == "en" and found:
                    questions.append(row["question"])
                    right.append(found)
            texts += [c.embedded for c in chunks]
    return texts, questions, right


def beir(folder: Path) -> Set:
    rows, queries, judged = read_corpus(folder), read_queries(folder), read_judgements(folder)
    place = {row.id: n for n, row in enumerate(rows)}
    asked = [id_ for id_ in queries if id_ in judged]
    return ([f"{row.title}\n{row.text}" for row in rows], [queries[id_] for id_ in asked],
            [{place[text] for text in judged[id_]} for id_ in asked])  # fmt: skip


def main() -> None:
    from sentence_transformers import SentenceTransformer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--beir", type=Path, action="append", default=[], metavar="FOLDER")
    folder = models() / DEFAULT
    embedder, plain = Embedder(folder, ()), SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    single = partial(plain.encode, normalize_embeddings=True, show_progress_bar=False)
    sets = [(f.name, beir(f)) for f in parser.parse_args().beir] or [("shipped questions", shipped(embedder))]
    for name, (texts, questions, right) in sets:
        found = {}
        for kind, encode in ((str(embedder.model.dtype), embedder.encode), ("fp32", single)):
            nearest = np.argsort(-(encode(questions) @ encode(texts).T), axis=1, kind="stable")[:, :10]
            scores = [ndcg(list(map(str, row)), set(map(str, places))) for row, places in zip(nearest, right, strict=True)]
            found[kind] = float(np.mean(scores))
        own, single_precision = found.values()
        report("precision", {"set": name, "questions": len(questions), "texts": len(texts),
                             **{f"nDCG@10, {kind}": round(value, 4) for kind, value in found.items()},
                             "apart (at most .005)": round(abs(own - single_precision), 4)})  # fmt: skip


if __name__ == "__main__":
    main()
