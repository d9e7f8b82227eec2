"""The whole of it, running: what `serve up` started, and what the commands beside it say. Deaths are in test_serve_stack."""

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, environment


def test_everything_is_up_and_the_key_is_its_owners_alone(stack):
    health = httpx.get(f"{stack.api}/health").json()
    assert health["status"] == "ok"
    assert health["model"] == {"up": True, "name": "SmolLM2-135M-Instruct"}
    assert health["chroma"] is True
    assert httpx.get(f"{stack.page}/_stcore/health").text == "ok"
    assert stat.S_IMODE((stack.home / "local.key").stat().st_mode) == 0o600
    said = (stack.home / "run" / "supervisor.log").read_text()
    assert "Asking maintenance:" in said
    assert f"{stack.page}/?token=" in said
    assert json.loads((stack.home / "machine.json").read_text())["embedder"] == "all-MiniLM-L6-v2"


def test_a_second_up_shows_the_addresses_and_starts_nothing(stack):
    before = (stack.home / "run" / "vllm.pid").read_text()
    again = stack.command("serve", "up")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("Lectern is already up")
    assert f"{stack.api}/v1" in again.stdout
    assert (stack.home / "run" / "vllm.pid").read_text() == before


def test_ask_through_the_gateway_is_the_answer_of_its_trace(stack):
    done = stack.command("serve", "ask", "maintenance", "What does fault code SC-A04 mean?", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["citations"] and answer["answer"]
    assert set(answer) >= {"answer", "citations", "refused", "mode", "model", "timings"}


@pytest.mark.parametrize("arguments", [["ask", "nowhere", "Why?"], ["ask", "maintenance", " "],
                                       ["ask", "maintenance", "x" * 50_000], ["model", "get", "nowhere"],
                                       ["key", "revoke", "nobody"]])  # fmt: skip
def test_a_refused_input_is_one_sentence(stack, arguments):
    done = stack.command("serve", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_doctor_finds_nothing_wrong(stack):
    done = stack.command("serve", "doctor", "--json")
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert done.returncode == 0
    assert all(state.endswith("up") for state in found["services"].values())


def test_a_gateway_on_a_taken_port_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = environment(tmp_path) | {"LECTERN_API_PORT": str(taken.getsockname()[1])}
        done = subprocess.run([sys.executable, "-m", "serve", "api"], env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "is taken" in done.stderr and "LECTERN_API_PORT=" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_made_here_opens_the_gateway_until_it_is_revoked(stack):
    key = stack.command("serve", "key", "create", "a test").stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{stack.api}/v1/models", headers=headers).status_code == 200
    rows = json.loads(stack.command("serve", "key", "list", "--json").stdout)
    (row,) = [row for row in rows if row["name"] == "a test"]
    assert stack.command("serve", "key", "revoke", row["id"]).returncode == 0
    assert httpx.get(f"{stack.api}/v1/models", headers=headers).status_code == 401
