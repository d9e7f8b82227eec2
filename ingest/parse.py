"""Files are parsed in child processes, several at once: what a file does to its reader, it does to that child alone.

`Parser` keeps the children; run as `python -m ingest.parse` this file is one of them. A request is a line of JSON on its standard
input; lines that say how far it is, then one with the document and its chunks or with the reason, come back on its standard output.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO

from corpora import UserError
from ingest.schema import Chunk, Chunker, Document, Ocr

SILENCE = 90  # seconds without a sign of life, such as a page read, after which a child is killed
LONGEST = 3 * 3600  # seconds for one file: 5,000 scanned pages
MEMORY = 6 * 2**30  # bytes of address space for one child, or half of the machine's memory where that is less
PIPE = 2**20
HURRY = 0.5  # seconds between two signs of life
OnPage = Callable[[str, int], None]  # path, page reached


@dataclass(frozen=True, slots=True)
class Rules:
    """How files are read and cut."""

    embedder: str  # folder of the model in whose tokens chunks are measured
    cap: int  # tokens of a chunk
    chunker: Chunker = "auto"
    ocr: Ocr = "auto"


@dataclass(frozen=True, slots=True)
class Parsed:
    document: Document
    chunks: list[Chunk]
    seconds: float  # that its child took


class Unreadable(UserError):
    """Why a file could not be read, and the seconds that it took to see."""

    def __init__(self, error: UserError, seconds: float) -> None:
        super().__init__(error.message, error.next_step)
        self.seconds = seconds


class Parser:
    """Up to `workers` children; each is started when it is first needed and replaced when it had to be killed."""

    def __init__(self, rules: Rules, workers: int, folder: Path, on_page: OnPage | None = None) -> None:
        """`folder` is where readers put aside what they must, such as an attachment."""
        self.rules = rules
        self.folder = folder
        self.on_page = on_page
        self._threads = ThreadPoolExecutor(workers, "parse")
        self._idle: SimpleQueue[Child] = SimpleQueue()
        self._all: set[Child] = set()
        self._guard = Lock()

    def __enter__(self) -> "Parser":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._guard:
            for child in self._all:
                child.kill()
        self._threads.shutdown(cancel_futures=True)

    def parse(self, path: Path, version: str, redact: bool, title: str, shown: str) -> Future[Parsed]:
        """The file's document and chunks; the future raises `Unreadable` where it cannot be read.

        `title` is the document's where it carries none itself, `shown` what it is called while it is read.
        """
        request = {"do": "parse", "path": os.fspath(path), "version": version, "redact": redact, "title": title,
                   "rules": asdict(self.rules)}  # fmt: skip
        return self._threads.submit(self._parse, request, shown)

    def unpack(self, archive: Path, folder: Path) -> Future[dict[str, Any]]:
        """Unpack an archive into `folder`: {"files": [[label, file], …], "refused": [[label, reason], …]}."""
        request = {"do": "unpack", "path": os.fspath(archive), "folder": os.fspath(folder)}
        return self._threads.submit(self._ask, request, str(archive))

    def _parse(self, request: dict[str, Any], shown: str) -> Parsed:
        start = time.monotonic()
        try:
            found = self._ask(request, shown)
        except UserError as error:
            raise Unreadable(error, time.monotonic() - start) from error
        document = Document(**found["document"])
        chunks = [Chunk(request["version"], i, document.text[start:end], start, end, page, context)
                  for i, (start, end, page, context) in enumerate(found["chunks"])]  # fmt: skip
        return Parsed(document, chunks, time.monotonic() - start)

    def _ask(self, request: dict[str, Any], shown: str) -> dict[str, Any]:
        try:
            child = self._idle.get_nowait()
        except Empty:
            child = Child(self.folder)
            with self._guard:
                self._all.add(child)
        try:
            found = child.ask(request, lambda page: self.on_page and self.on_page(shown, page))
        except BaseException:
            child.kill()
            with self._guard:
                self._all.discard(child)
            raise
        self._idle.put(child)
        if "error" in found:
            raise UserError(*found["error"])
        return found


class Child:
    """One `python -m ingest.parse`, in a process group of its own, so that Ctrl-C is ours to handle and a kill takes all of it."""

    def __init__(self, folder: Path) -> None:
        root = str(Path(__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.parse"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
                              "TMPDIR": str(folder)},
            start_new_session=True, bufsize=0)  # fmt: skip

    def ask(self, request: dict[str, Any], on_page: Callable[[int], Any]) -> dict[str, Any]:
        """The child's answer. Raises `UserError` where it dies on the request or says nothing for too long."""
        started = time.monotonic()
        try:
            assert self.process.stdin
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            while True:
                answer: dict[str, Any] = json.loads(self._line())
                if "page" not in answer:
                    return answer
                on_page(answer["page"])
                if time.monotonic() - started > LONGEST:
                    raise TimeoutError
        except TimeoutError:
            raise UserError(f"Its reader was stopped: {SILENCE} seconds went by without a page, or {LONGEST // 3600} hours in all.",
                            "Split the file, or save it anew.") from None  # fmt: skip
        except (EOFError, BrokenPipeError):
            code = self.process.wait()
            why = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
            raise UserError(f"Its reader crashed on it ({why}).", "Open and save it again in the program that made it.") from None

    def _line(self) -> bytes:
        """The next line. Raises `EOFError` where there is none, `TimeoutError` where none comes in time."""
        assert self.process.stdout
        parts: list[bytes] = []
        while not parts or not parts[-1].endswith(b"\n"):  # the child waits for the next request after each answer
            ready, _, _ = select.select([self.process.stdout], [], [], SILENCE)
            if not ready:
                raise TimeoutError
            part = os.read(self.process.stdout.fileno(), PIPE)
            if not part:
                raise EOFError
            parts.append(part)
        return b"".join(parts).rstrip().rsplit(b"\n", 1)[-1]  # of several signs of life the last one counts

    def kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def main() -> None:
    """The child: answers requests until its standard input ends."""
    _confine()
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no answer
    last = 0.0

    def alive(page: int) -> None:
        nonlocal last
        if time.monotonic() - last > HURRY:
            last = time.monotonic()
            _say(out, {"page": page})

    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            answer = _unpack(request) if request["do"] == "unpack" else _parse(request, alive)
        except UserError as error:
            answer = {"error": [error.message, error.next_step]}
        except UnicodeError:
            answer = {"error": ["The file's name is no UTF-8.", "Rename it."]}
        except OSError as error:
            answer = {"error": [f"The file cannot be read: {error.strerror or error}.", ""]}
        except (MemoryError, RecursionError):
            answer = {"error": ["Reading it takes more memory than one file may have.", "Split it."]}
        _say(out, answer)


