"""A reasoning model on the real vLLM: its words are noise, and not one of its thoughts comes out as an answer."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from ingest.settings import Settings
from serve.api import create_app
from serve.journal import Journal
from tests.conftest import free_ports, running_vllm
from tests.thinker import thinkers_home
from tune.base import load_tokenizer
from tune.labels import encode

QUESTION = "What does fault code SC-A04 mean?"
BUDGET = 40  # tokens


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = thinkers_home(tmp_path_factory.mktemp("thinking"), BUDGET)
    return Settings(home=home, chroma_url="", tier="cpu", base="tiny-r1", vllm_port=free_ports(1)[0])


@pytest.fixture(scope="module")
def vllm(settings: Settings) -> Iterator[str]:
    with running_vllm(settings) as url:
        yield url


def test_the_real_server_sends_thinking_apart_and_the_gateway_too(settings: Settings, vllm: str) -> None:
    journal = Journal(settings.root)
    headers = {"Authorization": f"Bearer {journal.local_key()}"}
    body = {"model": "maintenance", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 20}
    with TestClient(create_app(settings), base_url="http://127.0.0.1", headers=headers) as client:
        streamed = client.post("/v1/chat/completions", json={**body, "stream": True})
        whole = client.post("/v1/chat/completions", json=body).json()
        raw = client.post("/v1/chat/completions", json={**body, "model": "tiny-r1", "max_tokens": 9}).json()
    chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    thinking = "".join(delta.get("reasoning_content", "") for delta in deltas)
    answer = "".join(delta.get("content", "") for delta in deltas)
    trace = journal.trace(chunks[-1]["trace_id"])
    assert trace and trace.thinking == thinking and thinking.strip()
    assert chunks[-1]["mode"] == "extractive" and chunks[-1]["notice"] and chunks[-1]["citations"], "noise does not stand"
    assert trace.raw.strip() and trace.raw.strip() not in answer and thinking.strip() not in answer, "it was made to answer in the end"
    assert 1 < sum("reasoning_content" in delta for delta in deltas) <= BUDGET, "a token at a time"
    message = whole["choices"][0]["message"]
    assert message["content"] == answer and message["reasoning_content"] == thinking
    assert raw["choices"][0]["message"]["content"] is None and raw["choices"][0]["message"]["reasoning"], "passed on as it is"


def test_a_form_begins_where_the_thinking_ends(settings: Settings, vllm: str) -> None:
    journal = Journal(settings.root)
    labels = ["fan motor overload", "low oil level"]
    body = {"model": "maintenance", "messages": [{"role": "user", "content": QUESTION}], "structured_outputs": {"choice": labels}}
    headers = {"Authorization": f"Bearer {journal.local_key()}"}
    with TestClient(create_app(settings), base_url="http://127.0.0.1", headers=headers) as client:
        message = client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]
    assert message["content"] in labels and message["reasoning_content"].strip() not in ("", *labels)


def test_training_sees_the_tokens_that_the_real_server_asks_with(settings: Settings, vllm: str) -> None:
    prompt = [{"role": "system", "content": "Cite."}, {"role": "user", "content": "Passages:\n\n[1] Oil\n63 L\n\nQuestion: how much?"}]
    request: dict[str, Any] = {"model": "tiny-r1", "messages": prompt, "add_generation_prompt": True}
    served = httpx.post(f"{vllm}/tokenize", json=request, timeout=60).raise_for_status().json()["tokens"]
    row = encode(load_tokenizer(settings.models / "tiny-r1"), "row", prompt, [{"role": "assistant", "content": "It is 63 L. [1]"}], 768)
    assert row.prompt == served
