"""How long a search takes in a large corpus, and what it weighs on disk.  Run: python -m tests.bench.search --chunks 200000

Made text and made vectors go through the manifest, the vectors and the keywords as `ingest add` writes them, into a temporary home
with a Chroma server of its own. Then the fused search is timed, with a filter on documents and without; embedding the question is not
in the figures. Two processors make 200,000 chunks in some minutes.
"""

import hashlib
import json
import random
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from ingest.keywords import Keywords
from ingest.manifest import Manifest, stamp
from ingest.schema import Chunk, Document, Look
from ingest.search import Searcher
from ingest.settings import Settings
from ingest.vectors import Vectors, open_chroma
from ingest.where import Where
from tests.bench.home import server
from tests.conftest import free_ports

CORPUS, DIMENSION, EACH = "bench", 384, 100  # chunks a document
GROUP = 4000  # chunks written together
SYLLABLES = [c + v for c in "b d f g k l m n p r s t v z br st tr".split() for v in "a e i o u ai or en".split()]
KINDS = ["Manual", "Agreement", "Policy", "Guide", "Bulletin"]
FILTERS = {"none": 1.0, "one document": 0.0, "5 %": 0.05, "20 %": 0.2, "60 %": 0.6}


class Given:
    """In the embedder's place: the vector of a question is the one that was made for it."""

    name, dimension = "made", DIMENSION

    def __init__(self) -> None:
        self.languages: tuple[str, ...] = ("en", "zh")
        self.vectors: dict[str, np.ndarray[Any, Any]] = {}

    def encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        return np.stack([self.vectors[text] for text in texts])


class Made:
    """Documents with Zipf's frequencies of words, every fifth Chinese, chunks of about 90 words that lie near their document."""

    def __init__(self, seed: int) -> None:
        self.random, self.rng = random.Random(seed), np.random.default_rng(seed)
        self.words = [
            "".join(self.random.choices(SYLLABLES, k=self.random.choice((1, 2, 2, 3)))) for _ in range(30_000)
        ]
        self.characters = [chr(0x4E00 + i) for i in self.random.sample(range(8000), 3000)]

    def text(self, chinese: bool, length: int) -> str:
        pool = self.characters if chinese else self.words
        ranks = np.minimum(self.rng.zipf(1.15, length) - 1, len(pool) - 1)
        return ("" if chinese else " ").join(pool[i] for i in ranks)

    def document(self, n: int) -> tuple[str, Document, list[Chunk], np.ndarray[Any, Any]]:
        chinese = n % 5 == 4
        version = hashlib.sha256(f"{n}".encode()).hexdigest()[:16]
        title = f"{self.text(True, 4)}管理办法" if chinese else f"MX-{n} {self.text(False, 2).title()} {KINDS[n % 5]}"
        texts = [
            f"第{i + 1}条　{self.text(True, 150)}。\n\n" if chinese else
            f"{i // 10 + 1}.{i % 10 + 1} {self.text(False, 90).capitalize()}.\n\n" for i in range(EACH)
        ]  # fmt: skip
        starts = np.cumsum([0, *map(len, texts)]).tolist()
        chunks = [Chunk(version, i, text, starts[i], starts[i + 1], None, f"{title} › {text.split()[0].split('　')[0]}")
                  for i, text in enumerate(texts)]  # fmt: skip
        vectors = self.rng.normal(size=DIMENSION) + self.rng.normal(size=(EACH, DIMENSION))
        return title, Document(title, "".join(texts), (), lang="zh" if chinese else "en"), chunks, unit(vectors)


