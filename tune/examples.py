"""Examples: facts of the index asked through serving's retriever and prompt, answered in one cited sentence or refused.

A held-out document never enters, neither as what answers nor as what distracts: a leak stops the run.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from corpora import UserError
from ingest.language import language
from ingest.manifest import Manifest
from ingest.schema import Hit
from serve.chain import Assistant
from serve.cite import Span, best_span, cited
from serve.prompt import REFUSAL, Count, Prompt, render_prompt
from serve.tokenizer import counter
from tune.chance import Chance, chance
from tune.facts import Fact, Source, facts_of
from tune.figures import figures
from tune.heldout import held_out_versions, refuse_leaks
from tune.schema import Example
from tune.talk import Talk

SILENT = 0.25  # share of examples whose answering chunk is left out, so that refusing is learnt too
SPARE = 8  # hits fetched beyond those shown: some are held out or say the same as the gold one


@dataclass(frozen=True, slots=True)
class Taught:
    """An example with what it was made from, for the preference pairs."""

    example: Example
    fact: Fact
    hits: list[Hit]


@dataclass(slots=True)
class Harvest:
    """What became of the facts: examples, and how many were dropped for which reason."""

    taught: list[Taught] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    held_out: list[str] = field(default_factory=list)


def make_examples(assistant: Assistant, rows: int, seed: int, talk: Talk) -> Harvest:
    """At most `rows` examples of a corpus; the same ones for the same index, profile and seed."""
    profile = assistant.profile
    manifest = assistant.searcher.manifest
    harvest = Harvest(held_out=list(profile.tune.held_out))
    held = held_out_versions(profile, manifest)
    known = {d["document"] for d in manifest.documents(profile.name)}
    if absent := [name for name in harvest.held_out if name not in known]:
        talk.say(f"Held out but not indexed: {', '.join(absent)}. If one goes by another name in the index, correct the profile.")
    facts = _readable(assistant, manifest, held, seed, harvest)
    if not facts:
        raise UserError(*_nothing_to_teach(assistant, harvest))
    maker = _Maker(assistant, held, counter(assistant.settings.models / assistant.tier.base.id))
    with talk.bar("Examples", min(rows, len(facts))) as advance:
        for fact in _mixed(facts, seed):
            if len(harvest.taught) == rows:
                break
            made = maker.make(fact, chance(seed, fact.id))
            if isinstance(made, str):
                harvest.dropped[made] += 1
            else:
                harvest.taught.append(made)
                advance(1, fact.document)
    refuse_leaks([row.example for row in harvest.taught], held)
    return harvest


class _Maker:
    """Makes the example of a fact as serving would ask it."""

    def __init__(self, assistant: Assistant, held: set[str], count: Count) -> None:
        self.assistant, self.held, self.count = assistant, held, count
        self.profile = assistant.profile
        self.budget = assistant.tier.prompt_budget - self.profile.serve.max_tokens

    def make(self, fact: Fact, rng: Chance) -> Taught | str:
        """The example, or why there is none."""
        keep = self.profile.serve.keep
        found = self.assistant.retrieve(fact.question, keep + SPARE)
        hits = [h for h in found if h.chunk.version not in self.held]
        gold = next((h for h in hits if h.chunk.id == fact.chunk.id), Hit(keep, 0.0, fact.chunk, fact.document))
        others = [h for h in hits if h.chunk.id != fact.chunk.id and not _answers(fact, h)]
        if rng.random() < SILENT:
            silent = [h for h in others if not _names_figure(fact, h)]
            prompt = self.render(fact, silent[:keep])
            return self._row(fact, prompt, REFUSAL[language(fact.question)], False) if prompt.hits else "no passage to show"
        others = others[: keep - 1]
        at = rng.randrange(len(others) + 1)
        prompt = self.render(fact, [*others[:at], gold, *others[at:]])
        while gold not in prompt.hits and others:  # whole distractors go, never the passage that answers
            others.pop()
            prompt = self.render(fact, [*others[:at], gold, *others[at:]])
        if gold not in prompt.hits:
            return "too long for the prompt budget"
        said = f"{fact.answer} [{prompt.hits.index(gold) + 1}]"
        if not proves(said, fact, prompt.hits):
            return "failed the citation check"
        if self.count(said) >= self.profile.serve.max_tokens:
            return "answer too long"
        return self._row(fact, prompt, said, True)

    def render(self, fact: Fact, hits: Sequence[Hit]) -> Prompt:
        return render_prompt(self.profile, fact.question, hits, self.count, self.budget)

    def _row(self, fact: Fact, prompt: Prompt, said: str, answerable: bool) -> Taught:
        example = Example(
            id=fact.id, kind=fact.kind, answerable=answerable, document=fact.document, chunk_id=fact.chunk.id,
            shown=[h.chunk.id for h in prompt.hits], prompt=prompt.messages,
            completion=[{"role": "assistant", "content": said}],
        )  # fmt: skip
        return Taught(example, fact, prompt.hits)


def proves(said: str, fact: Fact, hits: Sequence[Hit]) -> bool:
    """Would serving keep this sentence with the model's own marker, and quote the place that the fact comes from?"""
    _, found = cited(said, hits, _even)
    return any(by == "model" and span.hit.chunk.id == fact.chunk.id and _overlap(span, fact) for span, _, by in found)


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


def _readable(assistant: Assistant, manifest: Manifest, held: set[str], seed: int, harvest: Harvest) -> list[Fact]:
    """Facts of every document that may be taught and that the base reads."""
    facts: list[Fact] = []
    done: set[str] = set()
    for d in manifest.documents(assistant.profile.name):
        if d["version"] in held or d["version"] in done:
            continue
        done.add(d["version"])
        source = Source(d["document"], d["title"], d["lang"], d["suffix"])
        for fact in facts_of(source, manifest.chunks(d["version"]), seed):
            if assistant.reads(language(fact.question)):
                facts.append(fact)
            else:
                harvest.dropped["language that the base does not read"] += 1
    return facts


def _mixed(facts: list[Fact], seed: int) -> list[Fact]:
    """The facts in turn by kind and document, each in a seeded order, so that a part of them holds some of everything."""
    rng = chance(seed, "order")
    piles: dict[str, dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
    for fact in sorted(facts, key=lambda f: f.id):
        piles[fact.kind][fact.document].append(fact)
    turns: list[tuple[float, float, str, Fact]] = []
    for kind in piles.values():
        order = []
        for pile in kind.values():
            rng.shuffle(pile)
            order += [(i, rng.random(), fact) for i, fact in enumerate(pile)]
        for place, (_, tie, fact) in enumerate(sorted(order, key=lambda turn: turn[:2])):
            turns.append((place, tie, fact.id, fact))
    return [fact for *_, fact in sorted(turns, key=lambda turn: turn[:3])]


def _nothing_to_teach(assistant: Assistant, harvest: Harvest) -> tuple[str, str]:
    name, base = assistant.profile.name, assistant.tier.base
    if harvest.dropped:
        return (f"{base.id} reads {' and '.join(base.languages)} alone, and {name} has nothing to teach in it.",
                assistant.tier.larger)  # fmt: skip
    return f"Nothing to ask was found in {name}.", f"Add documents with tables, clauses or figures: ingest add {name} PATH"
