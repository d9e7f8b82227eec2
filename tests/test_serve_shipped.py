"""Adapters that come with an assistant: served where nobody trained one, never over somebody's own, and as fresh as the prompt."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from corpora.profile import SHIPPED
from ingest.fitted import default_mode
from ingest.settings import Settings
from serve.champion import champion, rollback, versions
from serve.gate import BASE, CANDIDATE, QUOTING
from serve.prompt import template_hash
from serve.shipped import install, stale
from serve.tiers import pick_tier
from tune.base import base_hash
from tune.registry import read_adapter
from tune.schema import Adapter

NAME = "pumps"
LORA = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.zeros((16, 576), np.float32),
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": np.zeros((576, 16), np.float32)}  # fmt: skip


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, tier="cpu", vllm_port=1)
    settings.models.mkdir()
    base = pick_tier(settings).base.id
    (settings.models / base).symlink_to(home / "models" / base)
    return settings


def ship(settings: Settings, **changed: Any) -> Path:
    base = pick_tier(settings).base.id
    corpus = settings.root / "corpora" / NAME
    folder = corpus / "adapter"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (corpus / "profile.yaml").write_text(json.dumps({"title": "Pumps", "description": "Pumps.", "languages": ["en"]}))
    manifest = Adapter(corpus=NAME, version=7, kind="sft", base=base, base_hash="b", template_hash=template_hash(settings.models / base),
                       data_hash="d", rows=9, parent=None, settings={}, loss=0.1, created="2026-01-01")  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({**manifest.model_dump(), **changed}))
    config = {"peft_type": "LORA", "r": 16, "lora_alpha": 32, "bias": "none", "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    gain = {"correctness": {"difference": 0.1, "interval": [0.02, 0.2]}}
    figures = {"false_refusal": 0.05, "unsupported": 0.0, "gain": {BASE: gain, QUOTING: gain}}
    (folder / "scores.json").write_text(json.dumps({"systems": {CANDIDATE: figures}, "modes": {"en": {"mode": "model"}}}))
    for file in folder.iterdir():
        file.chmod(0o444)
    save_file(LORA, folder / "adapter_model.safetensors")
    return folder


def told(settings: Settings) -> list[str]:
    """What is said while the adapters of the home's own assistants are installed."""
    said: list[str] = []
    install(settings, pick_tier(settings), said.append)
    return [line for line in said if line.startswith(NAME)]


def test_it_answers_and_its_mode_is_known(settings: Settings) -> None:
    ship(settings)
    assert told(settings) == [f"{NAME} answers with the adapter that it comes with."]
    best = champion(settings, NAME)
    assert best and best.name == f"{NAME}-v1" and read_adapter(settings, NAME, 1).version == 1
    assert default_mode(NAME, settings, "en", f"{NAME}-v1") == "model"
    assert told(settings) == [], "once"
    rollback(settings, NAME)
    assert told(settings) == [] and champion(settings, NAME) is None, "what somebody chose stays"


def test_somebodys_own_version_stays(settings: Settings) -> None:
    ship(settings)
    (settings.adapters / NAME / "4").mkdir(parents=True)
    (settings.adapters / NAME / "4" / "adapter_config.json").write_text("{}")
    assert told(settings) == [] and versions(settings, NAME) == [4]


@pytest.mark.parametrize("changed", [{"base": "Other-7B"}, {"template_hash": "of another prompt"}, {"corpus": "another"}])
def test_one_for_another_base_or_prompt_is_left_alone(settings: Settings, changed: dict[str, str]) -> None:
    ship(settings, **changed)
    assert told(settings) == [] and versions(settings, NAME) == []


def test_a_damaged_one_is_said_and_stops_nothing(settings: Settings) -> None:
    folder = ship(settings)
    for name, data, said in (("adapter_model.safetensors", b"torn", "is damaged"), ("scores.json", b"{}", "does not say"),
                             ("scores.json", b"{", "is damaged")):  # fmt: skip
        (folder / name).chmod(0o644)
        (folder / name).write_bytes(data)
        assert said in told(settings)[0] and versions(settings, NAME) == [] and champion(settings, NAME) is None
        folder = ship(settings)


def test_one_that_did_not_pass_the_gate_is_not_served(settings: Settings) -> None:
    folder = ship(settings)
    scores = json.loads((folder / "scores.json").read_text())
    scores["systems"][CANDIDATE]["false_refusal"] = 0.5
    (folder / "scores.json").chmod(0o644)
    (folder / "scores.json").write_text(json.dumps(scores))
    (said,) = told(settings)
    assert "does not pass its gate and is not served: false refusals 0.500" in said and said.endswith(f"serve ask {NAME}@1 QUESTION")
    assert versions(settings, NAME) == [1] and champion(settings, NAME) is None
    assert told(settings) == [], "once"


def test_the_doctor_lists_an_adapter_whose_prompt_is_another(settings: Settings) -> None:
    ship(settings)
    assert stale(settings, pick_tier(settings)) == []
    ship(settings, template_hash="another")
    (sentence,) = stale(settings, pick_tier(settings))
    assert "pumps" in sentence and "another prompt" in sentence and sentence.endswith("tune sft pumps")
    ship(settings, base="Other-7B", template_hash="another")
    assert stale(settings, pick_tier(settings)) == [], "made for another machine's base"


@pytest.mark.parametrize("folder", sorted(SHIPPED.glob("*/adapter")), ids=lambda folder: folder.parent.name)
def test_what_ships_was_trained_under_the_prompt_and_on_the_base_that_are_served(home: Path, folder: Path) -> None:
    adapter = Adapter.model_validate_json((folder / "manifest.json").read_bytes())
    base = home / "models" / adapter.base
    assert (adapter.template_hash, adapter.base_hash) == (template_hash(base), base_hash(base))
    assert adapter.corpus == folder.parent.name
