"""Answers from all of the documents, not from the best passages: every chunk is read, and what matches is quoted and counted.

"list all faults that stop the pump", "how many articles mention 罚款", "compare SC-40 and CP-80 mass", "总结一下考勤制度". What is read and
what matches is said in figures, so that nobody takes fifty lines for all of them. A line matches by its words, not by its meaning.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest.chunkers.context import CONTEXT
from ingest.named import KINDS, word_units
from ingest.readers import SOURCE
from ingest.schema import Chunk, Hit
from ingest.search import EVERYWHERE, Searcher
from ingest.sentences import sentences, strip_span
from ingest.tokens import exact_tokens, fold, heads, is_cjk, tokens
from ingest.where import Where
from serve.cite import Span
from serve.followup_slots import codes
from serve.instructions import blanked
from serve.intent import Intent, Unit, intent, terms
from serve.passage import columns

INTO = re.compile(r"(?:^|\b(?:in|of|from)\s+)(?:the|our|this|that|its)\s+|\b(?:in|of|from)\s+", re.I)
INTO_ZH = re.compile(r"里|中|内|的|一?共|总共|有|$")  # what stands before may be a document
SHEETS = frozenset("表册单簿")  # what people leave out of a name
FEWEST, FEWEST_ZH = 2, 3  # words or characters of a name's end that stand for it
MOST_CALLED = 3  # documents; what more of them are called is a kind
MOST = 50  # lines that are quoted; the rest is counted
READ = 20_000  # chunks that are read for one question: some seconds
FAULT = re.compile(r"\bfault|code|alarm|代码|故障|报警", re.I)  # in the header of a table of faults
UNITS = {
    "en": {"line": "line", "row": "row", "clause": "clause", "document": "document", "fault": "fault"},
    "zh": {"line": "处", "row": "行", "clause": "条", "document": "份文件", "fault": "项故障"},
}


@dataclass(slots=True)
class Survey:
    """What reading everything found: `said` in figures, then spans under a heading each; the heading may be empty."""

    lang: str
    notice: str  # which of the notices says how it was made
    said: str
    groups: list[tuple[str, list[Span]]] = field(default_factory=list)

    @property
    def hits(self) -> list[Hit]:
        return list({span.hit.chunk.id: span.hit for _, spans in self.groups for span in spans}.values())


@dataclass(frozen=True, slots=True)
class Read:
    """A document's chunks, or as many of them as there was room for."""

    document: str
    title: str
    chunks: list[Chunk]
    total: int


def survey(question: str, searcher: Searcher, corpus: str, where: Where = EVERYWHERE) -> Survey | None:
    """What all documents of `corpus`, or those that the question names, have on it; None where it asks for no survey, or nothing is found.

    A count of none is an answer. Raises `UserError` where `where` means no document.
    """
    if searcher.manifest.corpus_id(corpus) is None:
        return None
    meant = intent(question, lambda text: bool(_named(text, searcher, corpus)))
    if meant is None:
        return None
    if meant.kind == "compare":
        return _compare(meant, searcher, corpus, where)
    named = _named(meant.where or meant.what, searcher, corpus)
    documents = list(_read(searcher, corpus, named, where))
    if where and not any(d.chunks for d in documents):
        return None  # what is not looked into cannot have none
    if meant.kind == "summary":
        return _summary(meant, documents) if len(documents) == 1 and _is_whole(meant.what, documents[0]) else None
    wanted = _wanted(meant.what, documents if named else [])
    if not wanted and not (named and meant.unit in ("fault", "clause", "row")):
        return None
    if meant.unit == "clause" and not any(_clause(chunk) for d in documents for chunk in d.chunks):
        if not named or meant.lang == "en":
            return None  # where there are no clauses, none of them having it says nothing
        meant = replace(meant, unit="row")  # 有多少条, asked of a table
    units = list(_units(documents, wanted, meant))
    if not units and (meant.kind == "list" or not meant.literal):
        return None  # other words may say it; the best passages are looked at for them
    return Survey(meant.lang, "surveyed", _figures(meant, documents, wanted, len(units), bool(named)), [("", units[:MOST])])


def _named(text: str, searcher: Searcher, corpus: str) -> set[str]:
    """The documents that `text` names. A machine's code alone is none: it is looked for everywhere."""
    named = searcher.named(corpus, text) if not codes(text) or KINDS & set(tokens(text)) else set()
    return named or _called(text, searcher.manifest.documents(corpus))


