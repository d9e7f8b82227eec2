"""Renamed rows: the same question, passages and answer with other codes and other figures, so that a row teaches to read.

A model that is asked twice about one manual learns the manual by heart: it then answers from memory what was true when it was trained,
and refuses what it never saw. Facts belong into the index. So codes and figures are others here, the same ones wherever they stand in the
group of rows that share passages, and in the same order: what was above a limit still is. The citation check reads each row anew.
After Longpre et al. 2021, "Entity-Based Knowledge Conflicts in Question Answering".
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from ingest.schema import Hit
from tune.chance import Chance, chance
from tune.facts import CODE
from tune.maker import Maker, Taught, stands
from tune.names import Names
from tune.talk import Talk

RENAMED = "renamed"


def renamed(
    maker: Maker, groups: Sequence[Sequence[Taught]], most: int, seed: int, talk: Talk, dropped: Counter[str]
) -> Iterator[list[Taught]]:
    """At most `most` rows more: the groups in a seeded order, each once under other names before any is twice."""
    ours = [group for group in groups if not any(PurePath(hit.document).suffix in CODE for row in group for hit in row.hits)]
    order = list(range(len(ours)))
    chance(seed, RENAMED).shuffle(order)
    left = most
    turn = 0
    with talk.bar("Renamed", most) as advance:
        while left > 0:
            before = left
            for number in order:
                rng = chance(seed, f"{RENAMED}:{turn}:{ours[number][0].example.id}")
                made = _group(maker, ours[number][:left], turn, rng, dropped)
                left -= len(made)
                advance(len(made), "")
                if made:
                    yield made
                if not left:
                    return
            if left == before:
                return  # nothing here has a name or a figure
            turn += 1


def _group(maker: Maker, group: Sequence[Taught], turn: int, rng: Chance, dropped: Counter[str]) -> list[Taught]:
    hits = list({hit.chunk.id: hit for row in group for hit in row.hits}.values())
    names = Names([text for hit in hits for text in (hit.chunk.text, hit.chunk.context)] + [row.asked.question for row in group], rng)
    if not names.ok:
        dropped[f"{RENAMED}: nothing to rename, or figures that would contradict each other"] += len(group)
        return []
    others = {hit.chunk.id: _called(hit, names) for hit in hits}
    made = []
    for row in group:
        said = row.example.completion[0]["content"]
        if row.example.answerable and not names.knows(said):
            dropped[f"{RENAMED}: a figure that no passage has"] += 1
            continue
        asked = replace(row.asked, question=names(row.asked.question))
        shown = [others[hit.chunk.id] for hit in row.hits]
        prompt = maker.render(asked, shown)
        answer = names(said) if row.example.answerable else said
        if len(prompt.hits) < len(shown) or (row.example.answerable and not stands(answer, shown)):
            dropped[f"{RENAMED}: too long, or failed the citation check"] += 1
            continue
        example = row.example.model_copy(update={"id": f"{row.example.id}:{RENAMED}{turn or ''}", "augmented": RENAMED,
                                                 "prompt": prompt.messages,
                                                 "completion": [{"role": "assistant", "content": answer}]})  # fmt: skip
        made.append(Taught(example, asked, shown))
    return made


def _called(hit: Hit, names: Names) -> Hit:
    return replace(hit, chunk=replace(hit.chunk, text=names(hit.chunk.text), context=names(hit.chunk.context)))
