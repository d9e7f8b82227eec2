"""What `ingest add` tells its reader: how far it is, and at the end what became of each file."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ingest.schema import FileReport, Status

ORDER: tuple[Status, ...] = ("added", "updated", "renamed", "unchanged", "removed", "gone", "skipped", "failed")


SURE = 0.1  # share done before the time left is told: at first the model is loaded and nothing is done
LONG = 60  # seconds after which it is told anyway


class Progress:
    """Files done, pages and chunks a second, time left; told to `advance(share, note)` of the console's progress."""

    def __init__(self, advance: Callable[[float, str], None]) -> None:
        self.advance = advance
        self.started = time.monotonic()
        self.counted: Counter[str] = Counter()
        self.now = ""

    def file(self, report: FileReport, done: int, total: int) -> None:
        self.counted["pages"] += report.pages or 0
        self.counted["chunks"] += report.chunks if report.status in ("added", "updated") else 0
        seconds = max(time.monotonic() - self.started, 1e-3)
        left = [f"{duration(seconds / done * (total - done))} left"] if done >= SURE * total or seconds > LONG else []
        rates = [f"{self.counted[what] / seconds:.3g} {what}/s" for what in ("pages", "chunks") if self.counted[what]]
        self.now = ", ".join([f"{done}/{total} files", *rates, *left])
        self.advance(1 / total, f"{self.now}, {Path(report.path).name}")

    def page(self, path: str, page: int) -> None:
        """A file is being read, so far up to `page`."""
        if page > 1:
            self.advance(0, f"{self.now or 'reading'}, {Path(path).name} page {page}")


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def duration(seconds: float) -> str:
    minutes = round(seconds) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min" if minutes else f"{seconds:.0f} s"


def summary(corpus: str, reports: Sequence[FileReport]) -> Iterator[str]:
    """A line for each file that is not unchanged, one for all that were left out for one reason, then the counts."""
    for report in reports:
        if report.status not in ("unchanged", "skipped"):
            said = report.reason or _holds(report)
            yield f"{report.status:9} {report.path}  {said}"
    skipped = Counter(r.reason for r in reports if r.status == "skipped")
    for reason, count in skipped.most_common():
        paths = [r.path for r in reports if r.status == "skipped" and r.reason == reason]
        yield f"skipped   {paths[0]}{f' and {count - 1} more' * (count > 1)}  {reason}"
    counts = Counter(r.status for r in reports)
    yield f"{corpus}: {', '.join(f'{counts[s]} {s}' for s in ORDER if counts[s])}."


def _holds(report: FileReport) -> str:
    what = [(report.chunks, "chunk"), (report.pages, "page"), (report.tables, "table")]
    parts = [counted(n, name) for n, name in what if n]
    parts += [f"{what}: {n}" for what, n in sorted(report.notes.items())]
    if report.redacted:
        parts.append("taken out: " + ", ".join(f"{n} {kind}" for kind, n in sorted(report.redacted.items())))
    return ", ".join(parts)


def fitted(corpus: str, found: dict[str, Any]) -> str:
    """What `ingest fit` found, for people."""
    said = []
    for lang, row in found["languages"].items():
        name, scores = {"en": "English", "zh": "Chinese"}[lang], row["nDCG@10"]
        figures = ", ".join(f"{half} {score:.3f}" for half, score in scores.items())
        weight = f"meaning counts {row['dense_weight']:g} of 1"
        said.append(f"{weight} for {name} questions (nDCG@10 of {row['questions']} made ones: {figures})")
    if found["cited"]:
        said.append(f"{len(found['cited'])} document{'s' * (len(found['cited']) > 1)} cited by others come first among equals")
    return f"{corpus}: {'; '.join(said) or 'too few sentences to fit anything on; the usual weights stay'}."
