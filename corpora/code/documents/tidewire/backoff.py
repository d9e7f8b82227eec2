"""When to try again, and how long to wait first."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .errors import RetryLater, TidewireError

MAX_REQUESTED_DELAY_S = 3600.0


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Exponential growth up to a cap, with jitter that only ever shortens a wait."""

    base_s: float = 0.5
    factor: float = 3.0
    cap_s: float = 90.0
    jitter: float = 0.2

    def ceiling(self, attempt: int) -> float:
        """Longest wait that may follow the given attempt, before jitter."""
        if attempt < 1:
            raise ValueError("attempts are counted from 1")
        try:
            raw = self.base_s * self.factor ** (attempt - 1)
        except OverflowError:
            return self.cap_s
        return min(self.cap_s, raw)

    def compute_delay(self, attempt: int, rng: random.Random | None = None) -> float:
        """Seconds to sleep between a failed attempt and the one that follows it.

        Jitter is taken off after the cap is applied, so the cap is a hard
        ceiling and two consumers that failed together still drift apart.
        """
        draw = (rng or random).random()
        return self.ceiling(attempt) * (1.0 - self.jitter * draw)

    def schedule(self, max_attempts: int) -> Iterator[float]:
        """Yield the un-jittered waits of a message that fails every time."""
        for attempt in range(1, max_attempts):
            yield self.ceiling(attempt)

    def shortest_span(self, max_attempts: int) -> float:
        """Least time that all retries together can take; compare it with a failover."""
        return sum(self.schedule(max_attempts)) * (1.0 - self.jitter)


def is_retryable(error: BaseException) -> bool:
    """Tell faults that may heal by themselves from those that never will.

    Our own exceptions carry the answer. A foreign exception that escapes a
    handler counts as retryable, except programming mistakes such as TypeError.
    """
    if isinstance(error, TidewireError):
        return error.retryable
    return not isinstance(error, (TypeError, AttributeError, NameError, AssertionError))


def should_retry(error: BaseException, attempt: int, max_attempts: int) -> bool:
    """True when the fault may heal and at least one attempt is left."""
    return attempt < max_attempts and is_retryable(error)


def requested_delay(error: BaseException) -> float | None:
    """Wait named by a RetryLater, clipped to one hour; None for other faults."""
    if isinstance(error, RetryLater):
        return max(0.0, min(error.delay_s, MAX_REQUESTED_DELAY_S))
    return None


class RetryBudget:
    """Stops a fleet from turning a short outage into a storm of resends.

    Within a sliding window the number of retries may not exceed ``ratio``
    times the first sends, but a handful (``floor``) is always allowed so that
    a quiet service can still recover.
    """

    def __init__(
        self,
        ratio: float = 0.1,
        floor: int = 5,
        window_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ratio = ratio
        self.floor = floor
        self.window_s = window_s
        self._clock = clock
        self._sends: deque[float] = deque()
        self._retries: deque[float] = deque()

    def _forget_old(self, now: float) -> None:
        edge = now - self.window_s
        for series in (self._sends, self._retries):
            while series and series[0] <= edge:
                series.popleft()

    def note_send(self) -> None:
        """Record a first send; retries are recorded by try_spend."""
        now = self._clock()
        self._forget_old(now)
        self._sends.append(now)

    def try_spend(self) -> bool:
        """Take one retry out of the budget; False when none is left."""
        now = self._clock()
        self._forget_old(now)
        allowed = max(self.floor, int(len(self._sends) * self.ratio))
        if len(self._retries) >= allowed:
            return False
        self._retries.append(now)
        return True
