"""Run: the record of one training, home/runs/<id>: config.yaml, log.jsonl, checkpoints."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from corpora import UserError
from corpora.profile import Recipe
from ingest.settings import Settings
from tune.schema import Kind


class Plan(BaseModel):
    """config.yaml: everything that the outcome of a run depends on."""

    model_config = ConfigDict(extra="forbid")

    corpus: str
    kind: Kind
    base: str
    base_hash: str
    template_hash: str
    data_hash: str
    parent: int | None  # the adapter that it goes on from
    trained_on: list[str] = []  # document versions in the rows
    documents: list[str] = []  # their names
    rows: int
    sequences: int  # packs of rows, or pairs, that are trained on; those held back for validation are not in it
    held_back: int = 0
    max_steps: int  # 0: as many as the epochs need
    recipe: Recipe  # with the learning rate of this kind
    precision: str  # of the frozen weights, where they are not quantized
    checkpointing: bool
    batch: int  # sequences in memory at once
    accumulate: int  # batches between two steps
    processes: int = 1  # each takes other sequences
    max_length: int
    seed: int

    @property
    def steps(self) -> int:
        """How many steps the run will take."""
        return self.max_steps or math.ceil(math.ceil(self.sequences / self.per_step) * self.recipe.epochs)

    @property
    def per_step(self) -> int:
        """Sequences between two steps."""
        return self.batch * self.accumulate * self.processes


class Run:
    """One training's folder. It is finished once `adapter/` is in it."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    def last_checkpoint(self) -> Path | None:
        """The newest whole checkpoint; one cut short by a crash has no trainer_state.json, which is written last."""
        found = [p for p in self.checkpoints.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
        return max(found, key=lambda p: int(p.name.rpartition("-")[2]), default=None)

    def write(self, plan: Plan) -> None:
        """Keep the plan, or what it has become."""
        self.plan = plan
        (self.folder / "config.yaml").write_text(yaml.safe_dump(plan.model_dump(), sort_keys=False), encoding="utf-8")

    def note(self, **fields: Any) -> None:
        """Append a line to log.jsonl."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(fields) + "\n")


def new_run(settings: Settings, plan: Plan) -> Run:
    """A fresh folder with the plan in it."""
    start = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        folder = settings.root / "runs" / f"{plan.corpus}-{plan.kind}-{start}{f'-{number}' if number > 1 else ''}"
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            number += 1
    run = Run(folder, plan)
    run.write(plan)
    return run


def unfinished_run(settings: Settings, corpus: str, kind: Kind) -> Run:
    """The newest run that was interrupted after its first checkpoint. Raises `UserError` where there is none."""
    for folder in sorted((settings.root / "runs").glob(f"{corpus}-{kind}-*"), reverse=True):
        try:
            plan = Plan.model_validate(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")))
        except (FileNotFoundError, ValidationError, yaml.YAMLError):
            continue  # another version's, or a folder of somebody's own
        run = Run(folder, plan)
        if plan.corpus == corpus and not run.adapter.exists() and run.last_checkpoint():
            return run
    raise UserError(f"No interrupted run of tune {kind} {corpus} has a checkpoint.", f"Start one: tune {kind} {corpus}")
