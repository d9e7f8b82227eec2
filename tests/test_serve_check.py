"""The citation check on the shipped documents' own sentences, on labelled pairs, and what it reads as a quantity."""

import random
import re

import pytest

from corpora import load_profile, profile_names
from ingest.readers import read, readable
from ingest.sentences import sentences
from serve.check import check
from serve.quantities import quantities
from tests.bench.citations import pairs, passes, score

DAY = 86400.0


@pytest.fixture(scope="module")
def shipped() -> list[str]:
    """Sentences of the shipped documents, those that claim something."""
    found = []
    for name in profile_names():
        for path in sorted(load_profile(name).sources[0].rglob("*")):
            if path.suffix in (".md", ".csv") and readable(path):
                text = read(path).text
                found += [text[start:end] for start, end in sentences(text)]
    chosen = random.Random(3).sample(found, 800)
    return [sentence for sentence in chosen if check(sentence, sentence).why != "no claim"]


def test_every_sentence_supports_itself(shipped: list[str]) -> None:
    assert len(shipped) > 700
    assert [s for s in shipped if check(s, s).support != "supported"] == []


def test_a_copy_with_another_figure_never_passes(shipped: list[str]) -> None:
    dice, changed = random.Random(5), 0
    for sentence in shipped:
        places = [m.start() for m in re.finditer(r"\d", sentence)]
        if not places:
            continue
        at = dice.choice(places)
        digit = dice.choice([d for d in "23456789" if d != sentence[at]])
        copy = sentence[:at] + digit + sentence[at + 1 :]
        if {(q.value, q.dimension) for q in quantities(copy)} <= {(q.value, q.dimension) for q in quantities(sentence)}:
            continue  # the figures merely changed places, or it is no figure but part of a name
        changed += 1
        assert check(copy, sentence).support != "supported", f"{copy!r} for {sentence!r}"
    assert changed > 200


@pytest.mark.parametrize(("lang", "least"), [("en", 0.8), ("zh", 0.85)])
def test_labelled_pairs(lang: str, least: float) -> None:
    rows = pairs("fit", lang)
    assert score([passes(row) for row in rows], [row["label"] == "supported" for row in rows])[2] >= least
    assert all(check(row["sentence"], row["span"], row["context"]).why for row in rows if not passes(row)), "a fall has a reason"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("within 30 days of receipt", [(30 * DAY, "time", "at most")]),
        ("三十日内", [(30 * DAY, "time", "at most")]),
        ("2 weeks", [(14 * DAY, "time", "")]),
        ("10 business days", [(10, "working day", "")]),
        ("不少于二年", [(24, "month", "at least")]),
        ("不超过半小时", [(1800, "time", "at most")]),
        ("no less than 5 hours", [(18000, "time", "at least")]),
        ("between 6 and 8 bar", [(600_000, "pressure", ""), (800_000, "pressure", "")]),
        ("120 N·m", [(120, "torque", "")]),
        ("120牛·米", [(120, "torque", "")]),
        ("up to €14,000", [(14000, "€", "at most")]),
        ("18.6万元", [(186000, "¥", "")]),
        ("万分之三", [(0.0003, "share", "")]),
        ("once per shift", [(1, "shift", "")]),
        ("每季度一次", [(3, "month", ""), (1, "", "")]),
        ("by 6 p.m.", [(18 * 60, "clock", "")]),
        ("18:00", [(18 * 60, "clock", "")]),
        ("on 5 November 2026", [(20261105, "date", "")]),
        ("2026年11月5日", [(20261105, "date", "")]),
        ("part SC-40, TW-1204, M10", []),
    ],
)
def test_quantities(text: str, expected: list[tuple[float, str, str]]) -> None:
    assert [(q.value, q.dimension, q.bound) for q in quantities(text)] == expected


@pytest.mark.parametrize(
    ("sentence", "span", "why"),
    [
        ("The pump is serviced every 6 months.", "Service the pump every 3 months.", "another figure"),
        ("The load on the hook is at most 5 t.", "The load on the hook is at least 5 t.", "another bound"),
        ("Fault F17 means low oil, fault F18 a blocked filter.", "F17: low oil. F19: blocked filter.", "another code"),
        ("连杆盖的单重为86千克。", "| 名称 | 单重（kg） |\n| 轴承座 | 86 |\n| 连杆盖 | 39 |", "a figure of something else"),
        ("乙方办公用房的水电费由甲方承担。", "公共区域的水电费由甲方承担，乙方办公用房的水电费由乙方承担。", "another party"),
        ("The tenant may keep the keys of the store.", "The tenant shall keep the keys of the store.", "a duty made a choice"),
        ("The valve must not be closed during the test.", "The valve must be closed during the test.", "negated"),
        ("Close the valve and call the plant manager.", "Close the valve.", "added"),
    ],
)
def test_a_fall_says_why(sentence: str, span: str, why: str) -> None:
    verdict = check(sentence, span)
    assert verdict.support != "supported" and verdict.why.startswith(why), verdict


@pytest.mark.parametrize("unit", ["a1", "(a)", "1,", "从1到", "from 1 to ", "A1-", "甲方", "no not ", "|", "一二三"])
def test_no_document_makes_the_check_hang(unit: str) -> None:
    sentence = "The valve is closed by the plant manager."
    for span in (unit * 500 + sentence, f"{unit * 500} {sentence}"):
        assert check(sentence, span).support in ("supported", "partly", "unsupported")
