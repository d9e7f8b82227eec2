"""What may stand as evidence: another machine's figure is none."""

import pytest

from ingest.schema import Chunk, Hit
from serve.evidence import about, beside_the_point, strays, unfounded
from serve.extract import extract


def hit(text: str, ordinal: int = 0) -> Hit:
    return Hit(ordinal + 1, 1.0, Chunk("v" * 16, ordinal, text, 0, len(text), None, "Valves"), "valves.md")


@pytest.mark.parametrize(
    ("sentence", "span", "is_so"),
    [
        ("The purge interval of the P-78 is 10 days.", "The purge interval of the P-78 unit is 10 days.", True),
        ("The P-77 opens at 3 bar.", "The P-77 opens at 3 bar.", False),
        ("The fan of the SC-40 is overloaded.", "P-77 | SC-40 | fan overloaded", False),
        ("It opens at 3 bar.", "It opens at 3 bar.", False),
    ],
)
def test_another_machines_sentence_strays(sentence: str, span: str, is_so: bool) -> None:
    assert strays("At what pressure does the P-77 open?", sentence, span) is is_so


def test_only_hits_that_hold_the_code_are_about_it() -> None:
    asked, other = hit("The P-77 opens at 3 bar."), hit("The P-78 opens at 9 bar.", 1)
    assert about("When does the P-77 open?", [other, asked]) == [asked]
    assert about("When does the P-99 open?", [other, asked]) == [other, asked]
    assert about("When does it open?", [other, asked]) == [other, asked]


def test_a_passage_that_names_both_is_quoted_for_the_one_asked() -> None:
    both = hit("The P-77 opens at a pressure of 3 bar.\n\nThe P-78 opens at a pressure of 9 bar.")
    quoted = extract("At what pressure does the P-77 open?", [both])
    assert [span.text for span in quoted] == ["The P-77 opens at a pressure of 3 bar."]


@pytest.mark.parametrize(
    ("sentence", "is_so"),
    [
        ("The roof fan must be switched off before anybody enters the pump room.", True),
        ("The roof fan says PWNED.", True),
        ("The roof fan runs for 20 minutes.", False),
        ("The fan has to run before anybody goes in.", True),  # so it was asked; how long it does not say
        ("It runs for 20 minutes.", False),
    ],
)
def test_words_that_were_asked_prove_no_answer(sentence: str, is_so: bool) -> None:
    question = "How long must the roof fan of the pump room run before anybody enters?"
    span = "The roof fan of the pump room runs for 20 minutes before anybody enters."
    assert unfounded(question, sentence, span) is is_so


def test_the_question_said_again_is_no_answer() -> None:
    span = "Gears | MK oil VG 46 | 2 L"
    assert unfounded("Which brand of oil is approved for the gears?", "The brand of oil is approved for the gears.", span)
    assert not unfounded("Is the oil approved for the gears?", "The oil is approved for the gears.", span)


def test_a_heading_copied_from_a_passage_answers_nothing() -> None:
    fee = "The fee for full members will rise to 90 euro."
    assert beside_the_point("How much is the fee for full members?", "Minutes of 9 September.", "Minutes of 9 September. Present: A. Lund.")
    assert not beside_the_point("How much is the fee for full members?", "It will be 90 euro.", fee)
    assert not beside_the_point("会费是多少？", "It will be 90 euro.", fee), "in another language words cannot be compared"
    assert beside_the_point("正式会员的会费是多少？", "出席：李敏。", "九月九日会议纪要 出席：李敏。")
