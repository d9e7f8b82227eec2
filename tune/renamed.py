"""Renamed rows: the same question, passages and answer with other codes and other figures, so that a row teaches to read.

A model that is asked twice about one manual learns the manual by heart: it then answers from memory what was true when it was trained,
and refuses what it never saw. Facts belong into the index. So every code (SC-40, HP-E13, 40-9044) and every figure of two digits and
more is another one here, the same one wherever it stands in the group of rows that share passages. Codes and figures keep their order,
figures nearly their proportions: what was above a limit still is. The citation check reads each row anew.
After Longpre et al. 2021, "Entity-Based Knowledge Conflicts in Question Answering".
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import PurePath
from string import ascii_uppercase

from ingest.schema import Hit
from serve.cite import cited
from serve.sentences import complete_sentences
from serve.units import UNITS
from tune.chance import Chance, chance
from tune.facts import CODE
from tune.maker import Maker, Taught
from tune.talk import Talk

RENAMED = "renamed"
TRIES = 8  # of a factor that keeps the figures of a group in order
FACTOR = 1.15, 1.95  # what figures grow by: they never shrink, so that two that differ by one still differ
# What letters before a figure mean everywhere; all other codes are somebody's own.
STANDARD = frozenset("AC API CLP DC DIN DN EN IEC IP ISO NLGI PAO PN RAL USB VG".split())
UNIT = "|".join(sorted((re.escape(unit) for unit in UNITS if unit.isascii()), key=len, reverse=True))
RUN = r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
FIGURE = r"\d+(?:,\d{3})*(?:\.\d+)?"
TOKEN = re.compile(
    r"(?P<kept>\[\d+\]|\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?:\d\d|^\d+\.(?=\s))"  # markers, dates, times of day, steps of a list
    rf"|(?<![A-Za-z0-9])(?:(?P<measure>{FIGURE}(?=-?(?:[a-z]{{3,}}|(?i:{UNIT}))(?![A-Za-z0-9])))"  # 100-hour, 20mL
    rf"|(?:(?P<code>(?=[\d-]*[A-Za-z])(?=[A-Za-z-]*\d){RUN}|\d{{2,}}(?:-\d{{3,}})+)|(?P<figure>{FIGURE}))(?![A-Za-z0-9]))",
    re.M,
)
PART = re.compile(r"[A-Za-z]+|\d+")
YEAR = re.compile(r"(?:19|20)\d\d")


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


class Names:
    """What each code and figure of some texts is called instead. `ok` is False where figures would change their order."""

    def __init__(self, texts: Iterable[str], rng: Chance) -> None:
        letters, digits, values = set[str](), set[str](), set[float]()
        for text in texts:
            for m in TOKEN.finditer(text):
                if m["code"]:
                    for part in PART.findall(m["code"]):
                        (digits if part.isdigit() else letters).add(part.upper())
                elif figure := _figure(m, text):
                    values.add(_value(figure))
        self.letters = _new_letters(letters, rng)
        self.digits = _new_digits(digits, rng)
        self.values: dict[float, float] = {}
        self.ok = not values
        for _ in range(TRIES):
            if self.ok:
                break
            factor = rng.uniform(*FACTOR)
            self.values = {value: _grown(value, factor) for value in values}
            self.ok = _in_order(self.values)
        known = "|".join(sorted(map(re.escape, self.letters), key=len, reverse=True))
        # HP 200, where the passages say HP-200
        self.apart = re.compile(rf"(?<![A-Za-z0-9-])({known}) (\d\d+)(?![\d.,]*\d)", re.I) if known else None

    @property
    def any(self) -> bool:
        return bool(self.values or self.digits)

    def knows(self, text: str) -> bool:
        """Has it a name for everything in `text`? A figure that no passage has was computed from others."""
        return all(_value(figure) in self.values for m in TOKEN.finditer(text) if (figure := _figure(m, text)))

    def __call__(self, text: str) -> str:
        if self.apart:
            text = self.apart.sub(lambda m: f"{m[1]}-{m[2]}" if m[2] in self.digits else m[0], text)
        return TOKEN.sub(lambda m: self._name(m, text), text)

    def _name(self, m: re.Match[str], text: str) -> str:
        if figure := _figure(m, text):
            return m[0].replace(figure, _written(self.values.get(_value(figure), _value(figure)), figure), 1)
        return PART.sub(lambda part: self._part(part[0]), m[0]) if m["code"] else m[0]

    def _part(self, part: str) -> str:
        if part.isdigit():
            return self.digits.get(part, part)
        other = self.letters.get(part.upper(), part)
        return other.lower() if part == part.lower() else other


def _group(maker: Maker, group: Sequence[Taught], turn: int, rng: Chance, dropped: Counter[str]) -> list[Taught]:
    hits = list({hit.chunk.id: hit for row in group for hit in row.hits}.values())
    names = Names([text for hit in hits for text in (hit.chunk.text, hit.chunk.context)] + [row.asked.question for row in group], rng)
    if not names.any or not names.ok:
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
        if len(prompt.hits) < len(shown) or (row.example.answerable and not _stands(answer, shown)):
            dropped[f"{RENAMED}: too long, or failed the citation check"] += 1
            continue
        example = row.example.model_copy(update={"id": f"{row.example.id}:{RENAMED}{turn or ''}", "augmented": RENAMED,
                                                 "prompt": prompt.messages,
                                                 "completion": [{"role": "assistant", "content": answer}]})  # fmt: skip
        made.append(Taught(example, asked, shown))
    return made


def _called(hit: Hit, names: Names) -> Hit:
    return replace(hit, chunk=replace(hit.chunk, text=names(hit.chunk.text), context=names(hit.chunk.context)))


def _stands(answer: str, hits: Sequence[Hit]) -> bool:
    """Does every sentence stand on the passage that it names, as serving's check has it?"""
    said = complete_sentences(iter([answer]))
    return all(any(by == "model" for _, _, by in cited(sentence, hits, lambda token: 1.0)[1]) for sentence in said)


