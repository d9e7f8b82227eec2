"""What SFT and DPO share: the plan of a run, the model on this machine, the loop with checkpoints, and publishing."""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpora import UserError, load_profile
from ingest.settings import Settings
from serve.prompt import template_hash
from serve.tiers import pick_tier
from tune.base import base_folder, base_hash, trainer_settings
from tune.data import data_folder, fresh_data, read_examples, read_pairs
from tune.registry import publish, read_adapter
from tune.run import Plan, Run, new_run, unfinished_run
from tune.schema import Adapter, Kind
from tune.talk import Talk

if TYPE_CHECKING:
    from transformers import Trainer

    from tune.progress import Progress

BATCH = 1  # a sequence at a time pads nothing
ACCUMULATE: dict[Kind, int] = {"sft": 4, "dpo": 8}  # packs, which hold several rows each, or pairs: enough to keep the steps steady
WARMUP = 20  # one step in so many warms up; a short run has none, for its first step at rate 0 would be wasted
SAVE_EVERY = 10  # steps that a crash may cost
DPO_SLOWER = 20  # preferences need a much smaller learning rate than answers


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    corpus: str
    max_steps: int = 0
    rows: int = 0
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training."""

    adapter: Adapter
    run: Run


def prepare(settings: Settings, request: Request, kind: Kind, parent: int | None, talk: Talk, sequences: Callable[[int], int]) -> Run:
    """The run to carry out: a new one, or with `resume` the interrupted one, if nothing under it has changed since.

    `sequences` tells how many so many rows make.
    """
    profile = load_profile(request.corpus, settings.root)
    tier = pick_tier(settings)
    folder = base_folder(tier, settings, talk.say)
    if request.resume:
        run = unfinished_run(settings, request.corpus, kind)
        now = {"base": base_hash(folder), "prompt": template_hash(folder), "rows": _data_hash(settings, request.corpus, kind)}
        was = {"base": run.plan.base_hash, "prompt": run.plan.template_hash, "rows": run.plan.data_hash}
        if changed := [name for name in now if now[name] != was[name]]:
            raise UserError(f"The {' and '.join(changed)} changed since {run.folder.name} was interrupted.",
                            f"Start anew: tune {kind} {request.corpus}")  # fmt: skip
        talk.say(f"Going on with {run.folder.name} from {run.last_checkpoint().name}")  # type: ignore[union-attr]
        return run
    data = fresh_data(settings, request.corpus, talk)
    there = data.rows if kind == "sft" else sum(data.pairs.values())
    rows = min(there, request.rows or there)
    rate = profile.tune.learning_rate / (DPO_SLOWER if kind == "dpo" else 1)
    plan = Plan(
        corpus=profile.name, kind=kind, base=tier.base.id, base_hash=base_hash(folder), template_hash=template_hash(folder),
        data_hash=data.sft_hash if kind == "sft" else data.dpo_hash, parent=parent, rows=rows, sequences=sequences(rows),
        max_steps=request.max_steps, epochs=profile.tune.epochs, learning_rate=rate, rank=profile.tune.rank, alpha=2 * profile.tune.rank,
        batch=BATCH, accumulate=ACCUMULATE[kind], max_length=tier.prompt_budget, seed=data.seed,
    )  # fmt: skip
    return new_run(settings, plan.model_copy(update={"trained_on": trained_on(settings, plan)}))


def trained_on(settings: Settings, plan: Plan) -> list[str]:
    """Versions of the documents that the rows show or ask about, and of its parent's; empty where its parent's are not known."""
    parents: list[str] = []
    if plan.parent is not None:
        parents = read_adapter(settings, plan.corpus, plan.parent).trained_on
        if not parents:
            return []
    read = read_examples if plan.kind == "sft" else read_pairs
    chunks = {chunk for row in read(settings, plan.corpus)[: plan.rows] for chunk in row.chunks}
    return sorted({*parents, *(chunk.rpartition(":")[0] for chunk in chunks)})


def arguments(run: Run) -> dict[str, Any]:
    """TRL's arguments for this run on this machine."""
    plan = run.plan
    return {
        "output_dir": str(run.checkpoints),
        "per_device_train_batch_size": plan.batch,
        "gradient_accumulation_steps": plan.accumulate,
        "num_train_epochs": plan.epochs,
        "max_steps": plan.max_steps or -1,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": plan.steps // WARMUP,
        "max_grad_norm": 1.0,
        "max_length": None,  # no row is longer than the prompt budget, and none is cut
        "seed": plan.seed,
        "logging_steps": 1,
        "save_steps": SAVE_EVERY,
        "save_total_limit": 2,  # the last, and the one before should a crash cut the last short
        "report_to": [],
        "disable_tqdm": True,
        **trainer_settings(),
    }


def carry_out(settings: Settings, run: Run, trainer: "Trainer", progress: "Progress", talk: Talk) -> Trained:
    """Train to the end and publish; on Ctrl-C leave a checkpoint and raise KeyboardInterrupt."""
    from transformers import PrinterCallback

    plan = run.plan
    checkpoint = run.last_checkpoint()
    started = time.monotonic()
    trainer.remove_callback(PrinterCallback)  # it would print every step a second time
    with full_disk(), talk.bar("Step", plan.steps) as progress.advance, progress.interruptible():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if progress.stopped and trainer.state.global_step < trainer.state.max_steps:
        talk.say(f"A checkpoint of step {trainer.state.global_step} is written. Go on: tune {plan.kind} {plan.corpus} --resume")
        raise KeyboardInterrupt
    with full_disk():
        trainer.save_model(str(run.adapter))
        adapter = publish(settings, run.adapter, plan, progress.loss)
    run.note(event="published", version=adapter.version, seconds=round(time.monotonic() - started, 1))
    return Trained(adapter, run)


@contextmanager
def full_disk() -> Iterator[None]:
    """Torch and safetensors report a full disk in their own ways; here it is the OSError that the console has a sentence for."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        if any(sign in str(error) for sign in ("No space left", "PytorchStreamWriter failed", "unexpected pos")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def _data_hash(settings: Settings, corpus: str, kind: Kind) -> str:
    file = data_folder(settings, corpus) / f"{kind}.jsonl"
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
