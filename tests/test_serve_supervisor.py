"""The supervisor, with real small processes: health, restarts, taken ports, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from corpora import UserError
from ingest.settings import Settings
from serve.supervisor import (
    Service,
    Supervisor,
    check_ports,
    environment,
    last_words,
    leftovers,
    running,
)

# A server that answers /health, with a child that ignores SIGTERM, as a model server's engine might.
SERVER = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('child', flush=True); time.sleep(600)"])
print("child is", child.pid, flush=True)
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def a_service(settings, code=SERVER, name="small", port=None, **more):
    argv = [sys.executable, "-c", code, *([str(port)] if port else [])]
    return Service(name, "the small server", lambda: (argv, environment(settings)), port, "LECTERN_SMALL_PORT", **more)


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def no_progress(service, seconds):
    pass


def test_start_health_restart_and_an_end_that_leaves_nothing(settings):
    said = []
    port = free_port()
    supervisor = Supervisor(settings, [a_service(settings, port=port)], said.append, grace=1.5)
    with supervisor:
        supervisor.start("small")
        assert supervisor.wait(["small"], no_progress) == []
        assert httpx.get(f"{settings.url('small')}/health").text == "ok"
        first = supervisor["small"].process
        assert (settings.run / "small.pid").read_text().strip() == str(first.pid)
        (child,) = psutil.Process(first.pid).children()
        assert running(settings) == os.getpid()

        os.kill(first.pid, signal.SIGKILL)
        until(lambda: (supervisor.tend(), supervisor["small"].process is not first)[1])
        assert supervisor.wait(["small"], no_progress) == []
        assert not alive(child), "what the dead one left behind would hold its memory"
        assert "the small server ended (killed by signal 9); starting it again in 1 s" in said[0]
        (child,) = psutil.Process(supervisor["small"].process.pid).children()
    assert not alive(child), "a child that ignores SIGTERM must not outlive the stop"
    assert leftovers(settings) == []
    assert running(settings) is None
    assert settings.url("small") is None
    assert sorted(f.name for f in settings.run.iterdir()) == ["small.log", "supervisor.lock"]


def alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_one_that_keeps_dying_is_started_ever_more_slowly(settings):
    said = []
    supervisor = Supervisor(settings, [a_service(settings, code="raise SystemExit(3)")], said.append)
    with supervisor:
        supervisor.start("small")
        until(lambda: (supervisor.tend(), len(said) == 3)[1])
    pauses = [sentence.split(" s. Log")[0].rsplit(" ", 1)[1] for sentence in said]
    assert pauses == ["1", "2", "4"]
    assert "exit code 3" in said[0]


def test_a_start_that_fails_says_the_processes_last_words(settings):
    code = "print('looking around'); raise ValueError('no such model')"
    supervisor = Supervisor(settings, [a_service(settings, code=code, port=free_port())], print)
    with pytest.raises(UserError, match="the small server did not start: ValueError: no such model"), supervisor:
        supervisor.start("small")
        supervisor.wait(["small"], no_progress)


def test_one_that_is_not_needed_may_fail(settings):
    service = a_service(settings, code="raise SystemExit(1)", port=free_port(), needed=False)
    with Supervisor(settings, [service], print) as supervisor:
        supervisor.start("small")
        assert supervisor.wait(["small"], no_progress) == [service]


def test_a_start_that_takes_too_long_is_told_of_and_then_failed(settings):
    told = []
    service = a_service(settings, code="import time; time.sleep(60)", port=free_port(), patience=1.0, needed=False)
    with Supervisor(settings, [service], print) as supervisor:
        supervisor.start("small")
        assert supervisor.wait(["small"], lambda service, seconds: told.append(seconds)) == [service]
    assert told


def test_a_taken_port_is_named_with_its_holder_and_the_setting_that_moves_it(settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError) as error:
            check_ports([a_service(settings, port=port), a_service(settings, name="second", port=free_port())])
    assert error.value.message.startswith(f"Port {port}, for the small server, is taken by ")
    assert f"(process {os.getpid()})" in error.value.message
    assert error.value.next_step == f"Stop it, or choose another: LECTERN_SMALL_PORT={port + 10} make up"


def test_a_second_supervisor_of_the_same_home_is_refused(settings):
    with Supervisor(settings, [], print), pytest.raises(UserError, match=f"in use by process {os.getpid()}"):
        Supervisor(settings, [], print).__enter__()


def test_what_a_killed_supervisor_left_behind_is_ended_at_the_next_start(settings, tmp_path):
    port = free_port()
    code = (
        "import sys, time\n"
        "from ingest.settings import Settings\n"
        "from serve.supervisor import Service, Supervisor, environment\n"
        f"settings = Settings(home={str(tmp_path)!r})\n"
        f"argv = [sys.executable, '-c', {SERVER!r}, '{port}']\n"
        f"service = Service('small', 'it', lambda: (argv, environment(settings)), {port})\n"
        "with Supervisor(settings, [service], print) as supervisor:\n"
        "    supervisor.start('small')\n"
        "    supervisor.wait(['small'], lambda service, seconds: None)\n"
        "    print('up', flush=True)\n"
        "    time.sleep(600)\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert killed.stdout.readline() == "up\n"
    killed.kill()
    killed.wait()
    left = leftovers(settings)
    assert len(left) == 2, "the server and its child"
    assert httpx.get(f"http://127.0.0.1:{port}/health").text == "ok"
    with Supervisor(settings, [a_service(settings, port=port)], print, grace=1.5) as supervisor:
        assert not any(alive(process) for process in left)
        supervisor.start("small")
        assert supervisor.wait(["small"], no_progress) == []


def test_another_homes_processes_are_not_ours(settings, tmp_path):
    other = Settings(home=tmp_path / "other")
    with Supervisor(other, [a_service(other, code="import time; time.sleep(60)", name="worker")], print) as supervisor:
        supervisor.start("worker")
        assert leftovers(settings) == []
        assert len(leftovers(other)) == 1


def test_the_last_words_of_a_log_are_its_last_error(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("\n==== first start\nValueError: old\n\n==== second start\nhello\nRuntimeError: out of memory\nbye\n")
    assert last_words(log) == "RuntimeError: out of memory"
    log.write_text("\n==== start\n")
    assert last_words(log) == "it said nothing."
