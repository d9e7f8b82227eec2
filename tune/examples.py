"""Examples: what the index and people ask, through serving's retriever and prompt, answered in one cited sentence or refused.

A held-out document never enters, neither as what answers nor as what distracts: a leak stops the run.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from corpora import UserError
from ingest.language import language
from ingest.manifest import Manifest
from serve.chain import Assistant
from serve.tokenizer import counter
from tune.augment import augmented
from tune.chance import chance
from tune.facts import Fact, Source, facts_of
from tune.formats import Given
from tune.given import clean, given_example, refuse_held_out
from tune.heldout import held_out_versions, refuse_leaks
from tune.maker import Ask, Maker, Taught
from tune.renamed import renamed
from tune.talk import Advance, Talk
from tune.written import Unanswered, written_questions

# Share of examples that refuse. One wording of refusing outweighs any of many answers: with .2 a small model refused every other one.
REFUSED = 0.15
LEFT_OUT = 0.05  # of them at least, facts whose chunk is left out: passages that nearly answer are the hardest to refuse
COMPANY = 5  # questions asked of the same passages, where these answer as many: training computes what they share once


@dataclass(slots=True)
class Harvest:
    """What became of the questions: examples, and how many were dropped for which reason."""

    taught: list[Taught] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    held_out: list[str] = field(default_factory=list)


def make_examples(assistant: Assistant, rows: int, seed: int, talk: Talk, given: Sequence[Given] = (), augment: int = 0,
                  rename: int = 0) -> Harvest:  # fmt: skip
    """At most `rows` examples of a corpus, those that people wrote first, those of the `given` rows, `augment` in other words
    and `rename` under other names.

    The same ones for the same index, profile, files and seed.
    """
    profile = assistant.profile
    manifest = assistant.searcher.manifest
    harvest = Harvest(held_out=list(profile.tune.held_out))
    held = held_out_versions(profile, manifest)
    known = {d["document"] for d in manifest.documents(profile.name)}
    if absent := [name for name in harvest.held_out if name not in known]:
        talk.say(f"Held out but not indexed: {', '.join(absent)}. If one goes by another name in the index, correct the profile.")
    refuse_held_out(given, profile, manifest, held)
    asks = _balanced(_readable(assistant, manifest, held, seed, harvest), rows, harvest)
    if not given and not any(isinstance(ask, Fact) for ask in asks):
        raise UserError(*_nothing_to_teach(assistant, harvest))
    maker = Maker(assistant, held, counter(assistant.settings.models / assistant.tier.base.id))
    with talk.bar("Examples", min(rows, len(asks))) as advance:
        groups = list(_groups(maker, asks[:rows], seed, harvest, advance))
        for ask in asks[rows:]:  # in place of those that were dropped
            if sum(map(len, groups)) >= rows:
                break
            groups += _groups(maker, [ask], seed, harvest, advance)
    ours = list(groups)
    beside: tuple[str, ...] = ()
    cleaned = list(clean(given, assistant.reads, harvest.dropped))
    with talk.bar("Rows of files", len(cleaned)) as advance:
        for row in cleaned:
            made = given_example(maker, row, chance(seed, row.place))
            if isinstance(made, str):
                harvest.dropped[made] += 1
            elif row.references and row.references == beside and len(groups[-1]) < COMPANY:
                groups[-1].append(made)  # of the same passages
            else:
                groups.append([made])
                beside = row.references
            advance(1, "")
    if augment:
        groups += [[row] for row in augmented(maker, [row for group in groups for row in group], augment, seed, talk, harvest.dropped)]
    if rename:
        groups += list(renamed(maker, ours, rename, seed, talk, harvest.dropped))
    chance(seed, "groups").shuffle(groups)
    harvest.taught = [row for group in groups for row in group]
    refuse_leaks([row.example for row in harvest.taught], held)
    return harvest


def _groups(maker: Maker, asks: Sequence[Ask], seed: int, harvest: Harvest, advance: Advance) -> Iterator[list[Taught]]:
    """Each question with the passages found for it, and after it others that these passages answer too.

    Those to be refused come first: what is found for them is the hardest to refuse, and it answers others.
    """
    facts = [ask for ask in asks if isinstance(ask, Fact)]
    wanted = REFUSED * len(asks) - (len(asks) - len(facts))
    share = max(LEFT_OUT, wanted / max(len(facts), 1))
    silent = {fact.id for fact in facts if chance(seed, f"{fact.id}:silent").random() < share}
    waiting = {ask.id: ask for ask in sorted(asks, key=lambda ask: isinstance(ask, Fact) and ask.id not in silent)}
    at: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.id not in silent:
            at[fact.chunk.id].append(fact)
    while waiting:
        ask = waiting.pop(next(iter(waiting)))
        made = maker.make(ask, chance(seed, ask.id), ask.id in silent)
        if isinstance(made, str):
            harvest.dropped[made] += 1
            continue
        group = [made]
        for other in (fact for hit in made.hits for fact in at[hit.chunk.id] if fact.id in waiting):
            told = {row.asked.question for row in group}  # one question has one answer
            if len(group) < COMPANY and other.question not in told and (shared := maker.share(other, made.hits)):
                group.append(shared)
                del waiting[other.id]
        advance(len(group), ask.document)
        yield group


def _readable(assistant: Assistant, manifest: Manifest, held: set[str], seed: int, harvest: Harvest) -> list[Ask]:
    """What may be taught in languages that the base reads: what people wrote, then the facts of every document."""
    written = written_questions(assistant.profile, manifest, held)
    if written.lost:
        harvest.dropped["quote that is not in the index"] += written.lost
    facts: list[Fact] = []
    done: set[str] = set()
    for d in manifest.documents(assistant.profile.name):
        if d["version"] in held or d["version"] in done:
            continue
        done.add(d["version"])
        source = Source(d["document"], d["title"], d["lang"], d["suffix"])
        facts += facts_of(source, manifest.chunks(d["version"]), seed)
    asks: list[Ask] = [*_mixed([*written.facts, *written.unanswered], seed), *_mixed(facts, seed)]
    readable = [ask for ask in asks if assistant.reads(language(ask.question))]
    if unread := len(asks) - len(readable):
        harvest.dropped["language that the base does not read"] += unread
    return readable


def _balanced(asks: list[Ask], rows: int, harvest: Harvest) -> list[Ask]:
    """Without the questions that nothing answers beyond their share."""
    left = round((REFUSED - LEFT_OUT) * min(rows, len(asks)))
    kept = list[Ask]()
    for ask in asks:
        if isinstance(ask, Fact) or left > 0:
            kept.append(ask)
            left -= isinstance(ask, Unanswered)
    if beyond := len(asks) - len(kept):
        harvest.dropped["refusals beyond their share"] += beyond
    return kept


def _mixed(asks: Sequence[Ask], seed: int) -> list[Ask]:
    """In turn by kind and document, each in a seeded order, so that a part of them holds some of everything."""
    rng = chance(seed, "order")
    piles: dict[str, dict[str, list[Ask]]] = defaultdict(lambda: defaultdict(list))
    for ask in sorted(asks, key=lambda ask: ask.id):
        piles[ask.kind][ask.document].append(ask)
    turns: list[tuple[float, float, str, Ask]] = []
    for kind in piles.values():
        order = []
        for pile in kind.values():
            rng.shuffle(pile)
            order += [(i, rng.random(), ask) for i, ask in enumerate(pile)]
        for place, (_, tie, ask) in enumerate(sorted(order, key=lambda turn: turn[:2])):
            turns.append((place, tie, ask.id, ask))
    return [ask for *_, ask in sorted(turns, key=lambda turn: turn[:3])]


def _nothing_to_teach(assistant: Assistant, harvest: Harvest) -> tuple[str, str]:
    name, base = assistant.profile.name, assistant.tier.base
    if harvest.dropped:
        return (f"{base.id} reads {' and '.join(base.languages)} alone, and {name} has nothing to teach in it.",
                assistant.tier.larger)  # fmt: skip
    return f"Nothing to ask was found in {name}.", f"Add documents with tables, clauses or figures: ingest add {name} PATH"
