"""The whole loop against the running stack: rows, SFT, promote without a restart, answers, measure, rollback."""

import json

import httpx
import pytest

from serve.engine import Engine
from tests.conftest import Stack

CORPUS = "maintenance"


@pytest.fixture(scope="module")
def version(stack: Stack) -> int:
    """A version trained for one short step beside the running servers, by the commands a person types."""
    made = stack.command("tune", "data", CORPUS, "--rows", "8", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["rows"] == 8
    trained = stack.command("tune", "sft", CORPUS, "--max-steps", "1", "--rows", "2")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert f"Next: tune eval {CORPUS} --adapter" in trained.stdout
    listed = json.loads(stack.command("tune", "ls", CORPUS, "--json").stdout)
    assert listed[-1]["rows"] == 2 and not listed[-1]["champion"]
    return int(listed[-1]["version"])


def test_promote_ask_measure_rollback(stack: Stack, version: int) -> None:
    name = f"{CORPUS}-v{version}"
    engine = Engine(stack.settings)
    started = (stack.settings.run / "vllm.pid").read_text()
    refused = stack.command("tune", "promote", CORPUS, str(version))
    assert refused.returncode == 2 and "has not been measured" in refused.stderr and "tune eval" in refused.stderr

    body = {"model": f"{CORPUS}@{version}", "messages": [{"role": "user", "content": "What does fault SC-A04 mean on the SC-40?"}]}
    tried = httpx.post(f"{stack.api}/v1/chat/completions", json=body, headers=stack.headers, timeout=120)
    assert tried.is_success and tried.json()["model"] == f"{CORPUS}@{version}" and name in engine.models(), "asked before it is served"
    body["model"] = f"{CORPUS}@99"
    assert httpx.post(f"{stack.api}/v1/chat/completions", json=body, headers=stack.headers, timeout=20).status_code == 404

    measured = stack.command("tune", "eval", CORPUS, "--adapter", str(version), "--limit", "2", "--json")
    assert measured.returncode == 0, measured.stderr
    report = json.loads(measured.stdout)
    assert set(report) == {"base", "base+rag", "adapter", "adapter+rag", "other+rag", "extractive"}
    assert all(figures["n"] > 0 for system, figures in report.items() if system != "other+rag") and report["other+rag"] == "not run"
    assert set(report["adapter+rag"]["gain"]) == {"base+rag", "extractive"}
    assert report["adapter+rag"]["gain"]["base+rag"]["general"]["n"] == 60, "of what the base knew, in the language that it reads"
    refused = stack.command("tune", "promote", CORPUS, str(version))
    assert refused.returncode == 2 and "held-out questions, which is not all" in refused.stderr

    promoted = stack.command("tune", "promote", CORPUS, str(version), "--force", "--json")
    assert promoted.returncode == 0, promoted.stderr
    assert json.loads(promoted.stdout)["champion"]["name"] == name
    assert name in engine.models()

    entry = next(m for m in models(stack) if m["id"] == CORPUS)
    assert entry["lectern"]["adapter"] == name
    asked = stack.command("serve", "ask", CORPUS, "What does fault SC-A04 mean on the SC-40?", "--json")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["model"] in (name, ""), "the adapter's words, or quotes where they did not stand"
    body = {"model": name, "messages": [{"role": "user", "content": "Say something."}], "max_tokens": 8}
    raw = httpx.post(f"{stack.api}/v1/chat/completions", json=body, headers=stack.headers, timeout=120)
    assert raw.is_success and raw.json()["model"] == name and raw.json()["choices"][0]["message"]["content"]

    back = stack.command("tune", "rollback", CORPUS, "--json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["champion"] is None and name not in engine.models()
    assert next(m for m in models(stack) if m["id"] == CORPUS)["lectern"]["adapter"] is None
    assert (stack.settings.run / "vllm.pid").read_text() == started, "vLLM was never restarted"


def test_what_cannot_be_promoted_is_refused_by_the_gateway_in_one_sentence(stack: Stack, version: int) -> None:
    refused = stack.command("tune", "promote", CORPUS, "99")
    assert refused.returncode == 2 and "has no adapter version 99" in refused.stderr and "Traceback" not in refused.stderr


def models(stack: Stack) -> list[dict]:  # type: ignore[type-arg]
    data: list[dict] = httpx.get(f"{stack.api}/v1/models", headers=stack.headers, timeout=20).json()["data"]  # type: ignore[type-arg]
    return data
