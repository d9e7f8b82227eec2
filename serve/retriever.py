"""The corpus's fused search as a LangChain retriever."""

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from ingest.search import EVERYWHERE, Searcher
from ingest.where import Where


class CorpusRetriever(BaseRetriever):
    """Question → LangChain documents; `metadata["hit"]` is ours, with scores and offsets."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    searcher: Searcher
    corpus: str
    k: int = 10
    where: Where = EVERYWHERE

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        hits = self.searcher.search(self.corpus, query, self.k, self.where)
        return [Document(h.chunk.text, id=h.chunk.id, metadata=_metadata(h)) for h in hits]


def _metadata(hit: Any) -> dict[str, Any]:
    return {
        "hit": hit,
        "document": hit.document,
        "page": hit.chunk.page,
        "context": hit.chunk.context,
        "score": hit.score,
    }