def _figure(m: re.Match[str], text: str) -> str:
    """The figure at `m` that is called otherwise; empty for a code, a year, a single digit."""
    figure = m["measure"] or m["figure"] or ""
    year = m["figure"] and YEAR.fullmatch(figure) and not _has_unit(text, m.end())
    return "" if len(figure) < 2 or year else figure


def _has_unit(text: str, end: int) -> bool:
    word = re.match(r"\s?([A-Za-z°%µ/·]+)", text[end:])
    return bool(word and word[1].lower() in UNITS)


def _value(figure: str) -> float:
    return float(figure.replace(",", ""))


def _grown(value: float, factor: float) -> float:
    """As many decimals as before, and of round figures as many zeros less one."""
    text = f"{value:.10g}"
    if "." in text:
        return round(value * factor, len(text.partition(".")[2]))
    zeros = len(text) - len(text.rstrip("0"))
    return float(round(value * factor, 1 - zeros if zeros else 0))


def _written(value: float, like: str) -> str:
    decimals = len(like.partition(".")[2])
    return f"{value:,.{decimals}f}" if "," in like or value < 1000 else f"{value:.{decimals}f}"


def _in_order(values: dict[float, float]) -> bool:
    """Whole figures among themselves, and decimals; no two become one."""
    return len({*values.values()}) == len(values) and all(values[one] < values[two] for whole in (True, False)
               for one, two in pairwise(sorted(v for v in values if v.is_integer() is whole)))  # fmt: skip


def _new_letters(runs: set[str], rng: Chance) -> dict[str, str]:
    """Of two letters and more, none that another has; what is a standard's stays, and single letters: M10, QS1's 1."""
    named = dict[str, str]()
    for run in sorted(runs):
        if len(run) == 1 or run in STANDARD:
            continue
        while (other := "".join(rng.choice(ascii_uppercase) for _ in run)) in runs | STANDARD or other in named.values():
            pass
        named[run] = other
    return named


def _new_digits(runs: set[str], rng: Chance) -> dict[str, str]:
    """As long as before, in the same order; single digits stay."""
    named = dict[str, str]()
    for length in sorted({len(run) for run in runs} - {1}):
        old = sorted(run for run in runs if len(run) == length)
        if 3 * len(old) > 10**length:
            continue
        new = sorted(rng.sample(range(10**length), len(old)))
        named |= {one: f"{two:0{length}d}" for one, two in zip(old, new, strict=True)}
    return named
