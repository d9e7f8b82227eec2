"""A slow stream leaves room to be stopped."""

import time
from collections.abc import Generator
from threading import Event

import pytest

from ui.waiting import with_pauses


def test_pauses_stand_between_slow_pieces() -> None:
    def slow() -> Generator[str]:
        yield "one"
        time.sleep(0.35)
        yield "two"

    got = list(with_pauses(slow(), 0.1))
    assert [piece for piece in got if piece] == ["one", "two"]
    assert 2 <= got.count(None) <= 4 and got[0] == "one" and got[-1] == "two"


def test_what_breaks_is_raised_where_it_is_read() -> None:
    def broken() -> Generator[str]:
        yield "one"
        raise ValueError("cut")

    pieces = with_pauses(broken(), 1)
    assert next(pieces) == "one"
    with pytest.raises(ValueError, match="cut"):
        next(pieces)


def test_leaving_early_closes_the_stream() -> None:
    closed = Event()
    go_on = Event()

    def endless() -> Generator[int]:
        try:
            n = 0
            while True:
                yield n
                n += 1
                go_on.wait(5)
        finally:
            closed.set()

    pieces = with_pauses(endless(), 1)
    assert next(pieces) == 0
    pieces.close()
    assert not closed.is_set(), "it is in the middle of waiting"
    go_on.set()
    assert closed.wait(5)
