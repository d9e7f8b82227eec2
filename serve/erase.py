"""Erase a document from what was said of it: answers, feedback, training rows, reports.  Run: serve erase legal VERSION

The index is `ingest remove`'s to clear. What was asked and answered lies in the journal, passages and all; what was made from
the documents for training lies in runs/. An adapter cannot forget: those that learnt from the document are named.
"""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from corpora import UserError, load_profile
from ingest.language import language
from ingest.locks import lock
from ingest.manifest import Manifest
from ingest.settings import Settings
from serve.champion import champion, versions
from serve.jobs import ENDED
from serve.journal import Journal
from serve.prompt import disarm
from serve.schema import Answer, Trace

VERSION = re.compile(r"[0-9a-f]{16}")
ERASED = {
    "en": "This answer was erased together with a document that it was given from.",
    "zh": "此回答已随其所依据的文件一并删除。",
}
BATCH = 500  # answers rewritten in one transaction


class LearntFrom(BaseModel):
    """Weights that the document may live on in, and the commands that put them out of use."""

    folder: str  # an adapter, or a training run with its checkpoints; from LECTERN_HOME
    served: bool
    certain: bool  # False: it was made before trainings noted what they learnt from
    retire: list[str]


class Erased(BaseModel):
    """What was found and erased."""

    answers: int = 0  # emptied: the document was cited, or shown to the model
    retrieved: int = 0  # answers that stay, from whose record the document's passages are gone
    feedback: int = 0  # comments and corrections on the emptied answers
    files: list[str] = []  # removed, or emptied of passages; from LECTERN_HOME
    weights: list[LearntFrom] = []
    earlier: list[str] = []  # other versions under the same name of which the journal still holds passages
    indexed: list[str] = []  # of the versions given, those that are still indexed: their next answers are kept again


def erase(settings: Settings, corpus: str, gone: list[str], names: Sequence[str] = ()) -> Erased:
    """Erase document versions, by their ids in the manifest, from everything that serving and training keep of them.

    `names` are the documents': rows and weights that were made from an earlier version are found by them.

    Raises `UserError` for what is no version's id, while rows are being made, and where another process reads the journal on.
    """
    load_profile(corpus, settings.root)
    for version in gone:
        if not VERSION.fullmatch(version):
            raise UserError(f"{version[:40]!r} is no version of a document.", f"See: ingest list {corpus} --json")
    indexed = set(gone) & set(_indexed_versions(settings.root, corpus))
    done = Erased(weights=_learnt_from(settings, corpus, set(gone), set(names)), indexed=sorted(indexed))
    _erase_rows(settings, corpus, set(gone), names, done)
    if (settings.root / "journal.sqlite3").is_file():
        journal = Journal(settings.root)
        try:
            with journal.scrubbing():
                _erase_answers(journal, corpus, set(gone), done)
                _erase_logs(settings, journal, corpus, done)
                for version in gone:
                    journal.audit("", "erase", f"{corpus} {version}")
        finally:
            journal.close()
    return done


def _erase_answers(journal: Journal, corpus: str, gone: set[str], done: Erased) -> None:
    names: set[str] = set()
    for traces in _batches(journal.traces_with(corpus, gone)):
        changed, emptied = [], []
        for trace in traces:
            mine = [hit for hit in trace.hits if _version(hit) in gone]
            cited = [c for c in trace.answer.citations if c.version in gone]
            names |= {hit["document"] for hit in mine} | {c.document for c in cited}
            prompt = "\n".join(message["content"] for message in trace.prompt)
            if cited or any(disarm(hit["text"].strip()) in prompt for hit in mine):
                changed.append(_emptied(trace, gone))
                emptied.append(trace.id)
            elif mine:
                kept = [hit for hit in trace.hits if _version(hit) not in gone]
                changed.append(trace.model_copy(update={"hits": kept}))
        done.feedback += journal.rewrite(changed, emptied)
        done.answers += len(emptied)
        done.retrieved += len(changed) - len(emptied)
    named = {_version(h) for t in journal.traces_with(corpus, names) for h in t.hits if h["document"] in names}
    done.earlier = sorted(named - gone - set(_indexed_versions(journal.root, corpus)))


