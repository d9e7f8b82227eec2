"""The citation check for answers in a form: each value of the JSON stands in a passage that was shown, or the answer does not leave.

What a value states it often states together with its name or the question: "35 Nm" is no claim. Such a value must stand in a passage
word for word, and that passage must support it under its name or in answer to the question. A figure whose unit stands in its name or
beside it, `{"max_kpa": 400}` and `{"max": 400, "unit": "kPa"}`, is read with that unit.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from corpora import UserError
from ingest.schema import Hit
from ingest.tokens import fold, tokens
from serve.check import check
from serve.cite import SURE, Span, citation, cited, spans
from serve.evidence import strays
from serve.fields import leaves, measured
from serve.form import Form
from serve.prompt import REFUSAL
from serve.roles import another_does, answered
from serve.schema import Citation
from serve.sentences import complete_sentences
from serve.wording import content

PHRASE = 8  # tokens; a longer value is a statement and stands by itself or not at all


class NoModel(UserError):
    """No model can answer in the form that was asked for; quotes have no form."""


class Unsupported(Exception):
    """The answer is not of its form, or a value in it does not stand. `why` is a notice's name."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Filled:
    """A checked answer, what it stands on, and the notice to show beside it: a name, or "" for none."""

    text: str
    citations: list[Citation]
    notice: str


class Figure(str):
    """A number of a JSON text, as it is written there."""


def check_form(said: str, form: Form, question: str, shown: Sequence[Hit], weigh: Callable[[str], float]) -> Filled:
    """`said`, unchanged, with its citations. Raises `Unsupported`."""
    text = said.strip()
    return _choice(text, form, question, shown, weigh) if form.choices else _json(text, form, question, shown, weigh)


def _choice(text: str, form: Form, question: str, shown: Sequence[Hit], weigh: Callable[[str], float]) -> Filled:
    if text not in form.choices:
        raise Unsupported("malformed")
    _, found = cited(f"{question.rstrip('?？ ')} {text}", shown, weigh)
    return Filled(text, [citation(n, span, support, by) for n, (span, support, by) in enumerate(found, 1)], "chosen")


def _json(text: str, form: Form, question: str, shown: Sequence[Hit], weigh: Callable[[str], float]) -> Filled:
    try:
        data = json.loads(text, object_pairs_hook=_members, parse_int=Figure, parse_float=Figure, parse_constant=_no_number)
        values = list(leaves(data, form.names))
    except (ValueError, RecursionError):
        raise Unsupported("malformed") from None
    citations: list[Citation] = []
    judged = False
    for path, name, value, unit in values:
        if isinstance(value, bool):
            judged = True
        if value is None or isinstance(value, bool) or not value.strip():
            continue
        if value.strip().rstrip(".。") in {refusal.rstrip(".。") for refusal in REFUSAL.values()}:
            raise Unsupported("model")
        found = supports(value, name, unit, question, shown, weigh)
        if not found:
            raise Unsupported("value")
        citations += [citation(len(citations) + n, span, "supported", "attached", path) for n, span in enumerate(found, 1)]
    if not citations and not judged:
        raise Unsupported("model")  # it left everything empty
    return Filled(text, citations, "judged" if judged else "")


def supports(value: str, name: str, unit: str, question: str, shown: Sequence[Hit], weigh: Callable[[str], float]) -> list[Span]:
    """The places that `value` stands on, one for each of its sentences; none where one of them does not stand."""
    found: list[Span] = []
    for sentence in complete_sentences(iter([value])):
        said, stands = cited(measured(sentence, unit), shown, weigh)
        known = {word for span, *_ in stands for word in content(f"{span.hit.chunk.context}\n{span.text}")}
        if not stands or isinstance(value, Figure) or not known.issuperset(content(said)):  # no room for a word of its own in a field
            found = []
            break
        found += [span for span, *_ in stands if span not in found]
    if len(set(tokens(value))) <= PHRASE:
        found = found or _phrase(value, name, unit, question, shown)
        if found and (deed := answered(question, value)):
            found = _done(value, deed, shown, found)
    return [] if strays(question, value, " ".join(span.text for span in found)) else found


def _phrase(value: str, name: str, unit: str, question: str, shown: Sequence[Hit]) -> list[Span]:
    """The place that has a short value word for word and supports it under its name, or in answer to the question."""
    wording = {value, f"{int(value):,}"} if isinstance(value, Figure) and value.isdecimal() else {value}
    label = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", name)
    meant = measured(value, unit)
    for statement in (f"{label} {meant}", f"{question.rstrip('?？ ')} {meant}"):
        for hit in shown:
            have = _holding(wording, hit)
            for span in have:
                if any(other != span and span.start <= other.start and other.end <= span.end for other in have):
                    continue  # two sentences where one has it say less of what it is
                if check(statement, span.text, hit.chunk.context).support == "supported":
                    return [span]
    return []


def _done(value: str, deed: str, shown: Sequence[Hit], found: list[Span]) -> list[Span]:
    """The place that has `value` do what was asked for, else `found`; none where one gives it to another."""
    have = [span for hit in shown for span in _holding({value}, hit)]
    verdicts = [check(deed, span.text, span.hit.chunk.context) for span in have]
    best, at = max(((v.share, -n) for n, v in enumerate(verdicts) if v.support == "supported"), default=(0.0, 0))
    if best >= SURE:
        return [have[-at]]
    return [] if any(another_does(deed, value, span.text) for span in have) else found


def _holding(wording: set[str], hit: Hit) -> list[Span]:
    """The places of a hit that have one of the wordings, word for word."""
    verbatim = re.compile("|".join(map(_bounded, wording)))
    return [span for span in spans(hit) if verbatim.search(_plain(span.text))]


def _bounded(text: str) -> str:
    """A pattern for `text` as whole words: 5 is not in 35, nor 4 in 4.5, nor P in P-30."""
    plain = _plain(text)
    before = r"(?<![a-z0-9])(?<!\d[.,])(?<!-)" if plain[:1].isascii() and plain[:1].isalnum() else ""
    after = r"(?![a-z0-9-]|[.,]\d)" if plain[-1:].isascii() and plain[-1:].isalnum() else ""
    return before + re.escape(plain) + after


def _plain(text: str) -> str:
    return " ".join(fold(text).casefold().split())


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice, and most readers see the last alone")
    return dict(pairs)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
