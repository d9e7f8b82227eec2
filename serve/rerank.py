"""The reranker: a cross-encoder reads question and passage together and says how well they fit. On tiers that have one."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

from corpora import UserError
from ingest.schema import Hit

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

READ = 50  # hits that are read; the right one is seldom beyond
AT_ONCE = 16  # pairs in one forward pass


class Reranker:
    """A cross-encoder from a folder. Opened cheaply; the weights are loaded when the first question is asked. Safe to share."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise UserError(f"No reranker in {folder}.", f"Fetch it: serve model get {folder.name}")
        self.folder = folder
        self._guard = threading.Lock()
        self._model: CrossEncoder | None = None

    @property
    def model(self) -> "CrossEncoder":
        with self._guard:
            if self._model is None:
                import torch
                from sentence_transformers import CrossEncoder

                cuda = torch.cuda.is_available()
                kind = torch.float16 if cuda else torch.float32
                self._model = CrossEncoder(str(self.folder), device="cuda" if cuda else "cpu", local_files_only=True,
                                           model_kwargs={"dtype": kind})  # fmt: skip
            return self._model

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits best first, their ranks and scores the reranker's, in 0..1; what was looked up by its number stays in front."""
        if len(hits) < 2:
            return list(hits)
        scores = self.model.predict([(question, hit.chunk.embedded) for hit in hits], batch_size=AT_ONCE, show_progress_bar=False)
        # a model with one output comes with its own activation; whatever it says is brought into 0..1
        values = [float(s) if 0 <= float(s) <= 1 else 1 / (1 + exp(-float(s))) for s in scores]
        order = sorted(range(len(hits)), key=lambda n: (not hits[n].exact, -values[n], hits[n].rank))
        return [replace(hits[n], rank=rank, score=values[n]) for rank, n in enumerate(order, 1)]


@lru_cache(1)
def open_reranker(folder: Path) -> Reranker:
    """One for a process: its weights are large."""
    return Reranker(folder)
