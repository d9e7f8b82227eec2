"""A whole evaluation of two adapters on the real vLLM: perplexity is that of the model itself, and one command shows all side by side."""

import json
import math
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from ingest.settings import Settings
from serve.chain import open_assistant
from tests.conftest import free_ports, running_vllm
from tests.plant import CORPUS, HELD_OUT, make_plant
from tune.base import load_model
from tune.cli import main
from tune.gold import find_gold, held_out_questions
from tune.labels import Encoded
from tune.perplexity import Scorer
from tune.registry import adapter_folder, publish
from tune.run import Plan
from tune.shown import shown_hits

QUESTIONS = [
    ("What does fault QX-E77 on the QX-9 mixer mean?", "Its shaft speed is below 31 rpm.", "QX-E77 | Shaft speed below 31 rpm"),
    ("How much may be filled into the drum of the QX-9 mixer?", "415 L of dry goods.", "may be filled to 415 L of dry goods"),
    ("Which oil goes into the gear of the QX-9 mixer?", None, None),
]


@dataclass(frozen=True)
class Measured:
    """What the command printed and wrote, and the gold answers as they were put to the model."""

    settings: Settings
    text: str
    result: dict[str, Any]
    targets: dict[str, Encoded]


@pytest.fixture(scope="module")
def measured(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    settings = make_plant(home, tmp_path_factory.mktemp("plant")).model_copy(update={"vllm_port": free_ports(1)[0]})
    rows = [{"id": f"q{n}", "question": q, "answerable": a is not None, "answer": a, "document": HELD_OUT, "quote": quote, "lang": "en",
             "split": "heldout"} for n, (q, a, quote) in enumerate(QUESTIONS)]  # fmt: skip
    (settings.root / "corpora" / CORPUS / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for kind, spread in (("sft", 0.6), ("dpo", 0.8)):
        publish_adapter(settings, tmp_path_factory.mktemp("trained"), kind, spread)
    with pytest.MonkeyPatch.context() as patch, running_vllm(settings), redirect_stdout(StringIO()) as out:
        for name, value in (("HOME", str(settings.root)), ("VLLM_PORT", str(settings.vllm_port)), ("TIER", "cpu")):
            patch.setenv(f"LECTERN_{name}", value)
        assert main(["eval", CORPUS, "--adapter", "2", "--ab", "1", "--side-by-side", "3"]) == 0
        targets = gold_targets(settings)
    (file,) = (settings.root / "runs" / "eval").glob("*.json")
    yield Measured(settings, out.getvalue(), json.loads(file.read_text()), targets)


def publish_adapter(settings: Settings, folder: Path, kind: str, spread: float) -> None:
    """A version that was never trained: random weights, far enough from nought that the model finds other words likely."""
    base = settings.models / "SmolLM2-135M-Instruct"
    torch.manual_seed(0)
    model = get_peft_model(load_model(base).float(), LoraConfig(r=4, lora_alpha=8, target_modules=["gate_proj", "up_proj"]))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=spread)
    model.save_pretrained(str(folder))
    plan = {"corpus": CORPUS, "kind": kind, "base": base.name, "base_hash": "b", "template_hash": "t", "data_hash": "d", "parent": None,
            "rows": 1, "sequences": 1, "max_steps": 1, "recipe": {}, "precision": "float32", "checkpointing": False, "batch": 1,
            "accumulate": 1, "max_length": 768, "seed": 0}  # fmt: skip
    publish(settings, folder, Plan.model_validate(plan), 1.0)


def gold_targets(settings: Settings) -> dict[str, Encoded]:
    assistant = open_assistant(CORPUS, settings)
    with assistant.searcher:
        gold, _ = find_gold(assistant.profile, assistant.searcher.manifest, held_out_questions(assistant.profile, None, assistant.reads), 0)
        scorer = Scorer(assistant, ())
        traces = [(g, assistant.ask(g.question.question, adapter="", mode="model")) for g in gold]
        found = {g.question.id: scorer.target(trace, shown_hits(assistant, trace), g) for g, trace in traces}
        assert all(scorer.target(trace, [], g) is None for g, trace in traces), "without the gold passage there is nothing to ask"
    return {id_: target for id_, target in found.items() if target}


def own_loss(settings: Settings, version: int | None, target: Encoded) -> float:
    """The mean negative log-likelihood of the answer, by transformers and PEFT in fp32."""
    model: Any = load_model(settings.models / "SmolLM2-135M-Instruct").float()
    if version:
        model = PeftModel.from_pretrained(model, str(adapter_folder(settings, CORPUS, version))).float()
    with torch.inference_mode():
        loss = model(input_ids=torch.tensor([target.ids]), labels=torch.tensor([target.labels])).loss
    return float(loss)


@pytest.mark.parametrize(("system", "version"), [("base+rag", None), ("other+rag", 1), ("adapter+rag", 2)])
def test_perplexity_is_the_models_own(measured: Measured, system: str, version: int | None) -> None:
    figures = measured.result["systems"][system]
    assert set(measured.targets) == {"q0", "q1"} and figures["n_of"]["perplexity"] == 2, "the question without an answer has none"
    own = {id_: own_loss(measured.settings, version, target) for id_, target in measured.targets.items()}
    told = {row["id"]: row["figures"][system].get("log_perplexity") for row in measured.result["questions"]}
    assert told == {**{id_: pytest.approx(loss, rel=0.05) for id_, loss in own.items()}, "q2": None}
    tokens = {id_: len(target.answer) for id_, target in measured.targets.items()}
    whole = math.exp(sum(told[id_] * tokens[id_] for id_ in own) / sum(tokens.values()))
    assert figures["perplexity"] == pytest.approx(whole, rel=1e-3)


def test_each_adapter_has_its_own(measured: Measured) -> None:
    found = [measured.result["systems"][system] for system in ("base+rag", "other+rag", "adapter+rag")]
    heard = sorted(figures["perplexity"] for figures in found)
    assert heard[1] > 1.2 * heard[0] and heard[2] > 1.2 * heard[1], "so far apart that one is not taken for another"
    assert all("perplexity" not in measured.result["systems"][system] for system in ("base", "adapter", "extractive"))
    gain = measured.result["systems"]["adapter+rag"]["gain"]
    assert "log_perplexity" in gain["base+rag"] and "log_perplexity" not in gain["extractive"]


def test_one_command_shows_every_system_side_by_side(measured: Measured) -> None:
    assert measured.result["kinds"] == {"1": "sft", "2": "dpo"}
    shown, _, tables = measured.text.partition("            correct")
    assert all(question in shown for question, *_ in QUESTIONS)
    assert all(shown.count(f"\n{name} ") >= 3 for name in ("base+rag", "version 1, sft", "version 2, dpo", "extractive"))
    assert "perplexity, n 2" in tables and "adapter+rag against other+rag: log_perplexity" in tables
    changed = measured.result["systems"]["adapter+rag"]["changed"]["other+rag"]
    listed = [f"{len(ids)} {which}: version 2, dpo against version 1, sft" for which, ids in changed.items() if ids]
    assert all(line in shown for line in listed)
