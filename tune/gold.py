"""Gold: the held-out questions of a corpus, each with the places that prove its answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from corpora import Profile, UserError
from corpora.profile import Language
from ingest.manifest import Manifest
from tune.chance import chance
from tune.closed import Closed, closed_answers
from tune.lines import read_lines


class Question(BaseModel):
    """A line of questions.jsonl."""

    model_config = ConfigDict(extra="forbid")

    id: str
    question: str
    answerable: bool
    answer: str | None
    document: str | None
    quote: str | None
    lang: Language
    split: str


@dataclass(frozen=True, slots=True)
class Gold:
    """A question with where its quote stands: `(start, end)` in the text of `version`; and its answer's class where that is closed."""

    question: Question
    version: str
    places: tuple[tuple[int, int], ...]
    closed: Closed | None = None

    def is_at(self, version: str, start: int, end: int) -> bool:
        """Does the span overlap the gold quote in the gold document?"""
        return version == self.version and any(start < b and a < end for a, b in self.places)


def read_questions(profile: Profile) -> list[Question]:
    """Every question of the corpus. Raises `UserError` with the mistakes of the file."""
    if not profile.questions.is_file():
        raise UserError(f"{profile.name} has no questions to be measured on.", f"Write {profile.questions}, one JSON object a line.")
    return read_lines(profile.questions, Question)


def held_out_questions(profile: Profile, lang: str | None, reads: Callable[[str], bool]) -> list[Question]:
    """The held-out questions in `lang`; without it those in languages that the base reads, or all where it reads none of them."""
    questions = [q for q in read_questions(profile) if q.split == "heldout"]
    if not questions:
        raise UserError(f"{profile.name} has no held-out questions.", f'Mark some with "split": "heldout" in {profile.questions}')
    asked = [q for q in questions if (q.lang == lang if lang else reads(q.lang))]
    questions = asked if lang else asked or questions
    if not questions:
        raise UserError(f"{profile.name} has no held-out questions in {lang}.", f"Leave --lang out: tune eval {profile.name}")
    return questions


def find_gold(profile: Profile, manifest: Manifest, questions: list[Question], limit: int) -> tuple[list[Gold], list[str]]:
    """The questions with where their quotes stand, and ids of those whose quote is not in the index. `limit` takes a repeatable sample."""
    if limit and limit < len(questions):
        questions = sorted(chance(0, "limit").sample(questions, limit), key=lambda q: q.id)
    versions = {d["document"]: d["version"] for d in manifest.documents(profile.name)}
    texts = {name: letters(manifest.text(versions[name])) for name in {q.document for q in questions} if name in versions}
    gold: list[Gold] = []
    missing = []
    for q in questions:
        places: tuple[tuple[int, int], ...] = ()
        if q.answerable:
            places = find(q.quote or "", texts[q.document]) if q.document in texts else ()
            if not places:
                missing.append(q.id)
                continue
        gold.append(Gold(q, versions.get(q.document or "", ""), places))
    if not gold:
        raise UserError(f"No quote of {profile.name}'s held-out questions stands in its index.",
                        f"Index its documents: ingest add {profile.name} PATH")  # fmt: skip
    classes = closed_answers([g.question.answer for g in gold])
    return [replace(g, closed=closed) for g, closed in zip(gold, classes, strict=True)], missing


def find(quote: str, text: tuple[str, list[int]]) -> tuple[tuple[int, int], ...]:
    """Where `quote` stands, blanks, bars and punctuation aside."""
    wanted, _ = letters(quote)
    said, at = text
    places = []
    start = said.find(wanted) if wanted else -1
    while start >= 0:
        places.append((at[start], at[start + len(wanted) - 1] + 1))
        start = said.find(wanted, start + 1)
    return tuple(places)


def letters(text: str) -> tuple[str, list[int]]:
    """Letters and digits of `text`, with where each stands in it."""
    at = [i for i, c in enumerate(text) if c.isalnum()]
    return "".join(text[i] for i in at), at
