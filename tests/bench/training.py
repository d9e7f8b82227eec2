"""Training beside TRL's own defaults on the same rows and the same LoRA; and memory as `tune plan` tells it beside what is taken.

Run: python -m tests.bench.training
Each training is a process of its own that takes a few steps: one for libraries to set themselves up in, the others timed. TRL's defaults
are its SFTTrainer and SFTConfig with nothing set but where to write, how many steps, and that nothing is reported. Memory is that of
batches of the longest sequence, from before the first step to after the last. Full fine-tuning is no setting of Lectern's, which serves
adapters; it stands there for comparison.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from corpora.profile import Recipe
from ingest.index import Index
from ingest.settings import Settings
from tests.bench import report, timed
from tests.bench.home import models
from tune.talk import Talk

CORPUS = "maintenance"
ROWS = 160
STEPS = 4  # the first is not timed
SETTINGS: dict[str, dict[str, Any]] = {
    "LoRA 16 of gate and up": {"modules": "mlp"},
    "LoRA 16 of all layers": {"modules": "all"},
    "LoRA 64 of all layers, activations computed twice": {"modules": "all", "rank": 64, "checkpointing": True},
    "LoRA 16 of all layers, base in 8 bits": {"modules": "all", "quantization": "8bit"},
    "LoRA 16 of all layers, base in NF4 (QLoRA)": {"modules": "all", "quantization": "4bit"},
}
SILENT = Talk(lambda line: None)


def main() -> None:
    if sys.argv[1:]:
        kind, home, *rest = sys.argv[1:]
        print(json.dumps(CHILDREN[kind](Settings(home=Path(home), tier="cpu"), *rest)))
        return
    with TemporaryDirectory() as name:
        settings = prepare(Path(name))
        ours, theirs = (child(kind, settings)["rows_per_second"] for kind in ("ours", "trl"))
        report("training, speed", {
            "rows a second": round(ours, 3), "TRL's defaults, same rows and LoRA": round(theirs, 3),
            "times TRL's defaults (at least 2)": round(ours / theirs, 2),
        })  # fmt: skip
        found = {title: child("memory", settings, json.dumps(recipe)) for title, recipe in SETTINGS.items()}
        full = child("full", settings)
        own = full["taken"] - full["process"]
        report("training, memory", {
            "full fine-tuning in full precision, MB; without libraries": f"{mb(full['taken'])}; {mb(own)}",
            **{f"{title}: told, taken, MB; of full, without libraries":
               f"{mb(row['told'])}, {mb(row['taken'])} ({row['told'] / row['taken'] - 1:+.0%}); {(row['taken'] - row['process']) / own:.2f}"
               for title, row in found.items()},
        })  # fmt: skip


def mb(size: float) -> int:
    return round(size / 2**20)


def child(kind: str, settings: Settings, *rest: str) -> dict[str, Any]:
    _, said = timed(["-m", "tests.bench.training", kind, str(settings.root), *rest])
    return dict(json.loads(said.splitlines()[-1]))


def prepare(folder: Path) -> Settings:
    """The shipped maintenance corpus indexed in `folder`, with its rows made."""
    from corpora import load_profile
    from tune.data import make_data

    (folder / "models").symlink_to(models())
    settings = Settings(home=folder, tier="cpu", chroma_url="", vllm_port=1)
    Index(CORPUS, settings).add(load_profile(CORPUS, folder).sources)
    make_data(settings, CORPUS, ROWS, 0, SILENT)
    return settings


def ours(settings: Settings) -> dict[str, float]:
    """Rows a second, as `tune sft` trains on all layers."""
    from tune.base import quiet

    quiet()
    from tune.sft import encoded_rows, make_trainer

    _, packs = encoded_rows(settings, CORPUS, ROWS)
    plan = plan_of(settings, Recipe(modules="all"), len(packs))
    clock = Clock()
    trainer = make_trainer(settings, run_of(settings, plan), packs, tokenizer_of(settings, plan), silent_progress(settings, plan))
    collate = trainer.data_collator

    def counted(batch: Sequence[dict[str, Any]]) -> Any:
        clock.rows.append(sum(max(pack["segments"]) for pack in batch))
        return collate(batch)

    trainer.data_collator = counted
    trainer.add_callback(clock.callback())
    trainer.train()
    return {"rows_per_second": clock.pace(plan.per_step)}


def trl(settings: Settings) -> dict[str, float]:
    """Rows a second by TRL's own trainer and settings."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from tune.data import read_examples
    from tune.lora import lora_config

    plan = plan_of(settings, Recipe(modules="all"), 1)
    rows = [{"prompt": e.prompt, "completion": e.completion} for e in read_examples(settings, CORPUS)]
    config = SFTConfig(output_dir=str(settings.root / "trl"), max_steps=STEPS, report_to=[], disable_tqdm=True, use_cpu=True)
    trainer = SFTTrainer(model=str(settings.models / plan.base), args=config, train_dataset=Dataset.from_list(rows),
                         peft_config=lora_config(plan.recipe))  # fmt: skip
    clock = Clock()
    trainer.add_callback(clock.callback())
    trainer.train()
    per_step = config.train_batch_size * config.gradient_accumulation_steps
    return {"rows_per_second": (STEPS - 1) * per_step / (clock.ends[-1] - clock.ends[0])}


