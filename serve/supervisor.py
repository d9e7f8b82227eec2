"""Starts Lectern's processes, waits for their health, starts again what dies, and stops all of it.  Run: serve up"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx
import psutil

from corpora import UserError
from ingest.locks import lock
from ingest.settings import Settings
from serve.engine import OFFLINE, loopback

CHECKOUT = Path(__file__).parent.parent
Say = Callable[[str], None]
Command = tuple[list[str], dict[str, str]]

TICK = 0.3
GRACE = 15.0  # seconds between asking a process to end and ending it; the worker needs 8 for a job
STEADY = 60.0  # seconds up after which a death counts as the first again
LONGEST_WAIT = 60.0  # seconds between two starts of one that keeps dying
LOG_LIMIT = 20 * 2**20  # bytes; a longer log is set aside at the next start


@dataclass
class Service:
    """One process that Lectern is made of."""

    name: str
    what: str  # for people: "the model server"
    command: Callable[[], Command]  # made anew at each start: vLLM's names the champions of the moment
    port: int | None = None
    setting: str = ""  # the environment variable that moves the port
    host: str = "127.0.0.1"
    health: str = "/health"
    patience: float = 120.0  # seconds until a start that shows no health is called failed
    needed: bool = True  # whether Lectern makes no sense without it
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started: float = 0.0
    deaths: int = 0
    due: float | None = None  # when it is to be started again

    @property
    def url(self) -> str:
        address = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://{address}:{self.port}"

    def healthy(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        if self.port is None:
            return True
        try:
            return loopback().get(self.url + self.health, timeout=2).is_success
        except httpx.HTTPError:
            return False


class Supervisor:
    """Owns the processes of one LECTERN_HOME while it is entered; leaving it stops them all."""

    def __init__(self, settings: Settings, services: Sequence[Service], say: Say, grace: float = GRACE) -> None:
        self.settings = settings
        self.grace = grace
        self.services = list(services)
        self.say = say
        self._locks = ExitStack()

    def __enter__(self) -> "Supervisor":
        run = self.settings.run
        run.mkdir(parents=True, exist_ok=True)
        self._locks.enter_context(lock(run / "supervisor.lock", "Lectern"))
        try:
            end(leftovers(self.settings), self.grace)
            for stale in [*run.glob("*.url"), *run.glob("*.pid"), run / "ready"]:
                stale.unlink(missing_ok=True)
            check_ports(self.services)
            if any(service.name == "chroma" for service in self.services):
                # Whoever would open Chroma's folder by itself while the server does is kept out.
                self._locks.enter_context(lock(run / "chroma.lock", "The vector index", wait=60))
        except BaseException:
            self._locks.close()
            raise
        (run / "supervisor.pid").write_text(f"{os.getpid()}\n")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def __getitem__(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    def start(self, *names: str) -> None:
        for name in names:
            self._spawn(self[name])

    def _spawn(self, service: Service) -> None:
        argv, env = service.command()
        run = self.settings.run
        service.process = spawn(service.name, argv, env, self.settings)
        service.started, service.due = time.monotonic(), None
        (run / f"{service.name}.pid").write_text(f"{service.process.pid}\n")
        if service.port is not None:
            # Written before it answers: from now on the data behind it is its own.
            (run / f"{service.name}.url").write_text(service.url + "\n")

    def wait(self, names: Iterable[str], progress: Callable[[Service, float], None]) -> list[Service]:
        """Wait until each is healthy; returns those that are not. Raises `UserError` where one of them is needed."""
        waiting, failed = [self[name] for name in names], []
        while waiting:
            for service in list(waiting):
                process, seconds = service.process, time.monotonic() - service.started
                if service.healthy():
                    waiting.remove(service)
                elif process is None or process.poll() is not None or seconds > service.patience:
                    waiting.remove(service)
                    failed.append(service)
                    if service.needed:
                        raise UserError(f"{service.what} did not start: {last_words(self.log(service))}",
                                        f"Its log: {self.log(service)}")  # fmt: skip
                else:
                    progress(service, seconds)
            time.sleep(TICK if waiting else 0)
        return failed

    def tend(self) -> None:
        """Start again, with growing pauses, whatever has died. Called over and over while Lectern is up."""
        now = time.monotonic()
        for service in self.services:
            process = service.process
            if process is None:
                continue
            if service.due is None and (code := process.poll()) is not None:
                signal_group(process.pid, signal.SIGKILL)  # what it left behind would hold its port and its memory
                service.deaths = 1 if now - service.started > STEADY else service.deaths + 1
                pause = min(2.0 ** (service.deaths - 1), LONGEST_WAIT)
                service.due = now + pause
                why = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
                self.say(f"{service.what} ended ({why}); starting it again in {pause:.0f} s. Log: {self.log(service)}")
            elif service.due is not None and now >= service.due:
                self._spawn(service)

    def stop(self) -> None:
        """Stop everything, Chroma after those who write to it, and leave nothing in run/ that says it is up."""
        for last in (False, True):
            wave = [s.process for s in self.services if s.process and (s.name == "chroma") is last]
            end([psutil.Process(p.pid) for p in wave if p.poll() is None], self.grace)
            for process in wave:
                signal_group(process.pid, signal.SIGKILL)
                process.wait()
        end(leftovers(self.settings), self.grace)
        for file in [*self.settings.run.glob("*.url"), *self.settings.run.glob("*.pid"), self.settings.run / "ready"]:
            file.unlink(missing_ok=True)
        self._locks.close()

    def log(self, service: Service) -> Path:
        return self.settings.run / f"{service.name}.log"


def spawn(name: str, argv: list[str], env: dict[str, str], settings: Settings) -> subprocess.Popen[bytes]:
    """A child in a session of its own, marked so that a later run can find it, writing to run/<name>.log."""
    log = settings.run / f"{name}.log"
    if log.is_file() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.old"))
    # Without SPT_NOENV vLLM's process titles overwrite the environment that we find it by.
    marks = {"LECTERN_SERVICE": name, "LECTERN_HOME": str(settings.root), "SPT_NOENV": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as out:
        out.write(f"\n==== {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(argv)}\n".encode())
        out.flush()
        return subprocess.Popen(argv, env={**env, **marks}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                cwd=CHECKOUT, start_new_session=True)  # fmt: skip


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment with every setting in it, however it was given, and nothing that phones home."""
    given = {f"LECTERN_{name.upper()}": str(getattr(settings, name)) for name in type(settings).model_fields}
    direct = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1,localhost")))  # our own are never by proxy
    return {**os.environ, **OFFLINE, **given, "CHROMA_URL": settings.chroma_url, "NO_PROXY": direct, "no_proxy": direct}


