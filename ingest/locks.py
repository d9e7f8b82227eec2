"""Locks of what may have one holder at a time: flock on a file that names its holder's pid."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corpora import UserError


@contextmanager
def lock(path: Path, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold `path` while the body runs; wait up to `wait` seconds, then raise `UserError` naming the holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        until = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    file.seek(0)
                    pid = file.read().strip() or "unknown"
                    raise UserError(
                        f"{what} is in use by process {pid}.", "Wait for it to end, then try again."
                    ) from None
                time.sleep(0.1)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
