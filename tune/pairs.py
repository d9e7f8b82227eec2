"""PreferencePairs: what people corrected, and deliberate mistakes against the answers of the examples."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ingest.language import language
from ingest.redact import redact
from ingest.settings import Settings
from ingest.tokens import tokens
from serve.chain import Assistant
from serve.cite import MARKER, best_span, markers, sentence_spans
from serve.feedback import pairs as corrections
from serve.journal import Journal
from serve.prompt import REFUSAL, Count
from serve.schema import Trace
from tune.chance import Chance, chance
from tune.facts import Fact
from tune.facts.wording import stopped
from tune.figures import digits
from tune.given import asked_held_out, bare
from tune.maker import Taught, with_markers
from tune.schema import Messages, PreferencePair
from tune.shown import shown_hits

UNITS = {
    "mm": "cm", "cm": "mm", "bar": "kPa", "kPa": "bar", "°C": "K", "L": "m³", "kg": "g", "g": "kg", "h": "min", "min": "h",
    "hours": "days", "days": "weeks", "weeks": "days", "months": "weeks", "years": "months", "minutes": "hours", "seconds": "minutes",
    "kW": "W", "N·m": "kN·m", "rpm": "Hz", "%": "‰", "£": "€", "小时": "天", "天": "周", "日": "周", "个月": "天", "年": "个月",
    "万元": "元", "毫米": "厘米",
}  # fmt: skip
UNIT = re.compile(rf"(?<=\d)\s?(?P<unit>{'|'.join(sorted(map(re.escape, UNITS), key=len, reverse=True))})(?![A-Za-z/·])")
TURNED = ((r"\bmust not\b", "must"), (r"\bmust\b(?! not)", "must not"), (r"\bmay not\b", "may"), (r"\bmay\b(?! not)", "may not"),
          (r"\bis not\b", "is"), (r"\bare not\b", "are"), (r"\bbefore\b", "after"), (r"\bafter\b", "before"), (r"\bNo, ", "Yes, "),
          (r"\bYes, ", "No, "), ("不得", "应当"), ("应当", "不必"), ("不超过", "不少于"), ("不低于", "不高于"))  # fmt: skip


def feedback_pairs(assistant: Assistant, held: set[str], dropped: Counter[str]) -> list[PreferencePair]:
    """Corrections preferred to what the model had said, where the passages that were shown support them.

    Markers are set anew: the page numbers citations by their order, the model by passage.
    """
    settings: Settings = assistant.settings
    if not (settings.root / "journal.sqlite3").is_file():
        return []
    journal = Journal(settings.root)
    try:
        found, secret = [], asked_held_out(assistant.profile)
        for row in corrections(assistant.profile.name, journal):
            trace = journal.trace(row["trace_id"])
            assert trace is not None  # the pair was made from it
            pair = _correction(assistant, trace, row["chosen"][0]["content"], held, secret)
            if isinstance(pair, str):
                dropped[pair] += 1
            else:
                found.append(pair)
        return found
    finally:
        journal.close()


def _correction(assistant: Assistant, trace: Trace, correction: str, held: set[str], secret: set[str]) -> PreferencePair | str:
    if bare(trace.question) in secret or bare(trace.standalone or "") in secret:
        return "feedback on a held-out question"
    if any(h["chunk_id"].rsplit(":", 1)[0] in held or h["document"] in assistant.profile.tune.held_out for h in trace.hits):
        return "feedback on a held-out document"
    if not assistant.reads(language(trace.question)):
        return "language that the base does not read"
    hits = shown_hits(assistant, trace)
    if len(assistant.searcher.manifest.live_chunks(assistant.profile.name, {h.chunk.id for h in hits})) < len(hits):
        return "feedback on passages that are removed, changed or redacted since"
    if assistant.profile.ingest.redact:
        correction = redact(correction)[0]
    chosen = correction if correction.startswith(REFUSAL[language(trace.question)]) else with_markers(correction, hits)
    if not hits or not chosen:
        return "a correction that the passages shown do not support"
    if chosen.strip() == trace.raw.strip():
        return "a correction that says what the model said"
    return _pair(f"feedback:{trace.id}", "feedback", [h.chunk.id for h in hits], trace.prompt, chosen, trace.raw.strip())


def mistake_pairs(taught: Sequence[Taught], most: int, seed: int, count: Count, longest: int) -> list[PreferencePair]:
    """Each example's answer preferred to one deliberate mistake: kinds take turns, those that do not apply are passed over.

    A mistake of more than `longest` tokens by `count` is none that the model could make.
    """
    made: list[PreferencePair] = []
    turn = 0
    for row in taught:
        if len(made) == most:
            break
        if not row.hits:
            continue  # asked without passages, so there is nothing to cite wrongly
        rng = chance(seed, f"{row.example.id}:mistake")
        if not row.example.answerable:
            if count(wrong := tempting(row, rng)) < longest:
                made.append(preferred(row, "answered what the passages do not", wrong))
            continue
        for _ in MISTAKES:
            name, make = MISTAKES[turn % len(MISTAKES)]
            turn += 1
            if (wrong := make(row, rng)) and count(wrong) < longest:
                made.append(preferred(row, name, wrong))
                break
    return made


def tempting(row: Taught, rng: Chance) -> str:
    """What one might answer where nothing answers: the fact that was left out, or the sentence shown that is most like the question."""
    if isinstance(row.asked, Fact):
        return f"{row.asked.answer} [{rng.randrange(len(row.hits)) + 1}]"
    asked = set(tokens(row.asked.question))
    shown = [(n, span.text) for n, hit in enumerate(row.hits, 1) for span in sentence_spans(hit)]
    n, text = max(shown, key=lambda pair: len(asked & set(tokens(pair[1]))), default=(1, row.hits[0].chunk.text))
    return f"{stopped(' '.join(text.split()), language(text))} [{n}]"


def wrong_marker(row: Taught, rng: Chance) -> str:
    right = set(markers(_said(row))[1])
    others = [n for n in range(1, len(row.hits) + 1) if n not in right]
    return MARKER.sub(lambda m: f" [{rng.choice(others)}]", _said(row)) if others else ""


def changed_number(row: Taught, rng: Chance) -> str:
    """The answer with one figure altered, if no passage happens to say that."""
    said = _said(row)
    places = digits(MARKER.sub(lambda m: " " * len(m[0]), said))  # a marker is no figure of the answer
    if not places:
        return ""
    start, end = rng.choice(places)
    wrong = f"{said[:start]}{int(said[start:end]) + rng.choice((1, 2, 5, 10))}{said[end:]}"
    best = best_span(MARKER.sub("", wrong), row.hits)
    return "" if best and best[1].support == "supported" else wrong


def changed_unit(row: Taught, rng: Chance) -> str:
    """The answer with the unit of a figure altered."""
    said = _said(row)
    found = [(m, UNITS[m["unit"]]) for m in UNIT.finditer(said)]
    if not found:
        return ""
    match, other = rng.choice(found)
    return f"{said[: match.start('unit')]}{other}{said[match.end('unit') :]}"


def contradicted(row: Taught, rng: Chance) -> str:
    """The answer with a must, may or is turned round, cited as if the passage said so."""
    said = _said(row)
    found = [(m, turned) for word, turned in TURNED for m in re.finditer(word, said)]
    if not found:
        return ""
    match, turned = rng.choice(found)
    return f"{said[: match.start()]}{turned}{said[match.end() :]}"


def no_marker(row: Taught, rng: Chance) -> str:
    return MARKER.sub("", _said(row))


def over_refusal(row: Taught, rng: Chance) -> str:
    return REFUSAL[language(row.asked.question)]


def _said(row: Taught) -> str:
    return row.example.completion[0]["content"]


MISTAKES: tuple[tuple[str, Callable[[Taught, Chance], str]], ...] = (
    ("cited another passage", wrong_marker),
    ("changed a figure", changed_number),
    ("changed a unit", changed_unit),
    ("said the opposite", contradicted),
    ("cited nothing", no_marker),
    ("refused what the passages answer", over_refusal),
)


def preferred(row: Taught, mistake: str, rejected: str) -> PreferencePair:
    """The row's answer preferred to a mistaken one."""
    pair = _pair(f"{row.example.id}:{mistake}", mistake, row.example.shown, row.example.prompt, _said(row), rejected)
    return pair.model_copy(update={"chunk_id": row.example.chunk_id})


def _pair(pair_id: str, source: str, shown: list[str], prompt: Messages, chosen: str, rejected: str) -> PreferencePair:
    answers = [[{"role": "assistant", "content": text}] for text in (chosen, rejected)]
    return PreferencePair(id=pair_id, source=source, shown=shown, prompt=prompt, chosen=answers[0], rejected=answers[1])
