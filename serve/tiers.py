"""Which models this machine can carry: the committed table tiers.yaml, and the row that fits.  Run: serve doctor"""

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from corpora import UserError
from ingest.settings import Settings

Kind = Literal["base", "embedder", "reranker"]
TABLE = Path(__file__).with_name("tiers.yaml")
GB = 2**30


class ModelRef(BaseModel):
    """A model by the name of its folder under home/models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: Kind
    source: str  # "pip:PACKAGE", a hub id, or "folder" where only its folder is known
    languages: tuple[str, ...]  # what it reads; serving quotes the documents in other languages
    licence: str = ""

    @property
    def repo(self) -> str:
        """The source without its revision: what a person types after `serve model get`."""
        return self.source.split("@")[0]

    @property
    def carried(self) -> bool:
        """Whether an installed package carries it, so that no hub is needed."""
        return self.source.startswith("pip:")


class Tier(BaseModel):
    """One row of tiers.yaml; the file says what each number costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    when: str
    min_gpu_gb: float = Field(ge=0)
    needs_bf16: bool
    base: ModelRef
    embedder: ModelRef
    reranker: ModelRef | None
    dtype: Literal["bfloat16", "float16"]
    quantization: Literal["fp8", "bitsandbytes"] | None
    context: int = Field(ge=1024)
    gpu_memory: float = Field(ge=0, le=0.95)
    prompt_budget: int = Field(ge=256)
    larger: str
    notices: tuple[str, ...] = ()  # why a smaller model stands in, each with the command for the better one

    @property
    def gpu(self) -> bool:
        return self.min_gpu_gb > 0


class Gpu(BaseModel):
    """The largest GPU that `nvidia-smi` reports."""

    name: str
    memory_gb: float
    bf16: bool


@lru_cache(maxsize=1)
def load_tiers() -> tuple[Tier, ...]:
    """The table, best machine first; its last row needs no GPU."""
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    models = {name: ModelRef(id=name, **row) for name, row in table["models"].items()}

    def row(data: dict[str, Any]) -> Tier:
        refs = {kind: models[data[kind]] if data[kind] else None for kind in ("base", "embedder", "reranker")}
        return Tier.model_validate({**data, **refs})

    return tuple(row(data) for data in table["tiers"])


def known_models() -> dict[str, ModelRef]:
    """Every model that the table names, by folder name."""
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {name: ModelRef(id=name, **row) for name, row in table["models"].items()}


@lru_cache(maxsize=1)
def detect_gpu() -> Gpu | None:
    """What `nvidia-smi` says of this machine; None where it is missing, fails or is hidden from us."""
    command = shutil.which("nvidia-smi")
    if not command or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    query = [command, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_gpus(output)


def parse_gpus(output: str) -> Gpu | None:
    """The card with the most memory in `nvidia-smi`'s answer of one line a card: name, MiB, compute capability."""
    cards = []
    for line in output.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        try:
            name, memory, capability = parts[0], float(parts[1]), float(parts[2])
        except (IndexError, ValueError):
            continue  # "[N/A]", a warning line
        cards.append(Gpu(name=name, memory_gb=memory * 2**20 / GB, bf16=capability >= 8))
    return max(cards, key=lambda card: card.memory_gb, default=None)


def tier_for(gpu: Gpu | None) -> Tier:
    """The first row whose needs `gpu` meets."""
    for tier in load_tiers():
        if not tier.gpu or (gpu and gpu.memory_gb >= tier.min_gpu_gb and (gpu.bf16 or not tier.needs_bf16)):
            return tier
    raise AssertionError("the last tier needs no GPU")


def pick_tier(settings: Settings) -> Tier:
    """This machine's tier with the models that are there: those chosen, else the row's, else those that pip carries."""
    tiers = {tier.name: tier for tier in load_tiers()}
    if settings.tier and settings.tier not in tiers:
        raise UserError(f"No tier {settings.tier[:40]!r}. Known: {', '.join(tiers)}.", "Set LECTERN_TIER to one.")
    tier = tiers[settings.tier] if settings.tier else tier_for(detect_gpu())
    small = load_tiers()[-1]
    changes: dict[str, Any] = {}
    notices: list[str] = []

    def stands_in(carried: ModelRef, wanted: ModelRef, after: str = "") -> ModelRef:
        notices.append(f"{carried.id} stands in for {wanted.id}. To have that: serve model get {wanted.repo}{after}")
        return carried

    base = tier.base
    if settings.base:
        base = chosen(settings, "base", settings.base)
    elif absent(tier.base, settings):
        base = stands_in(small.base, tier.base)
    if base != tier.base:
        # The row's quantization is meant for the row's model; another is served as its files are.
        changes |= {"base": base, "quantization": None}
    if base == small.base:
        changes |= {"context": small.context, "prompt_budget": small.prompt_budget}
    if settings.embedder:
        changes["embedder"] = chosen(settings, "embedder", settings.embedder)
    elif absent(tier.embedder, settings):
        changes["embedder"] = stands_in(small.embedder, tier.embedder, ", then: ingest rebuild CORPUS")
    if tier.reranker and absent(tier.reranker, settings):
        notices.append(f"Nothing reranks. To have it: serve model get {tier.reranker.repo}")
        changes["reranker"] = None
    return tier.model_copy(update={**changes, "notices": tuple(notices)})


def absent(ref: ModelRef, settings: Settings) -> bool:
    return not ref.carried and not (settings.models / ref.id / "config.json").is_file()


def chosen(settings: Settings, kind: Kind, name: str) -> ModelRef:
    """The model that a person named in LECTERN_BASE or LECTERN_EMBEDDER."""
    from serve.models import adopted

    table = known_models()
    if name in table and table[name].carried and table[name].kind == kind:
        return table[name]
    there = {ref.id: ref for ref in adopted(settings)}
    if name in there and there[name].kind == kind:
        return there[name]
    names = ", ".join(sorted(ref.id for ref in there.values() if ref.kind == kind)) or "none"
    raise UserError(
        f"LECTERN_{kind.upper()}={name[:80]} is no {kind} model in {settings.models}. There: {names}.",
        "Fetch one: serve model get ORG/NAME",
    )
