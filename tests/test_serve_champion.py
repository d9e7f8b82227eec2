"""The champion: what is refused, what is written, and the way back; with a running vLLM in test_serve_stack.py."""

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from corpora import UserError
from ingest.settings import Settings
from serve.adapter import check_adapter
from serve.champion import champion, rollback, versions
from serve.champion import promote as choose
from serve.engine import champions
from serve.tiers import pick_tier

LORA = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.zeros((16, 8), np.float32),
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": np.zeros((8, 16), np.float32)}  # fmt: skip
promote = partial(choose, force=True)  # what the gate says is test_serve_gate.py's


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, vllm_port=1)  # a port on which no vLLM is up


def publish(settings: Settings, version: int, weights: dict[str, Any] = LORA, base: str = "", **config: Any) -> Path:
    folder = settings.adapters / "legal" / str(version)
    folder.mkdir(parents=True)
    plain = {"peft_type": "LORA", "r": 16, "lora_alpha": 32, "bias": "none", "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **config}))
    (folder / "manifest.json").write_text(json.dumps({"base": base or pick_tier(settings).base.id}))
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


def test_promotion_with_no_model_server_says_when_it_loads(settings: Settings) -> None:
    folder = publish(settings, 1)
    done = promote(settings, "legal", 1)
    assert "loads at its next start" in done.notice
    assert champion(settings, "legal") == done.champion
    written = json.loads((settings.adapters / "legal" / "champion.json").read_text())
    assert written["version"] == 1 and written["name"] == "legal-v1" and written["previous"] == []
    assert settings.root / written["path"] == folder
    assert champions(settings) == ({"legal-v1": folder}, []), "vLLM's next start finds it"


def test_rollback_goes_back_one_by_one_to_the_base(settings: Settings) -> None:
    for version in (1, 2, 3):
        publish(settings, version)
        promote(settings, "legal", version)
    promote(settings, "legal", 3)
    assert versions(settings, "legal") == [1, 2, 3]
    went = []
    for _ in range(3):
        done = rollback(settings, "legal")
        went.append(done.champion and done.champion.version)
    assert went == [2, 1, None]
    assert champion(settings, "legal") is None
    with pytest.raises(UserError, match="tune promote legal"):
        rollback(settings, "legal")


def test_rollback_passes_over_a_version_that_is_gone(settings: Settings) -> None:
    for version in (1, 2, 3):
        publish(settings, version)
        promote(settings, "legal", version)
    for file in (settings.adapters / "legal" / "2").iterdir():
        file.unlink()
    done = rollback(settings, "legal")
    assert done.champion and done.champion.version == 1 and done.champion.previous == []


def test_rollback_passes_over_a_version_that_cannot_be_served(settings: Settings) -> None:
    for version in (1, 2, 3):
        publish(settings, version)
        promote(settings, "legal", version)
    (settings.adapters / "legal" / "2" / "manifest.json").write_text('{"base": "Other-7B"}')
    done = rollback(settings, "legal")
    assert done.champion and done.champion.version == 1


def refusals() -> Iterator[Any]:
    token = {**LORA, "base_model.model.model.embed_tokens.weight": np.zeros((4, 4), np.float32)}
    for config, words in [
        ({"r": 48}, "rank 48"),
        ({"rank_pattern": {"v_proj": 64}}, "rank 64"),
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["embed_tokens"]}, "embed_tokens"),
        ({"bias": "all"}, "bias=all"),
        ({"lora_bias": True}, "biases"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"trainable_token_indices": [1]}, "new tokens"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"base": "Other-7B"}, "trained on Other-7B"),
        ({"weights": token}, "embed_tokens.weight"),
        ({"weights": {}}, "empty"),
        ({"weights": {**LORA, "x.lora_A.weight": np.array([[1, np.nan]], np.float32)}}, "no finite numbers"),
        ({"weights": {**LORA, "x.lora_A.weight": np.array([[1, -np.inf]], np.float16)}}, "no finite numbers: its"),
    ]:
        yield pytest.param(config, words, id=words)


