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


STEPS: dict[str, Number | Choice] = {"max_steps": Number("--max-steps", 1, 1_000_000)}
ARGUMENTS: dict[str, dict[str, Number | Choice]] = {
    "ingest add": {},
    "tune data": {},
    "tune sft": STEPS,
    "tune dpo": STEPS,
    "tune eval": {"lang": Choice("--lang", ("zh", "en"))},
    "tune promote": {"version": Number("", 1, 10**9)},
}
NEEDED = {"tune promote": ("version",)}


def job_command(settings: Settings, command: str, corpus: str, args: dict[str, Any]) -> list[str]:
    """The words of a job, all of them made here: names are known ones, numbers lie within bounds, paths are ours."""
    known = ARGUMENTS.get(command)
    if known is None:
        raise UserError(f"No command {command[:40]!r} for a job. Known: {', '.join(ARGUMENTS)}.", "Send one of them.")
    name = load_profile(corpus, settings.root).name
    wrong = [arg for arg in args if arg not in known] + [arg for arg in NEEDED.get(command, ()) if arg not in args]
    if wrong:
        given, there = ", ".join(sorted(args))[:80] or "left empty", ", ".join(known) or "none"
        raise UserError(f"{command} does not go with args {given}. Known: {there}.", "Send those alone.")
    words = [*command.split(), name]
    for arg, rule in known.items():
        if arg in args:
            words += rule.words(arg, args[arg])
    return words + ([str(path) for path in indexed_paths(settings, name)] if command == "ingest add" else [])
