"""Vectors in Chroma: ids and embeddings only; texts and what is live are the manifest's.

If the Chroma server is up (run/chroma.url, or CHROMA_URL) we are its client; else Chroma is opened in this process under a
lock, because two processes on one Chroma folder corrupt it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from corpora import UserError
from ingest.locks import lock
from ingest.settings import Settings

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
BATCH = 2000  # embeddings a call; Chroma refuses more than about 5,000


class ChromaGone(UserError):
    """The Chroma server that should be up does not answer."""


@contextmanager
def open_chroma(settings: Settings) -> Iterator["ClientAPI"]:
    """A Chroma client for the length of the body."""
    import chromadb
    import httpx
    from chromadb.config import Settings as ChromaSettings

    url = settings.chroma_url or settings.url("chroma")
    quiet = ChromaSettings(anonymized_telemetry=False)
    if url:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, port = parts.hostname or "127.0.0.1", parts.port or 8000
        gone = ChromaGone(f"Chroma does not answer at {url}.", "Start it again: make down, then make up")
        try:
            client = chromadb.HttpClient(host=host, port=port, ssl=parts.scheme == "https", settings=quiet)
        except ValueError:
            raise gone from None
        try:
            yield client
        except httpx.HTTPError:
            raise gone from None
        return
    with lock(settings.run / "chroma.lock", "The vector index", wait=20):
        try:
            yield chromadb.PersistentClient(path=str(settings.root / "chroma"), settings=quiet)
        except chromadb.errors.InternalError as error:
            if not any(words in str(error) for words in ("malformed", "not a database")):
                raise
            raise UserError(f"The vector index is damaged ({' '.join(str(error).split())[:160]}).",
                            f"Remove {settings.root / 'chroma'}, then: ingest rebuild") from None  # fmt: skip


class Vectors:
    """One corpus's collection. Embeddings are float32, unit length, shape (n, dimension)."""

    def __init__(self, client: "ClientAPI", corpus_id: str) -> None:
        self.client = client
        self.name = f"c-{corpus_id}"
        self.collection = client.get_or_create_collection(self.name, configuration={"hnsw": {"space": "cosine"}},
                                                          embedding_function=None)  # fmt: skip

    def add(self, ids: Sequence[str], embeddings: np.ndarray[Any, Any]) -> None:
        for at in range(0, len(ids), BATCH):
            self.collection.upsert(ids=list(ids[at : at + BATCH]), embeddings=embeddings[at : at + BATCH])

    def delete(self, ids: Sequence[str]) -> None:
        for at in range(0, len(ids), BATCH):
            self.collection.delete(ids=list(ids[at : at + BATCH]))

    def search(self, embedding: np.ndarray[Any, Any], k: int) -> list[tuple[str, float]]:
        """Up to `k` `(chunk id, cosine)` pairs, best first."""
        found = self.collection.query(query_embeddings=embedding.reshape(1, -1), n_results=k, include=["distances"])
        distances = found["distances"]
        assert distances is not None
        return [(i, 1.0 - d) for i, d in zip(found["ids"][0], distances[0], strict=True)]

    def ids(self) -> list[str]:
        return list(self.collection.get(include=[])["ids"])

    def count(self) -> int:
        return self.collection.count()

    def drop(self) -> None:
        self.client.delete_collection(self.name)
