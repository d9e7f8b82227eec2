"""Proximity: words that follow each other in the question count where they stand near each other, and not in code."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.proximity import WINDOW, proximity, sequence


def near(question: str, **texts: str) -> dict[str, float]:
    return proximity(question, texts, lambda word: 1.0)


def test_neighbours_count_most_and_far_words_nothing() -> None:
    between = " and so on it goes for many more words of other things"
    found = near("oil pump", beside="The oil pump runs.", close="Oil for the pump.", far=f"Oil{between} pump.", none="The fan runs.")
    assert found["beside"] == 1 > found["close"] > found["far"] == found["none"] == 0


def test_the_order_of_the_two_does_not_matter_and_stop_words_do_not_count() -> None:
    assert near("How tight is the bolt of a flange?", a="Flange bolt: tight") == near("tight bolt flange", a="Flange bolt: tight")


def test_chinese_is_read_by_the_character() -> None:
    found = near("押金退还", beside="押金退还期限", apart="退租后押金另行结算，具体办法由双方在合同中另行约定，七日内退还")
    assert found["beside"] == 1 > found["apart"] > 0


def test_code_has_no_order_of_words() -> None:
    assert near("read file", code="def read_file(name):\n    pass", prose="Read file names.").keys() == {"prose"}


@given(st.text("ab 中文.", max_size=40), st.text("ab 中文.", max_size=80))
def test_it_lies_between_nothing_and_one(question: str, text: str) -> None:
    assert all(0 <= share <= 1 for share in near(question, text=text).values())
    assert near("a b", text="a " + "c " * WINDOW + "b").get("text", 0.0) == 0


def test_a_sequence_keeps_repeats() -> None:
    assert sequence("Bolts, bolts: 螺栓") == ["bolt", "bolt", "螺", "栓"]
