"""Fused search: words by BM25 and meaning by vectors, scores added linearly; codes and clause numbers found whole come first.

Ranks are not fused: plain reciprocal rank fusion loses to its better half wherever the halves differ much. BM25 is taken over what it
could be at most, cosines over their best, and how much meaning counts is fitted on the corpus (`ingest fit`). A question in a
language that the embedding model does not read is searched by words alone, those of the best chunks among them. A document that the
question names comes first where a clause is asked for, and is preferred otherwise; so is one that others cite.
"""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from heapq import nlargest
from typing import Any

import numpy as np

from corpora import UserError, load_profile
from ingest.authority import authority, title_key
from ingest.embed import Embedder, open_embedder
from ingest.feedback import CHUNKS, feedback_terms, mix
from ingest.fitted import citations, dense_weight
from ingest.fusion import fuse
from ingest.keywords import Found, Keywords
from ingest.language import language
from ingest.manifest import Manifest, stamp
from ingest.named import Names
from ingest.proximity import BEST, proximity
from ingest.proximity import WEIGHT as PROXIMITY
from ingest.schema import Hit
from ingest.settings import Settings
from ingest.tokens import exact_tokens, tokens, written, written_heads
from ingest.vectors import ChromaGone, Vectors, open_chroma
from ingest.verbatim import holding
from ingest.where import Places, Where