def memory(settings: Settings, recipe: str) -> dict[str, float]:
    """Bytes told before, and taken at most."""
    from tune.base import quiet

    quiet()
    from tune.fit import memory_of
    from tune.sft import encoded_rows, make_trainer

    _, packs = encoded_rows(settings, CORPUS, ROWS)
    longest = max(packs, key=lambda pack: len(pack.input_ids))
    plan = plan_of(settings, Recipe.model_validate_json(recipe), STEPS * 4)
    told = memory_of(settings, plan, [longest])
    trainer = make_trainer(settings, run_of(settings, plan), [longest] * plan.sequences, tokenizer_of(settings, plan),
                           silent_progress(settings, plan))  # fmt: skip
    forget_peak()
    trainer.train()
    return {"told": told.whole, "taken": peak(), "process": told.process, **asdict(told)}


def full(settings: Settings) -> dict[str, float]:
    """Bytes taken where every parameter learns, in full precision as Adam needs it."""
    import psutil
    import torch
    from transformers import AutoModelForCausalLM

    from tune.packs import collate
    from tune.sft import encoded_rows

    _, packs = encoded_rows(settings, CORPUS, ROWS)
    batch = collate([asdict(max(packs, key=lambda pack: len(pack.input_ids)))])
    process = psutil.Process().memory_info().rss
    plan = plan_of(settings, Recipe(), 1)
    model = AutoModelForCausalLM.from_pretrained(settings.models / plan.base, dtype=torch.float32, attn_implementation="sdpa").train()
    optimizer = torch.optim.AdamW(model.parameters())
    forget_peak()
    for _ in range(STEPS):
        model(**batch, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return {"taken": peak(), "process": process}


def plan_of(settings: Settings, recipe: Recipe, sequences: int) -> Any:
    from serve.tiers import pick_tier
    from tune.base import precision
    from tune.run import Plan

    tier = pick_tier(settings)
    return Plan(corpus=CORPUS, kind="sft", base=tier.base.id, base_hash="", template_hash="", data_hash="", parent=None, rows=ROWS,
                sequences=sequences, max_steps=STEPS, recipe=recipe, precision=precision(), checkpointing=bool(recipe.checkpointing),
                batch=1, accumulate=4, max_length=tier.prompt_budget, seed=0)  # fmt: skip


def run_of(settings: Settings, plan: Any) -> Any:
    from tune.run import new_run

    return new_run(settings, plan)


def tokenizer_of(settings: Settings, plan: Any) -> Any:
    from tune.base import load_tokenizer

    return load_tokenizer(settings.models / plan.base)


def silent_progress(settings: Settings, plan: Any) -> Any:
    from tune.progress import Progress
    from tune.run import Run

    return Progress(Run(settings.root / "runs", plan), 1, SILENT)


class Clock:
    """When steps ended, and how many rows each batch held."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.rows: list[int] = []

    def callback(self) -> Any:
        from transformers import TrainerCallback

        ends = self.ends

        class Ended(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                ends.append(time.monotonic())

        return Ended()

    def pace(self, per_step: int) -> float:
        """Rows a second after the first step; batches are made in their order, one ahead."""
        return sum(self.rows[per_step : len(self.ends) * per_step]) / (self.ends[-1] - self.ends[0])


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes of this process since `forget_peak`."""
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))


CHILDREN = {"ours": ours, "trl": trl, "memory": memory, "full": full}

if __name__ == "__main__":
    main()
