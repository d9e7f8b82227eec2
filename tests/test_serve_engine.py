"""vLLM's command line, and what its client says when it is not there. The real server is in test_serve_up."""

import json
import socket
from pathlib import Path

import pytest

from corpora import UserError
from ingest.settings import Settings
from serve.engine import WRAPPED, Engine, champions, command, largest_rank, wrapped_layers
from serve.prompt import template_hash
from serve.tiers import load_tiers, pick_tier


def value(argv, flag):
    return argv[argv.index(flag) + 1]


@pytest.fixture
def settings(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return Settings(home=tmp_path, tier="cpu", vllm_port=s.getsockname()[1])


def test_it_listens_on_loopback_whatever_the_page_does(settings):
    open_to_all = settings.model_copy(update={"host": "0.0.0.0"})
    for tier in load_tiers():
        argv, env = command(tier, open_to_all, {})
        assert value(argv, "--host") == "127.0.0.1"
        assert "--trust-remote-code" not in argv
        assert (env["HF_HUB_OFFLINE"], env["VLLM_NO_USAGE_STATS"]) == ("1", "1")


def test_the_tier_decides(settings):
    tiers = {tier.name: tier for tier in load_tiers()}
    argv, env = command(tiers["gpu-80gb"], settings, {})
    assert value(argv, "--model") == str(settings.models / "Qwen2.5-32B-Instruct")
    assert (value(argv, "--quantization"), value(argv, "--gpu-memory-utilization")) == ("fp8", "0.8")
    assert "--enforce-eager" not in argv
    argv, env = command(tiers["cpu"], settings, {"maintenance-v2": Path("/a/2"), "legal-v1": Path("/b/1")})
    assert value(argv, "--served-model-name") == "SmolLM2-135M-Instruct"
    assert argv[argv.index("--lora-modules") + 1 :] == ["maintenance-v2=/a/2", "legal-v1=/b/1"]
    assert "--gpu-memory-utilization" not in argv
    assert env["VLLM_CPU_KVCACHE_SPACE"]


def test_there_is_room_for_the_largest_rank_of_any_profile(settings):
    assert largest_rank(settings) == 32, "that of the shipped profiles"
    folder = settings.root / "corpora" / "mine"
    folder.mkdir(parents=True)
    (folder / "profile.yaml").write_text("title: M\ndescription: m\nlanguages: [en]\ntune: {rank: 64}\n")
    assert largest_rank(settings) == 64
    (folder / "profile.yaml").write_text("title: M\ndescription: m\nlanguages: [en]\ntune: {rank: 33}\n")
    assert largest_rank(settings) == 64, "vLLM knows steps alone"
    (folder / "profile.yaml").write_text("title: [")
    assert largest_rank(settings) == 32, "a broken profile must not keep the others from being served"


def test_on_a_cpu_only_the_layers_that_learn_can_carry_adapters(settings, tmp_path):
    tiers = {tier.name: tier for tier in load_tiers()}
    assert wrapped_layers(settings, tiers["cpu"], {}) == ["gate_proj", "up_proj"]
    argv, _ = command(tiers["cpu"], settings, {})
    at = argv.index("--lora-target-modules")
    assert argv[at + 1 : at + 3] == ["gate_proj", "up_proj"]
    assert "--lora-target-modules" not in command(tiers["gpu-80gb"], settings, {})[0]

    old = tmp_path / "old"  # trained with another setting, and still served
    old.mkdir()
    (old / "adapter_config.json").write_text('{"target_modules": ["q_proj", "v_proj"]}')
    assert wrapped_layers(settings, tiers["cpu"], {"a-v1": old}) == ["gate_proj", "q_proj", "up_proj", "v_proj"]
    (old / "adapter_config.json").write_text('{"target_modules": ["q_proj", "down_proj"]}')
    assert wrapped_layers(settings, tiers["cpu"], {"a-v1": old}) == []
    folder = settings.root / "corpora" / "mine"
    folder.mkdir(parents=True)
    (folder / "profile.yaml").write_text("title: M\ndescription: m\nlanguages: [en]\ntune: {modules: attention}\n")
    assert wrapped_layers(settings, tiers["cpu"], {}) == ["gate_proj", "k_proj", "q_proj", "up_proj", "v_proj"]
    (folder / "profile.yaml").write_text("title: M\ndescription: m\nlanguages: [en]\ntune: {modules: all}\n")
    assert wrapped_layers(settings, tiers["cpu"], {}) == []


def test_an_adapter_for_layers_that_vllm_was_not_told_of_is_not_loaded(settings, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"target_modules": ["q_proj", "up_proj"]}')
    settings.run.mkdir()
    (settings.run / WRAPPED).write_text('["gate_proj", "up_proj"]')
    with pytest.raises(UserError, match=r"gate_proj, up_proj alone, and legal-v1 has q_proj too.* make down, then make up"):
        Engine(settings).load("legal-v1", adapter)
    (settings.run / WRAPPED).write_text("[]")
    with pytest.raises(UserError, match="vLLM does not answer"):
        Engine(settings).load("legal-v1", adapter)


def test_an_adapter_that_would_keep_vllm_from_starting_stays_out(settings):
    base = pick_tier(settings).base.id
    publish(settings, "maintenance", base)
    publish(settings, "legal", "Qwen2.5-7B-Instruct")
    broken = settings.adapters / "code"
    broken.mkdir()
    (broken / "champion.json").write_text("{")
    fit, unfit = champions(settings)
    assert fit == {"maintenance-v1": settings.root / "adapters/maintenance/1"}
    assert len(unfit) == 2
    assert any("trained on Qwen2.5-7B-Instruct" in sentence for sentence in unfit)
    assert any("champion.json is damaged" in sentence for sentence in unfit)


def test_an_adapter_of_another_prompt_is_not_served(settings, home):
    base = pick_tier(settings).base.id
    settings.models.mkdir(exist_ok=True)
    (settings.models / base).symlink_to(home / "models" / base)
    publish(settings, "maintenance", base)
    manifest = settings.adapters / "maintenance" / "1" / "manifest.json"
    manifest.write_text(json.dumps({"base": base, "template_hash": template_hash(settings.models / base)}))
    assert champions(settings) == ({"maintenance-v1": settings.root / "adapters/maintenance/1"}, [])
    manifest.write_text(json.dumps({"base": base, "template_hash": "another"}))
    fit, (sentence,) = champions(settings)
    assert not fit and "was trained under another prompt" in sentence


def publish(settings, corpus, base):
    import numpy as np
    from safetensors.numpy import save_file

    folder = settings.adapters / corpus / "1"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"]}))
    (folder / "manifest.json").write_text(json.dumps({"base": base}))
    save_file({"base_model.model.q_proj.lora_A.weight": np.zeros((8, 4), np.float32)}, folder / "adapter_model.safetensors")
    champion = {"version": 1, "name": f"{corpus}-v1", "path": f"adapters/{corpus}/1"}
    (settings.adapters / corpus / "champion.json").write_text(json.dumps(champion))


def test_a_server_that_is_not_there_is_said_not_raised(settings):
    engine = Engine(settings)
    assert not engine.up()
    assert engine.models() == []
    engine.unload("anything")
    with pytest.raises(UserError, match="vLLM does not answer at"):
        engine.load("maintenance-v1", settings.root)
