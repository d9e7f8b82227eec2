"""The fixed list of commands that a job may be, and the arguments each may be given."""

from dataclasses import dataclass
from typing import Any

from corpora import UserError, load_profile
from ingest.settings import Settings
from serve.documents import indexed_paths


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds."""

    flag: str  # empty: the argument stands alone
    low: float
    high: float
    whole: bool = True

    def words(self, name: str, value: Any) -> list[str]:
        right = isinstance(value, int if self.whole else (int, float)) and not isinstance(value, bool)
        if not right or not self.low <= value <= self.high:
            kind = "a whole number" if self.whole else "a number"
            raise UserError(
                f"{name} must be {kind} from {self.low:g} to {self.high:g}.", "See: GET /v1/jobs for ones that ran."
            )
        return [self.flag, str(value)] if self.flag else [str(value)]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    flag: str
    values: tuple[str, ...]

    def words(self, name: str, value: Any) -> list[str]:
        if value not in self.values:
            raise UserError(f"{name} must be one of {', '.join(self.values)}.", "See: GET /v1/jobs for ones that ran.")
        return [self.flag, str(value)]


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag that is there or not."""

    flag: str

    def words(self, name: str, value: Any) -> list[str]:
        if not isinstance(value, bool):
            raise UserError(f"{name} must be true or false.", "See: GET /v1/jobs for ones that ran.")
        return [self.flag] if value else []


Rule = Number | Choice | Switch
ROWS: dict[str, Rule] = {"rows": Number("--rows", 1, 1_000_000)}
TRAINING: dict[str, Rule] = {"max_steps": Number("--max-steps", 1, 1_000_000), **ROWS, "resume": Switch("--resume")}
ARGUMENTS: dict[str, dict[str, Rule]] = {
    "ingest add": {},
    "tune data": ROWS,
    "tune sft": TRAINING,
    "tune dpo": TRAINING,
    "tune eval": {
        "adapter": Number("--adapter", 1, 10**9),
        "ab": Number("--ab", 1, 10**9),
        "limit": Number("--limit", 1, 1_000_000),
        "lang": Choice("--lang", ("zh", "en")),
    },
    "tune promote": {"version": Number("", 1, 10**9), "force": Switch("--force")},
}


def job_command(settings: Settings, command: str, corpus: str, args: dict[str, Any]) -> list[str]:
    """The words of a job, all of them made here: names are known ones, numbers lie within bounds, paths are ours."""
    known = ARGUMENTS.get(command)
    if known is None:
        raise UserError(f"No command {command[:40]!r} for a job. Known: {', '.join(ARGUMENTS)}.", "Send one of them.")
    name = load_profile(corpus, settings.root).name
    if any(arg not in known for arg in args):
        given, there = ", ".join(map(ascii, sorted(args)))[:80], ", ".join(known) or "none"
        raise UserError(f"{command} does not go with args {given}. Known: {there}.", "Send those alone.")
    words = [*command.split(), name]
    for arg, rule in known.items():
        if arg in args:
            words += rule.words(arg, args[arg])
    return words + ([str(path) for path in indexed_paths(settings, name)] if command == "ingest add" else [])
