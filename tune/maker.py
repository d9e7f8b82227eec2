"""Maker: a question becomes an example as serving would ask it, with the passages that the live retriever finds for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.language import language
from ingest.schema import Hit
from serve.chain import Assistant
from serve.cite import MARKER, Span, best_span, cited
from serve.prompt import REFUSAL, Count, Prompt, render_prompt
from serve.sentences import complete_sentences
from tune.chance import Chance
from tune.facts import Fact
from tune.facts.wording import stopped
from tune.figures import figures
from tune.schema import Example
from tune.written import KIND, Unanswered

SPARE = 8  # hits fetched beyond those shown: some are held out or say the same as the gold one
Ask = Fact | Unanswered


@dataclass(frozen=True, slots=True)
class Taught:
    """An example with what it was made from, for the preference pairs."""

    example: Example
    asked: Ask
    hits: list[Hit]


class Maker:
    """Makes the example of a question. Held-out chunks are neither asked for nor shown."""

    def __init__(self, assistant: Assistant, held: set[str], count: Count) -> None:
        self.assistant, self.held, self.count = assistant, held, count
        self.profile = assistant.profile
        self.budget = assistant.tier.prompt_budget - self.profile.serve.max_tokens

    def make(self, asked: Ask, rng: Chance, silent: bool = False) -> Taught | str:
        """The example, its passages found for it, or why there is none. `silent` leaves the chunk that answers out."""
        keep = self.profile.serve.keep
        found = self.assistant.retrieve(asked.question, keep + SPARE)
        hits = [h for h in found if h.chunk.version not in self.held]
        if isinstance(asked, Unanswered):
            return self._refused(asked, hits[:keep])
        others = [h for h in hits if h.chunk.id != asked.chunk.id and not _answers(asked, h)]
        if silent:
            return self._refused(asked, [h for h in others if not _names_figure(asked, h)][:keep])
        gold = next((h for h in hits if h.chunk.id == asked.chunk.id), None)
        # Where the retriever put it: the first passage is right more often than the last, in serving too, and a model may learn so.
        at = sum(h.rank < gold.rank for h in others) if gold else keep
        others = others[: keep - 1]
        at = min(at, len(others)) if at < keep else rng.randrange(len(others) + 1)
        gold = gold or Hit(keep, 0.0, asked.chunk, asked.document)
        prompt = self.render(asked, [*others[:at], gold, *others[at:]])
        while gold not in prompt.hits and others:  # whole distractors go, never the passage that answers
            others.pop()
            prompt = self.render(asked, [*others[:at], gold, *others[at:]])
        if gold not in prompt.hits:
            return "too long for the prompt budget"
        return self._answered(asked, prompt)

    def share(self, fact: Fact, hits: Sequence[Hit]) -> Taught | None:
        """The example of a fact asked of passages that were found for another question; None where they do not suit it."""
        if any(h.chunk.id != fact.chunk.id and _answers(fact, h) for h in hits):
            return None
        prompt = self.render(fact, hits)
        if len(prompt.hits) < len(hits):
            return None
        made = self._answered(fact, prompt)
        return made if isinstance(made, Taught) else None

    def render(self, asked: Ask, hits: Sequence[Hit]) -> Prompt:
        return render_prompt(self.profile, asked.question, hits, self.count, self.budget)

    def _answered(self, fact: Fact, prompt: Prompt) -> Taught | str:
        marker = next(n for n, hit in enumerate(prompt.hits, 1) if hit.chunk.id == fact.chunk.id)
        said = next((s for answer in _wordings(fact) if proves(s := marked(answer, marker), fact, prompt.hits)), None)
        if said is None:
            return "failed the citation check"
        if self.count(said) >= self.profile.serve.max_tokens:
            return "answer too long"
        return self._row(fact, prompt, said, True)

    def _refused(self, asked: Ask, hits: Sequence[Hit]) -> Taught | str:
        prompt = self.render(asked, hits)
        return self._row(asked, prompt, REFUSAL[language(asked.question)], False) if prompt.hits else "no passage to show"

    def _row(self, asked: Ask, prompt: Prompt, said: str, answerable: bool) -> Taught:
        example = Example(
            id=asked.id, kind=asked.kind, answerable=answerable, document=asked.document,
            chunk_id=asked.chunk.id if isinstance(asked, Fact) else "", shown=[h.chunk.id for h in prompt.hits],
            prompt=prompt.messages, completion=[{"role": "assistant", "content": said}],
        )  # fmt: skip
        return Taught(example, asked, prompt.hits)


def proves(said: str, fact: Fact, hits: Sequence[Hit]) -> bool:
    """Would serving keep each sentence with the model's own marker, and quote the place that the fact comes from?"""
    spans = []
    for sentence in complete_sentences(iter([said])):
        own = [span for span, _, by in cited(sentence, hits, _even)[1] if by == "model" and span.hit.chunk.id == fact.chunk.id]
        if not own:
            return False
        spans += own
    return any(_overlap(span, fact) for span in spans)


def stands(answer: str, hits: Sequence[Hit]) -> bool:
    """Does every sentence stand on a passage that it names itself, as serving's check has it?"""
    said = [sentence for sentence in complete_sentences(iter([answer])) if MARKER.sub("", sentence).strip()]
    return all(any(by == "model" for _, _, by in cited(sentence, hits, _even)[1]) for sentence in said)


def with_markers(text: str, hits: Sequence[Hit]) -> str:
    """Each sentence of `text` with the number of the passage that supports it; nothing if one has none."""
    said = []
    for sentence in complete_sentences(iter([text])):
        words, found = cited(MARKER.sub("", sentence), hits, _even)
        if not found:
            return ""
        said.append(f"{words} [{hits.index(found[0][0].hit) + 1}]")
    return " ".join(said)


def marked(answer: str, marker: int) -> str:
    """Each sentence with the number of its passage, as the prompt asks for it."""
    return " ".join(f"{sentence.strip()} [{marker}]" for sentence in complete_sentences(iter([answer])))


def _wordings(fact: Fact) -> Iterator[str]:
    """The answer, and where people wrote one in words that the check does not follow, the document's own sentence."""
    yield fact.answer
    if fact.kind == KIND and " | " not in fact.quote:
        yield stopped(" ".join(fact.quote.split()), language(fact.question))


def _answers(fact: Fact, hit: Hit) -> bool:
    """Does another chunk say the same, so that citing it would be right too, and refusing wrong?"""
    best = best_span(fact.answer, [hit], _even)
    return fact.quote in hit.chunk.text or bool(best and best[1].support == "supported")


def _names_figure(fact: Fact, hit: Hit) -> bool:
    """Does the chunk hold a figure of the answer, unit and all? It may say the same in other words."""
    measures = {(value, dimension) for value, dimension in figures(fact.answer) if dimension}
    return not measures.isdisjoint(figures(hit.chunk.text))


def _overlap(span: Span, fact: Fact) -> bool:
    return span.start < fact.end and fact.start < span.end


def _even(token: str) -> float:
    return 1.0