def _parse(request: dict[str, Any], alive: Callable[[int], None]) -> dict[str, Any]:
    from ingest.chunkers import chunk
    from ingest.embed import Embedder
    from ingest.readers import read

    request["title"].encode()  # a name that is no UTF-8 can be neither shown nor embedded
    rules = Rules(**request["rules"])
    embedder = _embedders.setdefault(rules.embedder, Embedder(Path(rules.embedder), ()))
    document = read(Path(request["path"]), rules.ocr, request["redact"], alive, request["title"])
    page = document.pages or 0

    def count(texts: Any) -> list[int]:
        alive(page)
        return embedder.count(texts)

    chunks = chunk(document, request["version"], count, rules.cap, rules.chunker, embedder.window)
    told = {name: getattr(document, name) for name in Document.__slots__ if name != "blocks"}
    return {"document": told | {"blocks": ()}, "chunks": [(c.start, c.end, c.page, c.context) for c in chunks]}


def _unpack(request: dict[str, Any]) -> dict[str, Any]:
    from ingest.archives import unpack

    unpacked = unpack(Path(request["path"]), Path(request["folder"]))
    return {"files": [(label, os.fspath(file)) for label, file in unpacked.files], "refused": unpacked.refused,
            "skipped": unpacked.skipped}


_embedders: dict[str, Any] = {}


def _say(out: BinaryIO, answer: dict[str, Any]) -> None:
    rest = memoryview(json.dumps(answer).encode() + b"\n")
    while rest:
        rest = rest[out.write(rest) :]


def _confine() -> None:
    """Die with the parent, take no more than a file's share of memory, leave no core."""
    import resource

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_AS, (min(MEMORY, memory // 2),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