def _called(text: str, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The documents that `text` looks into by the end of their name: in the parts list, 故障记录里 for 设备故障记录表."""
    places = [list(word_units(text[m.end() :])) for m in INTO.finditer(text)]
    places += [list(word_units(text[: m.start()])) for m in INTO_ZH.finditer(text)]
    found = set()
    for row in rows:
        for name in (row["title"], Path(row["document"]).stem):
            own = list(word_units(name))
            ends = [own, own[:-1]] if own and own[-1] in SHEETS else [own]
            if any(_ends_so(end, place) for end in ends for place in places):
                found.add(row["version"])
    return found if len(found) <= MOST_CALLED else set()


def _ends_so(name: Sequence[str], said: Sequence[str]) -> bool:
    """Do the first words of `said`, or in Chinese all of its characters, end `name`?"""
    if said and is_cjk(said[0]):
        return len(said) >= FEWEST_ZH and name[-len(said) :] == said
    return any(name[-size:] == said[:size] for size in range(FEWEST, len(said) + 1))


def _read(searcher: Searcher, corpus: str, versions: set[str], where: Where) -> Iterator[Read]:
    """Every live document's chunks in reading order, of `versions` alone where there are any; `READ` chunks at most."""
    room, within = READ, searcher.within(corpus, where)
    rows = {row["version"]: row for row in searcher.manifest.documents(corpus)}
    for row in (row for version, row in rows.items() if all(version in some for some in (versions, within) if some)):
        chunks = searcher.manifest.chunks(row["version"])[: max(room, 0)] if room > 0 else []
        chunks = [chunk for chunk in chunks if where.holds(chunk.context)]
        room -= len(chunks)
        yield Read(row["document"], row["title"], chunks, row["chunks"])


def _wanted(what: str, named: Sequence[Read]) -> list[str]:
    """The words that a line must have: those of the question but for the names of the documents that are read anyway."""
    titles = fold(" ".join(f"{d.title} {Path(d.document).stem}" for d in named)).casefold()
    called = set(tokens(titles))
    words = terms(what)
    left = [word for word in words if not (word.casefold() in titles or set(tokens(word)) <= called)]
    return left or (words if not named else [])


def _is_whole(what: str, document: Read) -> bool:
    """Does `what` name the document and nothing more? Of a part of it more is asked than each section's first sentence."""
    own = set(document.title)  # 考勤制度 for 考勤与加班管理制度
    return all(is_cjk(word[0]) and set(word) <= own for word in _wanted(what, [document]))


def _units(documents: Sequence[Read], wanted: Sequence[str], meant: Intent) -> Iterator[Span]:
    """For each line, row, clause or document that matches its first matching line, in reading order."""
    seen = set()
    for hit, line in _matching(documents, wanted, meant.unit, meant.literal):
        key = _key(hit.chunk, meant.unit)
        if key not in seen:
            if key is not None:
                seen.add(key)
            yield line


def _key(chunk: Chunk, unit: Unit) -> tuple[str, str] | None:
    """What lines of one clause, or of one document, have in common; None where each counts."""
    if unit == "document":
        return chunk.version, ""
    return (chunk.version, _clause(chunk)) if unit == "clause" else None


def _clause(chunk: Chunk) -> str:
    """The trail to the clause that a chunk is of; empty where it is of none."""
    parts = chunk.context.split(CONTEXT)
    numbered = [n for n, part in enumerate(parts) if n and heads(part)]
    return CONTEXT.join(parts[: numbered[-1] + 1]) if numbered else ""


def _matching(documents: Sequence[Read], wanted: Sequence[str], unit: Unit, literal: bool = False) -> Iterator[tuple[Hit, Span]]:
    """The lines that have every word: in themselves where `literal`, else in what stands above them too, but for one at least."""
    tests = [_test(word) for word in wanted]
    machines = all(map(exact_tokens, wanted))  # the faults of the CP-80 do not each say so
    for document in documents:
        for chunk in document.chunks:
            header = columns(chunk.context)
            if (unit in ("row", "fault") and not header) or (unit == "fault" and not FAULT.search(header)):
                continue
            if (unit == "clause" and not _clause(chunk)) or not _has(chunk.embedded, tests):
                continue
            about = chunk.context.rsplit(CONTEXT, 1)[-1] if header else ""  # what a table is of is said of its rows
            hit = Hit(0, 1.0, chunk, document.document)
            for line in _lines(hit):
                own = _seen(line.text if literal else f"{about}\n{line.text}")
                said = (all if literal or not tests else any)(test(own) for test in tests) or (unit == "fault" and machines)
                if said and _has(f"{chunk.context}\n{line.text}", tests):
                    yield hit, line


def _seen(text: str) -> tuple[str, set[str]]:
    """A text without white space and case, and its tokens."""
    return "".join(fold(text).casefold().split()), set(tokens(text))


def _test(word: str) -> Callable[[tuple[str, set[str]]], bool]:
    """Does a text have `word`: Chinese and quotes as they stand, other words by their stem, codes whole?"""
    solid = "".join(fold(word).casefold().split())
    if is_cjk(word[0]) or " " in word:
        return lambda seen: solid in seen[0]
    own = exact_tokens(word) or set(tokens(word))
    return lambda seen: own <= seen[1]


def _has(text: str, tests: Sequence[Callable[[tuple[str, set[str]]], bool]]) -> bool:
    seen = _seen(text)
    return all(test(seen) for test in tests)


def _lines(hit: Hit) -> list[Span]:
    """The quotable lines of a chunk: a table's row and source code whole, else sentences; no heading, no table's header, no instruction."""
    chunk = replace(hit.chunk, text=blanked(hit.chunk.text))
    hit, text = replace(hit, chunk=chunk), chunk.text
    if columns(chunk.context) or Path(hit.document).suffix in SOURCE:
        start, end = strip_span(text, 0, len(text))
        return [Span(hit, start, end)] if start < end else []
    context = set(tokens(chunk.context))
    return [Span(hit, a, b) for a, b in sentences(text) if " | " not in text[a:b] and not set(tokens(text[a:b])) <= context]


def _figures(meant: Intent, documents: Sequence[Read], wanted: Sequence[str], count: int, named: bool) -> str:
    """How much was read, of which documents where some are named, and how much of it matches."""
    unit, more = UNITS[meant.lang][meant.unit], max(count - MOST, 0)
    if meant.lang == "zh":
        has = "和".join(f"“{word}”" for word in wanted)
        matches = f"有{has}" if meant.literal else f"与{has}有关" if wanted else ""
        return f"{_share(meant, documents, named)}；{count}{unit}{matches}{f'，其中{more}{unit}没有列出' if more else ''}。"
    has = " and ".join(f"“{word}”" for word in wanted)
    verb = ("has" if count == 1 else "have") if meant.literal else "matches" if count == 1 else "match"
    matches = f" {verb} {has}" if wanted else ""
    return f"{_share(meant, documents, named)}; {_plural(count, unit)}{matches}{f', {more:,} of them not shown' if more else ''}."


def _share(meant: Intent, documents: Sequence[Read], named: bool = False) -> str:
    read, total = sum(len(d.chunks) for d in documents), sum(d.total for d in documents)
    names = [d.document for d in documents] if named else []
    if meant.lang == "zh":
        called = f"（{'、'.join(names)}）" if names else ""
        return f"{len(documents)}份文件{called}共{total}段，读了{read}段"
    called = f" ({', '.join(names)})" if names else ""
    return f"Read {read:,} of {_plural(total, 'chunk')} of {_plural(len(documents), 'document')}{called}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _compare(meant: Intent, searcher: Searcher, corpus: str, where: Where) -> Survey | None:
    """For each thing the lines that have what it is compared by, one thing below the other."""
    everything = list(_read(searcher, corpus, set(), where))
    by_code = bool(exact_tokens(" ".join(meant.things)))
    wanted = _wanted(meant.what, [])
    groups = []
    for thing in meant.things if wanted else ():
        named = set() if by_code else searcher.named(corpus, thing)
        documents = everything if by_code else [d for d in everything if d.chunks and d.chunks[0].version in named]
        lines = [line for _, line in _matching(documents, [*wanted, thing] if by_code else wanted, "line")]
        whole = [line for line in lines if _has(line.text, list(map(_test, wanted)))]
        groups.append((thing, whole or lines))
    if not any(lines for _, lines in groups):
        return None
    most = max(MOST // len(groups), 1)
    if meant.lang == "zh":
        counts = "，".join(f"{thing}有{len(lines)}处{f'（列出{most}处）' if len(lines) > most else ''}" for thing, lines in groups)
        said = f"{_share(meant, everything)}；{counts}。"
    else:
        counts = ", ".join(f"{thing} {len(lines)}{f' ({most} shown)' if len(lines) > most else ''}" for thing, lines in groups)
        said = f"{_share(meant, everything)}; lines that match: {counts}."
    return Survey(meant.lang, "surveyed", said, [(thing, lines[:most]) for thing, lines in groups])


def _summary(meant: Intent, documents: Sequence[Read]) -> Survey | None:
    """The leading sentence of each section, in reading order; of larger sections where there would be too many."""
    (document,) = documents
    leads: dict[tuple[str, ...], Span] = {}
    for depth in (9, 3, 2, 1):
        leads = {}
        for chunk in document.chunks:
            context = chunk.context.removesuffix(columns(chunk.context)).removesuffix(": ")
            trail = tuple(part for part in context.split(CONTEXT) if part != document.title)[:depth]
            lines = _lines(Hit(0, 1.0, chunk, document.document)) if trail not in leads and trail else []
            if lines:
                leads[trail] = lines[0]
        if len(leads) <= MOST:
            break
    if not leads:
        return None
    shown = list(leads.items())[:MOST]
    more = len(leads) - len(shown)
    if meant.lang == "zh":
        said = f"{_share(meant, documents)}；以下是{len(shown)}节各自的第一句{f'，另有{more}节没有列出' if more else ''}。"
    else:
        rest = f", {more:,} more not shown" if more else ""
        said = f"{_share(meant, documents)}; the first sentence of {_plural(len(shown), 'section')}{rest}."
    return Survey(meant.lang, "summed", said, [(trail[-1], [line]) for trail, line in shown])
