"""What the three commands share: one place that prints errors, one progress bar, JSON on request."""

import errno
import json
import sqlite3
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from corpora import UserError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
DONE, SOME_FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def run(parser: ArgumentParser, argv: Sequence[str] | None = None) -> int:
    """Parse, call `args.run(args)`, and return its exit code; a person's mistake becomes one sentence on stderr."""
    args: Namespace = parser.parse_args(argv)
    try:
        return int(args.run(args) or DONE)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(
            f"\n{parser.prog}: interrupted; what was finished is kept. Run the same command to go on.", file=sys.stderr
        )
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        if error.errno not in (*DISK, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR):
            raise
        print(f"{parser.prog}: {disk_sentence(error)}", file=sys.stderr)
    except sqlite3.OperationalError as error:
        if not any(word in str(error) for word in ("full", "disk I/O", "readonly", "unable to open")):
            raise
        print(f"{parser.prog}: {disk_sentence(error)}", file=sys.stderr)
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


def disk_sentence(error: Exception) -> str:
    """One sentence for a disk that is full or closed to us."""
    said = " ".join(str(error).split())[:200]
    return f"The disk did not take it ({said}). Nothing indexed before is lost. Free space, check its rights, or set LECTERN_HOME."


def print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))


def _nothing(n: float, note: str = "") -> None:
    pass


@contextmanager
def progress(what: str, total: int, quiet: bool = False) -> Iterator[Callable[[float, str], None]]:
    """A bar with count, rate and time left on a terminal's stderr; `advance(n, note)` moves it. Silent when `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("{task.fields[note]}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, note="")

        def advance(n: float, note: str = "") -> None:
            bar.update(task, advance=n, note=note[-60:])

        yield advance
