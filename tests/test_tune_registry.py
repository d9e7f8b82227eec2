"""The registry: versions count up and never change, and what vLLM would refuse is refused before it has a number."""

import json
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from corpora import UserError
from ingest.settings import Settings
from serve.champion import promote, versions
from serve.tiers import pick_tier
from tune.cli import main
from tune.registry import adapter_folder, adapters, publish, read_adapter
from tune.run import Plan

NAME = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", tier="cpu", vllm_port=1)


def plan(settings: Settings, **changes: Any) -> Plan:
    fields = {
        "corpus": "legal", "kind": "sft", "base": pick_tier(settings).base.id, "base_hash": "b", "template_hash": "t", "data_hash": "d",
        "parent": None, "rows": 7, "sequences": 7, "max_steps": 0, "recipe": {}, "precision": "float32",
        "checkpointing": False, "batch": 1, "accumulate": 8, "max_length": 768, "seed": 0,
    }  # fmt: skip
    return Plan.model_validate({**fields, **changes})


def trained(folder: Path, **config: Any) -> Path:
    """What PEFT leaves after DPO: an adapter, and TRL's copy of its reference."""
    (folder / "ref").mkdir(parents=True)
    (folder / "ref" / "adapter_config.json").write_text("{}")
    plain = {"peft_type": "LORA", "r": 16, "lora_alpha": 32, "bias": "none", "target_modules": ["v_proj", "q_proj"],
             "base_model_name_or_path": "/somewhere/else"}  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **config}))
    save_file({NAME.format("A"): torch.ones(16, 8), NAME.format("B"): torch.full((8, 16), 0.5)}, folder / "adapter_model.safetensors")
    return folder


def test_a_version_is_whole_in_bf16_and_tells_what_it_was_made_from(settings: Settings, tmp_path: Path) -> None:
    made = publish(settings, trained(tmp_path / "a"), plan(settings, kind="dpo", parent=3), 0.25)
    folder = adapter_folder(settings, "legal", 1)
    names = {"adapter_config.json", "adapter_model.safetensors", "manifest.json", "card.md"}
    assert {p.name for p in folder.iterdir()} == names, "no ref"
    assert not (tmp_path / "a" / "ref").exists()
    assert {str(t.dtype) for t in load_file(folder / "adapter_model.safetensors").values()} == {"torch.bfloat16"}
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == plan(settings).base
    assert read_adapter(settings, "legal", 1) == made
    assert (made.parent, made.loss, made.rows, made.data_hash) == (3, 0.25, 7, "d") and made.settings["rank"] == 16
    assert "version 1" in (folder / "card.md").read_text() and "from version 3" in (folder / "card.md").read_text()


def test_versions_count_up_and_are_never_reused_or_changed(settings: Settings, tmp_path: Path) -> None:
    for n in (1, 2, 3):
        assert publish(settings, trained(tmp_path / str(n)), plan(settings), 0.1).version == n
    folder = adapter_folder(settings, "legal", 2)
    assert all(stat.S_IMODE(os.stat(p).st_mode) == 0o444 for p in folder.iterdir())
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    (adapter_folder(settings, "legal", 3) / "adapter_config.json").unlink()  # no longer an adapter, but its number is taken
    assert publish(settings, trained(tmp_path / "4"), plan(settings), 0.1).version == 4
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [a.version for a in adapters(settings, "legal")] == [1, 2, 4]
    shutil.rmtree(adapter_folder(settings, "legal", 4))
    assert publish(settings, trained(tmp_path / "5"), plan(settings), 0.1).version == 5, "a running vLLM may still hold the first 4"


def test_two_at_once_get_two_numbers(settings: Settings, tmp_path: Path) -> None:
    folders = [trained(tmp_path / str(n)) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda folder: publish(settings, folder, plan(settings), 0.1).version, folders))
    assert sorted(made) == [1, 2, 3, 4, 5, 6] == versions(settings, "legal")
    assert all(read_adapter(settings, "legal", v).version == v for v in made), "each manifest names its own folder"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"use_dora": True}, "DoRA"), ({"modules_to_save": ["lm_head"]}, "lm_head"), ({"bias": "all"}, "bias"),
        ({"r": 64}, "rank 64"), ({"rank_pattern": {"q_proj": 128}}, "rank 128"), ({"trainable_token_indices": [1]}, "tokens"),
        ({"peft_type": "IA3"}, "IA3"), ({"init_lora_weights": "pissa"}, "pissa"),
    ],
)  # fmt: skip
def test_what_vllm_would_refuse_gets_no_number(settings: Settings, tmp_path: Path, config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        publish(settings, trained(tmp_path / "a", **config), plan(settings), 0.1)
    assert list((settings.adapters / "legal").iterdir()) == []


def test_an_adapter_for_another_base_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trained on Other-7B"):
        publish(settings, trained(tmp_path / "a"), plan(settings, base="Other-7B"), 0.1)


def test_a_damaged_run_publishes_nothing(settings: Settings, tmp_path: Path) -> None:
    folder = trained(tmp_path / "a")
    (folder / "adapter_model.safetensors").write_bytes(b"cut short")
    with pytest.raises(UserError, match="cannot be read"):
        publish(settings, folder, plan(settings), 0.1)
    assert versions(settings, "legal") == []


def test_ls_tells_versions_and_which_is_served(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("LECTERN_HOME", str(settings.root))
    assert main(["ls", "legal"]) == 0
    assert "tune sft legal" in capsys.readouterr().out
    for n in (1, 2):
        publish(settings, trained(tmp_path / str(n)), plan(settings), 0.1)
    promote(settings, "legal", 1, force=True)
    assert main(["ls", "legal", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(r["version"], r["champion"]) for r in rows] == [(1, True), (2, False)]
    assert main(["ls", "nowhere"]) == 2
    assert "No corpus 'nowhere'" in capsys.readouterr().err
