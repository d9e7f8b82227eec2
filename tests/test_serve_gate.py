"""The gate: what is not measured, measured in part, beside another champion or not better enough is not served."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from corpora import UserError, load_profile
from ingest.settings import Settings
from serve.gate import BASE, CANDIDATE, OTHER, QUOTING, check_gate, failings, measured_under, version_hash
from serve.tiers import pick_tier

CORPUS = "legal"
PROFILE = load_profile(CORPUS)
GOOD = {"difference": 0.1, "interval": [0.02, 0.2]}
LOST = {"difference": -0.02, "interval": [-0.1, 0.05]}
UNSURE = {"difference": 0.01, "interval": [-0.2, 0.2]}


def figures(quoting: dict[str, Any] = GOOD, other: dict[str, Any] = GOOD, **changed: float) -> dict[str, Any]:
    gains = {QUOTING: {"correctness": quoting}, BASE: {"correctness": GOOD}, OTHER: {"correctness": other}}
    return {"false_refusal": 0.05, "unsupported": 0.0, **changed, "gain": gains}


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, tier="cpu")
    settings.models.mkdir()
    (settings.models / pick_tier(settings).base.id).symlink_to(home / "models" / pick_tier(settings).base.id)
    for version in (2, 3):
        publish(settings, version)
    return settings


def publish(settings: Settings, version: int, **changed: Any) -> None:
    folder = settings.adapters / CORPUS / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"base": pick_tier(settings).base.id, "version": version, **changed}))


def write(settings: Settings, other: int | None = None, **changed: Any) -> None:
    """A result of version 3, measured beside version `other`; each newer than the one before."""
    whole = {"lang": None, "asked": 40, "of": 40, "under": measured_under(settings, PROFILE), "systems": {CANDIDATE: figures()},
             "adapter_hash": version_hash(settings, CORPUS, 3), "other_hash": version_hash(settings, CORPUS, other), **changed}  # fmt: skip
    folder = settings.root / "runs" / "eval"
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    file = folder / f"{CORPUS}-{number}.json"
    file.write_text(json.dumps(whole))
    os.utime(file, (number, number))


def test_one_that_is_better_passes(settings: Settings) -> None:
    write(settings)
    check_gate(settings, PROFILE, 3, None)
    write(settings, other=2)
    check_gate(settings, PROFILE, 3, 2)
    write(settings, asked=20)
    check_gate(settings, PROFILE, 3, 2)  # a sample that was measured since hides nothing


def test_a_number_that_was_used_before_is_not_the_version_that_was_measured(settings: Settings) -> None:
    write(settings)
    publish(settings, 3, created="later")
    with pytest.raises(UserError, match="has not been measured"):
        check_gate(settings, PROFILE, 3, None)


def test_a_champion_of_another_base_is_no_rival(settings: Settings) -> None:
    publish(settings, 2, base="Other-7B")
    write(settings)
    check_gate(settings, PROFILE, 3, 2)


@pytest.mark.parametrize("name", ["base", "prompt", "questions", "serve"])
def test_what_was_measured_under_another_rule_is_not_measured(settings: Settings, name: str) -> None:
    write(settings, under={**measured_under(settings, PROFILE), name: "another"})
    with pytest.raises(UserError, match="has not been measured"):
        check_gate(settings, PROFILE, 3, None)


@pytest.mark.parametrize(
    ("changed", "champion", "reason"),
    [
        ({"lang": "en"}, None, "has not been measured"),
        ({"systems": {CANDIDATE: "not run"}}, None, "has not been measured"),
        ({"asked": 20}, None, "measured on 20 of 40"),
        ({"systems": {CANDIDATE: {"gain": {QUOTING: {"refusal_recall": GOOD}, BASE: {}}}}}, None, "measured on 40 of 40"),
        ({}, 2, "not measured beside version 2"),
        ({"systems": {CANDIDATE: figures(quoting=LOST)}}, None, r"against quoting"),
        ({"other": 2, "systems": {CANDIDATE: figures(other=LOST)}}, 2, r"against what is served now"),
        ({"systems": {CANDIDATE: figures(quoting=UNSURE)}}, None, r"surely no less"),
        ({"systems": {CANDIDATE: figures(false_refusal=0.4)}}, None, "false refusals 0.400"),
        ({"systems": {CANDIDATE: figures(unsupported=0.3)}}, None, "unsupported statements 0.300"),
    ],
)
def test_what_does_not_pass_is_told_with_its_figure(settings: Settings, changed: dict[str, Any], champion: int | None, reason: str) -> None:
    write(settings, **changed)
    with pytest.raises(UserError, match=reason):
        check_gate(settings, PROFILE, 3, champion)


def test_all_reasons_are_told_at_once() -> None:
    assert len(failings(PROFILE, figures(LOST, LOST, false_refusal=1, unsupported=1), OTHER)) == 4


def test_nothing_measured_or_a_damaged_result_is_not_measured(settings: Settings) -> None:
    with pytest.raises(UserError, match="tune eval legal --adapter 3"):
        check_gate(settings, PROFILE, 3, None)
    write(settings)
    (settings.root / "runs" / "eval" / "legal-9.json").write_text('{"systems": [')
    check_gate(settings, PROFILE, 3, None)
