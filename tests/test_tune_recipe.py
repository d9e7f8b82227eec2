"""Each setting of a recipe does what `tune plan` says of it, on the real small model; memory is told before it is taken."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tune.fit
from corpora import UserError
from corpora.profile import Recipe
from ingest.settings import Settings
from serve.champion import versions
from tests.plant import CORPUS, PROFILE, SILENT, make_plant
from tune.base import load_model, load_tokenizer
from tune.cli import main
from tune.data import make_data
from tune.lora import lora_config
from tune.memory import estimate, weights
from tune.packs import Pack
from tune.progress import Progress
from tune.run import Plan, Run
from tune.sft import encoded_rows, make_trainer, sft
from tune.talk import Talk
from tune.train import Request, arguments, carry_out, halve, held_back, make_plan


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_plant(home, tmp_path_factory.mktemp("plant"))
    make_data(settings, CORPUS, 6, 0, SILENT)
    return settings


def teach(settings: Settings, **recipe: Any) -> None:
    """Give the corpus another recipe; the rows do not depend on it."""
    profile = {**PROFILE, "tune": {**PROFILE["tune"], **recipe}}
    (settings.root / "corpora" / CORPUS / "profile.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")


def plan_of(settings: Settings, **request: Any) -> Plan:
    return make_plan(settings, Request(CORPUS, **request), "sft", None, SILENT,
                     sequences=lambda count: len(encoded_rows(settings, CORPUS, count)[1]))  # fmt: skip


def test_a_recipe_says_what_it_leads_to_and_refuses_what_makes_no_sense() -> None:
    assert all(field.description for field in Recipe.model_fields.values())
    with pytest.raises(ValueError, match="patience needs a share for validation"):
        Recipe(patience=2)


def test_rslora_divides_by_the_root_of_the_rank_and_modules_name_the_layers() -> None:
    plain, steady = lora_config(Recipe(rank=16, modules="mlp")), lora_config(Recipe(rank=16, modules="attention", rslora=True))
    assert plain.target_modules == {"gate_proj", "up_proj"} and not plain.use_rslora
    assert steady.target_modules == {"q_proj", "k_proj", "v_proj"} and steady.use_rslora
    assert plain.lora_alpha / 16 == steady.lora_alpha / math.sqrt(16), "of one strength at rank 16"
    assert lora_config(Recipe(modules="all")).target_modules == "all-linear"


@given(st.integers(0, 400), st.floats(0, 0.5), st.integers(0, 5))
def test_validation_holds_back_its_share_and_never_all(sequences: int, share: float, seed: int) -> None:
    back = held_back(sequences, share, seed)
    assert back <= set(range(sequences)) and back == held_back(sequences, share, seed)
    assert len(back) < sequences or not sequences
    assert abs(len(back) - share * sequences) <= 1


def test_the_trainer_gets_what_the_recipe_says(settings: Settings, tmp_path: Path) -> None:
    teach(settings, schedule="linear", max_grad_norm=0.3, sequences_per_step=2, learning_rate=0.004, epochs=3, checkpointing=True)
    plan = plan_of(settings)
    found = arguments(Run(tmp_path, plan))
    assert (found["lr_scheduler_type"], found["max_grad_norm"], found["learning_rate"]) == ("linear", 0.3, 0.004)
    assert found["gradient_checkpointing"] and found["per_device_train_batch_size"] * found["gradient_accumulation_steps"] == 2
    assert plan.steps == 3 * math.ceil(plan.sequences / 2)


def test_rows_held_back_are_not_trained_on_and_their_loss_is_told(settings: Settings) -> None:
    teach(settings, validation=0.4, patience=1, sequences_per_step=1, checkpointing=True)
    told: list[str] = []
    trained = sft(settings, Request(CORPUS, max_steps=10), Talk(told.append))
    plan = trained.run.plan
    assert plan.held_back >= 1 and plan.sequences + plan.held_back == len(encoded_rows(settings, CORPUS, plan.rows)[1])
    log = [json.loads(line) for line in (trained.run.folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "validation" in line] == [5, 10]
    assert any("on the rows held back" in line for line in told)
    assert list((trained.run.folder / "tensorboard").iterdir()), "the curves are there"


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_a_quantized_base_is_smaller_and_teaches_in_full_precision(settings: Settings, quantization: str, tmp_path: Path) -> None:
    teach(settings, quantization=quantization, sequences_per_step=1)
    plan = plan_of(settings, max_steps=1, rows=1)
    _, packs = encoded_rows(settings, CORPUS, 1)
    run = Run(tmp_path, plan)
    tokenizer = load_tokenizer(settings.models / plan.base)
    trainer = make_trainer(settings, run, packs, tokenizer, Progress(run, 1, SILENT))
    learnt = {name: p for name, p in trainer.model.named_parameters() if p.requires_grad}
    assert learnt and all(p.dtype == torch.float32 for p in learnt.values())
    small = sum(p.numel() * p.element_size() for name, p in trainer.model.named_parameters() if name not in learnt)
    assert small < 0.8 * weights(settings.models / plan.base, "none", "bfloat16")
    trainer.train()
    assert any(p.abs().max() > 0 for name, p in learnt.items() if "lora_B" in name)


@pytest.mark.parametrize("quantization", ["none", "8bit", "4bit"])
def test_the_weights_take_what_is_told(home: Path, quantization: str) -> None:
    base = home / "models" / "SmolLM2-135M-Instruct"
    model = load_model(base, quantization)
    held = sum(p.numel() * p.element_size() for p in model.parameters())
    for module in model.modules():  # the scales of NF4
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None:
            held += state.absmax.numel() * state.absmax.element_size() + state.state2.absmax.numel() * 4
    assert weights(base, quantization, str(model.dtype).removeprefix("torch.")) == pytest.approx(held, rel=0.02)


def test_where_memory_does_not_suffice_half_as_many_go_at_once_and_the_run_goes_on(settings: Settings, tmp_path: Path) -> None:
    teach(settings, sequences_per_step=2)
    plan = plan_of(settings, max_steps=1).model_copy(update={"batch": 2, "accumulate": 1})
    run = Run(tmp_path, plan)
    run.write(plan)
    _, packs = encoded_rows(settings, CORPUS, plan.rows)
    tokenizer = load_tokenizer(settings.models / plan.base)
    progress = Progress(run, 1, SILENT)
    sizes: list[int] = []

    def make() -> Any:
        trainer = make_trainer(settings, run, packs, tokenizer, progress)
        forward = trainer.compute_loss

        def full(model: Any, inputs: dict[str, Any], *rest: Any, **more: Any) -> Any:
            sizes.append(len(inputs["input_ids"]))
            if sizes[-1] > 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return forward(model, inputs, *rest, **more)

        trainer.compute_loss = full  # type: ignore[method-assign]
        return trainer

    told: list[str] = []
    trained = carry_out(settings, run, make, progress, Talk(told.append))
    assert sizes == [2, 1, 1] and any("1 at once from here on" in line for line in told)
    assert (trained.adapter.settings["batch"], trained.adapter.settings["accumulate"]) == (1, 2)
    with pytest.raises(UserError, match=r"does not suffice for one sequence.*checkpointing: true"):
        halve(run, SILENT)


def test_memory_grows_with_what_takes_it(home: Path) -> None:
    base = home / "models" / "SmolLM2-135M-Instruct"

    def told(tokens: int = 100, checkpointing: bool = False, batch: int = 1, **recipe: Any) -> Any:
        pack = Pack([5] * tokens, [-100] * (tokens - 10) + [5] * 10, list(range(tokens)), [0] * (tokens - 10) + [1] * 10)
        return estimate(base, Recipe(modules="mlp", **recipe), "bfloat16", checkpointing, batch, asdict(pack), 10, 0)

    plain = told()
    assert told(200).activations > 1.8 * plain.activations
    assert told(batch=2).activations == pytest.approx(2 * plain.activations)
    assert told(checkpointing=True).activations < plain.activations / 4
    assert told(rank=64).adapter == 4 * plain.adapter
    assert told(quantization="4bit").weights < told(quantization="8bit").weights < plain.weights


def test_on_a_cpu_what_does_not_fit_is_refused_before_it_begins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(settings)
    before = versions(settings, CORPUS), sorted((settings.root / "runs").iterdir())
    monkeypatch.setattr(tune.fit, "free_memory", lambda: 2**29)
    with pytest.raises(UserError, match=r"takes \d\.\d GB at its fullest, and 0.5 GB are free.*checkpointing: true"):
        sft(settings, Request(CORPUS, max_steps=1, rows=1), SILENT)
    assert (versions(settings, CORPUS), sorted((settings.root / "runs").iterdir())) == before


def test_the_plan_tells_rows_memory_time_cost_and_settings_and_leaves_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                                                              capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    teach(settings)
    monkeypatch.setenv("LECTERN_HOME", str(settings.root))
    monkeypatch.setenv("LECTERN_TIER", "cpu")
    before = sorted((settings.root / "runs").iterdir())
    assert main(["plan", CORPUS, "--price", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["plan"]["rows"] == 6 and found["seconds"] > 0 and found["cost"] >= 0
    assert 0 < found["learn"] < found["parameters"] / 20 and min(found["memory"].values()) > 0
    assert main(["plan", CORPUS]) == 0
    told = capsys.readouterr().out
    for word in ("tokens and up", "parameters learn", "GB at the fullest", "Time: ", "learning_rate", f"tune sft {CORPUS}"):
        assert word in told
    assert sorted((settings.root / "runs").iterdir()) == before
