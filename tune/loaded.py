"""An adapter in the running vLLM, for as long as it is asked."""

from ingest.settings import Settings
from serve.engine import Engine
from tune.registry import adapter_folder


def served(corpus: str, version: int | None) -> str:
    """The name under which vLLM serves a version; empty for none."""
    return f"{corpus}-v{version}" if version else ""


class Loaded:
    """The adapter is in vLLM while the body runs; one that was there before stays."""

    def __init__(self, engine: Engine, settings: Settings, corpus: str, version: int | None) -> None:
        self.engine, self.name = engine, served(corpus, version)
        self.folder = adapter_folder(settings, corpus, version) if version else None
        self.was_there = not version or self.name in engine.models()

    def __enter__(self) -> None:
        if not self.was_there and self.folder:
            self.engine.load(self.name, self.folder)

    def __exit__(self, *_: object) -> None:
        if not self.was_there:
            self.engine.unload(self.name)
