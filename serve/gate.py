"""The gate: an adapter is served once it has shown, on held-out questions, that it answers better than what is there.

What it has shown is read from the result files that `tune eval` writes, home/runs/eval.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from corpora import Profile, UserError
from ingest.settings import Settings
from serve.prompt import template_hash
from serve.tiers import pick_tier

CANDIDATE = "adapter+rag"
QUOTING = "extractive"
BASE = "base+rag"
OTHER = "other+rag"  # the champion, measured beside the candidate


def check_gate(settings: Settings, profile: Profile, version: int, champion: int | None) -> None:
    """Raises `UserError` unless `version` passes its profile's gate against quoting and against what is served now."""
    measure = f"tune eval {profile.name} --adapter {version}"
    named = f"Version {version} of {profile.name}"
    rival = version_hash(settings, profile.name, champion) if champion and _is_for_base(settings, profile.name, champion) else None
    results = _results(settings, profile, version)
    if not results:
        raise UserError(f"{named} has not been measured on today's questions and prompt.", f"Measure it: {measure}")
    whole = [found for found in results if found["asked"] == found["of"] and _is_comparable(found)]
    if not whole:
        asked, of = results[0]["asked"], results[0]["of"]
        raise UserError(f"{named} was measured on {asked} of {of} held-out questions, which is not all of them or none with an answer.",
                        f"Index what is held out, then: {measure}")  # fmt: skip
    found = next((found for found in whole if rival is None or found["other_hash"] == rival), None)
    if found is None:
        raise UserError(f"{named} was not measured beside version {champion}, which is served now.", f"Measure it: {measure}")
    if reasons := failings(profile, found["systems"][CANDIDATE], OTHER if rival else BASE):
        raise UserError(f"{named} does not pass the gate of {profile.name}: {'; '.join(reasons)}.",
                        f"Teach it more, or ask it as it is: serve ask {profile.name}@{version} QUESTION")  # fmt: skip


def failings(profile: Profile, figures: dict[str, Any], served: str) -> list[str]:
    """Why figures of an adapter do not pass; `served` names the system of what answers now."""
    gate = profile.tune.gate
    reasons = []
    for rival, name in ((QUOTING, "quoting"), (served, "what is served now")):
        gain = figures["gain"][rival]["correctness"]
        if gain["difference"] < gate.gain or gain["interval"][0] < -gate.lost:
            low, high = gain["interval"]
            reasons.append(f"correct answers {gain['difference']:+.3f} [{low:+.3f}, {high:+.3f}] against {name}, "
                           f"at least {gate.gain:+.3f} and surely no less than {-gate.lost:+.3f} wanted")  # fmt: skip
    for name, value, most in (("false refusals", figures["false_refusal"], gate.false_refusal),
                              ("unsupported statements", figures["unsupported"], gate.unsupported)):  # fmt: skip
        if value > most:
            reasons.append(f"{name} {value:.3f}, at most {most:.3f} wanted")
    return reasons


def version_hash(settings: Settings, corpus: str, version: int | None) -> str:
    """SHA-256 of a published version's manifest: which adapter it is, whatever number it has; empty where it is not there."""
    file = settings.adapters / corpus / str(version) / "manifest.json"
    return hashlib.sha256(file.read_bytes()).hexdigest() if version and file.is_file() else ""


def measured_under(settings: Settings, profile: Profile) -> dict[str, str]:
    """What figures of an adapter depend on, beside itself: base, prompt, questions, and how the profile answers."""
    base = pick_tier(settings).base.id
    asked = profile.questions.read_bytes() if profile.questions.is_file() else b""
    serve = profile.serve.model_dump_json(exclude={"examples", "mode"})
    return {"base": base, "prompt": template_hash(settings.models / base), "questions": hashlib.sha256(asked).hexdigest(),
            "serve": hashlib.sha256(serve.encode()).hexdigest()}  # fmt: skip


def _results(settings: Settings, profile: Profile, version: int) -> list[dict[str, Any]]:
    """Evaluations of a version under what holds today, the newest first; those of one language alone are none."""
    files = sorted((settings.root / "runs" / "eval").glob(f"{profile.name}-*.json"), key=lambda f: f.stat().st_mtime, reverse=True)
    now = {"adapter_hash": version_hash(settings, profile.name, version), "lang": None,
           "under": measured_under(settings, profile) if files else {}}  # fmt: skip
    return [found for file in files if (found := _read(file)) and all(found.get(name) == value for name, value in now.items())]


def _read(file: Path) -> dict[str, Any]:
    try:
        found = dict(json.loads(file.read_text(encoding="utf-8")))
        return found if QUOTING in found["systems"][CANDIDATE]["gain"] and {"asked", "of", "other_hash"} <= found.keys() else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # another evaluation's, or one of an earlier Lectern


def _is_comparable(found: dict[str, Any]) -> bool:
    """Was any question asked that has an answer? Without one nothing is known of correct answers."""
    try:
        return all(gain["correctness"]["interval"] for gain in found["systems"][CANDIDATE]["gain"].values())
    except (KeyError, TypeError, AttributeError):
        return False


def _is_for_base(settings: Settings, corpus: str, version: int) -> bool:
    """Was the version trained on the base that is served?"""
    try:
        manifest = json.loads((settings.adapters / corpus / str(version) / "manifest.json").read_text(encoding="utf-8"))
        return bool(manifest["base"] == pick_tier(settings).base.id)
    except (OSError, ValueError, KeyError, TypeError):
        return False
