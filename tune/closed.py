"""Closed answers: yes or no, and values that several questions share. To answer one is to choose a class, and it is measured as such.

A gold answer is of the kind `yes_no` where it opens with yes or no and a comma, colon or stop follows ("No. It keeps its id."; "No more
than 4 bar" is none), in Chinese where its first clause is one of YES and NO. It is of the kind `values` where three questions or more
have it for their whole answer, and there are at most eight such values. What was said is read the same way; of values it must name one.
Who names none or several, or refuses, chose no class and is wrong; so is quoting, nearly always, for documents do not say yes.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.tokens import fold

ENOUGH = 5  # questions of a kind that are worth a figure
SHARED, MOST = 3, 8  # questions that share a value; values
OPENING = re.compile(r"(yes|no)\b(?=\s*(?:[,;:!—–]|\.(?!\s*\d)|$))", re.I)  # No. 5 is a number
CLAUSE = re.compile(r"[^，,。.；;：:！!、\s]+")
YES = frozenset("是 是的 对 对的 可以 能 会 有 需要 要 应当 应该 必须 允许 行".split())
NO = frozenset("否 不 不是 不对 不可以 不能 不会 没有 不需要 不用 不必 不应当 不应该 不得 不允许 不行 无需 不要".split())


@dataclass(frozen=True, slots=True)
class Closed:
    """The class of a gold answer, among those of its kind."""

    kind: str
    label: str
    labels: tuple[str, ...]

    def said(self, answer: str) -> str:
        """The class that `answer` chooses; empty for none."""
        return yes_or_no(answer) if self.kind == "yes_no" else _named(answer, self.labels)


@dataclass(frozen=True, slots=True)
class Choice:
    """A gold class, and the one that was said."""

    kind: str
    gold: str
    said: str


def closed_answers(answers: Sequence[str | None]) -> list[Closed | None]:
    """The class of each gold answer of a corpus; None where it is open, has no answer, or is one of too few of its kind."""
    values = Counter(_plain(answer) for answer in answers if answer and not yes_or_no(answer))
    shared = tuple(sorted(value for value, count in values.items() if value and count >= SHARED))
    found = [_closed(answer, shared if len(shared) <= MOST else ()) for answer in answers]
    kinds = Counter(closed.kind for closed in found if closed)
    return [closed if closed and kinds[closed.kind] >= ENOUGH else None for closed in found]


def yes_or_no(answer: str) -> str:
    """`yes` or `no`, with which the answer opens; empty where it opens with neither."""
    if opening := OPENING.match(answer.strip()):
        return opening[1].lower()
    clause = CLAUSE.match(answer.strip())
    word = clause[0] if clause else ""
    return "yes" if word in YES else "no" if word in NO else ""


def accuracy(choices: Sequence[Choice]) -> float:
    """Share of the questions whose class is the gold one, 0 to 1."""
    return round(sum(c.gold == c.said for c in choices) / len(choices), 4)


def macro_f1(choices: Sequence[Choice]) -> float:
    """The mean of each gold class's F1, rare classes counting as much as common ones (Yang and Liu 1999), 0 to 1."""
    scores = []
    for label in {c.gold for c in choices}:
        right = sum(c.gold == c.said == label for c in choices)
        scores.append(2 * right / (sum(c.gold == label for c in choices) + sum(c.said == label for c in choices)))
    return round(sum(scores) / len(scores), 4)


def _closed(answer: str | None, values: tuple[str, ...]) -> Closed | None:
    if not answer:
        return None
    if label := yes_or_no(answer):
        return Closed("yes_no", label, ("no", "yes"))
    value = _plain(answer)
    return Closed("values", value, values) if value in values else None


def _named(answer: str, values: Sequence[str]) -> str:
    """The value that stands in the answer, where it is one alone; `not critical` is not `critical`."""
    longest = "|".join(_whole(value) for value in sorted(values, key=len, reverse=True))
    named = set(re.findall(longest, _plain(answer)))
    return named.pop() if len(named) == 1 else ""


def _whole(value: str) -> str:
    """A pattern of the value where it is no part of a longer word; Chinese has no blanks between words."""
    before, after = (r"(?<![a-z0-9])" if value[0].isascii() else ""), (r"(?![a-z0-9])" if value[-1].isascii() else "")
    return f"{before}{re.escape(value)}{after}"


def _plain(text: str) -> str:
    return " ".join(fold(text).lower().split()).strip(" .。!！;；")
