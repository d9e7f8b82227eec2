"""Answer the questions of a set from each row's own passages.  Run: tune eval --qa FILE --out PREDICTIONS

A row is {"id", "question", "answers", "passages": [{"id", "title", "text"}], "answerable"}. The passages of all rows are indexed in a
throw-away home, and each question is asked of its own alone, as a person who names the documents to be searched.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from corpora import UserError, load_profile
from ingest.language import language
from ingest.search import MAX_QUERY
from ingest.settings import Settings
from ingest.tokens import fold
from ingest.where import Where
from serve.chain import Assistant
from serve.cite import MARKER
from serve.engine import Engine
from serve.schema import Mode
from tune.chance import chance
from tune.lines import Words, read_lines
from tune.overlap import WORD
from tune.talk import Talk
from tune.trial import NAME, Row, Trial, trial

AT_ONCE = {"extractive": 1, "model": 8}  # questions in flight; vLLM answers them together
RESAMPLES = 1000


class Passage(BaseModel):
    id: str
    title: str = ""
    text: Words


class Item(BaseModel):
    """A line of the set. `answer_groups`, where there are any, must each be met by one of their wordings; else one of `answers`."""

    id: str
    question: str = Field(min_length=1, max_length=MAX_QUERY)
    answers: list[str] = []
    answer_groups: list[list[str]] = []
    passages: list[Passage] = Field(min_length=1)
    answerable: bool
    type: str = ""

    @property
    def groups(self) -> list[list[str]]:
        return self.answer_groups or [self.answers]


def answer_items(settings: Settings, file: Path, mode: Mode, adapter: str | None, talk: Talk) -> Iterator[tuple[Item, dict[str, Any]]]:
    """Each row with its prediction: id, answer without markers, ids of the passages cited, refused, and mode, who wrote it.

    Raises `UserError` where the file is wrong, or a model is asked for and none is up.
    """
    items = read_items(file)
    engine = Engine(settings)
    if mode == "model" and not engine.up():
        raise UserError("Answering by model needs the model server, and none is up.", "Start it: make up")
    rows = {key(p): Row(key(p), p.title, p.text) for item in items for p in item.passages}
    with trial(settings, list(rows.values()), talk) as made:
        assistant = Assistant(load_profile(NAME, made.settings.root), made.settings, made.searcher, engine)

        def ask(item: Item) -> dict[str, Any]:
            return predict(assistant, made, item, mode, adapter)

        with talk.bar(mode, len(items)) as advance, ThreadPoolExecutor(AT_ONCE[mode]) as pool:
            for item, prediction in zip(items, pool.map(ask, items), strict=True):
                advance(1, "questions")
                yield item, prediction


def predict(assistant: Assistant, made: Trial, item: Item, mode: Mode, adapter: str | None) -> dict[str, Any]:
    """Ask one row's question of its own passages."""
    id_of = {key(p): p.id for p in item.passages}
    where = Where(tuple(made.name_of[k] for k in id_of))
    answer = assistant.ask(item.question, adapter=adapter, mode=mode, where=where).answer
    cited = dict.fromkeys(id_of[made.row_of[c.document]] for c in answer.citations)
    text = "" if answer.refused else MARKER.sub("", answer.answer)
    return {"id": item.id, "answer": text, "citations": list(cited), "refused": answer.refused, "mode": answer.mode}


def qa_figures(answered: Sequence[tuple[Item, dict[str, Any]]]) -> dict[str, Any]:
    """For each language of the questions: n and figures between 0 and 1, each with its 95 % interval by bootstrap over the rows.

    `accuracy`: answerable rows whose every group of gold answers is in the answer, letters and digits alone compared. `token_f1`:
    harmonic mean of precision and recall of words, in Chinese of characters, against the nearest gold answer (Rajpurkar et al. 2016).
    `refusal_recall`: unanswerable rows refused; `false_refusal`: answerable rows refused (as in RGB, Chen et al. 2024). Of both,
    a row that asks for yes or no is left out of the first two.
    """
    report = {}
    for lang in ("zh", "en"):
        rows = [outcome(item, said) for item, said in answered if language(item.question) == lang]
        if rows:
            means = _means(rows)
            dice = chance(0, f"qa {lang}")
            drawn = [_means(dice.choices(rows, k=len(rows))) for _ in range(RESAMPLES)]
            interval = {}
            for name in means:
                values = sorted(m[name] for m in drawn if name in m)
                interval[name] = [values[int(len(values) * 0.025)], values[int(len(values) * 0.975)]]
            report[lang] = {**means, "n": len(rows), "interval": interval}
    return report


def outcome(item: Item, said: dict[str, Any]) -> dict[str, float]:
    """What one row adds to each figure; a figure that it says nothing of is left out."""
    if not item.answerable:
        return {"refusal_recall": float(said["refused"])}
    found = {"false_refusal": float(said["refused"])}
    if item.type != "yesno":
        letters = _letters(said["answer"])
        found["accuracy"] = float(all(any(_letters(a) and _letters(a) in letters for a in group) for group in item.groups))
        found["token_f1"] = max((token_f1(said["answer"], a) for a in item.answers), default=0.0)
    return found


def token_f1(said: str, gold: str) -> float:
    """Harmonic mean of the precision and recall of `said`'s words against `gold`'s, repeats counted."""
    a, b = Counter(WORD.findall(said.lower())), Counter(WORD.findall(gold.lower()))
    same = sum((a & b).values())
    return 2 * same / (sum(a.values()) + sum(b.values())) if same else 0.0


def read_items(file: Path) -> list[Item]:
    """Raises `UserError` with the mistakes of the file."""
    items = read_lines(file, Item)
    if not items:
        raise UserError(f"{file} has no rows.", "A row has id, question, answers, passages and answerable.")
    return items


def write_predictions(file: Path, answered: Sequence[tuple[Item, dict[str, Any]]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(said, ensure_ascii=False) + "\n" for _, said in answered), encoding="utf-8")


def key(passage: Passage) -> str:
    """Rows call different passages by one id; the text tells them apart."""
    return hashlib.sha256(f"{passage.title}\n{passage.text}".encode()).hexdigest()[:24]


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {n: round(sum(row[n] for row in rows if n in row) / sum(n in row for row in rows), 4) for n in names}


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", fold(text).lower())