def _batches(traces: Iterator[Trace]) -> Iterator[list[Trace]]:
    while batch := list(islice(traces, BATCH)):
        yield batch


def _emptied(trace: Trace, gone: set[str]) -> Trace:
    """What is left of it: who asked when, how it was answered, and passages of other documents."""
    answer = Answer(answer="", refused=trace.answer.refused, mode=trace.answer.mode, model=trace.answer.model,
                    notice=ERASED[language(trace.question)], timings=trace.answer.timings)  # fmt: skip
    kept = [hit for hit in trace.hits if _version(hit) not in gone]
    return Trace(id=trace.id, corpus=trace.corpus, question="", standalone="", hits=kept, prompt=[], raw="", answer=answer,
                 created=trace.created, key=trace.key, conversation=trace.conversation, attached=trace.attached)  # fmt: skip


def _version(hit: dict[str, Any]) -> str:
    return str(hit["chunk_id"]).rpartition(":")[0]


def _erase_rows(settings: Settings, corpus: str, gone: set[str], names: Sequence[str], done: Erased) -> None:
    """Training rows, if one holds the document, are made anew by the next training; reports keep their figures alone."""
    folder = settings.root / "runs" / "data" / corpus
    with lock(folder.with_suffix(".lock"), f"The training rows of {corpus}"):  # rows that are being made would be written afterwards
        told = {*gone, *(f'"document":{json.dumps(name, ensure_ascii=False)}' for name in names)}
        if any(_holds(file, told) for file in folder.glob("*.jsonl*")):
            for file in sorted(folder.iterdir()):
                file.unlink()
                done.files.append(_shown(file, settings))
    for file in sorted((settings.root / "runs" / "eval").glob(f"{corpus}-[0-9]*.json")):
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            report = {}
        if report.get("corpus") == corpus and report.pop("questions", None):
            part = file.with_name(f"{file.name}.part")
            part.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
            part.replace(file)
            done.files.append(_shown(file, settings))


def _holds(file: Path, told: set[str]) -> bool:
    with file.open(encoding="utf-8", errors="replace") as lines:
        return any(words in line for line in lines for words in told)


def _erase_logs(settings: Settings, journal: Journal, corpus: str, done: Erased) -> None:
    """Logs of training jobs show a row, passages and all."""
    for job in journal.jobs(limit=-1):
        log = settings.run / "jobs" / job.log
        if job.command[0] == "tune" and job.command[2] == corpus and job.status in ENDED and log.is_file():
            log.unlink()
            done.files.append(_shown(log, settings))


def _learnt_from(settings: Settings, corpus: str, gone: set[str], names: set[str]) -> list[LearntFrom]:
    """Adapters and runs in whose weights the document may be, by what they note of themselves."""
    best = champion(settings, corpus)
    adapters = settings.adapters / corpus
    notes = [adapters / str(version) / "manifest.json" for version in versions(settings, corpus)]
    notes += sorted((settings.root / "runs").glob(f"{corpus}-*/config.yaml"))
    found = []
    for note in notes:
        try:
            said = yaml.safe_load(note.read_text(encoding="utf-8"))  # which reads JSON too
        except (OSError, ValueError, yaml.YAMLError):
            said = None
        said = said if isinstance(said, dict) else {}
        learnt = said.get("trained_on")
        if said.get("corpus", corpus) != corpus or (learnt and not gone & set(learnt) and not names & set(said.get("documents") or [])):
            continue
        served = best is not None and note.parent == adapters / str(best.version)
        retire = [*([f"tune rollback {corpus}"] if served else []), f"rm -r {shlex.quote(str(note.parent))}"]
        found.append(
            LearntFrom(folder=_shown(note.parent, settings), served=served, certain=bool(learnt), retire=retire)
        )
    return found


def _indexed_versions(root: Path, corpus: str) -> list[str]:
    if not (root / "manifest.sqlite3").is_file():
        return []
    manifest = Manifest(root)
    try:
        return [row["version"] for row in manifest.documents(corpus)]
    finally:
        manifest.close()


def _shown(file: Path, settings: Settings) -> str:
    return file.relative_to(settings.root).as_posix()
