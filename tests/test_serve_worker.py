"""The worker: jobs run one at a time, can be ended, and leave nothing behind when their worker dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

import ingest.cli
import tune.cli
from corpora import UserError
from ingest.settings import Settings
from serve.commands import job_command
from serve.journal import Journal
from serve.worker import Worker

# Jobs that the gateway would never queue, of the standard library: what is tested here is how any job is run.
SLEEP = ["timeit", "-n1", "-r1", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = ["timeit", "-n1", "-r1", "import signal, time; signal.signal(2, 1); print('up', flush=True); time.sleep(60)"]
PARENT = ["timeit", "-n1", "-r1", "import subprocess; print('up', flush=True); subprocess.run(['sleep', '60'])"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def journal(settings: Settings) -> Iterator[Journal]:
    opened = Journal(settings.root)
    yield opened
    opened.close()


@pytest.fixture
def work(settings: Settings, journal: Journal) -> Iterator[Worker]:
    """A worker at work in a thread, patient for three seconds: what is interrupted is niced, and needs its turn."""
    worker, stopping = Worker(settings, journal, grace=3.0), Event()
    thread = Thread(target=worker.work, args=(stopping,))
    thread.start()
    yield worker
    stopping.set()
    thread.join(20)
    assert not thread.is_alive()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def log_of(settings: Settings, job_id: str) -> str:
    file = settings.run / "jobs" / f"{job_id}.log"
    return file.read_text() if file.is_file() else ""


def group(pid: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == pid and state != "Z":
            found.append(int(entry.name))
    return found


def pid_of(journal: Journal, job_id: str) -> int:
    return next(pid for job, pid in journal.running_jobs() if job.id == job_id and pid)


def test_job_runs_in_this_home_and_its_end_is_recorded(settings: Settings, journal: Journal, work: Worker) -> None:
    good, bad = journal.add_job(["ingest", "list", "--json"]), journal.add_job(["ingest", "list", "no-such-corpus"])
    until(lambda: journal.job(bad.id).ended is not None)
    assert journal.job(good.id).status == "done" and journal.job(good.id).exit_code == 0
    assert '"corpus": "legal"' in log_of(settings, good.id)
    assert journal.job(bad.id).status == "failed" and journal.job(bad.id).exit_code == 2
    assert "No corpus 'no-such-corpus'" in log_of(settings, bad.id)
    assert (settings.root / "manifest.sqlite3").is_file(), "the job used this worker's home, not the environment's"
    assert (settings.run / "jobs" / f"{good.id}.log").stat().st_mode & 0o077 == 0


def test_one_job_at_a_time_in_order_and_niced(settings: Settings, journal: Journal, work: Worker) -> None:
    say = "import os, time; time.sleep(0.3); print(os.nice(0), time.time())"
    jobs = [journal.add_job(["timeit", "-n1", "-r1", say]).id for _ in range(2)]
    until(lambda: journal.job(jobs[1]).ended is not None)
    first, second = (log_of(settings, job).splitlines()[0].split() for job in jobs)
    assert first[0] == second[0] == "10"
    assert float(second[1]) - float(first[1]) > 0.3


@pytest.mark.parametrize(("command", "code"), [(SLEEP, 1), (DEAF, -signal.SIGKILL), (PARENT, 1)])
def test_cancelled_job_ends_with_all_its_processes(
    settings: Settings, journal: Journal, work: Worker, command: list[str], code: int
) -> None:
    job = journal.add_job(command)
    until(lambda: "up" in log_of(settings, job.id))
    pid = pid_of(journal, job.id)
    assert group(pid)
    journal.cancel_job(job.id)
    until(lambda: journal.job(job.id).ended is not None)
    assert journal.job(job.id).status == "cancelled" and journal.job(job.id).exit_code == code
    until(lambda: not group(pid))
    assert log_of(settings, job.id).endswith("Cancelled.\n")


def start_worker(settings: Settings, patience: float = 10, **options: object) -> "subprocess.Popen[bytes]":
    code = f"from ingest.settings import Settings; from serve.worker import serve; serve(Settings(), {patience})"
    env = {**os.environ, "LECTERN_HOME": str(settings.root)}
    return subprocess.Popen([sys.executable, "-c", code], env=env, **options)  # type: ignore[call-overload,no-any-return]


def test_job_of_a_worker_that_was_killed_is_failed_and_ended_by_the_next(settings: Settings, journal: Journal) -> None:
    job = journal.add_job(PARENT)
    worker = start_worker(settings)
    until(lambda: "up" in log_of(settings, job.id))
    pid = pid_of(journal, job.id)
    worker.kill()
    worker.wait()
    assert group(pid), "it outlives its worker"
    Worker(settings, journal, grace=2).end_orphans()
    assert journal.job(job.id).status == "failed" and "the worker that ran it died" in log_of(settings, job.id)
    until(lambda: not group(pid))


def test_number_of_a_dead_job_given_to_a_stranger_is_left_alone(settings: Settings, journal: Journal) -> None:
    job = journal.add_job(SLEEP)
    assert journal.take_job()
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    journal.started_job(job.id, stranger.pid)
    Worker(settings, journal).end_orphans()
    assert journal.job(job.id).status == "failed" and stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_stopped_worker_ends_its_job_even_if_interrupts_were_ignored_where_it_was_started(
    settings: Settings, journal: Journal
) -> None:
    job = journal.add_job(SLEEP)
    worker = start_worker(
        settings, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )  # as `nohup … &` does
    until(lambda: "up" in log_of(settings, job.id))
    worker.terminate()
    assert worker.wait(6) == 0, "the job heeded the interrupt at once"
    assert journal.job(job.id).status == "cancelled" and "Lectern was stopped" in log_of(settings, job.id)


def test_second_worker_is_refused(settings: Settings, journal: Journal) -> None:
    job = journal.add_job(SLEEP)
    first = start_worker(settings)
    until(lambda: "up" in log_of(settings, job.id))
    second = start_worker(settings, patience=1, stderr=subprocess.PIPE)
    try:
        _, said = second.communicate(timeout=30)
        assert second.returncode != 0 and f"in use by process {first.pid}".encode() in said
        assert journal.job(job.id).status == "running", "the second did not take the first one's job for an orphan"
    finally:
        first.terminate()
        first.wait(20)


def test_command_of_a_job_is_one_of_a_few_with_checked_arguments(settings: Settings) -> None:
    assert job_command(settings, "tune promote", "legal", {"version": 3}) == ["tune", "promote", "legal", "3"]
    trained = job_command(settings, "tune sft", "legal", {"resume": True, "max_steps": 20})
    assert trained == ["tune", "sft", "legal", "--max-steps", "20", "--resume"]
    added = job_command(settings, "ingest add", "legal", {})
    assert added[:3] == ["ingest", "add", "legal"] and all(Path(path).is_absolute() for path in added[3:])


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("ingest add", {}),
        ("tune data", {"rows": 5}),
        ("tune sft", {"max_steps": 5, "rows": 5, "resume": True}),
        ("tune dpo", {"max_steps": 5, "rows": 5, "resume": False}),
        ("tune eval", {"adapter": 1, "limit": 5, "lang": "zh"}),
        ("tune promote", {"version": 2}),
        ("tune promote", {}),
    ],
)
def test_commands_take_every_argument_that_a_job_may_give_them(
    settings: Settings, command: str, args: dict[str, object]
) -> None:
    room, *words = job_command(settings, command, "legal", args)
    parsed = {"ingest": ingest.cli, "tune": tune.cli}[room].make_parser().parse_args(words)
    assert parsed.corpus == "legal" and {name: getattr(parsed, name) for name in args} == args


@pytest.mark.parametrize(
    ("command", "corpus", "args"),
    [
        ("ingest remove", "legal", {}),
        ("tune sft", "../legal", {}),
        ("tune sft", "--help", {}),
        ("tune sft", "legal", {"max_steps": "20; rm -rf /"}),
        ("tune sft", "legal", {"max_steps": True}),
        ("tune sft", "legal", {"max_steps": 0}),
        ("tune sft", "legal", {"out": "/etc/passwd"}),
        ("tune eval", "legal", {"lang": "--out=/etc/passwd"}),
        ("tune sft", "legal", {"resume": "--out=x"}),
        ("ingest add", "legal", {"path": "/etc"}),
    ],
)
def test_other_commands_and_arguments_are_refused(
    settings: Settings, command: str, corpus: str, args: dict[str, object]
) -> None:
    with pytest.raises(UserError):
        job_command(settings, command, corpus, args)
