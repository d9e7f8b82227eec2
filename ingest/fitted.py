"""What was fitted on a corpus: how much meaning counts beside words for each language, who cites whom, and who answers better."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from corpora import Profile
from ingest.manifest import Manifest
from ingest.settings import Settings

UNFITTED = 0.3  # of a score is meaning's where nobody has fitted it
GROWN = 0.2  # of the chunks; a corpus that changed by more wants fitting anew
WORTH = 200  # chunks; a smaller corpus is searched well by any weight


def fitted_file(corpus: str, settings: Settings) -> Path:
    return settings.root / "corpora" / corpus / "fitted.json"


def dense_weight(profile: Profile, settings: Settings, lang: str, stamp: dict[str, Any]) -> float:
    """Between 0, words alone, and 1, meaning alone: as the profile says, else as fitted with this embedding model, else UNFITTED."""
    if profile.ingest.dense_weight is not None:
        return profile.ingest.dense_weight
    found = fitted(profile.name, settings)
    if found.get("stamp") != stamp:
        return UNFITTED
    return float(found["languages"].get(lang, {}).get("dense_weight", UNFITTED))


def citations(corpus: str, settings: Settings) -> dict[str, int]:
    """How often other documents cite each title (`ingest.authority.title_key`); the same object until fitted.json changes."""
    found: dict[str, int] = fitted(corpus, settings).get("cited", {})
    return found


def default_mode(corpus: str, settings: Settings, lang: str, model: str) -> str:
    """`model` or `extractive`: which answered the corpus's own questions better (`tune eval`); empty where `model` was not measured."""
    row = fitted(corpus, settings).get("modes", {}).get(lang, {}).get(model, {})
    return str(row.get("mode", "")) if isinstance(row, dict) else ""  # an earlier Lectern kept one row a language


def keep_modes(corpus: str, settings: Settings, model: str, modes: Mapping[str, Mapping[str, Any]]) -> None:
    """Who answers by default where `model` would be asked, by language; what other models were found to be stays."""
    known = dict(fitted(corpus, settings).get("modes", {}))
    for lang, row in modes.items():
        known[lang] = {**known.get(lang, {}), model: dict(row)}
    write_fitted(corpus, settings, {"modes": known})


def write_fitted(corpus: str, settings: Settings, found: Mapping[str, Any]) -> None:
    """Put `found` into fitted.json, in one step; what it does not hold stays as it is."""
    file = fitted_file(corpus, settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    whole = {"languages": {}, "cited": {}, **fitted(corpus, settings), **found}
    part.write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(file)


def wants_fitting(profile: Profile, settings: Settings, manifest: Manifest) -> bool:
    """Has a corpus that is worth it changed by a fifth since it was fitted, or never been?"""
    count = sum(document["chunks"] for document in manifest.documents(profile.name))
    was = fitted(profile.name, settings).get("chunks", 0)
    return profile.ingest.dense_weight is None and count >= WORTH and abs(count - was) > GROWN * max(was, 1)


def fitted(corpus: str, settings: Settings) -> dict[str, Any]:
    """What is in fitted.json; nothing where there is none, or it is damaged."""
    file = fitted_file(corpus, settings)
    try:
        stat = file.stat()
    except OSError:
        return {}
    return _read(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(64)
def _read(file: Path, mtime_ns: int, size: int) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return found if isinstance(found["languages"], dict) and isinstance(found["cited"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
