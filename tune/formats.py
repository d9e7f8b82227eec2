"""Rows of questions and answers in files, whatever program wrote them: told apart by their fields, every mistake with its line.

Alpaca, ShareGPT, OpenAI's messages, prompt and completion, DISC-Law-SFT's pairs and triplets, question with reasoning and answer,
sensor logs with diagnoses, clauses with analyses; as JSON, JSON Lines or CSV, and through LLaMA-Factory's dataset_info.json.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.language import language
from serve.prompt import SPECIAL
from tune.lines import refuse, text_of
from tune.records import Row, records

MOST = 500_000  # rows of a file
LONGEST = 20_000  # characters of a field
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
LINE = re.compile(r" (?:line|row) \d+\Z")
INFO = "dataset_info.json"
Parts = tuple[list[dict[str, str]], str, tuple[str, ...]]  # messages, answer, passages
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "bot": "assistant", "system": "system"}
DIAGNOSE = {"en": "Readings: {said}\nWhat is the diagnosis?", "zh": "读数：{said}\n诊断结果是什么？"}
ANALYSE = {"en": "Analyse this clause:\n{said}", "zh": "分析以下条款：\n{said}"}


@dataclass(frozen=True, slots=True)
class Given:
    """A row of a file: what was asked before an answer, that answer, and the passages that the file gives for it."""

    place: str  # file and line
    messages: list[dict[str, str]]  # ends with the question
    answer: str
    references: tuple[str, ...] = ()
    finished: bool = False  # the answer is a whole document, which no passage proves

    @property
    def file(self) -> str:
        return LINE.sub("", self.place)

    @property
    def question(self) -> str:
        return self.messages[-1]["content"]


@dataclass(frozen=True, slots=True)
class Format:
    """`fields` are those that tell it, each under any of its names; `read` takes a row apart or raises `ValueError`."""

    name: str
    fields: tuple[tuple[str, ...], ...]
    read: Callable[[Row], Parts]

    def fits(self, row: Row) -> bool:
        return all(any(name in row for name in names) for names in self.fields)


def read_rows(path: Path, about: Row | None = None) -> tuple[list[Given], dict[str, int]]:
    """The rows of a file, and how many there are in each format. Raises `UserError` with every mistake, and its line.

    `about` is what a dataset_info.json says of the file: under which names its columns and roles go.
    """
    if path.name == INFO:
        return _listed(path)
    rows, wrong, formats = list[Given](), list[str](), dict[str, int]()
    for place, row in records(path, wrong):
        if len(rows) >= MOST:
            raise UserError(f"{path} holds more than {MOST:,} rows.", "Take a part of it: --filter TOPIC, or split it.")
        try:
            row = _renamed(row, about) if about else row
            found = next((f for f in FORMATS if f.fits(row)), None)
            if found is None:
                has = ", ".join(repr(name)[:40] for name in sorted(row))[:120] or "nothing"
                raise ValueError(f"it is of no known format (it has {has})")
            messages, answer, references = found.read(row)
            check(messages, answer, references)
        except ValueError as error:
            wrong.append(f"{place}: {error}")
            continue
        except RecursionError:
            wrong.append(f"{place} is nested too deeply")
            continue
        formats[found.name] = formats.get(found.name, 0) + 1
        rows.append(Given(f"{path.name} {place}", messages, answer, references))
    refuse(path, wrong)
    if not rows:
        raise UserError(f"{path} holds no rows.", "Give a file of questions and answers: tune data CORPUS --from FILE")
    return rows, formats


def _listed(path: Path) -> tuple[list[Given], dict[str, int]]:
    """The data sets that a dataset_info.json lists, of files beside it; those that a hub holds are refused by name."""
    try:
        sets = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON ({error}).", "Write it again with a program that checks it.") from None
    if not isinstance(sets, dict):
        raise UserError(f"{path} holds no data sets.", "Give an object of names, each with its file_name.")
    rows, formats, wrong = list[Given](), dict[str, int](), list[str]()
    for name, about in sets.items():
        target = _file_of(path, about)
        if target is None:
            wrong.append(f"{name!r:.40} names no file beside it")
        elif not all(_is_names(about.get(part)) for part in ("columns", "tags")):
            wrong.append(f"{name!r:.40}: columns and tags are names for names")
        elif about.get("ranking"):
            wrong.append(f"{name!r:.40} holds preferences, which are not read from files")
        else:
            try:
                found, kinds = read_rows(target, about)
            except UserError as error:
                wrong.append(f"{name!r:.40}: {error.message}")
                continue
            rows += found
            if len(rows) > MOST:
                raise UserError(f"{path} lists more than {MOST:,} rows.", "Take a part of it: --filter TOPIC, or split it.")
            formats = {kind: formats.get(kind, 0) + kinds.get(kind, 0) for kind in {**formats, **kinds}}
    refuse(path, wrong)
    if not rows:
        raise UserError(f"{path} lists no data sets.", "Give an object of names, each with its file_name.")
    return rows, formats


def listed_files(path: Path) -> list[Path]:
    """The files that `path` lists if it is a dataset_info.json."""
    if path.name != INFO:
        return []
    try:
        sets = json.loads(text_of(path))
    except (ValueError, RecursionError, UserError):
        return []
    listed = [_file_of(path, about) for about in sets.values()] if isinstance(sets, dict) else []
    return [file for file in listed if file]


def _file_of(path: Path, about: Any) -> Path | None:
    """The file that an entry of a dataset_info.json names; None where it is not one beside it."""
    file = about.get("file_name") if isinstance(about, dict) else None
    if not isinstance(file, str) or "\0" in file:
        return None
    try:
        target = (path.parent / file).resolve()
    except (ValueError, OSError, RuntimeError):  # half a surrogate pair, a circle of links
        return None
    return target if target.is_relative_to(path.parent.resolve()) and target.name != INFO else None


def _is_names(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(isinstance(one, str) for one in value.values()))


def _renamed(row: Row, about: Row) -> Row:
    """The row under the names that LLaMA-Factory gives to columns and tags where nothing is said."""
    columns, tags = about.get("columns") or {}, about.get("tags") or {}
    known = {theirs: row[columns[part]] for part, theirs in COLUMNS.items() if columns.get(part) in row}
    renamed = {**{name: value for name, value in row.items() if name not in columns.values()}, **known}
    turns = renamed.get("conversations")
    if tags and isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns):
        role, content = tags.get("role_tag", "from"), tags.get("content_tag", "value")
        roles = {tags.get(f"{name}_tag", name): name for name in ("user", "assistant", "system")}
        said = [str(turn.get(role)) for turn in turns]
        renamed["conversations"] = [{"role": roles.get(who, who), "content": turn.get(content)}
                                    for who, turn in zip(said, turns, strict=True)]  # fmt: skip
    return renamed


def check(messages: list[dict[str, str]], answer: str, references: tuple[str, ...]) -> None:
    """Raises `ValueError` for what no chat template takes, or no prompt should hold."""
    turns = [m["role"] for m in messages[1 if messages[0]["role"] == "system" else 0 :]]
    if turns != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        raise ValueError("user and assistant do not take turns")
    for text in (*(m["content"] for m in messages), answer, *references):
        check_text(text)
    for what, text in (("the question", messages[-1]["content"]), ("the answer", answer)):
        if not any(map(str.isalnum, text)):
            raise ValueError(f"{what} is empty")


def check_text(text: str) -> None:
    """Raises `ValueError` for a text that no prompt should hold."""
    if len(text) > LONGEST:
        raise ValueError(f"a text of {len(text):,} characters; at most {LONGEST:,} are read")
    if CONTROL.search(text):
        raise ValueError("it holds control characters")
    if SPECIAL.search(text):
        raise ValueError("it holds marks of a chat template")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair") from None


def _text(row: Row, *names: str, must: bool = True) -> str:
    """The text under the first of the names that the row has."""
    name = next((name for name in names if name in row), names[0])
    value = row.get(name)
    if value is None and not must:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} is no text")
    return _number(value) if isinstance(value, float) else str(value).strip()


def _alpaca(row: Row) -> Parts:
    asked = "\n".join(filter(None, (_text(row, "instruction"), _text(row, "input", must=False))))
    before: list[dict[str, str]] = []
    history = row.get("history") or []
    if not isinstance(history, list):
        raise ValueError("history is no list of pairs")
    for turn in history:
        if not isinstance(turn, list) or len(turn) != 2 or not all(isinstance(text, str) for text in turn):
            raise ValueError("history is no list of pairs")
        before += [{"role": "user", "content": turn[0]}, {"role": "assistant", "content": turn[1]}]
    return [*_system(row), *before, {"role": "user", "content": asked}], _text(row, "output"), ()


def _turns(row: Row) -> Parts:
    """Messages up to the last answer, as ShareGPT and OpenAI write them."""
    given = row.get("messages", row.get("conversations"))
    if not isinstance(given, list) or not all(isinstance(turn, dict) for turn in given):
        raise ValueError("the messages are no list of objects")
    messages = _system(row)
    for turn in given:
        role = ROLES.get(str(turn.get("role", turn.get("from"))))
        if role is None:
            raise ValueError(f"a message of {str(turn.get('role', turn.get('from')))[:20]!r}, neither user nor assistant")
        messages.append({"role": role, "content": _text(turn, "content", "value")})
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    if len(messages) < 2 or messages[-2]["role"] != "user":
        raise ValueError("no answer follows a question")
    return messages[:-1], messages[-1]["content"], ()


def _plain(*names: tuple[str, ...]) -> Callable[[Row], Parts]:
    """A format of one question and one answer, each under any of its names."""
    asked, said = names

    def read(row: Row) -> Parts:
        return [*_system(row), {"role": "user", "content": _text(row, *asked)}], _text(row, *said), ()

    return read


def _triplet(row: Row) -> Parts:
    given = row["reference"]
    references = [given] if isinstance(given, str) else given
    if not isinstance(references, list) or not all(isinstance(text, str) and text.strip() for text in references):
        raise ValueError("reference is no list of texts")
    return [{"role": "user", "content": _text(row, "input")}], _text(row, "output"), tuple(references)


def _wrapped(frame: dict[str, str], inner: tuple[str, ...], outer: tuple[str, ...]) -> Callable[[Row], Parts]:
    """A format whose question is a frame around a text: a log to diagnose, a clause to analyse."""

    def read(row: Row) -> Parts:
        name = next((name for name in inner if name in row), "")
        value = row[name] if name else {k: v for k, v in row.items() if k not in (*outer, "id") and v not in (None, "")}
        said = value if isinstance(value, str) else _readings(value)
        if value is None or not any(map(str.isalnum, said)):
            raise ValueError(f"{name or inner[0]} is empty")
        asked = frame[language(said)].replace("{said}", said)
        return [{"role": "user", "content": asked}], _text(row, *outer), (said,) if frame is ANALYSE else ()

    return read


def _readings(value: Any) -> str:
    """`oil pressure 2.1 bar; temperature 98 °C`, in the order of the file."""
    if isinstance(value, dict):
        return "; ".join(f"{name} {_readings(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_readings, value))
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number")
    return str(value)


def _system(row: Row) -> list[dict[str, str]]:
    said = _text(row, "system", must=False)
    return [{"role": "system", "content": said}] if said else []


COLUMNS = {"prompt": "instruction", "query": "input", "response": "output", "history": "history", "system": "system",
           "messages": "conversations"}  # fmt: skip
QUESTION, ANSWER = ("question", "Question", "query", "问题"), ("answer", "response", "Answer", "Response", "答案", "回答")
REASONING = ("reasoning", "Complex_CoT", "cot", "thought", "rationale", "推理")
SENSORS = ("readings", "sensor_data", "signals", "log", "传感器数据", "日志")
DIAGNOSIS = ("diagnosis", "fault_diagnosis", "诊断", "诊断结果")
CLAUSE, ANALYSIS = ("clause", "contract_clause", "条款"), ("analysis", "risk_analysis", "分析")
# The first that fits is taken: one that asks for more fields stands before one that asks for fewer.
FORMATS = (
    Format("OpenAI messages", (("messages",),), _turns),
    Format("ShareGPT", (("conversations",),), _turns),
    Format("DISC-Law triplets", (("reference",), ("input",), ("output",)), _triplet),
    Format("Alpaca", (("instruction",), ("output",)), _alpaca),
    Format("DISC-Law pairs", (("input",), ("output",)), _plain(("input",), ("output",))),
    Format("prompt and completion", (("prompt",), ("completion",)), _plain(("prompt",), ("completion",))),
    Format("question, reasoning, answer", (QUESTION, REASONING, ANSWER), _plain(QUESTION, ANSWER)),
    Format("question and answer", (QUESTION, ANSWER), _plain(QUESTION, ANSWER)),
    Format("clauses with analyses", (CLAUSE, ANALYSIS), _wrapped(ANALYSE, CLAUSE, ANALYSIS)),
    Format("sensor logs with diagnoses", (DIAGNOSIS,), _wrapped(DIAGNOSE, SENSORS, DIAGNOSIS)),
)
