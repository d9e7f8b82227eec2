"""A corpus's profile.yaml, read strictly: what an assistant is, in one file.

A profile holds only what differs from the defaults below. Its sections mirror the rooms that read them.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from corpora.errors import UserError

SHIPPED = Path(__file__).parent
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
Language = Literal["en", "zh"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IngestSection(Section):
    """How this corpus is indexed."""

    sources: list[str] = ["documents"]  # folders or files beside profile.yaml that `make up` indexes
    exclude: list[str] = []  # globs of paths inside the sources that stay out
    # where chunks begin: legal at numbered clauses, maintenance at faults and rows, prose at headings; auto looks at each document
    chunker: Literal["auto", "prose", "legal", "maintenance"] = "auto"
    redact: bool = False  # take phone numbers, addresses, identity numbers and names out before anything is stored
    chunk_tokens: int = Field(160, ge=32, le=512)  # a larger chunk says more and is found less exactly
    dense_weight: float | None = Field(None, ge=0, le=1)  # 0 trusts words alone, 1 meaning alone; left out: as `ingest fit` found


class SamplingSection(Section):
    """How the model picks its words. What is left out is as the model's own files say."""

    temperature: float = Field(0.0, ge=0, le=2)  # 0: always the likeliest, so that one question has one answer
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=1, le=1000)
    repetition_penalty: float | None = Field(None, ge=1, le=2)  # figures repeat too: a high one spoils them
    seed: int | None = Field(None, ge=0, lt=2**31)


class ServeSection(Section):
    """How this assistant answers."""

    system: str = ""  # added to the prompt's own rules; every word costs a token of the budget
    keep: int = Field(4, ge=1, le=32)  # hits shown to the model; more find more and take longer
    mode: Literal["auto", "model", "extractive"] = "auto"  # extractive: always quote, never generate
    refuse_below: float | None = Field(None, ge=0, le=1)  # less evidence is none: higher refuses more; left out: .4, in Chinese .1
    unsupported: Literal["drop", "strike"] = "drop"  # sentences that fail the citation check: left out, or shown struck through
    max_tokens: int = Field(160, ge=16, le=4096)  # longest answer
    thinking_tokens: int = Field(1024, ge=0, le=16384)  # longest thinking of a reasoning model before it; more takes longer
    sampling: SamplingSection = SamplingSection()
    examples: list[str] = []  # questions that the page offers to begin with


class Gate(Section):
    """What an adapter must show on the held-out questions before it is served."""

    gain: float = Field(0.0, ge=-1, le=1)  # least gain in correct answers, over quoting and over what is served now
    lost: float = Field(0.05, ge=0, le=1)  # and its 95 % interval reaches at most so far below 0
    false_refusal: float = Field(0.2, ge=0, le=1)  # most answerable questions that it may refuse
    unsupported: float = Field(0.05, ge=0, le=1)  # most statements shown without a citation that supports them


class Recipe(Section):
    """How an adapter is trained; `tune plan` says what each setting leads to. The defaults suit the small model."""

    rank: int = Field(16, ge=1, le=64, description="a higher one learns more from many rows, makes larger adapters and slows serving")
    rslora: bool = Field(False, description="true scales by the root of the rank: ranks from 32 up then learn as fast as low ones")
    modules: Literal["auto", "all", "mlp", "attention"] = Field(
        "auto", description="which layers learn: all learn most; mlp (gate and up) and attention (queries, keys, values) are served "
        "faster on a CPU; auto is all on a GPU, mlp on a CPU")  # fmt: skip
    quantization: Literal["none", "8bit", "4bit"] = Field("none", description="8bit and 4bit (NF4, QLoRA) hold the base in a half or a "
                                                          "quarter of the memory, train slower and a little worse")  # fmt: skip
    learning_rate: float = Field(1e-3, gt=0, le=1e-2, description="too high and the loss jumps, too low and little is learnt; "
                                 "a 7B model wants a fifth to a third of what a small one does")  # fmt: skip
    epochs: float = Field(1.0, gt=0, le=20, description="times that every row is seen; more fit the rows better, and from some point on "
                          "only those")  # fmt: skip
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="how the learning rate falls: constant does not")
    max_grad_norm: float = Field(1.0, gt=0, le=100, description="a step is never longer: lower tames a loss that jumps, and slows")
    sequences_per_step: int | None = Field(None, ge=1, le=512, description="more make steadier steps, and fewer of them; left out: 4, "
                                           "on a CPU 1, for preferences 8")  # fmt: skip
    validation: float = Field(0.0, ge=0, le=0.5, description="share of the rows that is held back, to see when only the rest is learnt "
                              "by heart")  # fmt: skip
    patience: int = Field(0, ge=0, le=100, description="stop after so many validations without gain and keep the best; 0 never does")
    checkpointing: bool | None = Field(None, description="true computes activations twice: a third slower, a fraction of their memory; "
                                       "left out: on GPUs only")  # fmt: skip

    @model_validator(mode="after")
    def _patience_needs_validation(self) -> Self:
        if self.patience and not self.validation:
            raise ValueError("patience needs a share for validation, such as validation: 0.05")
        return self


class TuneSection(Recipe):
    """How this assistant is taught."""

    held_out: list[str] = []  # documents that never enter training; the gate asks about these
    gate: Gate = Gate()


class Profile(Section):
    """What an assistant is. Raises `UserError` through `load_profile` for every mistake of the file at once."""

    name: str
    title: str
    description: str
    languages: list[Language] = Field(min_length=1)
    ingest: IngestSection = IngestSection()
    serve: ServeSection = ServeSection()
    tune: TuneSection = TuneSection()
    folder: Path

    @property
    def sources(self) -> list[Path]:
        return [(self.folder / source).resolve() for source in self.ingest.sources]

    @property
    def questions(self) -> Path:
        return self.folder / "questions.jsonl"


def profile_names(home: Path | None = None) -> list[str]:
    """Names of the shipped corpora and of those in `home/corpora`, sorted."""
    found = {p.parent.name for root in _roots(home) for p in root.glob("*/profile.yaml") if p.is_file()}
    return sorted(name for name in found if NAME.fullmatch(name))


def load_profile(name: str, home: Path | None = None) -> Profile:
    """The profile called `name`; one in `home/corpora` hides a shipped one of the same name."""
    if NAME.fullmatch(name):
        for root in _roots(home):
            if (root / name / "profile.yaml").is_file():
                return read_profile(root / name / "profile.yaml")
    known = ", ".join(profile_names(home)) or "none"
    raise UserError(f"No corpus {name[:60]!r}. Known: {known}.", "See: ingest list, or make one: ingest init NAME")


def read_profile(path: Path) -> Profile:
    """Read one profile file; every mistake in it is reported at once."""
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(64)
def _read(path: Path, mtime_ns: int, size: int) -> Profile:
    """Kept while the file is as it was: each search asks for its corpus's profile, and YAML takes its time."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"{path} is no YAML: {' '.join(str(error).split())[:300]}.", "Mend the file and try again."
        ) from None
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UserError(f"{path} holds no settings.", "A profile needs at least title, description and languages.")
    try:
        return Profile(**{**data, "name": path.parent.name, "folder": path.parent})
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UserError(
            f"{path}: {len(mistakes)} mistake{'s' * (len(mistakes) > 1)}: {'; '.join(mistakes)}.",
            "Mend the file and try again.",
        ) from None


def _roots(home: Path | None) -> list[Path]:
    return [home / "corpora", SHIPPED] if home else [SHIPPED]
