"""Files to searchable chunks: characters a second beside the plain LangChain pipeline and beside the model's forward pass alone.

Run: python -m tests.bench.ingest [--copies N]
The files are the English texts of the shipped corpora, each several times with other numbers so that no two are alike. Both pipelines
read the same files with the same model, each as a process of its own that starts from nothing; so its imports count too. What the
plain pipeline hands the model beyond its window is cut unseen, and only characters that were embedded count.
"""

import argparse
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from corpora import load_profile, profile_names
from ingest.embed import Embedder, open_embedder
from ingest.language import language
from ingest.manifest import Manifest
from ingest.readers import read, readable
from tests.bench import report, timed
from tests.bench.home import make_home

LANGCHAIN = """
import sys
from langchain_chroma import Chroma
from langchain_community.document_loaders import DirectoryLoader, TextLoader
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
folder, model, store = sys.argv[1:]
documents = DirectoryLoader(folder, loader_cls=TextLoader).load()
chunks = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(documents)
Chroma.from_documents(chunks, HuggingFaceEmbeddings(model_name=model), persist_directory=store)
"""
FORWARD = """
import json, sys, time
from pathlib import Path
from ingest.embed import Embedder
texts = json.loads(Path(sys.argv[1]).read_text())
embedder = Embedder(Path(sys.argv[2]), ())
embedder.encode(texts[:64])
start = time.monotonic()
embedder.encode(texts)
print(time.monotonic() - start)
"""


def make_files(folder: Path, copies: int) -> int:
    """Write the texts; returns how many characters they hold."""
    total = 0
    for name in profile_names():
        for source in load_profile(name).sources:
            for path in sorted(p for p in source.rglob("*") if p.suffix in (".pdf", ".docx", ".md") and readable(p)):
                text = read(path).text
                if language(text) != "en":
                    continue
                for n in range(copies):
                    changed = re.sub(r"\d+", lambda m, n=n: str(int(m[0]) + 7 * n), text)
                    (folder / f"{name}-{path.stem}-{n}.txt").write_text(changed, encoding="utf-8")
                    total += len(changed)
    return total


def uncut(folder: Path, embedder: Embedder) -> int:
    """Characters of the files that the plain pipeline's chunks bring before the model, each counted once."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)
    total = 0
    for file in folder.iterdir():
        reached = 0
        for chunk in splitter.create_documents([file.read_text(encoding="utf-8")]):
            start = chunk.metadata["start_index"]
            offsets = embedder.tokenizer.encode(chunk.page_content, add_special_tokens=False).offsets[: embedder.window - 2]
            end = start + (offsets[-1][1] if offsets else 0)
            total += max(0, end - max(start, reached))
            reached = max(reached, end)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--copies", type=int, default=16, help="of each text (16: 10 MB, so that starting Python is a small part)")
    copies = parser.parse_args().copies
    with TemporaryDirectory() as name:
        home, files = Path(name, "home"), Path(name, "files")
        files.mkdir()
        characters = make_files(files, copies)
        embedder = open_embedder(make_home(home))
        ours, _ = timed(["-m", "ingest", "add", "bench", str(files)], LECTERN_HOME=str(home), CHROMA_URL="")
        manifest = Manifest(home)
        texts = [c.embedded for d in manifest.documents("bench") for c in manifest.chunks(d["version"])]
        Path(name, "texts.json").write_text(json.dumps(texts))
        assert max(embedder.count(texts)) < embedder.window, "a text was cut unseen"
        _, said = timed(["-c", FORWARD, str(Path(name, "texts.json")), str(embedder.folder)])
        forward = float(said)
        plain, _ = timed(["-c", LANGCHAIN, str(files), str(embedder.folder), str(Path(name, "store"))])
        seen = uncut(files, embedder)
        report("ingest", {
            "characters": characters, "files": len(list(files.iterdir())), "chunks": len(texts), "model": embedder.name,
            "Lectern, characters/s, start to end": round(characters / ours),
            "plain LangChain pipeline, characters/s": round(seen / plain),
            "share of the characters that the plain pipeline embedded": round(seen / characters, 3),
            "forward pass alone on the same chunks, characters/s": round(characters / forward),
            "times the plain pipeline (at least 3)": round(characters / ours / (seen / plain), 2),
            "share of the forward pass (at least .85)": round(forward / ours, 3),
        })  # fmt: skip


if __name__ == "__main__":
    main()