MAX_QUERY = 8000  # characters; more is refused, not cut
CANDIDATES = 50  # asked of each half, at least
NARROW = 2000  # chunks; a filter that leaves no more has each of them compared
BROAD = 0.15  # of the chunks; a filter that leaves more is applied to what is found
SPARE = 1.25  # times what a filter's share says is asked for, since chunks near a question are of few documents
MOST = 300  # chunks asked of Chroma at once; 500 take half as long again
BESIDE = 8  # questions whose halves are searched side by side
LIKELY = 20  # best chunks that are looked at for the question's very words
EVERYWHERE = Where()
TRIES = 3  # searches while documents change; the last one counts
ABOUT = 2  # exactness of a chunk that is about the clause asked for; how a mere mention is written says nothing
PREFERRED = 0.1  # of a score: what being in a document that the question names is worth
Vector = np.ndarray[Any, Any]
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
        self._names: dict[str, tuple[int, Names, Places]] = {}
        self._cited: dict[str, tuple[int, dict[str, int] | None, dict[str, float]]] = {}
        self._lengths: dict[str, int] = {}
        self._pool = self._stack.enter_context(ThreadPoolExecutor(BESIDE, "search"))

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

    def search(self, corpus: str, query: str, k: int = 10, where: Where = EVERYWHERE) -> list[Hit]:
        """The `k` best live chunks of what is searched, best first.

        Raises `UserError` for an unknown or empty corpus, an unknown document and an over-long query.
        """
        if len(query) > MAX_QUERY:
            raise UserError(f"The question has {len(query):,} characters; at most {MAX_QUERY:,} are searched.",
                            "Shorten it, or add the text as a document: ingest add")  # fmt: skip
        query = query.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        profile = load_profile(corpus, self.settings.root)
        if self.manifest.corpus_id(corpus) is None:
            raise UserError(f"Nothing is indexed in {corpus} yet.", f"Run: ingest add {corpus} PATH")
        self.manifest.check_stamp(corpus, stamp(self.embedder))
        if not query.strip():
            return []
        self.within(corpus, where)  # one that is unknown is said before a model is loaded
        lang = language(query)
        weight = dense_weight(profile, self.settings, lang, stamp(self.embedder)) if lang in self.embedder.languages else 0.0
        vector = self.embedder.encode([query])[0] if weight else None
        for _ in range(TRIES):
            generation = self.manifest.generation(corpus)
            hits = self._search(corpus, query, vector, weight, k, where)
            if self.manifest.generation(corpus) == generation:
                break  # else what was found and what was live may be of two moments, and a document in neither
        return hits

    def named(self, corpus: str, text: str) -> set[str]:
        """The versions of the live documents that `text` names."""
        return self._named(corpus)[0].named(text)

    def _search(self, corpus: str, query: str, vector: Vector | None, weight: float, k: int,
                where: Where) -> list[Hit]:  # fmt: skip
        corpus_id = str(self.manifest.corpus_id(corpus))
        names, places = self._named(corpus)
        within = self._within(where.versions(places, corpus))
        under = self.manifest.under(corpus, where.holds, within) if where.section else set()
        if where.section and not under:
            raise UserError(f"No section {where.section[:80]!r} in what is searched of {corpus}.", f"See: ingest show {corpus} DOCUMENT")
        named = names.named(query)
        named &= within.keys() or named
        codes = exact_tokens(query)
        # the clause of that number in any other document is not the one that is meant
        elsewhere = {code for code in codes if not (named and code.startswith("§"))}
        keywords = self.keywords(corpus, corpus_id)
        is_unread = language(query) not in self.embedder.languages
        fetch = max(CANDIDATES, 5 * k)
        while True:
            dense = self._pool.submit(self._dense, corpus_id, vector, fetch, k, within, keywords.size(), under)
            words = {w.id: w for w in self._words(keywords, query, fetch, within, elsewhere, under)}
            if named:
                words |= {w.id: w for w in keywords.search(query, fetch, named, codes)}
            shared = self._shared(corpus, keywords, list(words.values()), fetch, within) if is_unread else {}
            words |= {i: Found(i, 0.0, 0) for i in shared if i not in words}
            if under:
                words = {i: w for i, w in words.items() if i in under}
            near = dense.result()
            live = self.manifest.live_chunks(corpus, {*words, *(i for i, _ in near)})
            # retired versions stay in both indexes until they are swept: ask for more until k live ones are left
            if len(live) >= k or fetch >= 3200 or max(len(words), len(near)) < fetch:
                break
            fetch *= 4
        keyword = {i: w.score for i, w in words.items() if i in live}
        cosine = {i: s for i, s in near if i in live}
        own = {i for i, (chunk, _) in live.items() if chunk.version in named}
        if is_unread:
            score = mix(keyword, {i: s for i, s in shared.items() if i in live})
        else:
            score = fuse(keyword, cosine, weight, keywords.ceiling(query))
        score = self._nearer(query, score, {i: live[i][0].embedded for i in nlargest(BEST, score, key=lambda i: score[i])}, keywords)
        cited = self._authorities(corpus)
        score = {i: s * cited.get(live[i][0].version, 1.0) for i, s in score.items()}
        if own:
            score = {i: s * (1 - PREFERRED) + PREFERRED * (i in own) for i, s in score.items()}
        exact = {i: words[i].exactness for i in keyword}
        first = own if codes - elsewhere else set()
        asked = written(query)
        alike = {i for i in keyword if asked and exact[i] >= ABOUT and asked & written_heads(live[i][0].embedded)}
        # of clauses with the number asked for, those come first that write it as the question does: 第三条, Article 3
        order = sorted(live, key=lambda i: (-exact.get(i, 0), i not in first, i not in alike, -score[i], i))
        likely = {i: live[i][0].text for i in sorted(score, key=lambda i: -score[i])[:LIKELY]}
        if verbatim := holding(query, likely):
            order.sort(key=lambda i: i not in verbatim)
        order = order[:k]
        return [
            Hit(rank, score[i], *live[i], cosine.get(i), keyword.get(i), i in own, exact.get(i, 0) > 0) for rank, i in enumerate(order, 1)
        ]

    def _named(self, corpus: str) -> tuple[Names, Places]:
        """The names of the corpus's live documents as of now, and the documents themselves."""
        generation = self.manifest.generation(corpus)
        with self._guard:
            was, names, places = self._names.get(corpus, (-1, Names(), Places()))
            if was != generation:
                places = Places(self.manifest.placed(corpus))
                names.update((p.version, p.name, p.title) for p in places.rows)
                self._names[corpus] = (generation, names, places)
            return names, places

    def _authorities(self, corpus: str) -> dict[str, float]:
        """Versions of documents that others cite → what their scores are multiplied by."""
        counts = citations(corpus, self.settings)
        if not counts:
            return {}
        generation = self.manifest.generation(corpus)
        with self._guard:
            was, source, known = self._cited.get(corpus, (-1, None, {}))
            if was != generation or source is not counts:
                known = {version: authority(counts[key]) for version, _, title, *_ in self.manifest.placed(corpus)
                         if (key := title_key(title)) in counts}  # fmt: skip
                self._cited[corpus] = (generation, counts, known)
            return known

    def searched(self, corpus: str, where: Where = EVERYWHERE) -> int:
        """How many documents that is."""
        return len(self.within(corpus, where) or {p.version for p in self._named(corpus)[1].rows})

    def within(self, corpus: str, where: Where) -> set[str]:
        """The versions that are meant; none where all are. Raises `UserError` where there is no such document."""
        return where.versions(self._named(corpus)[1], corpus)

    def _within(self, versions: set[str]) -> dict[str, int]:
        """The versions, with how many chunks each has."""
        new = versions - self._lengths.keys()
        if new:
            self._lengths |= self.manifest.lengths(new)
        return {version: self._lengths[version] for version in versions}

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

    @staticmethod
    def _nearer(query: str, score: dict[str, float], best: dict[str, str], keywords: Keywords) -> dict[str, float]:
        """The scores with that of proximity, for the best of them, still between 0 and 1."""
        near = proximity(query, best, keywords.idf)
        return {i: (s + PROXIMITY * near.get(i, 0.0)) / (1 + PROXIMITY) for i, s in score.items()}

    @staticmethod
    def _words(keywords: Keywords, query: str, fetch: int, within: dict[str, int], codes: set[str], under: set[str]) -> list[Found]:
        """Chunks by words, of the versions `within` and the chunks `under` alone where there are any."""
        if under:
            return keywords.search(query, fetch, (), codes, under)
        share = sum(within.values()) / max(keywords.size(), 1)
        if share > BROAD:  # quicker than to ask for each of a thousand versions
            found = [w for w in keywords.search(query, int(SPARE * fetch / share), (), codes) if _version(w.id) in within]
            if len(found) >= fetch:
                return found
        return keywords.search(query, fetch, within, codes)

    def _shared(self, corpus: str, keywords: Keywords, words: Sequence[Found], fetch: int, within: dict[str, int]) -> dict[str, float]:
        """Chunks by what the best of `words` have in common, each with its BM25 score."""
        best = {w.id: w.score for w in sorted(words, key=lambda w: -w.score)[: 2 * CHUNKS]}  # some may not be live
        live = self.manifest.live_chunks(corpus, best)
        believed = [(tokens(live[i][0].embedded), score) for i, score in best.items() if i in live][:CHUNKS]
        found = keywords.search_terms(feedback_terms(believed, keywords.idf), fetch, within)
        return {w.id: w.score for w in found}

    def _dense(self, corpus_id: str, vector: Vector | None, fetch: int, k: int, within: dict[str, int],
               size: int, under: set[str]) -> list[tuple[str, float]]:  # fmt: skip
        """Up to `fetch` chunks by cosine, of the versions `within` and the chunks `under` alone where there are any.

        `size` counts all chunks.
        """
        import httpx
        from chromadb.errors import NotFoundError

        if vector is None:
            return []
        count = sum(within.values())
        try:
            vectors = self._vectors(corpus_id)
            if under:
                small = len(under) <= NARROW  # Chroma takes long over more, and what is near is then most likely there
                found = vectors.among(vector, sorted(under), fetch) if small else vectors.search(vector, min(MOST, size))
                return [(i, s) for i, s in found if i in under]
            if not within:
                return vectors.search(vector, fetch)
            if count <= NARROW:
                return vectors.nearest(vector, within, fetch)
            # Chroma's own filters cost far more than asking for more and keeping what is meant
            most = min(int(SPARE * fetch * size / count), MOST, size)
            found = [(i, s) for i, s in vectors.search(vector, most) if _version(i) in within]
            if len(found) < k and most < size:
                found = vectors.among(vector, [f"{v}:{n}" for v in within for n in range(within[v])], fetch)
            return found[:fetch]
        except NotFoundError:  # rebuilt under another id this moment; the generation says so
            return []
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


def _version(chunk_id: str) -> str:
    return chunk_id.rpartition(":")[0]
