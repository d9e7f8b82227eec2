"""DPO on the real small model: it starts from the SFT policy, leaves no reference behind, and refuses too few pairs."""

import json
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

import tune.fit
from corpora import UserError
from corpora.profile import Recipe
from ingest.settings import Settings
from serve.adapter import check_adapter
from tests.plant import CORPUS, SILENT, make_plant
from tune.base import load_tokenizer, precision
from tune.data import make_data, read_pairs
from tune.dpo import check_batches, dpo, make_trainer, refuse_unfit
from tune.progress import Progress
from tune.registry import adapter_folder, read_adapter, refuse_stale
from tune.run import Plan, new_run
from tune.sft import sft
from tune.train import Request, carry_out, prepare

PAIRS = 2


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small plant with an SFT adapter, version 1, and fewer pairs than DPO wants."""
    settings = make_plant(home, tmp_path_factory.mktemp("plant"))
    make_data(settings, CORPUS, 5, 0, SILENT)
    assert sft(settings, Request(CORPUS, max_steps=1, rows=1), SILENT).adapter.version == 1
    return settings


def test_too_few_pairs_are_refused_with_how_many_are_missing(settings: Settings) -> None:
    there = len(read_pairs(settings, CORPUS))
    assert 0 < there < 30
    with pytest.raises(UserError, match=f"has {there} preference pairs; DPO needs 30, so {30 - there} are missing"):
        dpo(settings, Request(CORPUS), SILENT)
    assert not list((settings.root / "runs").glob(f"{CORPUS}-dpo-*")), "no run was begun"


def test_without_an_sft_adapter_the_next_command_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"Make one: tune sft {CORPUS}"):
        dpo(Settings(home=tmp_path, tier="cpu"), Request(CORPUS), SILENT)


def test_a_stale_parent_is_refused(settings: Settings) -> None:
    parent = read_adapter(settings, CORPUS, 1)
    refuse_stale(parent, parent.template_hash, parent.base_hash)
    with pytest.raises(UserError, match="another prompt"):
        refuse_stale(parent, "changed", parent.base_hash)


def test_what_does_not_fit_is_refused_before_it_begins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = read_adapter(settings, CORPUS, 1)
    before = sorted((settings.root / "runs").iterdir())
    monkeypatch.setattr(tune.fit, "free_memory", lambda: 2**30)
    with pytest.raises(UserError, match=r"takes \d\.\d GB at its fullest, and 1.0 GB are free"):
        prepare(settings, Request(CORPUS), "dpo", 1, SILENT, lambda pairs: pairs, partial(refuse_unfit, settings, parent))
    assert sorted((settings.root / "runs").iterdir()) == before


def test_interrupted_and_resumed_it_publishes_without_the_reference(settings: Settings) -> None:
    parent = read_adapter(settings, CORPUS, 1)
    fields = parent.model_dump(include={"corpus", "base", "base_hash", "template_hash"})
    plan = Plan(**fields, kind="dpo", data_hash="d", parent=1, rows=PAIRS, sequences=PAIRS, max_steps=2, recipe=Recipe(rank=8),
                precision=precision(), checkpointing=False, batch=1, accumulate=1, max_length=768, seed=0)  # fmt: skip
    run = new_run(settings, plan)
    pairs = read_pairs(settings, CORPUS)[:PAIRS]
    tokenizer = load_tokenizer(settings.models / plan.base)

    class CtrlC(TrainerCallback):  # in the first step, so that it ends there
        def on_step_begin(self, args: object, state: object, control: object, **_: object) -> None:
            signal.raise_signal(signal.SIGINT)

    progress = Progress(run, 100, SILENT)
    trainer = make_trainer(settings, run, pairs, tokenizer, progress)
    trainer.add_callback(CtrlC())
    check_batches(trainer, tokenizer, pairs, plan)
    weights = dict(trainer.model.named_parameters())
    started = {n: p.detach().clone() for n, p in weights.items() if ".default." in n}
    assert started and all(torch.equal(p, weights[n.replace(".default.", ".ref.")]) for n, p in started.items())
    assert not any(p.requires_grad for n, p in weights.items() if ".ref." in n)
    published = load_file(adapter_folder(settings, CORPUS, 1) / "adapter_model.safetensors")
    assert any(t.abs().max() > 0 for n, t in published.items() if "lora_B" in n), "the policy is not the bare base"

    with pytest.raises(KeyboardInterrupt):
        carry_out(settings, run, lambda: trainer, progress, SILENT)
    checkpoint = load_file(run.last_checkpoint() / "adapter_model.safetensors")
    resumed: list[bool] = []

    class Resumed(TrainerCallback):
        def on_train_begin(self, args: object, state: object, control: object, **_: object) -> None:
            policy = {n.replace(".default.", "."): p for n, p in trainer.model.named_parameters() if ".default." in n}
            resumed.append(all(torch.equal(p, policy[n]) for n, p in checkpoint.items()))

    progress = Progress(run, 100, SILENT)
    trainer = make_trainer(settings, run, pairs, tokenizer, progress)
    trainer.add_callback(Resumed())
    trained = carry_out(settings, run, lambda: trainer, progress, SILENT)
    assert resumed == [True] and any(not torch.equal(checkpoint[n.replace(".default.", ".")], p) for n, p in started.items())
    reference = {n: p for n, p in trainer.model.named_parameters() if ".ref." in n}
    assert all(torch.equal(p, reference[n.replace(".default.", ".ref.")]) for n, p in started.items()), (
        "resumed against SFT"
    )
    assert (trained.adapter.version, trained.adapter.kind, trained.adapter.parent) == (2, "dpo", 1)
    folder = adapter_folder(settings, CORPUS, 2)
    check_adapter(folder, settings)
    assert not (folder / "ref").exists() and not (run.adapter / "ref").exists()
    learnt = load_file(folder / "adapter_model.safetensors")
    assert set(learnt) == set(published) and any(not torch.equal(learnt[n], published[n]) for n in learnt)
    steps = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert [line.get("step") for line in steps[:2]] == [1, 2]
