"""How a long command tells what it does and how far it is: a bar on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ingest import console

EVERY = 5.0  # seconds between two lines of one bar
Advance = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Talk:
    """`say` tells a line; `for_machine` keeps stdout free of everything but the result."""

    say: Callable[[str], None]
    for_machine: bool = False

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Advance]:
        """`advance(n, note)` moves it."""
        if sys.stderr.isatty() and not self.for_machine:
            with console.progress(what, total) as advance:
                yield advance
            return
        done, told = 0.0, time.monotonic()

        def tell(n: float, note: str = "") -> None:
            nonlocal done, told
            done += n
            if time.monotonic() - told > EVERY or done in (1, total):
                told = time.monotonic()
                self.say(f"{what} {done:.0f}/{total}  {note}")

        yield tell


def histogram(rows: Mapping[int, int]) -> Iterator[str]:
    """A line for each number of tokens from which on so many rows are."""
    most = max(rows.values())
    for low in sorted(rows):
        yield f"{low:>6} tokens and up  {'█' * max(1, round(40 * rows[low] / most))} {rows[low]}"
