"""Lines of one paragraph made one: Chinese without a blank, a word cut at a line's end whole again."""

import re
from collections.abc import Collection, Iterable

SOFT = ("\x02", "\ufffe", "\xad")  # a hyphen at a line's end, as PDFium gives it, and Unicode's soft hyphen
# Chinese characters, kana, their punctuation and full-width forms: no blank stands between two of them.
CLOSED = re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef“”‘’—…·]")
HYPHENATED = re.compile(r"\w+-\w+")
LAST = re.compile(r"[^\W\d_]+$")
FIRST = re.compile(r"[^\W\d_]+")


def hyphenated(lines: Iterable[str]) -> set[str]:
    """The words that stand with a hyphen within a line: what tells `self-locking` from `hyphen-ated`."""
    return {word for line in lines if "-" in line for word in HYPHENATED.findall(line.lower())}


def join(lines: list[str], known: Collection[str] = ()) -> str:
    """One line of text; `known` are the words that the document writes with a hyphen."""
    text = ""
    for line in (x.strip() for x in lines):
        if not text or not line:
            text += line
        elif text.endswith(SOFT) or (text.endswith("-") and len(text) > 1 and text[-2].isalpha() and line[0].islower()):
            text = _mended(text[:-1], line, known)
        elif _touch(text[-1], line[0]):
            text += line
        else:
            text += " " + line
    return text[:-1] + "-" if text.endswith(SOFT) else text


def _touch(before: str, after: str) -> bool:
    if CLOSED.match(before):
        return after.isdigit() or bool(CLOSED.match(after))
    return before.isdigit() and bool(CLOSED.match(after)) and after not in "“‘—"


def _mended(text: str, line: str, known: Collection[str]) -> str:
    """A word cut by a hyphen: with the hyphen where the document writes it so elsewhere."""
    last, first = LAST.search(text), FIRST.match(line)
    if not last or not first or not line[0].islower():
        return f"{text}-{line}"
    if f"{last[0]}-{first[0]}".lower() in known:
        return f"{text}-{line}"
    return text + line
