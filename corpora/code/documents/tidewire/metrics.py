"""Counters and histograms in process memory, printable as plain text."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LATENCY_BUCKETS_S: tuple[float, ...] = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 45.0)
MAX_SERIES = 2000

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Counts of observations at or below each bound, plus their sum."""

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BUCKETS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one observation to the first bucket whose bound it does not exceed."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value

    def quantile(self, share: float) -> float:
        """Upper bound of the bucket in which the given share of observations is reached."""
        goal = share * sum(self.counts)
        seen = 0
        for bound, count in zip(self.bounds, self.counts):
            seen += count
            if count and seen >= goal:
                return bound
        return float("inf") if self.counts[-1] else 0.0


class Metrics:
    """Registry of series; a label set beyond the limit is folded into ``other``."""

    def __init__(self, service: str = "unnamed") -> None:
        self.service = service
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, Labels], int] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}

    def _key(self, name: str, labels: dict[str, str]) -> tuple[str, Labels]:
        key = (name, tuple(sorted(labels.items())))
        known = key in self._counters or key in self._histograms
        if not known and len(self._counters) + len(self._histograms) >= MAX_SERIES:
            return (name, (("overflow", "other"),))
        return key

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Raise a counter; label values must come from a small fixed set."""
        with self._lock:
            key = self._key(name, labels)
            self._counters[key] = self._counters.get(key, 0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Record a duration in seconds."""
        with self._lock:
            self._histograms.setdefault(self._key(name, labels), Histogram()).observe(value)

    @contextmanager
    def timer(self, name: str, **labels: str) -> Iterator[None]:
        """Time a block, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.observe(name, time.perf_counter() - start, **labels)

    def value(self, name: str, **labels: str) -> int:
        """Present value of a counter; 0 if it was never raised."""
        return self._counters.get((name, tuple(sorted(labels.items()))), 0)

    def render(self) -> str:
        """One line per series, sorted, for a scrape endpoint or a debug print."""
        with self._lock:
            lines = [f"{_series(*key)} {value}" for key, value in self._counters.items()]
            for (name, labels), histogram in self._histograms.items():
                lines.append(f"{_series(name + '_count', labels)} {sum(histogram.counts)}")
                lines.append(f"{_series(name + '_p95', labels)} {histogram.quantile(0.95):g}")
        return "\n".join([f"# service {self.service}", *sorted(lines)])


def _series(name: str, labels: Labels) -> str:
    inner = ",".join(f'{key}="{value}"' for key, value in labels)
    return f"tidewire_{name}{{{inner}}}" if inner else f"tidewire_{name}"
