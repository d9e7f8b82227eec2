"""The whole stack, up for real: the stock client on every assistant, vLLM behind the gateway, adapters, and a killed vLLM."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from openai import OpenAI
from safetensors.numpy import save_file

from corpora import load_profile
from ingest.manifest import Manifest
from ingest.settings import Settings
from serve.champion import champion
from serve.engine import Engine
from serve.journal import Journal
from serve.tiers import pick_tier

ASSISTANTS = ("maintenance", "legal", "code", "official")
LAYERS, HIDDEN, WIDE, RANK = 30, 576, 1536, 8  # of the small model


@pytest.fixture
def settings(stack: Any) -> Settings:
    return stack.settings  # type: ignore[no-any-return]


@pytest.fixture
def openai(stack: Any) -> OpenAI:
    return OpenAI(base_url=f"{stack.api}/v1", api_key=stack.key, max_retries=0, timeout=300)


@pytest.fixture
def http(stack: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api, headers=stack.headers, timeout=300) as client:
        yield client


def questions(settings: Settings, corpus: str) -> list[str]:
    """What the page offers to begin with."""
    return load_profile(corpus, settings.root).serve.examples


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.3)


def stream(openai: OpenAI, model: str, question: str) -> tuple[str, dict[str, Any]]:
    """The text of a streamed answer and what stands beside its last choice."""
    text, beside = "", {}
    for chunk in openai.chat.completions.create(
        model=model, stream=True, messages=[{"role": "user", "content": question}]
    ):
        text += chunk.choices[0].delta.content or ""
        if chunk.choices[0].finish_reason:
            beside = chunk.model_extra or {}
    return text, beside


def publish(settings: Settings, corpus: str, version: int, value: float, hidden: int = HIDDEN) -> Path:
    """An adapter for the small model's gate projections, all of whose weights are `value`; 0 changes nothing."""
    folder = settings.adapters / corpus / str(version)
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "bias": "none", "target_modules": ["gate_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "manifest.json").write_text(json.dumps({"base": pick_tier(settings).base.id}))
    weights = {}
    for layer in range(LAYERS):
        name = f"base_model.model.model.layers.{layer}.mlp.gate_proj"
        weights[f"{name}.lora_A.weight"] = np.full((RANK, hidden), value, np.float32)
        weights[f"{name}.lora_B.weight"] = np.full((WIDE, RANK), value, np.float32)
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture
def published(settings: Settings) -> Iterator[list[int]]:
    """Adapter versions of `maintenance`: 901 and 902 sound, 903 of the wrong shape, 904 of no numbers."""
    before = champion(settings, "maintenance")
    folders = [publish(settings, "maintenance", 901, 0.0), publish(settings, "maintenance", 902, 0.0),
               publish(settings, "maintenance", 903, 0.0, hidden=64), publish(settings, "maintenance", 904, float("nan"))]  # fmt: skip
    yield [int(folder.name) for folder in folders]
    file = settings.adapters / "maintenance" / "champion.json"
    if before:
        file.write_text(before.model_dump_json())
    else:
        file.unlink(missing_ok=True)
    for folder in folders:
        Engine(settings).unload(f"maintenance-v{folder.name}")
        shutil.rmtree(folder)


@pytest.mark.parametrize("corpus", ASSISTANTS)
def test_stock_client_gets_a_stream_with_citations_that_stand_in_the_documents(
    settings: Settings, openai: OpenAI, http: httpx.Client, corpus: str
) -> None:
    manifest = Manifest(settings.root)
    cited = 0
    for question in questions(settings, corpus):
        text, beside = stream(openai, corpus, question)
        assert text.strip() and beside["mode"] in ("model", "extractive") and beside["trace_id"]
        if beside["refused"]:
            continue
        assert beside["citations"], question
        for citation in beside["citations"]:
            assert manifest.text(citation["version"])[citation["start"] : citation["end"]] == citation["quote"]
            assert f"[{citation['marker']}]" in text
            cited += 1
        first = beside["citations"][0]
        address = f"/v1/corpora/{corpus}/versions/{first['version']}/passage"
        opened = http.get(address, params={"start": first["start"], "end": first["end"]}).raise_for_status().json()
        assert opened["quote"] == first["quote"] and opened["document"] == first["document"]
    assert cited, "at least one of the questions that the page offers has an answer"


def test_a_model_writes_and_not_only_quotes(settings: Settings, openai: OpenAI) -> None:
    modes = [stream(openai, "maintenance", q)[1]["mode"] for q in questions(settings, "maintenance")]
    raws = [t.raw for t in Journal(settings.root).traces("maintenance", limit=len(modes))]
    assert any(raws), "vLLM was asked, whether or not its sentences passed the check"


def test_raw_model_is_passed_through(settings: Settings, http: httpx.Client) -> None:
    body = {"model": pick_tier(settings).base.id, "messages": [{"role": "user", "content": "Count to five."}],
            "temperature": 0, "max_tokens": 24, "logprobs": True}  # fmt: skip
    direct = httpx.post(f"{settings.url('vllm')}/v1/chat/completions", json=body, timeout=120).json()
    passed = http.post("/v1/chat/completions", json=body).json()
    assert passed["choices"] == direct["choices"] and passed["usage"] == direct["usage"] and set(passed) == set(direct)
    streamed = http.post("/v1/chat/completions", json={**body, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)
    assert text == direct["choices"][0]["message"]["content"] and streamed.text.rstrip().endswith("data: [DONE]")
    wrong = {**body, "temperature": -1}
    said = httpx.post(f"{settings.url('vllm')}/v1/chat/completions", json=wrong)
    passed_on = http.post("/v1/chat/completions", json=wrong)
    assert (passed_on.status_code, passed_on.content) == (said.status_code, said.content) and said.status_code == 400
    refused = http.post("/v1/chat/completions", json={**body, "prompt_logprobs": 1})
    assert refused.status_code == 400 and "prompt_logprobs is not served" in refused.text


def test_seeds_of_prompts_that_are_read_in_parts_do_not_end_the_model_server(settings: Settings, http: httpx.Client) -> None:
    def ask(n: int) -> int:
        body = {"model": pick_tier(settings).base.id, "messages": [{"role": "user", "content": f"{n} pumps " + "and valves " * 1500}],
                "max_tokens": 4, "temperature": 0.7, "seed": n}  # fmt: skip
        return http.post("/v1/chat/completions", json=body, timeout=300).status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == [200] * 6
    assert Engine(settings).up()


def running(settings: Settings) -> float:
    metrics = httpx.get(f"{settings.url('vllm')}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in metrics if line.startswith("vllm:num_requests_running{"))


@pytest.mark.parametrize("streams", [True, False])
def test_client_that_leaves_stops_the_model(settings: Settings, http: httpx.Client, streams: bool) -> None:
    until(lambda: running(settings) == 0, 60)
    body = {"model": pick_tier(settings).base.id, "messages": [{"role": "user", "content": "Count to ten thousand."}],
            "max_tokens": 3000, "ignore_eos": True, "stream": streams}  # fmt: skip
    try:
        with http.stream("POST", "/v1/chat/completions", json=body, timeout=httpx.Timeout(30, read=5)) as answer:
            lines = answer.iter_lines()  # kept: an iterator that is let go hangs up
            next(lines)
            until(lambda: running(settings) == 1, 8)  # vLLM writes its figures after the first token, not with it
    except httpx.ReadTimeout:
        assert not streams
    until(lambda: running(settings) == 0, 8)  # all 3,000 tokens would take a minute and more


def test_client_that_leaves_an_assistant_stops_its_answer(settings: Settings, http: httpx.Client) -> None:
    question = f"{questions(settings, 'maintenance')[0]} Please say it {time.time_ns()} times."
    body = {"model": "maintenance", "stream": True, "messages": [{"role": "user", "content": question}]}
    with http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert '"role"' in next(answer.iter_lines())
    until(lambda: running(settings) == 0, 30)
    time.sleep(1)
    asked = [trace.question for trace in Journal(settings.root).traces("maintenance")]
    assert question not in asked, "only an answer that came to its end is on record"


def test_adapter_is_promoted_answers_and_is_rolled_back(
    settings: Settings, http: httpx.Client, openai: OpenAI, published: list[int]
) -> None:
    done = http.post("/v1/adapters/maintenance/promote", json={"version": 901, "force": True})
    assert done.status_code == 200 and done.json()["champion"]["name"] == "maintenance-v901", done.text
    models = {m["id"]: m["lectern"] for m in http.get("/v1/models").json()["data"]}
    assert models["maintenance"]["adapter"] == "maintenance-v901" and models["maintenance-v901"] == {"kind": "adapter"}
    assert models[pick_tier(settings).base.id] == {"kind": "base"} and models["legal"]["adapter"] is None
    raw = openai.chat.completions.create(
        model="maintenance-v901", messages=[{"role": "user", "content": "Hello"}], max_tokens=4
    )
    assert raw.choices[0].message.content
    question = questions(settings, "maintenance")[0]
    assert stream(openai, "maintenance", question)[0]
    (trace,) = Journal(settings.root).traces("maintenance", limit=1)
    assert trace.answer.model in ("maintenance-v901", "")
    assert http.post("/v1/adapters/maintenance/promote", json={"version": 902, "force": True}).status_code == 200
    assert "maintenance-v901" not in Engine(settings).models(), "the old one is unloaded after its drain"
    for version, reason in [(903, "does not fit"), (904, "no finite numbers")]:
        refused = http.post("/v1/adapters/maintenance/promote", json={"version": version, "force": True})
        assert refused.status_code == 400 and reason in refused.json()["error"]["message"], refused.text
        assert f"maintenance-v{version}" not in Engine(settings).models()
        kept = champion(settings, "maintenance")
        assert kept and kept.version == 902
    back = http.post("/v1/adapters/maintenance/rollback").json()
    assert back["champion"]["version"] == 901 and "maintenance-v901" in Engine(settings).models()


def test_killed_vllm_turns_answers_into_quotes_and_comes_back_with_its_adapter(
    settings: Settings, http: httpx.Client, openai: OpenAI, published: list[int]
) -> None:
    http.post("/v1/adapters/maintenance/promote", json={"version": 901, "force": True}).raise_for_status()
    os.kill(int((settings.run / "vllm.pid").read_text()), signal.SIGKILL)
    until(lambda: not Engine(settings).up(), 20)
    question = questions(settings, "maintenance")[0]
    text, beside = stream(openai, "maintenance", question)
    assert beside["mode"] == "extractive" and beside["citations"] and "not running" in beside["notice"], text
    assert http.get("/health").json()["model"]["up"] is False
    body = {"model": pick_tier(settings).base.id, "messages": [{"role": "user", "content": "Hello"}]}
    refused = http.post("/v1/chat/completions", json=body)
    assert refused.status_code == 503 and "make up" in refused.json()["error"]["message"]
    until(lambda: Engine(settings).up(), 240)
    assert "maintenance-v901" in Engine(settings).models()
    assert http.post("/v1/chat/completions", json={**body, "max_tokens": 4}).status_code == 200
