"""An adapter in the running vLLM, for as long as it is asked."""

from ingest.settings import Settings
from serve.champion import champion
from serve.engine import Engine
from tune.registry import adapter_folder


def served(corpus: str, version: int | None) -> str:
    """The name under which vLLM serves a version; empty for none."""
    return f"{corpus}-v{version}" if version else ""


class Loaded:
    """The adapter is in vLLM while the body runs; one that was there before stays, and one that became the champion meanwhile."""

    def __init__(self, engine: Engine, settings: Settings, corpus: str, version: int | None) -> None:
        self.engine, self.settings, self.corpus = engine, settings, corpus
        self.name = served(corpus, version)
        self.folder = adapter_folder(settings, corpus, version) if version else None
        there = engine.models() if version else []
        self.stays = not there or self.name in there  # a busy server may not have said what there is

    def __enter__(self) -> None:
        if self.folder:
            self.engine.load(self.name, self.folder)

    def __exit__(self, *_: object) -> None:
        best = champion(self.settings, self.corpus)
        if not self.stays and not (best and best.name == self.name):
            self.engine.unload(self.name)
