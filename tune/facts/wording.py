"""Fact, and how questions and answers are worded: by wordings.yaml, and by the small changes that it needs."""

import re
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ingest.schema import Chunk
from tune.chance import Chance

WORDINGS = Path(__file__).with_name("wordings.yaml")
HASTY = 0.15  # share of questions typed as people in a hurry type them


@dataclass(frozen=True, slots=True)
class Fact:
    """`question` is answered by the sentence `answer`, which `chunk.text[start:end]` proves."""

    kind: str
    question: str
    answer: str
    chunk: Chunk
    start: int
    end: int
    document: str = ""

    @property
    def id(self) -> str:
        return f"{self.chunk.id}:{self.kind}:{zlib.crc32(self.question.encode()):08x}"

    @property
    def quote(self) -> str:
        return self.chunk.text[self.start : self.end]

    def of(self, document: str) -> "Fact":
        return replace(self, document=document)


@lru_cache(1)
def wordings() -> dict[str, dict[str, dict[str, Any]]]:
    loaded: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(WORDINGS.read_text(encoding="utf-8"))
    return loaded


def ask(rng: Chance, lang: str, form: str, **slots: str) -> str:
    """One of a form's questions, filled in; now and then as hastily typed as people type."""
    question = high(" ".join(rng.choice(wordings()[lang][form]["ask"]).format(**slots).split()))
    return low(question).rstrip("?？") if rng.random() < HASTY else question


def say(lang: str, form: str, **slots: str) -> str:
    """The sentence that answers."""
    return stopped(high(wordings()[lang][form]["say"].format(**slots)), lang)


def low(text: str) -> str:
    """Without its first capital, as inside a sentence; codes and abbreviations keep theirs."""
    return text[0].lower() + text[1:] if re.match(r"[A-Z][a-z]", text) else text


def high(text: str) -> str:
    """With a capital, as at the start of a sentence; identifiers stay as they are."""
    return text if "_" in text.partition(" ")[0] else text[:1].upper() + text[1:]


def stopped(text: str, lang: str) -> str:
    """With a full stop at its end."""
    text = text.rstrip(" ;；,，:：")
    return text if text.endswith((".", "!", "?", "。", "！", "？")) else text + ("。" if lang == "zh" else ".")
