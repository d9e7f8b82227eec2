"""Facts from table rows: the value under a column for a row's name, and the row's name for its value."""

import re

from ingest.schema import Chunk
from tune.chance import Chance
from tune.facts.subject import Subject
from tune.facts.wording import Fact, ask, low, say

LONGEST = 170  # characters of a cell that can be said in one sentence
EMPTY = re.compile(r"[-–—/\s]*|none|n/a|yes|no|无|是|否|(?:as|see|like) .*|同.{1,12}", re.I)  # or says nothing by itself
# Names of columns that "the … of" does not go with.
AWKWARD = re.compile(
    r"(?:what|why|how|where|who|when|recommended|included|retried|free)\b.*|.*\b(?:for|from|to|at|up|by)", re.I
)
PLAIN = re.compile(r"value|permitted|setting|参数|数值|值", re.I)  # a column whose name says nothing beside the row's
FAULT = re.compile(r"(?:fault |alarm |error )?code|代码|故障代码", re.I)
NUMBER = re.compile(r"part n.*|.*\bno\.?|.*\bnumber|备件号|序号|图号", re.I)
NAMED = re.compile(r"description|name|designation|名称|.*item", re.I)
INTERVAL = re.compile(r"interval|hours.*|when|周期|间隔", re.I)
WORK = re.compile(r"work|task|job|工作.*", re.I)
MEANING = re.compile(r"meaning|含义|说明", re.I)
CAUSE = re.compile(r".*cause|.*原因", re.I)
REMEDY = re.compile(r"remedy|action|first step|处理.*", re.I)


def header_of(context: str) -> list[str]:
    """The cells of the header row at the end of a row's context; empty where the chunk is no table row."""
    last = context.rsplit(" › ", 1)[-1]
    before, bar, after = last.partition(" | ")
    if not bar or ": " not in before:
        return []
    return [cell.strip() for cell in (before.rsplit(": ", 1)[1] + bar + after).split(" | ")]


def row_facts(chunk: Chunk, header: list[str], subject: Subject, keys: list[str], rng: Chance) -> list[Fact]:
    """What can be asked of one row, of whose table `keys` are the first cells; nothing where it does not fit its header."""
    text = chunk.text.strip()
    start = chunk.text.index(text)
    cells = [cell.strip().rstrip("。.") for cell in text.split(" | ")]
    if len(cells) != len(header) or len(cells) < 2 or "\n" in text or not cells[0] or len(cells[0]) > LONGEST:
        return []
    key = cells[0]
    names_row = keys.count(key.lower()) == 1 and not key.isdigit()
    found = []
    for column, value in zip(header[1:], cells[1:], strict=True):
        if EMPTY.fullmatch(value) or len(value) > LONGEST:
            continue
        for form in _forms(header[0], column, len(cells)):
            turned = form in ("number", "interval")  # the question names the value and asks for the key
            if names_row or turned:
                slots = {"key": key, "column": header[0] if turned else column, "value": value}
                found.append(_fact(chunk, form, slots, subject, rng, start, start + len(text)))
    return found


def _forms(first: str, column: str, width: int) -> list[str]:
    """Which questions go with a column, by what the header calls the row's name and the column."""
    if FAULT.fullmatch(first):
        forms = {"meaning": MEANING, "cause": CAUSE, "remedy": REMEDY}
        return [form for form, pattern in forms.items() if pattern.fullmatch(column)] or ["cell"]
    if NUMBER.fullmatch(first):
        return ["number"] if NAMED.fullmatch(column) else ["cell"]
    if INTERVAL.match(first):
        return ["interval", "due"] if WORK.fullmatch(column) else ["cell"]
    if width == 2 and PLAIN.match(column):
        return ["value"]
    return ["awkward"] if AWKWARD.fullmatch(column) else ["cell"]


def _fact(chunk: Chunk, form: str, slots: dict[str, str], subject: Subject, rng: Chance, start: int, end: int) -> Fact:
    about = {"name": subject.name, "place": subject.place}
    if subject.lang == "zh":
        question, said = ask(rng, "zh", form, **slots, **about), say("zh", form, **slots)
    else:
        inside = {name: low(slot) for name, slot in slots.items()}
        # A value at the end of its sentence keeps its capitals; elsewhere it stands inside one.
        said = say("en", form, **inside | ({"value": slots["value"]} if form in ("value", "cell", "awkward") else {}))
        question = ask(rng, "en", form, **inside, **about)
    return Fact(form, question, said, chunk, start, end)
