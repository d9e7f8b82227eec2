"""Keywords in tantivy: BM25 over our own tokens, persistent and incremental, one folder a corpus."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import tantivy

from corpora import UserError
from ingest.schema import Chunk
from ingest.tokens import exact_tokens, tokens

HEAD = 48  # characters of a chunk in which a code or a clause number is what it is about, not a mention
RARE = 0.05  # of the chunks: what stands in more names a subject, not a place
HEAP = 64 * 2**20  # bytes for the writer


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

    def write(self, add: Iterable[Chunk] = (), remove_versions: Sequence[str] = ()) -> None:
        """Add chunks and remove whole versions, in one commit. A version added again replaces itself."""
        add = list(add)
        writer = self.index.writer(heap_size=HEAP, num_threads=1)
        for version in {*remove_versions, *(c.version for c in add)}:
            writer.delete_documents_by_term("version", version)
        for chunk in add:
            text = f"{chunk.context}\n{chunk.text}"
            row = {"id": [chunk.id], "version": [chunk.version], "body": [" ".join(tokens(text))],
                   "exact": sorted(exact_tokens(text)), "head": sorted(exact_tokens(_head(chunk)))}  # fmt: skip
            writer.add_document(tantivy.Document.from_dict(row, self.schema))
        writer.commit()
        writer.wait_merging_threads()

    def search(self, query: str, k: int) -> list[tuple[str, float, int]]:
        """Up to `k` `(chunk id, BM25 score, exactness)`, best first.

        Exactness counts the codes, clause numbers and identifiers of the query that the chunk is about (2 each) or
        mentions (1 each): the caller puts such chunks first.
        """
        searcher = self.index.searcher()
        words = tokens(query)
        if not words or not searcher.num_docs:
            return []
        terms = [(tantivy.Occur.Should, tantivy.Query.term_query(self.schema, "body", w)) for w in words]
        query_ = tantivy.Query.boolean_query(terms)
        found = {searcher.doc(a)["id"][0]: s for s, a in searcher.search(query_, k, count=False).hits}
        exactness: dict[str, int] = {}
        for token in exact_tokens(query):
            if searcher.doc_freq("exact", token) > max(10, RARE * searcher.num_docs):
                continue
            for field in ("head", "exact"):
                # with the words beside it, so that of many mentions the nearest to the question come first
                exact = tantivy.Query.term_query(self.schema, field, token)
                both = tantivy.Query.boolean_query([(tantivy.Occur.Must, exact), *terms])
                for score, address in searcher.search(both, k, count=False).hits:
                    id_ = searcher.doc(address)["id"][0]
                    exactness[id_] = exactness.get(id_, 0) + 1
                    found.setdefault(id_, score)
        ranked = sorted(found, key=lambda i: (-exactness.get(i, 0), -found[i], i))
        return [(i, found[i], exactness.get(i, 0)) for i in ranked]

    def size(self) -> int:
        """How many chunks there are."""
        return int(self.index.searcher().num_docs)

    def document_frequency(self, token: str) -> int:
        """In how many chunks a token stands."""
        return int(self.index.searcher().doc_freq("body", token))

    def ids(self) -> list[str]:
        searcher = self.index.searcher()
        hits = searcher.search(tantivy.Query.all_query(), max(searcher.num_docs, 1), count=False).hits
        return sorted(searcher.doc(a)["id"][0] for _, a in hits)

    def reload(self) -> None:
        self.index.reload()

    @staticmethod
    def drop(folder: Path) -> None:
        """Remove the index in `folder`, also one that is too damaged to be opened."""
        shutil.rmtree(folder, ignore_errors=True)


def _head(chunk: Chunk) -> str:
    """What a chunk is about: the name of its definition or section, and how its text begins."""
    return f"{chunk.context.rsplit(' › ', 1)[-1][:120]} {chunk.text[:HEAD]}"
