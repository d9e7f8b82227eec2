"""Vectors and keywords made anew from the manifest, beside the old ones, and switched to in one transaction."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from corpora import UserError
from ingest.embed import GROUP, Embedder
from ingest.keywords import Keywords
from ingest.locks import lock
from ingest.manifest import Manifest
from ingest.settings import Settings
from ingest.vectors import Vectors, open_chroma

OnChunks = Callable[[int, int], None]  # chunks more that are done, of how many


def rebuild(corpus: str, settings: Settings, manifest: Manifest, stamp: dict[str, Any], embedder: Embedder | None,
            on_chunks: OnChunks | None = None) -> int:  # fmt: skip
    """Make a corpus's vectors and keywords anew under `stamp`, without parsing; returns the number of chunks.

    Without an embedder the old vectors are taken over; nothing that was deleted from them comes along.
    """
    keywords_of = settings.root / "keywords"
    with lock(settings.run / f"write-{corpus}.lock", f"The index of {corpus}", 60), open_chroma(settings) as client:
        old = manifest.corpus_id(corpus)
        if old is None:
            return 0
        new = uuid4().hex[:12]
        left = manifest.begin_rebuild(corpus, new)
        if left:  # by a rebuild that was killed
            Vectors(client, left).drop()
            Keywords.drop(keywords_of / left)
        vectors, keywords = Vectors(client, new), Keywords(keywords_of / new)
        total = manifest.count_chunks(corpus)
        done = 0
        for version in sorted({d["version"] for d in manifest.documents(corpus)}):
            chunks = manifest.chunks(version)
            for at in range(0, len(chunks), GROUP):
                part = chunks[at : at + GROUP]
                ids = [c.id for c in part]
                vectors.add(ids, embedder.encode([c.embedded for c in part]) if embedder else Vectors(client, old).get(ids))
                done += len(part)
                if on_chunks:
                    on_chunks(len(part), total)
            keywords.write(chunks)
        # Vectors that were taken over are still the old model's.
        manifest.switch(corpus, new, stamp if embedder else manifest.stamp(corpus) | {"tokens": stamp["tokens"]})
        Vectors(client, old).drop()
        Keywords.drop(keywords_of / old)
        manifest.end_rebuild(corpus)
        return done


def rebuild_apart(corpus: str, settings: Settings, stamp: dict[str, Any]) -> None:
    """As `rebuild` without an embedder, in a process that never held what was removed.

    Embedded in a process, Chroma writes whole blocks of its memory to disk as it got them, and what else this process had freed may stand
    in them in clear.
    """
    request = json.dumps({"corpus": corpus, "settings": settings.model_dump(mode="json"), "stamp": stamp})
    done = subprocess.run([sys.executable, "-P", "-m", "ingest.rebuild"], input=request, stdout=subprocess.PIPE, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])})  # fmt: skip
    if done.returncode:
        said = json.loads(done.stdout) if done.stdout else (f"The index of {corpus} could not be written anew.", f"ingest rebuild {corpus}")
        raise UserError(*said)


def main() -> None:
    """What `rebuild_apart` asks for on standard input; a mistake is told on standard output."""
    asked = json.loads(sys.stdin.read())
    settings = Settings(**asked["settings"])
    try:
        rebuild(asked["corpus"], settings, Manifest(settings.root), asked["stamp"], None)
    except UserError as error:
        sys.stdout.write(json.dumps([error.message, error.next_step]))
        sys.exit(2)


if __name__ == "__main__":
    main()
