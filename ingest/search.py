"""Fused search: words by BM25 and meaning by vectors, scores added linearly; codes and clause numbers found whole come first.

Ranks are not fused: plain reciprocal rank fusion loses to its better half wherever the halves differ much. BM25 is taken over its
best, cosines are spread over 0..1 within the candidates, and the corpus's `dense_weight` says how much meaning counts. A
question in a language that the embedding model does not read is searched by words alone.
"""

import logging
import threading
from contextlib import ExitStack
from typing import Any

import numpy as np

from corpora import UserError, load_profile
from ingest.embed import Embedder, open_embedder
from ingest.keywords import Keywords
from ingest.language import language
from ingest.manifest import Manifest
from ingest.schema import Hit
from ingest.settings import Settings
from ingest.vectors import ChromaGone, Vectors, open_chroma

MAX_QUERY = 8000  # characters; more is refused, not cut
CANDIDATES = 50  # asked of each half, at least
log = logging.getLogger(__name__)


class Searcher:
    """Searches every corpus of a home. Safe to share between threads; close it, or use it as a context."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        self.settings = settings
        self.embedder = embedder or open_embedder(settings)
        self._stack = ExitStack()
        self._guard = threading.Lock()
        self._threads = threading.local()
        self._client: Any = None
        self._collections: dict[str, Vectors] = {}
        self._keywords: dict[str, tuple[int, Keywords]] = {}

    def __enter__(self) -> "Searcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    @property
    def manifest(self) -> Manifest:
        if not hasattr(self._threads, "manifest"):
            self._threads.manifest = Manifest(self.settings.root)
        return self._threads.manifest

    def search(self, corpus: str, query: str, k: int = 10) -> list[Hit]:
        """The `k` best live chunks, best first. Raises `UserError` for an unknown or empty corpus and an over-long query."""
        if len(query) > MAX_QUERY:
            raise UserError(f"The question has {len(query):,} characters; at most {MAX_QUERY:,} are searched.",
                            "Shorten it, or add the text as a document: ingest add")  # fmt: skip
        query = query.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        profile = load_profile(corpus, self.settings.root)
        corpus_id = self.manifest.corpus_id(corpus)
        if corpus_id is None:
            raise UserError(f"Nothing is indexed in {corpus} yet.", f"Run: ingest add {corpus} PATH")
        if not query.strip():
            return []
        weight = profile.ingest.dense_weight if language(query) in self.embedder.languages else 0.0
        fetch = max(CANDIDATES, 5 * k)
        while True:
            words = self.keywords(corpus, corpus_id).search(query, fetch)
            dense = self._dense(corpus_id, query, fetch) if weight else []
            live = self.manifest.live_chunks(corpus, {*(i for i, *_ in words), *(i for i, _ in dense)})
            # retired versions stay in both indexes until they are swept: ask for more until k live ones are left
            if len(live) >= k or fetch >= 3200 or max(len(words), len(dense)) < fetch:
                break
            fetch *= 4
        keyword = {i: s for i, s, _ in words if i in live}
        exact = {i: e for i, _, e in words if i in live}
        cosine = {i: s for i, s in dense if i in live}
        fused = fuse(keyword, cosine, weight)
        order = sorted(live, key=lambda i: (-exact.get(i, 0), -fused[i], i))[:k]
        return [Hit(rank, fused[i], *live[i], cosine.get(i), keyword.get(i)) for rank, i in enumerate(order, 1)]

    def keywords(self, corpus: str, corpus_id: str) -> Keywords:
        """The corpus's keyword index, reloaded when the manifest says that something changed."""
        generation = self.manifest.generation(corpus)
        with self._guard:
            known = self._keywords.get(corpus_id)
            if known is None:
                known = (generation, Keywords(self.settings.root / "keywords" / corpus_id))
            elif known[0] != generation:
                known[1].reload()
            self._keywords[corpus_id] = (generation, known[1])
            return known[1]

    def _dense(self, corpus_id: str, query: str, k: int) -> list[tuple[str, float]]:
        import httpx

        vector = self.embedder.encode([query])[0]
        try:
            return self._vectors(corpus_id).search(vector, k)
        except (httpx.HTTPError, ChromaGone) as error:  # the server is being restarted: words alone still answer
            log.warning("Chroma does not answer (%s); searching by words alone.", error)
            return []

    def _vectors(self, corpus_id: str) -> Vectors:
        with self._guard:
            if corpus_id not in self._collections:
                if self._client is None:
                    self._client = self._stack.enter_context(open_chroma(self.settings))
                self._collections[corpus_id] = Vectors(self._client, corpus_id)
            return self._collections[corpus_id]


def fuse(keyword: dict[str, float], cosine: dict[str, float], weight: float) -> dict[str, float]:
    """Linear fusion in 0..1: `(1 - weight) * BM25 / best BM25 + weight * cosine spread over 0..1`; a missing half counts 0."""
    best = max(keyword.values(), default=0.0) or 1.0
    values = np.array(list(cosine.values())) if cosine else np.zeros(1)
    low, span = float(values.min()), float(values.max() - values.min()) or 1.0
    if not cosine:
        weight = 0.0
    elif not keyword:
        weight = 1.0
    return {
        i: (1 - weight) * (keyword.get(i, 0.0) / best) + weight * ((cosine[i] - low) / span if i in cosine else 0.0)
        for i in {*keyword, *cosine}
    }
