"""What the three commands share: one place that prints errors, one progress bar, JSON on request."""

import errno
import json
import os
import sqlite3
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from threading import Timer
from typing import Any, NoReturn

from pydantic import ValidationError

from corpora import UserError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
PATIENCE, EVERY = 2.0, 5.0  # seconds until the first line of a wait, and between two of a progress, without a terminal
DONE, SOME_FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def run(parser: ArgumentParser, argv: Sequence[str] | None = None) -> int:
    """Parse, call `args.run(args)`, and return its exit code; a person's mistake becomes one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that this terminal cannot show is no reason to stop
    args: Namespace = parser.parse_args(argv)
    try:
        return int(args.run(args) or DONE)
    except UserError as error:
        print(f"{parser.prog}: {harmless(str(error))}", file=sys.stderr)
    except KeyboardInterrupt as stopped:
        kept = str(stopped) or "what was finished is kept. Run the same command to go on."
        print(f"\n{parser.prog}: interrupted; {kept}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        if error.errno not in (*DISK, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR):
            raise
        print(f"{parser.prog}: {disk_sentence(error)}", file=sys.stderr)
    except sqlite3.OperationalError as error:
        if not any(word in str(error) for word in ("full", "disk I/O", "readonly", "unable to open")):
            raise
        print(f"{parser.prog}: {disk_sentence(error)}", file=sys.stderr)
    except sqlite3.DatabaseError as error:
        if not any(word in str(error) for word in ("malformed", "not a database")):
            raise
        print(f"{parser.prog}: A database in LECTERN_HOME is damaged ({error}). Put back a copy of it; or move it away and add "
              "the documents again, whose originals are in files/.", file=sys.stderr)  # fmt: skip
    except UnicodeEncodeError:
        if not any("\ud800" <= c <= "\udfff" for word in (sys.argv[1:] if argv is None else argv) for c in word):
            raise
        print(f"{parser.prog}: What was typed is no UTF-8. Set the terminal to UTF-8 and type it again.", file=sys.stderr)
    except ValidationError as error:
        wrong = "; ".join(f"LECTERN_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors() if e["loc"])
        if error.title != "Settings":
            raise
        print(f"{parser.prog}: This machine's settings have mistakes: {wrong}. Mend the environment.", file=sys.stderr)
    except Exception as error:  # Chroma and tantivy have no type of their own for a full disk
        if not any(words in str(error) for words in ("No space left", "disk is full", "readonly database")):
            raise
        print(f"{parser.prog}: {disk_sentence(error)}", file=sys.stderr)
    return REFUSED


def harmless(text: str) -> str:
    """Names of files and fields stand in what is told; none of them may move a terminal's cursor or hide a line."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def disk_sentence(error: Exception) -> str:
    """One sentence for a disk that is full or closed to us."""
    said = " ".join(str(error).split())[:200]
    return f"The disk did not take it ({said}). Nothing indexed before is lost. Free space, check its rights, or set LECTERN_HOME."


def print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))


@contextmanager
def waiting(what: str, quiet: bool = False) -> Iterator[None]:
    """Say on stderr what is waited for: with a running clock on a terminal, else one line after two seconds."""
    if quiet:
        yield
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as clock:
            clock.add_task(what, total=None)
            yield
        return
    timer = Timer(PATIENCE, _tell, (f"{what} …",))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def progress(what: str, total: float, quiet: bool = False) -> Iterator[Callable[[float, str], None]]:
    """How far a long work is, on stderr: a bar with the time left on a terminal, else a line now and then.

    `advance(n, note)` moves it by `n` of `total`. Silent when `quiet`.
    """
    if quiet:

        def nothing(n: float, note: str = "") -> None:
            pass

        yield nothing
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
                   TextColumn("{task.fields[note]}"))  # fmt: skip
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total, note="")

            def move(n: float, note: str = "") -> None:
                bar.update(task, advance=n, note=note[-60:])

            yield move
    else:
        told = time.monotonic()

        def tell(n: float, note: str = "") -> None:
            nonlocal told
            if time.monotonic() - told > EVERY:
                told = time.monotonic()
                _tell(f"{what}: {note}")

        with waiting(what):
            yield tell


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def leave(code: int) -> NoReturn:
    """End the process at once: all is written, and taking the model's libraries apart would cost a second or two."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it is gone
            stream.flush()
    os._exit(code)
