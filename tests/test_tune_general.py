"""General questions: their answers are recognised as words of their own, and none gives itself away."""

import pytest

from tune.general import General, general_questions, knows


def asked(answer: str, *accept: str) -> General:
    return General(id="x", lang="en", kind="fact", question="?", answer=answer, accept=list(accept))


@pytest.mark.parametrize(
    ("answer", "said", "right"),
    [
        ("48", "It is 48.", True), ("48", "It is 148.", False), ("48", "It is 48.5.", False), ("48", "答案是48。", True),
        ("Paris", "PARIS, of course", True), ("Paris", "A parisian", False), ("木星", "是木星。", True), ("木星", "是土星。", False),
        ("spring", "It is springtime", False), ("12", "１２", True),
    ],
)  # fmt: skip
def test_an_answer_is_a_word_or_figure_of_its_own(answer: str, said: str, right: bool) -> None:
    assert knows(asked(answer), said) is right
    assert knows(asked("never said", answer), said) is right, "other words for it count too"


def test_every_question_is_answered_by_its_answer_and_not_by_itself() -> None:
    found = general_questions(lambda lang: True)
    assert len(found) == 120 and len({row.question for row in found}) == 120
    for row in found:
        assert knows(row, row.answer), row.id
        assert not knows(row, row.question), row.id
    assert len(general_questions(lambda lang: lang == "en")) == 60, "only what the base reads is asked"
