"""Rows that files give become examples: cited where their own passages or the index prove them, else plain, as they are.

They are cleaned first: personal data out, what comes twice or nearly so once, no boilerplate, no language that the base does not read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from corpora import Profile, UserError
from ingest.language import language
from ingest.manifest import Manifest
from ingest.redact import redact
from ingest.schema import Chunk, Hit
from ingest.sentences import sentences
from ingest.tokens import fold, is_cjk, tokens
from serve.prompt import REFUSAL, Prompt
from tune.chance import Chance
from tune.formats import Given
from tune.gold import read_questions
from tune.maker import Maker, Taught, with_markers
from tune.near import Near
from tune.schema import Example
from tune.written import Unanswered

KIND = "given"
CITED = "given, cited"
BOILERPLATE = re.compile(
    r"\bas an? (?:AI|artificial intelligence)\b|\bI(?:'m| am) (?:sorry,? but|unable to)"
    r"|作为(?:一个|一名)?(?:AI|人工智能)|很抱歉，我(?:无法|不能)",
    re.I,
)
SHORTEST = 2  # words of an answer
LONG, LONG_ZH = 40, 12  # letters of a sentence that is somebody's own
KEY = 12  # letters by which it is looked up


def clean(rows: Iterable[Given], reads: Callable[[str], bool], dropped: Counter[str]) -> Iterator[Given]:
    """The rows that are worth teaching, without personal data; what is dropped is counted by its reason."""
    known = Near()
    for row in rows:
        reason = _unfit(row, reads)
        if reason:
            dropped[reason] += 1
            continue
        messages = [{**m, "content": redact(m["content"])[0]} for m in row.messages]
        answer = redact(row.answer)[0]
        if answer != row.answer or messages != row.messages:
            dropped["nothing, but personal data was taken out"] += 1
        if known.has(f"{messages[-1]['content']}\n{answer}"):
            dropped["said before, or nearly so"] += 1
            continue
        yield replace(row, messages=messages, answer=answer, references=tuple(redact(text)[0] for text in row.references))


def _unfit(row: Given, reads: Callable[[str], bool]) -> str:
    lang = language(row.answer)
    if not reads(lang) or not reads(language(row.question)):
        return "language that the base does not read"
    if lang != language(row.question) and not row.references:
        return "answer in another language than its question"
    if BOILERPLATE.search(row.answer):
        return "boilerplate"
    return "answer too short" if len(tokens(row.answer)) < SHORTEST else ""


def about(topic: str, rows: Iterable[Given]) -> list[Given]:
    """The rows in which every word of `topic` stands."""
    wanted = set(tokens(topic))
    if not wanted:
        raise UserError(f"{topic!r} holds no word that could be looked for.", "Name the topic: --filter TOPIC")
    return [row for row in rows if wanted <= set(tokens(f"{row.question} {row.answer}"))]


def refuse_held_out(rows: Sequence[Given], profile: Profile, manifest: Manifest, held: set[str]) -> None:
    """Raises `UserError` where a row holds a sentence that stands in held-out documents alone, or a held-out question."""
    if not rows:
        return
    asked = asked_held_out(profile)
    documents = {d["version"] for d in manifest.documents(profile.name)}
    secret = _sentences(manifest, held) - _sentences(manifest, documents - held)
    at: dict[str, list[str]] = {}
    for sentence in secret:
        at.setdefault(sentence[:KEY], []).append(sentence)
    leaks = []
    for row in rows:
        texts = [bare(text) for text in (*(m["content"] for m in row.messages), row.answer, *row.references)]
        if any(text in asked or _holds(text, at) for text in texts):
            leaks.append(row.place)
    if leaks:
        more = f" and {len(leaks) - 20} more" if len(leaks) > 20 else ""
        raise UserError(f"Held-out text would be taught: {', '.join(leaks[:20])}{more}.", "Take those out; the gate asks about them.")


def asked_held_out(profile: Profile) -> set[str]:
    """The held-out questions, bare; none where the corpus has no file of them."""
    return {bare(q.question) for q in read_questions(profile) if q.split == "heldout"} if profile.questions.is_file() else set()


def _sentences(manifest: Manifest, versions: Iterable[str]) -> set[str]:
    """The letters of each sentence that is long enough to be told from what everybody writes; a Chinese one says more in fewer."""
    found = set()
    for version in versions:
        text = manifest.text(version)
        for start, end in sentences(text):
            said = bare(text[start:end])
            if len(said) >= (LONG_ZH if any(map(is_cjk, said)) else LONG):
                found.add(said)
    return found


def _holds(text: str, at: dict[str, list[str]]) -> bool:
    return any(text.startswith(sentence, n) for n in range(len(text) - KEY + 1) for sentence in at.get(text[n : n + KEY], ()))


def bare(text: str) -> str:
    """Its letters and digits, folded, without case."""
    return "".join(c for c in fold(text).casefold() if c.isalnum())


def given_example(maker: Maker, row: Given, rng: Chance) -> Taught | str:
    """The example of a row, or why there is none."""
    if len(row.messages) == 1 and not row.finished:
        own = [Hit(n, 0.0, Chunk(f"given {row.place}", n, text, 0, len(text), None, ""), row.file)
               for n, text in enumerate(row.references)]  # fmt: skip
        asked = Unanswered(f"{row.place}", row.question, "")
        hits = _among(own, maker, row.question, rng)
        prompt = maker.render(asked, hits)
        proof = next((hit for hit in own if with_markers(row.answer, [hit])), None)
        while proof and proof not in prompt.hits and len(hits) > 1:  # whole distractors go, never the passage that answers
            hits.remove(next(hit for hit in reversed(hits) if hit is not proof))
            prompt = maker.render(asked, hits)
        is_refusal = bool(own) and bare(row.answer) == bare(REFUSAL[language(row.question)])  # its own passages do not answer
        if said := row.answer if is_refusal else with_markers(row.answer, prompt.hits):
            if maker.count(said) >= maker.profile.serve.max_tokens:
                return "answer too long"
            return Taught(_example(row, CITED, prompt, said), asked, prompt.hits)
    length = sum(maker.count(m["content"]) + 8 for m in row.messages) + maker.count(row.answer) + 8
    if length > maker.assistant.tier.prompt_budget:
        return f"{'finished document ' if row.finished else ''}too long for the prompt budget"
    return Taught(_example(row, KIND, Prompt(row.messages, []), row.answer), Unanswered(row.place, row.question, ""), [])


def _among(own: Sequence[Hit], maker: Maker, question: str, rng: Chance) -> list[Hit]:
    """A row's own passages at a chance place among those that the retriever finds; without any, the retriever's alone."""
    keep = maker.profile.serve.keep
    found = [h for h in maker.assistant.retrieve(question, keep + 4) if h.chunk.version not in maker.held][: max(keep - len(own), 0)]
    at = rng.randrange(len(found) + 1)
    return [*found[:at], *own, *found[at:]]


def _example(row: Given, kind: str, prompt: Prompt, said: str) -> Example:
    refused = said.startswith(tuple(REFUSAL.values()))
    return Example(id=row.place, kind=kind, answerable=not refused, document=row.file, chunk_id="",
                   shown=[h.chunk.id for h in prompt.hits if not h.chunk.version.startswith("given ")],
                   prompt=prompt.messages, completion=[{"role": "assistant", "content": said}])  # fmt: skip