def leftovers(settings: Settings) -> list[psutil.Process]:
    """Processes of this LECTERN_HOME that outlived the supervisor that started them."""
    return [p for p in psutil.process_iter() if service_of(p, settings) and p.pid != os.getpid()]


def service_of(process: psutil.Process, settings: Settings) -> str | None:
    """Which of our services `process` belongs to, by the marks in its environment."""
    env = environ_of(process)
    return env.get("LECTERN_SERVICE") if env.get("LECTERN_HOME") == str(settings.root) else None


def environ_of(process: psutil.Process) -> dict[str, str]:
    """A process's environment; empty where it is not ours to see."""
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def end(processes: Sequence[psutil.Process], grace: float) -> None:
    """Ask the processes to end, wait, then end them with all that they started."""
    family = {p for process in processes for p in with_children(process)}
    for process in processes:
        signal_one(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(list(family), timeout=grace)
    for process in alive:
        signal_one(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def with_children(process: psutil.Process) -> Iterator[psutil.Process]:
    yield process
    try:
        yield from process.children(recursive=True)
    except psutil.Error:
        return


def signal_one(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        pass


def signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def check_ports(services: Iterable[Service]) -> None:
    """Raise `UserError` naming every taken port, who has it, and the setting that chooses another."""
    taken = [service for service in services if service.port is not None and not is_free(service.host, service.port)]
    if taken:
        what = "; ".join(f"port {s.port}, for {s.what}, is taken{holder(s.port)}" for s in taken)
        others = " ".join(f"{s.setting}={(s.port or 0) + 10}" for s in taken)
        raise UserError(what[0].upper() + what[1:] + ".", f"Stop it, or choose another: {others} make up")


def is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int | None) -> str:
    """" by NAME (process PID)" where we may know it."""
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        pid = next((c.pid for c in listening if c.laddr and c.laddr.port == port), None)
        if not pid:
            return ""
        process = psutil.Process(pid)
        home = environ_of(process).get("LECTERN_HOME")
        return f" by {'the Lectern of ' + home if home else process.name()} (process {pid})"
    except psutil.Error:
        return ""


def last_words(log: Path) -> str:
    """The line of a log that most likely says why its process ended."""
    lines = [line.strip() for line in log.read_text(errors="replace").rsplit("\n====", 1)[-1].splitlines()[1:]]
    lines = [line for line in lines[-200:] if line]
    errors = [line for line in lines if "Error" in line or "error:" in line.lower()]
    return (errors or lines or ["it said nothing."])[-1][:300]


def running(settings: Settings) -> int | None:
    """The pid of the supervisor that holds this LECTERN_HOME, or None."""
    try:
        with lock(settings.run / "supervisor.lock", "Lectern"):
            return None
    except UserError:
        text = (settings.run / "supervisor.lock").read_text().strip()
        return int(text) if text.isdigit() else -1
