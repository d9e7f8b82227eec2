"""General questions that have nothing to do with the documents: what an adapter forgot of what its base knew.

60 in English and 60 in Chinese, of facts, sums, language, instructions and logic, each with a short answer. A model of 135 million
parameters knows few of them; what counts is the difference.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from corpora import UserError
from corpora.profile import Language
from ingest.tokens import fold, is_cjk
from serve.generate import CutShort, ModelGone, generate
from tune.lines import read_lines
from tune.result import difference
from tune.talk import Talk

FILE = Path(__file__).with_name("general.jsonl")
LONGEST = 48  # tokens of an answer
AT_ONCE = 8


class General(BaseModel):
    """A line of general.jsonl."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    lang: Language
    kind: str
    question: str
    answer: str
    accept: list[str]  # other words for it


def general_questions(reads: Callable[[str], bool]) -> list[General]:
    """Those in languages that the base reads."""
    return [row for row in read_lines(FILE, General) if reads(row.lang)]


def knows(asked: General, said: str) -> bool:
    """Does the answer stand in what was said, as a word or figure of its own?"""
    return any(re.search(_whole(fold(word).lower()), fold(said).lower()) for word in (asked.answer, *asked.accept))


def _whole(word: str) -> str:
    """Chinese words have no blanks around them; others and figures are no part of longer ones."""
    before = "" if is_cjk(word[0]) else r"(?<![a-z0-9.])"
    after = "" if is_cjk(word[-1]) else r"(?![a-z0-9]|\.\d)"
    return f"{before}{re.escape(word)}{after}"


def forgotten(url: str, base: str, adapter: str, reads: Callable[[str], bool], talk: Talk) -> dict[str, Any]:
    """Shares of the questions that the base (`then`) and the adapter (`now`) answer, and their paired difference with its interval."""
    questions = general_questions(reads)
    right: dict[str, list[float]] = {base: [], adapter: []}
    for name, found in right.items():
        with talk.bar("general", len(questions)) as advance, ThreadPoolExecutor(AT_ONCE) as pool:
            said = pool.map(_said, repeat(url), repeat(name), [asked.question for asked in questions])
            for asked, words in zip(questions, said, strict=True):
                found.append(float(knows(asked, words)))
                advance(1, "questions")
    then, now = (right[name] for name in (base, adapter))
    return {"then": round(sum(then) / len(then), 4), "now": round(sum(now) / len(now), 4), "n": len(questions),
            **difference([b - a for a, b in zip(then, now, strict=True)])}  # fmt: skip


def _said(url: str, name: str, question: str) -> str:
    said = ""
    try:
        for piece in generate(url, name, [{"role": "user", "content": question}], LONGEST):
            said += piece if isinstance(piece, str) else ""
    except CutShort:
        pass
    except ModelGone as error:
        raise UserError(f"The model server went away while it was measured ({error}).",
                        "See its log: run/vllm.log in LECTERN_HOME") from None  # fmt: skip
    return said