@pytest.mark.parametrize(("config", "words"), refusals())
def test_adapter_that_vllm_would_refuse_is_refused_before(
    settings: Settings, config: dict[str, Any], words: str
) -> None:
    publish(settings, 1)
    promote(settings, "legal", 1)
    publish(settings, 2, **config)
    with pytest.raises(UserError, match="vLLM cannot serve the adapter") as refused:
        promote(settings, "legal", 2)
    assert words in str(refused.value)
    kept = champion(settings, "legal")
    assert kept and kept.version == 1


def test_pickled_or_damaged_weights_are_refused(settings: Settings) -> None:
    folder = publish(settings, 1)
    weights = folder / "adapter_model.safetensors"
    weights.rename(folder / "adapter_model.bin")
    with pytest.raises(UserError, match=r"no adapter_model\.safetensors"):
        promote(settings, "legal", 1)
    weights.write_bytes(b"\x80\x04 this is a pickle, or anything else at all")
    with pytest.raises(UserError, match=r"damaged|too long"):
        promote(settings, "legal", 1)
    assert champion(settings, "legal") is None


def test_adapter_of_another_shape_than_its_base_is_refused(settings: Settings, home: Path) -> None:
    os.symlink(home / "models", settings.models)  # the LoRA above is for 8 of the base's 576 dimensions
    publish(settings, 1)
    with pytest.raises(UserError, match=r"does not fit SmolLM2-135M-Instruct .*\[16, 8\], the layer \[576, 576\]"):
        promote(settings, "legal", 1)
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    fits = {
        f"{layer}.lora_A.weight": np.zeros((4, 576), np.float32),
        f"{layer}.lora_B.weight": np.zeros((576, 4), np.float32),
    }
    publish(settings, 2, weights=fits, r=4)
    assert promote(settings, "legal", 2).champion


def test_weights_in_bf16_are_read(settings: Settings) -> None:
    import torch
    from safetensors.torch import save_file as save_torch

    weights = {name: torch.full(tensor.shape, 3e38, dtype=torch.bfloat16) for name, tensor in LORA.items()}
    save_torch(weights, publish(settings, 1) / "adapter_model.safetensors")
    assert promote(settings, "legal", 1).champion, "large, but numbers"
    weights[next(iter(weights))][3, 3] = float("nan")
    save_torch(weights, publish(settings, 2) / "adapter_model.safetensors")
    with pytest.raises(UserError, match="no finite numbers"):
        promote(settings, "legal", 2)


def test_every_reason_is_given_at_once(settings: Settings) -> None:
    publish(settings, 1, r=64, use_dora=True, bias="all")
    with pytest.raises(UserError, match=r"rank 64.*DoRA.*bias=all"):
        promote(settings, "legal", 1)


def test_unknown_corpus_or_version_is_refused_with_what_there_is(settings: Settings) -> None:
    publish(settings, 4)
    with pytest.raises(UserError, match="Published: 4"):
        promote(settings, "legal", 5)
    with pytest.raises(UserError, match="No corpus"):
        promote(settings, "../legal", 4)


def test_damaged_champion_file_is_a_sentence(settings: Settings) -> None:
    publish(settings, 1)
    file = settings.adapters / "legal" / "champion.json"
    file.write_text('{"version": "latest"')
    with pytest.raises(UserError, match="tune promote legal VERSION"):
        champion(settings, "legal")


@pytest.mark.parametrize("config", ['{"r": "x"}', '{"r": [8]}', '{"r": 8, "rank_pattern": [1]}', "[" * 100_000, '{"r": 1e999}'])
def test_a_damaged_adapter_is_a_sentence_and_stops_nothing_else(settings: Settings, config: str) -> None:
    folder = settings.adapters / "maintenance" / "77"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(config)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"damaged|cannot serve"):
        check_adapter(folder, settings)
