"""Forms on the real vLLM with the real small model: its grammar holds, and what leaves was checked."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ingest.settings import Settings
from serve.api import create_app
from serve.journal import Journal
from tests.conftest import cache_lock, copy, free_ports, running_vllm, small_index

QUESTION = "What does fault code SC-A04 mean?"
SCHEMA = {
    "type": "object", "additionalProperties": False, "required": ["code", "meaning"],
    "properties": {"code": {"type": "string", "maxLength": 12}, "meaning": {"type": "string", "maxLength": 60}},
}  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("structured")
    with cache_lock():
        copy(small_index(), home)
    settings = Settings(home=home, chroma_url="", tier="cpu", vllm_port=free_ports(1)[0])
    headers = {"Authorization": f"Bearer {Journal(home).local_key()}"}
    with running_vllm(settings), TestClient(create_app(settings), base_url="http://127.0.0.1", headers=headers) as client:
        client.journal = Journal(home)  # type: ignore[attr-defined]
        yield client


def ask(client: TestClient, **more: Any) -> dict[str, Any]:
    body = {"model": "maintenance", "messages": [{"role": "user", "content": QUESTION}], **more}
    answer = client.post("/v1/chat/completions", json=body)
    return {"status": answer.status_code, **answer.json()}


def test_json_by_a_schema_is_written_by_it_and_leaves_checked_or_not_at_all(client: TestClient) -> None:
    whole = ask(client, response_format={"type": "json_schema", "json_schema": {"name": "fault", "schema": SCHEMA}})
    trace = client.journal.trace(whole["trace_id"])  # type: ignore[attr-defined]
    written = json.loads(trace.raw)
    assert set(written) == {"code", "meaning"} and len(written["meaning"]) <= 60, "the grammar holds"
    message = whole["choices"][0]["message"]
    if whole["refused"]:
        assert message["content"] is None and message["refusal"] and whole["notice"] and whole["citations"] == []
    else:
        assert message["content"] == trace.raw.strip()
        assert {c["path"] for c in whole["citations"]} == {f"/{name}" for name, value in written.items() if value.strip()}
    print("the small model wrote", trace.raw, "->", whole["notice"] or whole["citations"])


def test_a_choice_is_one_of_the_labels(client: TestClient) -> None:
    labels = ["fan motor overload", "low oil level"]
    whole = ask(client, structured_outputs={"choice": labels})
    assert whole["choices"][0]["message"]["content"] in labels and "not quoted" in whole["notice"]


def test_what_vllm_makes_no_grammar_of_is_a_400(client: TestClient) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/nowhere"}}}
    refused = ask(client, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert refused["status"] == 400 and "does not take this form" in refused["error"]["message"], refused
    assert ask(client, structured_outputs={"choice": ["a", "b"]})["status"] == 200, "and vLLM lives on"
