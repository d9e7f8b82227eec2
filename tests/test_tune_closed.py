"""Closed answers: which questions have one, which class an answer chooses, and how well."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tune.closed import Choice, Closed, accuracy, closed_answers, macro_f1, yes_or_no

LABELS = st.sampled_from(["yes", "no", "late"])
CHOICES = st.lists(st.builds(Choice, st.just("values"), LABELS, LABELS | st.just("")), min_size=1)


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("No. It keeps its id and its trace.", "no"), ("Yes: replay ten messages.", "yes"), ("no", "no"), ("  Yes, normal.", "yes"),
        ("No more than 4 bar.", ""), ("No parts were needed.", ""), ("No. 5 is the drain valve.", ""), ("Nothing, it stays.", ""),
        ("Yesterday.", ""), ("The answer is no.", ""), ("", ""),
        ("可以。超过30面的附件可以单独成册。", "yes"), ("不能，由牵头科室当面催一次。", "no"), ("否", "no"),
        ("不少于10个工作日", ""), ("不低于系统总数的30%", ""), ("会计科。", ""), ("有效期为三年", ""),
    ],
)  # fmt: skip
def test_yes_or_no_is_how_an_answer_opens(answer: str, label: str) -> None:
    assert yes_or_no(answer) == label


def test_a_kind_is_measured_from_five_questions_on() -> None:
    no = ["No, it is not.", "Yes, it is.", "No.", "No; never."]
    assert closed_answers([*no, "60 kW", None]) == [None] * 6
    found = closed_answers([*no, "Yes.", "60 kW", None])
    assert [closed.label if closed else None for closed in found] == ["no", "yes", "no", "no", "yes", None, None]


def test_values_are_whole_answers_that_three_questions_share() -> None:
    answers = ["Critical.", "critical", "Critical", "Not critical.", "not critical", "not critical", "Minor", "Minor", "Yes."]
    found = closed_answers(answers)
    assert [closed.label if closed else "" for closed in found] == ["critical"] * 3 + ["not critical"] * 3 + [""] * 3
    assert found[0] and found[0].labels == ("critical", "not critical")
    assert closed_answers([f"value {n}" for n in range(9)] * 3) == [None] * 27, "nine values are no closed set"
    assert all(closed_answers([f"value {n}" for n in range(8)] * 3))


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("The fault is critical.", "critical"), ("It is NOT  critical. [1]", "not critical"), ("It is critical, or not critical.", ""),
        ("Hypercritical.", ""), ("It is green.", ""), ("属于甲类。", "甲类"), ("The documents do not answer this question.", ""),
    ],
)  # fmt: skip
def test_an_answer_chooses_the_one_value_that_it_names(said: str, label: str) -> None:
    assert Closed("values", "critical", ("critical", "not critical", "甲类")).said(said) == label


def test_a_rare_class_counts_as_much_as_a_common_one() -> None:
    choices = [*[Choice("yes_no", "no", "no")] * 8, Choice("yes_no", "yes", "no"), Choice("yes_no", "yes", "")]
    assert accuracy(choices) == 0.8
    assert macro_f1(choices) == round((2 * 8 / (8 + 9) + 0) / 2, 4)


@settings(deadline=None)
@given(CHOICES)
def test_both_figures_lie_between_0_and_1_and_are_1_for_the_gold_classes_alone(choices: list[Choice]) -> None:
    assert 0 <= macro_f1(choices) <= 1 and 0 <= accuracy(choices) <= 1
    right = all(c.gold == c.said for c in choices)
    assert (macro_f1(choices) == 1) == (accuracy(choices) == 1) == right
    assert macro_f1(choices[::-1]) == macro_f1(choices)
