"""Vectors in Chroma: ids and embeddings only; texts and what is live are the manifest's.

If the Chroma server is up (run/chroma.url, or CHROMA_URL) we are its client; else Chroma is opened in this process under a
lock, because two processes on one Chroma folder corrupt it.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from corpora import UserError
from ingest.locks import lock
from ingest.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from chromadb.api import ClientAPI
    from chromadb.api.types import QueryResult
    from chromadb.config import Settings as ChromaSettings

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
Array: TypeAlias = "np.ndarray[Any, Any]"
Rows: TypeAlias = "tuple[list[str], Array]"  # chunk ids and their embeddings
KEPT = 20_000  # embeddings held for questions about some documents alone: 30 MB of 384 dimensions
UNWRITTEN = (0.02, 0.05, 0.1, 0.2)  # seconds between tries while a collection's first vectors are on their way to the server's disk
BATCH = 2000  # embeddings a call; Chroma refuses more than about 5,000


class ChromaGone(UserError):
    """The Chroma server that should be up does not answer."""


@contextmanager
def open_chroma(settings: Settings) -> Iterator["ClientAPI"]:
    """A Chroma client for the length of the body."""
    import chromadb
    import httpx

    url = settings.chroma_url or settings.url("chroma")
    if url:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, port = parts.hostname or "127.0.0.1", parts.port or 8000
        gone = ChromaGone(f"Chroma does not answer at {url}.", "Start it again: make down, then make up")
        try:
            client = _client(host, port, parts.scheme == "https")
        except ValueError:
            raise gone from None
        try:
            yield client
        except httpx.HTTPError:
            raise gone from None
        return
    with lock(settings.run / "chroma.lock", "The vector index", wait=20):
        try:
            yield chromadb.PersistentClient(path=str(settings.root / "chroma"), settings=_quiet())
        except chromadb.errors.InternalError as error:
            if not any(words in str(error) for words in ("malformed", "not a database")):
                raise
            raise UserError(f"The vector index is damaged ({' '.join(str(error).split())[:160]}).",
                            f"Remove {settings.root / 'chroma'}, then: ingest rebuild") from None  # fmt: skip


@cache
def _client(host: str, port: int, ssl: bool) -> "ClientAPI":
    """One for each server: Chroma never lets go of any, a megabyte each, not even of those that are closed."""
    import chromadb

    return chromadb.HttpClient(host=host, port=port, ssl=ssl, settings=_quiet())


def _quiet() -> "ChromaSettings":
    from chromadb.config import Settings as ChromaSettings

    return ChromaSettings(anonymized_telemetry=False)


class Vectors:
    """One corpus's collection. Embeddings are float32, unit length, shape (n, dimension)."""

    def __init__(self, client: "ClientAPI", corpus_id: str) -> None:
        self.client = client
        self._guard = threading.Lock()
        self._kept: OrderedDict[str, Rows] = OrderedDict()  # version → its ids and embeddings; those asked for last at the end
        self.name = f"c-{corpus_id}"
        self.collection = client.get_or_create_collection(self.name, configuration={"hnsw": {"space": "cosine"}},
                                                          embedding_function=None)  # fmt: skip

    def add(self, ids: Sequence[str], embeddings: Array) -> None:
        for at in range(0, len(ids), BATCH):
            self.collection.upsert(ids=list(ids[at : at + BATCH]), embeddings=embeddings[at : at + BATCH])

    def delete(self, ids: Sequence[str]) -> None:
        for at in range(0, len(ids), BATCH):
            self.collection.delete(ids=list(ids[at : at + BATCH]))

    def search(self, embedding: Array, k: int) -> list[tuple[str, float]]:
        """Up to `k` `(chunk id, cosine)` pairs, best first; none while the server has yet to write the collection's first vectors."""
        from chromadb.errors import InternalError

        for pause in (*UNWRITTEN, None):
            try:
                return self._pairs(self.collection.query(query_embeddings=embedding.reshape(1, -1), n_results=k, include=["distances"]))
            except InternalError as error:
                if "Nothing found on disk" not in str(error):
                    raise
                if pause is not None:
                    time.sleep(pause)
        return []

    def among(self, embedding: Array, ids: Sequence[str], k: int) -> list[tuple[str, float]]:
        """Up to `k` `(chunk id, cosine)` pairs of the chunks given, by Chroma's own filter, which takes its time."""
        return self._pairs(self.collection.query(query_embeddings=embedding.reshape(1, -1), ids=list(ids), n_results=k,
                                                 include=["distances"]))  # fmt: skip

    def nearest(self, embedding: Array, within: Mapping[str, int], k: int) -> list[tuple[str, float]]:
        """Up to `k` `(chunk id, cosine)` pairs of a few versions, given with how many chunks each has; none is passed over.

        Their embeddings are compared here and kept for the next question: those of a version never change.
        """
        import numpy as np

        with self._guard:
            rows = {v: self._kept[v] for v in within if v in self._kept}
            for version in rows:
                self._kept.move_to_end(version)
        rows |= self._rows({v: within[v] for v in within if v not in rows})
        ids = [i for version in rows for i in rows[version][0]]
        if not ids:
            return []
        cosines = np.concatenate([rows[v][1] for v in rows]) @ embedding
        return [(ids[i], float(cosines[i])) for i in np.argsort(-cosines, kind="stable")[:k]]

    def _rows(self, versions: Mapping[str, int]) -> dict[str, "Rows"]:
        """The ids and embeddings of whole versions, from Chroma."""
        import numpy as np

        if not versions:
            return {}
        wanted = [f"{version}:{n}" for version in versions for n in range(versions[version])]
        found = self.collection.get(ids=wanted, include=["embeddings"])
        at = {id_: n for n, id_ in enumerate(found["ids"])}
        embeddings = np.asarray(found["embeddings"], np.float32)
        rows: dict[str, Rows] = {}
        for version, count in versions.items():
            ids = [i for i in (f"{version}:{n}" for n in range(count)) if i in at]
            rows[version] = ids, embeddings[[at[i] for i in ids]].reshape(len(ids), -1)
        with self._guard:
            self._kept |= {version: row for version, row in rows.items() if len(row[0]) == versions[version]}
            while sum(len(ids) for ids, _ in self._kept.values()) > KEPT:
                self._kept.popitem(last=False)
        return rows

    def get(self, ids: Sequence[str]) -> Array:
        """The embeddings of chunks, in the order asked for. Raises `KeyError` where one is missing."""
        import numpy as np

        found = self.collection.get(ids=list(ids), include=["embeddings"])
        rows = dict(zip(found["ids"], np.asarray(found["embeddings"], np.float32), strict=True))
        return np.stack([rows[i] for i in ids])

    @staticmethod
    def _pairs(found: "QueryResult") -> list[tuple[str, float]]:
        distances = found["distances"]
        assert distances is not None
        return [(i, 1.0 - d) for i, d in zip(found["ids"][0], distances[0], strict=True)]

    def ids(self) -> list[str]:
        return list(self.collection.get(include=[])["ids"])

    def count(self) -> int:
        return self.collection.count()

    def drop(self) -> None:
        self.client.delete_collection(self.name)
