"""How well a follow-up is searched for: rewritten, as it was asked, and with the question before it put in front.

Run: python -m tests.bench.followup
The conversations in tests/conversations.jsonl are about the shipped documents, each with the place that answers its last question. The
rules were made looking at the `fit` half; the `kept` half was written before them, by the same hand, and is measured. Where the topic
changes the question must stay as it is. What an answer cites comes from the assistant itself, which quotes here.
"""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

import yaml

from ingest.search import Searcher
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.followup import with_document
from tests.bench import ROOT, report
from tests.bench.home import models
from tests.conftest import prepare

CONVERSATIONS = Path(__file__).parents[1] / "conversations.jsonl"
K = 5
Conversation = dict[str, Any]
WAYS = ("rewritten", "as it was asked", "question before and question")


def conversations(half: str, lang: str) -> list[Conversation]:
    rows = [json.loads(line) for line in CONVERSATIONS.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if (row["half"], row["lang"]) == (half, lang)]


@contextmanager
def shipped() -> Iterator[Settings]:
    """A home with the shipped corpora's documents indexed, and nothing of Lectern's own source."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "models").symlink_to(models())
        for file in sorted((ROOT / "corpora").glob("*/profile.yaml")):
            profile = yaml.safe_load(file.read_text(encoding="utf-8"))
            profile.setdefault("ingest", {})["sources"] = [str(file.parent / "documents")]
            profile["ingest"].pop("exclude", None)
            target = home / "corpora" / file.parent.name
            target.mkdir(parents=True)
            (target / "profile.yaml").write_text(yaml.safe_dump(profile, allow_unicode=True), encoding="utf-8")
            shutil.copy(file.parent / "questions.jsonl", target)
        prepare("index", home)
        yield Settings(home=home, chroma_url="", tier="cpu")


def history(assistant: Assistant, turns: list[str]) -> list[dict[str, str]]:
    """The turns as they are on record once the assistant has answered them."""
    said: list[dict[str, str]] = []
    for question in turns:
        trace = assistant.ask(question, said, mode="extractive")
        said += [{"role": "user", "content": question}, {"role": "assistant", "content": trace.answer.answer}]
        said = with_document(said, trace)
    return said


def found(assistant: Assistant, question: str, row: Conversation) -> bool:
    """Is the place that answers among the best hits?"""
    hits = assistant.retrieve(question, K)
    return any(h.document == row["document"] and solid(row["quote"]) in solid(h.chunk.text) for h in hits)


def solid(text: str) -> str:
    return re.sub(r"[\s|]", "", text)


def main() -> None:
    with shipped() as settings, Searcher(settings) as searcher:
        for half, lang in product(("fit", "kept"), ("en", "zh")):
            measure(half, lang, settings, searcher)


def measure(half: str, lang: str, settings: Settings, searcher: Searcher) -> None:
    recall: dict[tuple[str, str], list[bool]] = {}
    untouched, spent = [], []
    for row in conversations(half, lang):
        assistant = open_assistant(row["corpus"], settings, searcher)
        *earlier, question = row["turns"]
        said = history(assistant, earlier)
        start = time.perf_counter()
        alone = assistant.stands_alone(question, said)
        spent.append(1000 * (time.perf_counter() - start))
        for way, searched in zip(WAYS, (alone, question, f"{earlier[-1]} {question}"), strict=True):
            recall.setdefault((row["kind"], way), []).append(found(assistant, searched, row))
        if row["kind"] == "change":
            untouched.append(alone == question)
    figures: dict[str, Any] = {"conversations": len(spent)}
    for (kind, way), hits in recall.items():
        figures[f"recall@{K}, {'follow-ups' if kind == 'follow' else 'changes of topic'}, {way}"] = f"{fmean(hits):.2f} of {len(hits)}"
    figures["changes of topic left as they are"] = f"{sum(untouched)} of {len(untouched)}"
    figures["ms for a rewrite, median"] = round(median(spent), 1)
    report(f"followup, {lang}, {half}", figures)


if __name__ == "__main__":
    main()