def unit(vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def write_profile(settings: Settings) -> Path:
    profile = settings.root / "corpora" / CORPUS / "profile.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text("title: Bench\ndescription: Made text.\nlanguages: [en, zh]\n")
    return profile


def build(settings: Settings, made: Made, count: int, embedder: Given) -> None:
    manifest = Manifest(settings.root)
    corpus_id = manifest.open_corpus(CORPUS, stamp(embedder))  # type: ignore[arg-type]
    keywords = Keywords(settings.root / "keywords" / corpus_id)
    for first in range(0, count // EACH, GROUP // EACH):
        group = [made.document(n) for n in range(first, min(first + GROUP // EACH, count // EACH))]
        chunks = [chunk for *_, part, _ in group for chunk in part]
        for title, document, part, _ in group:
            path = Path(f"/{title}.txt")
            manifest.add_version(
                part[0].version, CORPUS, part[0].version, "made", path, len(document.text), document, part
            )
        with open_chroma(settings) as client:
            Vectors(client, corpus_id).add([c.id for c in chunks], np.concatenate([v for *_, v in group]))
        keywords.write(chunks)
        for title, document, part, _ in group:
            manifest.place(CORPUS, f"/{part[0].version}/{title}.txt", f"{title}.txt", part[0].version, Look(len(document.text), 0, 0))
        print(f"  {(first + len(group)) * EACH:,} chunks", flush=True)


def questions(
    made: Made, manifest: Manifest, embedder: Given, count: int, vectors: Vectors
) -> list[tuple[str, Chunk, str]]:
    """Ten words of a chunk, or its document's name and its number; with the chunk and its document."""
    documents = manifest.documents(CORPUS)
    asked = []
    for n in range(count):
        document = made.random.choice(documents)
        chunk = made.random.choice(manifest.chunks(document["version"]))
        if n % 4 == 3:
            number = chunk.context.rsplit(" › ", 1)[1]
            text = (
                f"{document['title']}{number}怎么规定？"
                if document["lang"] == "zh"
                else f"clause {number} of the {document['title']}"
            )
        elif document["lang"] == "zh":
            text = "".join(chunk.text[i : i + 5] for i in sorted(made.random.sample(range(5, 145), 3)))
        else:
            text = " ".join(made.random.sample(chunk.text.split()[1:], 10))
        noise = made.rng.normal(size=DIMENSION) / np.sqrt(DIMENSION)
        embedder.vectors[text] = unit(vectors.get([chunk.id])[0] + noise)
        asked.append((text, chunk, document["document"]))
    return asked


def measure(settings: Settings, made: Made, count: int) -> list[dict[str, Any]]:
    embedder = Given()
    rows = []
    with Searcher(settings, embedder) as searcher, open_chroma(settings) as client:  # type: ignore[arg-type]
        manifest = searcher.manifest
        corpus_id = manifest.corpus_id(CORPUS) or ""
        asked = questions(made, manifest, embedder, count, Vectors(client, corpus_id))
        names = [d["document"] for d in manifest.documents(CORPUS)]
        for text, *_ in asked[:20]:  # what is read from disk once is not what a search costs
            searcher.search(CORPUS, text)
        for what, share in FILTERS.items():
            seconds, found, first = [], [], []
            for text, chunk, document in asked:
                others = made.random.sample(names, int(share * len(names)))
                documents = () if share == 1 else list({document, *others})
                start = time.perf_counter()
                hits = searcher.search(CORPUS, text, 10, Where(tuple(documents)))
                seconds.append(time.perf_counter() - start)
                found.append(len(hits))
                first.append(bool(hits) and hits[0].chunk.id == chunk.id)
            p50, p95 = np.percentile(seconds, [50, 95]) * 1000
            rows.append({"filter": what, "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "hits": fmean(found),
                         "asked_for_first": round(fmean(first), 3), "n": count})  # fmt: skip
    return rows


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = ArgumentParser("search", description="Time the fused search in a large corpus of made text.")
    parser.add_argument("--chunks", type=int, default=200_000)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--home", type=Path, help="keep the corpus here, and use it again")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(home=args.home or Path(temporary), chroma_port=free_ports(1)[0], chroma_url="")
        settings.run.mkdir(parents=True, exist_ok=True)
        built = write_profile(settings).with_name("built")
        with server(settings):
            start = time.monotonic()
            if not built.exists():
                build(settings, Made(1), args.chunks, Given())
                built.touch()
            seconds = time.monotonic() - start
            rows = measure(settings, Made(2), args.questions)
        disk = {name: round(size(settings.root / name) / args.chunks) for name in ("chroma", "keywords")}
        disk["manifest"] = round((settings.root / "manifest.sqlite3").stat().st_size / args.chunks)
    if args.json:
        print(
            json.dumps(
                {"chunks": args.chunks, "build_seconds": round(seconds), "bytes_a_chunk": disk, "searches": rows},
                indent=2,
            )
        )
        return
    print(
        f"{args.chunks:,} chunks, made in {seconds:.0f} s; bytes a chunk on disk: "
        + ", ".join(f"{k} {v:,}" for k, v in disk.items())
    )
    print(f"{'documents filter':18}{'p50 ms':>8}{'p95 ms':>8}{'hits':>6}{'asked for is first':>20}{'n':>6}")
    for r in rows:
        print(f"{r['filter']:18}{r['p50_ms']:8}{r['p95_ms']:8}{r['hits']:6.1f}{r['asked_for_first']:20.2f}{r['n']:6}")


if __name__ == "__main__":
    main()
