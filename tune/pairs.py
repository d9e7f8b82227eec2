"""PreferencePairs: what people corrected, and deliberate mistakes against the answers of the examples."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ingest.language import language
from ingest.schema import Hit
from ingest.settings import Settings
from serve.chain import Assistant
from serve.cite import best_span, cited
from serve.feedback import pairs as corrections
from serve.journal import Journal
from serve.prompt import REFUSAL
from serve.schema import Trace
from serve.sentences import complete_sentences
from tune.chance import Chance, chance
from tune.examples import Taught
from tune.figures import digits
from tune.schema import Messages, PreferencePair
from tune.shown import shown_hits


def feedback_pairs(assistant: Assistant, held: set[str], dropped: Counter[str]) -> list[PreferencePair]:
    """Corrections preferred to what the model had said, where the passages that were shown support them.

    Markers are set anew: the page numbers citations by their order, the model by passage.
    """
    settings: Settings = assistant.settings
    if not (settings.root / "journal.sqlite3").is_file():
        return []
    journal = Journal(settings.root)
    try:
        found = []
        for row in corrections(assistant.profile.name, journal):
            trace = journal.trace(row["trace_id"])
            assert trace is not None  # the pair was made from it
            pair = _correction(assistant, trace, row["chosen"][0]["content"], held)
            if isinstance(pair, str):
                dropped[pair] += 1
            else:
                found.append(pair)
        return found
    finally:
        journal.close()


def _correction(assistant: Assistant, trace: Trace, correction: str, held: set[str]) -> PreferencePair | str:
    if any(h["chunk_id"].rsplit(":", 1)[0] in held or h["document"] in assistant.profile.tune.held_out for h in trace.hits):
        return "feedback on a held-out document"
    if not assistant.reads(language(trace.question)):
        return "language that the base does not read"
    hits = shown_hits(assistant, trace)
    chosen = correction if correction.startswith(REFUSAL[language(trace.question)]) else with_markers(correction, hits)
    if not hits or not chosen:
        return "a correction that the passages shown do not support"
    if chosen.strip() == trace.raw.strip():
        return "a correction that says what the model said"
    return _pair(f"feedback:{trace.id}", "feedback", [h.chunk.id for h in hits], trace.prompt, chosen, trace.raw.strip())


def with_markers(text: str, hits: Sequence[Hit]) -> str:
    """Each sentence of `text` with the number of the passage that supports it; nothing if one has none."""
    said = []
    for sentence in complete_sentences(iter([text])):
        words, found = cited(re.sub(r"[\[【]\s*\d+\s*[\]】]", "", sentence), hits, lambda token: 1.0)
        if not found:
            return ""
        said.append(f"{words} [{hits.index(found[0][0].hit) + 1}]")
    return " ".join(said)


def mistake_pairs(taught: Sequence[Taught], most: int, seed: int) -> list[PreferencePair]:
    """Each example's answer preferred to one deliberate mistake: kinds take turns, those that do not apply are passed over."""
    made: list[PreferencePair] = []
    turn = 0
    for row in taught:
        if len(made) == most:
            break
        rng = chance(seed, f"{row.example.id}:mistake")
        said = row.example.completion[0]["content"]
        if not row.example.answerable:
            wrong = f"{row.fact.answer} [{rng.randrange(len(row.hits)) + 1}]"
            made.append(_mistake(row, "answered what the passages do not", said, wrong))
            continue
        for _ in MISTAKES:
            name, make = MISTAKES[turn % len(MISTAKES)]
            turn += 1
            if wrong := make(row, rng):
                made.append(_mistake(row, name, said, wrong))
                break
    return made


def wrong_marker(row: Taught, rng: Chance) -> str:
    others = [n for n, hit in enumerate(row.hits, 1) if hit.chunk.id != row.fact.chunk.id]
    return f"{row.fact.answer} [{rng.choice(others)}]" if others else ""


def changed_number(row: Taught, rng: Chance) -> str:
    """The answer with one figure altered, if no passage happens to say that."""
    answer = row.fact.answer
    places = digits(answer)
    if not places:
        return ""
    start, end = rng.choice(places)
    wrong = f"{answer[:start]}{int(answer[start:end]) + rng.choice((1, 2, 5, 10))}{answer[end:]}"
    best = best_span(wrong, row.hits)
    if best and best[1].support == "supported":
        return ""
    return wrong + row.example.completion[0]["content"].removeprefix(row.fact.answer)


def no_marker(row: Taught, rng: Chance) -> str:
    return row.fact.answer


def over_refusal(row: Taught, rng: Chance) -> str:
    return REFUSAL[language(row.fact.question)]


MISTAKES: tuple[tuple[str, Callable[[Taught, Chance], str]], ...] = (
    ("cited another passage", wrong_marker),
    ("changed a figure", changed_number),
    ("cited nothing", no_marker),
    ("refused what the passages answer", over_refusal),
)


def _mistake(row: Taught, name: str, chosen: str, rejected: str) -> PreferencePair:
    return _pair(f"{row.example.id}:{name}", name, row.example.shown, row.example.prompt, chosen, rejected)


def _pair(pair_id: str, source: str, shown: list[str], prompt: Messages, chosen: str, rejected: str) -> PreferencePair:
    answers = [[{"role": "assistant", "content": text}] for text in (chosen, rejected)]
    return PreferencePair(id=pair_id, source=source, shown=shown, prompt=prompt, chosen=answers[0], rejected=answers[1])
