"""Facts that change: values in copies of the shipped documents, asked about before and after their documents were changed and added again.

A row of stale.jsonl holds a document, the words in it that hold a value, what it `was` and is `now`, a question, and a sentence in which a
model goes on saying the old one.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.index import Index
from ingest.settings import Settings
from serve.chain import Assistant
from serve.schema import Trace
from tests.poisoned import solid

ROOT = Path(__file__).parent
CORPUS = "changing"
PROFILE = "title: Changing\ndescription: Made for a test.\nlanguages: [en, zh]\n"
STILL = {"en": "Is that still so?", "zh": "那现在呢？"}
Row = dict[str, Any]


def rows() -> list[Row]:
    return [json.loads(line) for line in (ROOT / "stale.jsonl").read_text(encoding="utf-8").splitlines()]


def make_corpus(settings: Settings, changing: Sequence[Row]) -> Path:
    """Index copies of the documents; returns their folder."""
    (settings.root / "corpora" / CORPUS).mkdir(parents=True)
    (settings.root / "corpora" / CORPUS / "profile.yaml").write_text(PROFILE)
    folder = settings.root / "changing"
    folder.mkdir()
    for name in {row["file"] for row in changing}:
        (folder / Path(name).name).write_text((ROOT.parent / "corpora" / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert {report.status for report in Index(CORPUS, settings).add([folder])} == {"added"}
    return folder


def change(settings: Settings, folder: Path, changing: Sequence[Row]) -> None:
    """Put the new value in place of the old one, once in each document, and add the folder again."""
    for row in changing:
        file = folder / Path(row["file"]).name
        text = file.read_text(encoding="utf-8")
        assert text.count(row["text"]) == 1 and row["was"] in row["text"], row
        file.write_text(text.replace(row["text"], row["text"].replace(row["was"], row["now"])), encoding="utf-8")
    assert {report.status for report in Index(CORPUS, settings).add([folder])} == {"updated"}


def with_history(assistant: Assistant, row: Row) -> Trace:
    """Whether it is still so, after a conversation in which the old value was the answer."""
    said = [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["stubborn"]}]
    return assistant.ask(STILL[row["id"][:2]], said)


def says(trace: Trace, value: str) -> bool:
    """Is the value, and no longer figure, in the answer or in what it is cited from? Only sentences that were checked are in one."""
    said = solid(" ".join([trace.answer.answer, *(c.quote for c in trace.answer.citations)]))
    return re.search(rf"(?<![\d.]){re.escape(solid(value))}(?!\d)", said) is not None
