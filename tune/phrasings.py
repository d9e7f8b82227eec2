"""Phrasings: how a question may be put otherwise by rule, in other phrases and with the slips of a hasty hand (phrasings.yaml)."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml

from corpora.profile import Language

PHRASINGS = Path(__file__).with_name("phrasings.yaml")


@dataclass(frozen=True, slots=True)
class Phrasings:
    """Of one language: what may stand in a phrase's place, and how a phrase is mistyped."""

    instead: dict[str, list[str]]
    slips: dict[str, str] = field(default_factory=dict)


@lru_cache(2)
def phrasings(lang: Language) -> Phrasings:
    return Phrasings(**yaml.safe_load(PHRASINGS.read_text(encoding="utf-8"))[lang])
