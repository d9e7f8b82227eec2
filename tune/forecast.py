"""Forecast: what a training would take of this machine, told before it begins.  Run: tune plan maintenance"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainerCallback
from transformers.trainer_utils import SaveStrategy

from ingest.settings import Settings
from serve.tiers import GB
from tune.base import load_tokenizer
from tune.data import BUCKET
from tune.fit import free_memory, memory_of
from tune.lora import trainable
from tune.memory import FULL, LEARNS, Memory, weights
from tune.packs import Pack
from tune.progress import Progress, duration
from tune.run import Plan, Run
from tune.sft import encoded_rows, make_trainer
from tune.talk import Talk, histogram
from tune.train import Request, make_plan

TRIED = 3  # steps that are timed, but for the first, in which libraries set themselves up


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known of a training before it; times are in seconds, memory in bytes."""

    plan: Plan
    lengths: list[int]  # tokens of each row
    tokens: int  # of all sequences, once: rows that begin alike share their beginning
    learn: int  # parameters that learn
    parameters: int
    memory: Memory
    free: int
    seconds: float | None  # None where it does not fit, and no step was tried


def forecast(settings: Settings, request: Request, talk: Talk) -> Forecast:
    """For `tune sft`: what is trained on, what it takes, and how long, by a few real steps that leave nothing behind."""
    prepared = cache(lambda count: encoded_rows(settings, request.corpus, count))
    plan = make_plan(settings, request, "sft", None, talk, sequences=lambda count: len(prepared(count)[1]))
    rows, packs = prepared(plan.rows)
    memory, free = memory_of(settings, plan, packs), free_memory()
    tokens = sum(len(pack.input_ids) for pack in packs)
    if memory.whole > free:  # trying would do what `tune sft` refuses
        learn = memory.adapter // (FULL * LEARNS)
        parameters = learn + weights(settings.models / plan.base, "none", "float32") // FULL
        return Forecast(plan, [len(row.ids) for row in rows], tokens, learn, parameters, memory, free, None)
    pace, learn, parameters = try_steps(settings, plan, packs, talk)
    seen = plan.steps * plan.per_step / plan.sequences
    return Forecast(plan, [len(row.ids) for row in rows], tokens, learn, parameters, memory, free, pace * tokens * seen)


def described(found: Forecast) -> Iterator[str]:
    """The forecast in lines for a person, with every setting of the recipe and what it leads to."""
    plan, memory = found.plan, found.memory
    back = f" and {plan.held_back} for validation" if plan.held_back else ""
    yield (f"{plan.rows} rows of {plan.corpus} for {plan.base}, in {plan.sequences} sequences{back}: {plan.steps} steps of "
           f"{plan.per_step}.")  # fmt: skip
    yield from histogram(Counter(length // BUCKET * BUCKET for length in found.lengths))
    yield f"{found.learn:,} of {found.parameters:,} parameters learn ({found.learn / found.parameters:.1%})."
    parts = ", ".join(f"{name} {value / GB:.2f}" for name, value in asdict(memory).items())
    yield f"Memory: {memory.whole / GB:.1f} GB at the fullest ({parts}); {found.free / GB:.1f} GB are free."
    yield ("It does not fit, so no step was timed." if found.seconds is None else
           f"Time: {duration(found.seconds)}, by steps that were timed here just now.")  # fmt: skip
    yield "Settings, in the profile under tune:"
    for name, field in type(plan.recipe).model_fields.items():
        yield f"  {name:20} {getattr(plan.recipe, name)!s:10} {field.description}"


def try_steps(settings: Settings, plan: Plan, packs: Sequence[Pack], talk: Talk) -> tuple[float, int, int]:
    """Seconds a token, by steps over packs of about the mean length, and the parameters that learn and all."""
    count = TRIED * plan.batch * plan.accumulate
    mean = sum(len(pack.input_ids) for pack in packs) / len(packs)
    usual = sorted(packs, key=lambda pack: abs(len(pack.input_ids) - mean))[:count]
    recipe = plan.recipe.model_copy(update={"validation": 0.0, "patience": 0})
    own = plan.model_copy(update={"sequences": count, "held_back": 0, "max_steps": TRIED, "recipe": recipe})
    with tempfile.TemporaryDirectory(prefix="lectern-") as folder:
        run, clock = Run(Path(folder), own), Clock()
        tokenizer, silent = load_tokenizer(settings.models / plan.base), Talk(lambda line: None)
        trainer = make_trainer(settings, run, list(islice(cycle(usual), count)), tokenizer, Progress(run, 1, silent))
        trainer.args.save_strategy = SaveStrategy.NO
        trainer.add_callback(clock)
        trainer.remove_callback(PrinterCallback)
        talk.say(f"Timing {TRIED} steps")
        trainer.train()
        tokens = (TRIED - 1) / TRIED * sum(len(pack.input_ids) for pack in islice(cycle(usual), count))
        return (clock.ended - clock.begun) / tokens, *trainable(trainer.model)


class Clock(TrainerCallback):
    """Takes the time from the end of the first step to that of the last."""

    def __init__(self) -> None:
        self.begun = self.ended = 0.0

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ended = time.monotonic()
        self.begun = self.begun or self.ended
