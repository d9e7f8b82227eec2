"""Waiting for a slow stream without holding the page still: Streamlit can be stopped only where it draws."""

from collections.abc import Generator
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")
END = object()


def with_pauses(pieces: Generator[T], seconds: float) -> Generator[T | None]:
    """The pieces as they come, and None whenever `seconds` have passed without one. What `pieces` raises is raised here.

    Who stops reading early leaves `pieces` to be closed after the next one, by the thread that waits for it.
    """
    arrived: SimpleQueue[Any] = SimpleQueue()
    left = Event()

    def fetch() -> None:
        try:
            for piece in pieces:
                if left.is_set():
                    break
                arrived.put(piece)
            arrived.put(END)
        except Exception as error:  # for whoever reads, in the thread that reads
            arrived.put(error)
        finally:
            pieces.close()

    Thread(target=fetch, daemon=True).start()
    try:
        while True:
            try:
                item = arrived.get(timeout=seconds)
            except Empty:
                yield None
                continue
            if item is END:
                return
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        left.set()
