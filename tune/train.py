"""What SFT and DPO share: the plan of a run, the model on this machine, the loop with checkpoints, and publishing."""

import errno
import gc
import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from corpora import UserError, load_profile
from corpora.profile import Recipe
from ingest.locks import lock
from ingest.manifest import Manifest
from ingest.settings import Settings
from serve.engine import learning
from serve.prompt import template_hash
from serve.tiers import pick_tier
from tune import processes
from tune.base import base_folder, base_hash, on_gpu, precision, trainer_settings
from tune.chance import chance
from tune.data import data_folder, fresh_data, read_examples, read_pairs
from tune.heldout import held_out_versions, refuse_taught
from tune.registry import publish, read_adapter
from tune.run import Plan, Run, new_run, unfinished_run
from tune.schema import Adapter, Kind
from tune.talk import Talk

if TYPE_CHECKING:
    from transformers import Trainer, TrainingArguments

    from tune.progress import Progress

SEQUENCES: dict[Kind, int] = {"sft": 4, "dpo": 8}  # packs, which hold several rows each, or pairs: enough to keep the steps steady
# On a CPU a short training gains more from many steps than from steady ones: after five minutes each, packs held back had a loss of .52
# with one pack a step and of .63 with four.
SEQUENCES_ON_CPU: dict[Kind, int] = {"sft": 1, "dpo": 8}
T = TypeVar("T")
C = TypeVar("C", bound="TrainingArguments")
BATCH = 4  # of them at once on a GPU, fewer where memory does not suffice; on a CPU one at a time pads nothing
WARMUP = 20  # one step in so many warms up; a short run has none, for its first step at rate 0 would be wasted
SAVE_EVERY = 40  # sequences that a crash may cost
VALIDATIONS = 10  # of a run, at most
DPO_SLOWER = 20  # preferences need a much smaller learning rate than answers


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    corpus: str
    max_steps: int = 0
    rows: int = 0
    resume: bool = False
    start: int = 0  # the version to go on from; 0: the base


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training."""

    adapter: Adapter
    run: Run


def prepare(settings: Settings, request: Request, kind: Kind, parent: int | None, talk: Talk, sequences: Callable[[int], int],
            refuse: Callable[[Plan], None]) -> Run:  # fmt: skip
    """The run to carry out: a new one, or with `resume` the interrupted one, if nothing under it has changed since.

    `sequences` tells how many so many rows make; `refuse` raises `UserError` where the plan does not fit, before anything is written.
    """
    found = processes.from_first(lambda: _prepare(settings, request, kind, parent, talk, sequences, refuse))
    if request.resume and found.plan.processes != processes.count():
        raise UserError(f"{found.folder.name} was begun with {found.plan.processes} processes, not {processes.count()}.",
                        f"Go on with as many, or start anew: tune {kind} {request.corpus}")  # fmt: skip
    return found


def _prepare(settings: Settings, request: Request, kind: Kind, parent: int | None, talk: Talk, sequences: Callable[[int], int],
             refuse: Callable[[Plan], None]) -> Run:  # fmt: skip
    if request.resume:
        run = unfinished_run(settings, request.corpus, kind)
        folder = base_folder(pick_tier(settings), settings, talk.say)
        now = {"base": base_hash(folder), "prompt": template_hash(folder), "rows": _data_hash(settings, request.corpus, kind)}
        was = {"base": run.plan.base_hash, "prompt": run.plan.template_hash, "rows": run.plan.data_hash}
        if changed := [name for name in now if now[name] != was[name]]:
            raise UserError(f"The {' and '.join(changed)} changed since {run.folder.name} was interrupted.",
                            f"Start anew: tune {kind} {request.corpus}")  # fmt: skip
        refuse(run.plan)
        talk.say(f"Going on with {run.folder.name} from {run.last_checkpoint().name}")  # type: ignore[union-attr]
        return run
    plan = make_plan(settings, request, kind, parent, talk, sequences)
    refuse(plan)
    return new_run(settings, plan)


def make_plan(settings: Settings, request: Request, kind: Kind, parent: int | None, talk: Talk, sequences: Callable[[int], int]) -> Plan:
    """What would be trained, by the corpus's recipe on this machine."""
    profile = load_profile(request.corpus, settings.root)
    tier = pick_tier(settings)
    folder = base_folder(tier, settings, talk.say)
    data = fresh_data(settings, request.corpus, talk)
    there = data.rows if kind == "sft" else sum(data.pairs.values())
    rows = min(there, request.rows or there)
    recipe = Recipe.model_validate(profile.tune.model_dump(include=set(Recipe.model_fields)))
    rate = recipe.learning_rate / (DPO_SLOWER if kind == "dpo" else 1)
    recipe = recipe.model_copy(update={"learning_rate": rate, "modules": learning(recipe.modules, tier)})
    made, gpu = sequences(rows), on_gpu()
    usual = (SEQUENCES if gpu else SEQUENCES_ON_CPU)[kind]
    each = max(1, (recipe.sequences_per_step or usual) // processes.count())
    batch = next(size for size in range(min(BATCH, each), 0, -1) if each % size == 0) if gpu else 1
    back = len(held_back(made, recipe.validation, data.seed))
    plan = Plan(
        corpus=profile.name, kind=kind, base=tier.base.id, base_hash=base_hash(folder), template_hash=template_hash(folder),
        data_hash=data.sft_hash if kind == "sft" else data.dpo_hash, parent=parent, rows=rows, sequences=made - back, held_back=back,
        max_steps=request.max_steps, recipe=recipe, precision=precision(),
        # On a GPU memory is short and time is not: activations are computed again in the backward pass.
        checkpointing=gpu if recipe.checkpointing is None else recipe.checkpointing,
        batch=batch, accumulate=each // batch, processes=processes.count(), max_length=tier.prompt_budget, seed=data.seed,
    )  # fmt: skip
    versions = trained_on(settings, plan)
    with closing(Manifest(settings.root)) as manifest:
        names = {d["document"] for d in manifest.documents(profile.name) if d["version"] in versions}
        if parent:
            taught = read_adapter(settings, profile.name, parent)
            refuse_taught(taught, held_out_versions(profile, manifest))
            names.update(taught.documents)
    return plan.model_copy(update={"trained_on": versions, "documents": sorted(names)})


def held_back(sequences: int, share: float, seed: int) -> set[int]:
    """Which of so many sequences are for validation: none, or at least one and never all."""
    if not share or sequences < 2:
        return set()
    return set(chance(seed, "validation").sample(range(sequences), min(max(1, round(share * sequences)), sequences - 1)))


def parted(found: Sequence[T], plan: Plan) -> tuple[list[T], list[T]]:
    """What is trained on, and what is held back for validation, of all packs or pairs, or of what belongs to each."""
    back = held_back(len(found), plan.recipe.validation, plan.seed)
    return [one for n, one in enumerate(found) if n not in back], [one for n, one in enumerate(found) if n in back]


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
    plan, recipe = run.plan, run.plan.recipe
    save = max(1, min(SAVE_EVERY // plan.per_step, plan.steps // 2))
    found = {
        "output_dir": str(run.checkpoints),
        "per_device_train_batch_size": plan.batch,
        "per_device_eval_batch_size": plan.batch,
        "gradient_accumulation_steps": plan.accumulate,
        "gradient_checkpointing": plan.checkpointing,
        "num_train_epochs": recipe.epochs,
        "max_steps": plan.max_steps or -1,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "constant_with_warmup" if recipe.schedule == "constant" else recipe.schedule,
        "warmup_steps": plan.steps // WARMUP,
        "max_grad_norm": recipe.max_grad_norm,
        "max_length": None,  # no row is longer than the prompt budget, and none is cut
        "seed": plan.seed,
        "logging_steps": 1,
        "save_steps": save,
        "save_total_limit": 2,  # the last, and the one before should a crash cut the last short
        "report_to": [],
        "disable_tqdm": True,
        **trainer_settings(),
    }
    if plan.held_back:
        # A whole number of saves apart, as the best of them can only be kept where it was saved.
        every = save * math.ceil(plan.steps / VALIDATIONS / save)
        found |= {"eval_strategy": "steps", "eval_steps": every, "prediction_loss_only": True}
        if recipe.patience:
            found |= {"save_steps": every, "load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    return found


def on_one_gpu(config: C) -> C:
    """Trainer would spread a batch over all GPUs of one process by itself; several are used by `accelerate launch` alone."""
    if config.n_gpu > 1:
        config._n_gpu = 1
    return config


def callbacks(run: Run, progress: "Progress") -> list[Any]:
    """What watches the training: our progress, TensorBoard, and who stops it early."""
    from torch.utils.tensorboard import SummaryWriter
    from transformers import EarlyStoppingCallback
    from transformers.integrations import TensorBoardCallback

    found: list[Any] = [progress]
    if processes.is_first():
        found.append(TensorBoardCallback(SummaryWriter(str(run.folder / "tensorboard"))))
    if run.plan.held_back and run.plan.recipe.patience:
        found.append(EarlyStoppingCallback(run.plan.recipe.patience))
    return found


def carry_out(settings: Settings, run: Run, make: Callable[[], "Trainer"], progress: "Progress", talk: Talk) -> Trained:
    """Train what `make` makes of the run to the end, and publish; on Ctrl-C leave a checkpoint and raise KeyboardInterrupt.

    Where a GPU's memory does not suffice, half as many sequences go through it at once and the run goes on from its last checkpoint.
    """
    with lock(run.folder / "lock", f"The training {run.folder.name}") if processes.is_first() else nullcontext():
        if run.adapter.exists():
            raise UserError(f"{run.folder.name} was published meanwhile.", f"See: tune ls {run.plan.corpus}")
        return _carry_out(settings, run, make, progress, talk)


def _carry_out(settings: Settings, run: Run, make: Callable[[], "Trainer"], progress: "Progress", talk: Talk) -> Trained:
    from torch import OutOfMemoryError

    plan = run.plan
    talk.say(f"{plan.precision}{f', base in {plan.recipe.quantization}' if plan.recipe.quantization != 'none' else ''}, {plan.batch} "
             f"sequence{'s' * (plan.batch > 1)} at once, {plan.per_step} a step"
             f"{', activations computed twice' if plan.checkpointing else ''}. Curves: tensorboard --logdir {run.folder}")  # fmt: skip
    started = time.monotonic()
    with full_disk(), talk.bar("Step", plan.steps) as progress.advance, progress.interruptible():
        while True:
            trainer = _made(make, plan)
            try:
                _train(run, trainer)
                break
            except OutOfMemoryError:
                if plan.processes > 1:
                    raise  # the launcher ends the others
                del trainer
            halve(run, talk)
    if progress.stopped and trainer.state.global_step < trainer.state.max_steps:
        raise KeyboardInterrupt(f"a checkpoint of step {trainer.state.global_step} is written. "
                                f"Go on: tune {plan.kind} {plan.corpus} --resume")  # fmt: skip
    with full_disk():
        part = run.adapter.with_suffix(".part")
        trainer.save_model(str(part))
        # After a resume of what ended but was not published no step is left to tell a loss.
        loss = next((float(row["loss"]) for row in reversed(trainer.state.log_history) if "loss" in row), progress.loss)
        adapter = processes.from_first(lambda: _publish(settings, run, part, loss))
    if processes.is_first():
        run.note(event="published", version=adapter.version, seconds=round(time.monotonic() - started, 1))
    return Trained(adapter, run)


def _made(make: Callable[[], "Trainer"], plan: Plan) -> "Trainer":
    from torch import OutOfMemoryError

    try:
        return make()
    except OutOfMemoryError:
        raise UserError("The GPU's memory does not suffice for the base alone.",
                        f"Free some: make down. See: tune plan {plan.corpus}") from None  # fmt: skip


def _publish(settings: Settings, run: Run, part: Path, loss: float) -> Adapter:
    """Publish what was trained; only then is the run finished, so that one that could not be published can be gone on with."""
    adapter = publish(settings, part, run.plan, loss)
    part.rename(run.adapter)
    return adapter


def _train(run: Run, trainer: "Trainer") -> None:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)  # it would print every step a second time
    checkpoint = run.last_checkpoint()
    if checkpoint:
        # Where a checkpoint has folders of adapters, Trainer loads these alone: the reference, and not the policy beside it.
        processes.from_first(lambda: shutil.rmtree(checkpoint / "ref", ignore_errors=True))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def halve(run: Run, talk: Talk) -> None:
    """Half as many sequences at once, and as many a step. Raises `UserError` where it is one already."""
    import torch

    plan = run.plan
    if plan.batch == 1:
        further = "tune: quantization: 4bit" if plan.checkpointing else "tune: checkpointing: true"
        raise UserError("The GPU's memory does not suffice for one sequence at a time.",
                        f"Free some, or write in the profile: {further}. See: tune plan {plan.corpus}")  # fmt: skip
    gc.collect()
    torch.cuda.empty_cache()
    run.write(plan.model_copy(update={"batch": plan.batch // 2, "accumulate": plan.accumulate * 2}))
    run.note(event="out of memory", batch=plan.batch // 2)
    talk.say(f"The GPU's memory did not suffice: {plan.batch // 2} at once from here on, as many a step.")


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
