"""Keywords in tantivy: BM25 over our own tokens, persistent and incremental, one folder a corpus."""

import math
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import tantivy

from corpora import UserError
from ingest.schema import Chunk
from ingest.tokens import exact_tokens, heads, tokens

HEAD = 48  # characters of a chunk in which a code or a clause number is what it is about, not a mention
RARE = 0.05  # of the chunks: what stands in more names a subject, not a place
MANY = 200  # chunks, in a corpus of any size
ABOUT = 3  # chunks: what more are about is a subject too
HEAP = 64 * 2**20  # bytes for the writer
K1 = 1.2  # of BM25, fixed in tantivy


class Found(NamedTuple):
    """A chunk's id and BM25 score; exactness counts the codes asked for that it is about (2 each) or mentions (1 each)."""

    id: str
    score: float
    exactness: int


class Keywords:
    """One corpus's keyword index in `folder`. One process writes; any number read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        schema = (
            tantivy.SchemaBuilder()
            .add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
            .add_text_field("version", tokenizer_name="raw", index_option="basic")
            .add_text_field("body", tokenizer_name="whitespace", index_option="freq")
            .add_text_field("head", tokenizer_name="raw", index_option="basic")
            .add_text_field("exact", tokenizer_name="raw", index_option="basic")
            .build()
        )
        try:
            self.index = tantivy.Index(schema, path=str(folder))
        except (ValueError, OSError) as error:
            if any(words in str(error) for words in ("No space left", "Read-only", "Permission denied")):
                raise
            raise UserError(f"The keyword index in {folder} is damaged ({' '.join(str(error).split())[:160]}).",
                            "Make it anew: ingest rebuild") from None  # fmt: skip
        self.schema = schema
        # every question asks for a thousand of them, most of them again
        self.idf: Callable[[str], float] = lru_cache(2**14)(self._idf)

    def write(self, add: Iterable[Chunk] = (), remove_versions: Sequence[str] = ()) -> None:
        """Add chunks and remove whole versions, in one commit. A version added again replaces itself."""
        add = list(add)
        writer = self.index.writer(heap_size=HEAP, num_threads=1)
        for version in {*remove_versions, *(c.version for c in add)}:
            writer.delete_documents_by_term("version", version)
        for chunk in add:
            row = {"id": [chunk.id], "version": [chunk.version], "body": [" ".join(tokens(chunk.embedded))],
                   "exact": sorted(exact_tokens(chunk.embedded) | heads(chunk.embedded)), "head": sorted(_about(chunk))}  # fmt: skip
            writer.add_document(tantivy.Document.from_dict(row, self.schema))
        writer.commit()
        writer.wait_merging_threads()

    def search(self, query: str, k: int, versions: Collection[str] = (), codes: Collection[str] | None = None,
               ids: Collection[str] = ()) -> list[Found]:  # fmt: skip
        """Up to `k` chunks by BM25 and as many for each code asked for, those that are about it first.

        `versions`, `ids`: of these versions and chunks alone. `codes` are the exact tokens that come first: the query's own where it is
        None.
        """
        searcher = self.index.searcher()
        words = tokens(query)
        if not words or not searcher.num_docs:
            return []
        terms = [(tantivy.Occur.Should, self._term("body", word)) for word in words]
        within = [(tantivy.Occur.Must, self._within(these, field)) for these, field in ((versions, "version"), (ids, "id")) if these]
        found: dict[str, float] = {}
        exactness: dict[str, int] = {}

        def take(must: Sequence[tuple[tantivy.Occur, tantivy.Query]]) -> Iterator[str]:
            any_word = [(tantivy.Occur.Must, tantivy.Query.boolean_query(terms))] if must else terms
            for score, address in searcher.search(tantivy.Query.boolean_query([*must, *any_word]), k, count=False).hits:
                id_ = searcher.doc(address)["id"][0]
                found.setdefault(id_, score)
                yield id_

        for _ in take(within):
            pass
        for code in exact_tokens(query) if codes is None else codes:
            # among the clauses of a few documents the one asked for is never one of too many
            fields: tuple[str, ...] = ("head", "exact")
            if searcher.doc_freq("exact", code) > self._many(searcher) and not (versions and code.startswith("§")):
                # named everywhere, it may still be what a few chunks are about
                fields = ("head",) if code.startswith("§") or searcher.doc_freq("head", code) <= ABOUT else ()
            for field in fields:
                # with the words beside it, so that of many mentions the nearest to the question come first
                for id_ in take([*within, (tantivy.Occur.Must, self._unweighed(self._term(field, code)))]):
                    exactness[id_] = exactness.get(id_, 0) + 1
        ranked = sorted(found, key=lambda i: (-exactness.get(i, 0), -found[i], i))
        return [Found(i, found[i], exactness.get(i, 0)) for i in ranked]

    def search_terms(self, terms: Mapping[str, float], k: int, versions: Collection[str] = ()) -> list[Found]:
        """Up to `k` chunks by BM25 over weighted tokens; `versions`: of these alone."""
        searcher = self.index.searcher()
        if not terms or not searcher.num_docs:
            return []
        any_of = [(tantivy.Occur.Should, tantivy.Query.boost_query(self._term("body", t), w)) for t, w in terms.items()]
        query = tantivy.Query.boolean_query(any_of)
        if versions:
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, self._within(versions))])
        return [Found(searcher.doc(address)["id"][0], score, 0) for score, address in searcher.search(query, k, count=False).hits]

    def _idf(self, token: str) -> float:
        """Inverse document frequency among the chunks, as BM25 takes it (Robertson and Zaragoza 2009)."""
        searcher = self.index.searcher()
        n = int(searcher.doc_freq("body", token))
        return math.log(1 + (int(searcher.num_docs) - n + 0.5) / (n + 0.5))

    def ceiling(self, query: str) -> float:
        """What BM25 would give to a chunk that says every word of `query` over and over; 1 where it has no words."""
        return (K1 + 1) * sum(map(self.idf, tokens(query))) or 1.0

    def _term(self, field: str, token: str) -> tantivy.Query:
        return tantivy.Query.term_query(self.schema, field, token)

    def _within(self, these: Collection[str], field: str = "version") -> tantivy.Query:
        return self._unweighed(tantivy.Query.term_set_query(self.schema, field, sorted(these)))

    @staticmethod
    def _unweighed(query: tantivy.Query) -> tantivy.Query:
        """A condition: it adds nothing to a score, so that scores of all searches can be compared."""
        return tantivy.Query.const_score_query(query, 0.0)

    @staticmethod
    def _many(searcher: tantivy.Searcher) -> float:
        return max(10, min(RARE * searcher.num_docs, MANY))

    def size(self) -> int:
        """How many chunks there are."""
        return int(self.index.searcher().num_docs)

    def knows(self, token: str) -> bool:
        """Does any chunk have that token?"""
        return bool(self.index.searcher().doc_freq("body", token))

    def holds(self, version: str, token: str) -> bool:
        """Does a chunk of `version` have that token?"""
        both = [(tantivy.Occur.Must, self._term("version", version)), (tantivy.Occur.Must, self._term("body", token))]
        return bool(self.index.searcher().search(tantivy.Query.boolean_query(both), 1, count=False).hits)

    def ids(self) -> list[str]:
        searcher = self.index.searcher()
        hits = searcher.search(tantivy.Query.all_query(), max(searcher.num_docs, 1), count=False).hits
        return sorted(searcher.doc(a)["id"][0] for _, a in hits)

    def reload(self) -> None:
        self.index.reload()
        self.idf.cache_clear()  # type: ignore[attr-defined]

    @staticmethod
    def drop(folder: Path) -> None:
        """Remove the index in `folder`, also one that is too damaged to be opened."""
        shutil.rmtree(folder, ignore_errors=True)


def _about(chunk: Chunk) -> set[str]:
    """The exact tokens of what a chunk is about: its definition or section, and how its text begins.

    A code may stand anywhere there; a clause number only where the clause begins, for 本法第三十九条 is a mention.
    """
    name, text = chunk.context.rsplit(" › ", 1)[-1][:120], chunk.text.lstrip()[:HEAD]
    codes = {token for token in exact_tokens(f"{name} {text}") if not token.startswith("§")}
    return codes | heads(text.split("\n", 1)[0])
