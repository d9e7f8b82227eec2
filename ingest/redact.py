"""Personal data replaced by what it was: 张三，13800138000 becomes [姓名]，[电话]. Found and counted by kind, never kept."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ingest.identifiers import Span, identifiers
from ingest.language import language
from ingest.persons import Names, cells, lone_surnames, names_in, names_in_row
from ingest.schema import Block, Document

PLACEHOLDERS = {
    "phone": {"en": "[phone]", "zh": "[电话]"},
    "e-mail": {"en": "[e-mail]", "zh": "[邮箱]"},
    "ID number": {"en": "[ID number]", "zh": "[身份证号]"},
    "passport": {"en": "[passport number]", "zh": "[护照号]"},
    "bank account": {"en": "[bank account]", "zh": "[银行账号]"},
    "licence plate": {"en": "[licence plate]", "zh": "[车牌号]"},
    "name": {"en": "[name]", "zh": "[姓名]"},
}
# Full-width characters, and blanks and dashes of every kind, one for one: offsets stay
HALF_WIDTH = {c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)} | dict.fromkeys(
    map(ord, "\u3000\xa0\u2007\u202f\u2009"), " "
)
HALF_WIDTH |= dict.fromkeys(map(ord, "‐‑‒–—−－\xad\u200b\u200c\u200d\u2060\ufeff"), "-") | {ord("【"): "[", ord("】"): "]"}
PATH = 120  # characters of a heading that a block's path keeps


def redact(text: str, names: Iterable[str] = (), lang: str = "") -> tuple[str, Counter[str]]:
    """`text` with personal data replaced, and how much of each kind there was; `names` are people known from elsewhere.

    What comes out comes out again unchanged. Placeholders are in `lang`, or the language of the text.
    """
    lang = lang or language(text)
    known = Names({*names, *names_in(text.translate(HALF_WIDTH))})
    return _replaced(text, known, lang)


def redacted(document: Document) -> Document:
    """The document without personal data, offsets and all; a name that one block tells goes from every other too."""
    texts = [document.text[b.start : b.end] for b in document.blocks]
    known = Names(_names(document, texts))
    found: Counter[str] = Counter()
    pieces: list[str] = []
    blocks: list[Block] = []
    headings: dict[str, str] = {}  # a path may hold a heading cut short, within a number too
    at = end = 0

    def clear(part: str) -> str:
        return _replaced(part, known, document.lang)[0]

    for block, text in zip(document.blocks, texts, strict=True):
        cleared, counted = _replaced(text, known, document.lang, block.header)
        found += counted
        if block.kind == "heading":
            headings[text[:PATH]] = cleared[:PATH]
        gap = document.text[end : block.start]
        at, end = at + len(gap), block.end
        path = tuple(headings[p] if p in headings else clear(p) for p in block.path)
        blocks.append(replace(block, start=at, end=at + len(cleared), path=path, header=clear(block.header)))
        at += len(cleared)
        pieces += gap, cleared
    apart = document.title.replace("_", " ")  # as a file's name may have it: Li_Si_13800138000
    title = document.title if clear(apart) == apart else clear(apart)
    return replace(document, title=title, text="".join(pieces), blocks=tuple(blocks), redacted=dict(found))


def _names(document: Document, texts: list[str]) -> set[str]:
    names: set[str] = set()
    for block, text in zip(document.blocks, texts, strict=True):
        half = text.translate(HALF_WIDTH)
        names |= names_in(half)
        if block.header:
            names |= names_in_row(block.header.translate(HALF_WIDTH), half)
    return names


def _replaced(text: str, known: Names, lang: str, header: str = "") -> tuple[str, Counter[str]]:
    """Until nothing more is found: what is left beside a placeholder may be told by it. `header` is a table row's."""
    found: Counter[str] = Counter()
    header = header.translate(HALF_WIDTH)
    while spans := _apart(_spans(text.translate(HALF_WIDTH), known, header)):
        pieces: list[str] = []
        at = 0
        for start, end, kind in spans:
            pieces += text[at:start], PLACEHOLDERS[kind][lang]
            at = end
            found[kind] += 1
        text = "".join(pieces) + text[at:]
    return text, found


def _spans(text: str, known: Names, header: str) -> Iterator[Span]:
    yield from identifiers(text)
    yield from _in_cells(header, text)
    yield from ((start, end, "name") for start, end in known.find(text))
    yield from ((start, end, "name") for start, end in lone_surnames(text))


def _in_cells(header: str, row: str) -> Iterator[Span]:
    """What a cell holds by the word above it: 电话 | 8123456."""
    for column, cell, at in cells(header, row) if header else ():
        label = f"{column}: "
        for start, end, kind in identifiers(label + cell):
            if start >= len(label):
                yield at + start - len(label), at + end - len(label), kind


def _apart(spans: Iterable[Span]) -> list[Span]:
    """In order and without overlaps; of two that overlap the first found stays."""
    kept: list[Span] = []
    for span in spans:
        at = bisect(kept, span)
        if (at == 0 or kept[at - 1][1] <= span[0]) and (at == len(kept) or span[1] <= kept[at][0]):
            kept.insert(at, span)
    return kept
