"""SFT on the real small model: the guards on labels, two steps to a published version, and an interrupted run resumed."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors import SafetensorError, safe_open

import tune.train
from corpora import UserError
from ingest.settings import Settings
from serve.adapter import check_adapter
from serve.champion import versions
from serve.prompt import template_hash
from tests.plant import CORPUS, SILENT, make_plant
from tune.base import base_hash, load_tokenizer
from tune.data import data_folder, make_data, read_examples
from tune.labels import check_labels, decoded, encode
from tune.registry import adapter_folder, read_adapter, refuse_other_shape
from tune.sft import sft
from tune.talk import Talk
from tune.train import Request, full_disk

PROMPT = [{"role": "system", "content": "Cite."}, {"role": "user", "content": "Passages:\n\n[1] Oil\n63 L\n\nQuestion: how much oil?"}]
ANSWER = [{"role": "assistant", "content": "The oil volume is 63 L. [1]"}]
# SmolLM2's own template, but for the end of a turn.
ENDLESS = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SHOUTING = ENDLESS.replace("m['content']", "(m['content'] | upper if m['role'] == 'assistant' else m['content']) + '<|im_end|>'")
HISTORY = ENDLESS.replace("{% for", "{{ messages | length }}{% for").replace("m['content']", "m['content'] + '<|im_end|>'")


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_plant(home, tmp_path_factory.mktemp("plant"))
    make_data(settings, CORPUS, 4, 0, SILENT)
    return settings


@pytest.fixture(scope="module")
def base(home: Path) -> Path:
    return home / "models" / "SmolLM2-135M-Instruct"


def test_labels_are_the_answer_and_eos_and_nothing_else(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    row = encode(tokenizer, "row", PROMPT, ANSWER, 768)
    trained = [token for token in row.labels if token != -100]
    assert tokenizer.decode(trained) == "The oil volume is 63 L. [1]<|im_end|>"
    assert row.ids[-len(trained) :] == trained and len(row.ids) == len(row.labels)
    assert tokenizer.decode(row.prompt).endswith("<|im_start|>assistant\n")
    assert decoded(tokenizer, row).endswith("⟦The oil volume is 63 L. [1]<|im_end|>⟧")
    with pytest.raises(UserError, match="labels decode to"):
        check_labels(tokenizer, "row", row.labels[:-1], ANSWER)


@pytest.mark.parametrize(
    ("template", "sentence"),
    [(ENDLESS, "never learn to stop"), (SHOUTING, "labels decode to"), (HISTORY, "renders the prompt otherwise")],
)
def test_a_template_that_spoils_the_labels_stops_the_run(base: Path, template: str, sentence: str) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.chat_template = template
    with pytest.raises(UserError, match=sentence):
        encode(tokenizer, "row", PROMPT, ANSWER, 768)


def test_a_row_that_is_too_long_stops_the_run_with_its_length(base: Path) -> None:
    with pytest.raises(UserError, match=r"row-7 has \d+ tokens, more than the 20"):
        encode(load_tokenizer(base), "row-7", PROMPT, ANSWER, 20)


def test_training_asks_no_hub() -> None:
    """Told by the library's own switch, in a process as the command starts it."""
    script = ("import tune.cli; from tune.base import quiet; quiet(); import tune.sft, huggingface_hub; "
              "print(huggingface_hub.is_offline_mode())")  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip().endswith("True"), done.stderr


def test_two_steps_publish_a_version_that_serving_accepts(settings: Settings, base: Path) -> None:
    told: list[str] = []
    trained = sft(settings, Request(CORPUS, max_steps=2, rows=1), Talk(told.append))
    folder = adapter_folder(settings, CORPUS, trained.adapter.version)
    check_adapter(folder, settings)
    assert trained.adapter == read_adapter(settings, CORPUS, 1)
    assert trained.adapter.template_hash == template_hash(base) and trained.adapter.base_hash == base_hash(base)
    assert (trained.adapter.rows, trained.adapter.kind, trained.adapter.parent) == (1, "sft", None)
    row = read_examples(settings, CORPUS)[0]
    assert trained.adapter.trained_on == sorted({chunk.rpartition(":")[0] for chunk in row.chunks})
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["r"] == 8 and config["base_model_name_or_path"] == base.name
    assert config["target_modules"] == ["gate_proj", "up_proj"]
    with safe_open(folder / "adapter_model.safetensors", "pt") as weights:
        learnt = [weights.get_tensor(name) for name in weights.keys() if "lora_B" in name]  # noqa: SIM118
        assert all(str(t.dtype) == "torch.bfloat16" for t in learnt) and any(t.abs().max() > 0 for t in learnt)
    log = [json.loads(line) for line in (trained.run.folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log[:2]] == [1, 2] and all(line["tokens_per_second"] > 0 for line in log[:2])
    assert log[2]["event"] == "published"
    assert yaml.safe_load((trained.run.folder / "config.yaml").read_text())["max_length"] == 768
    answer = read_examples(settings, CORPUS)[0].completion[0]["content"]
    assert any(f"⟦{answer}<|im_end|>⟧" in line for line in told), "one decoded example is shown"


def test_it_goes_on_from_a_version_of_the_same_shape(settings: Settings) -> None:
    first = versions(settings, CORPUS)[0]
    parent = read_adapter(settings, CORPUS, first)
    trained = sft(settings, Request(CORPUS, max_steps=1, rows=1, start=first), SILENT)
    assert trained.adapter.parent == first and set(trained.adapter.trained_on) >= set(parent.trained_on)
    with safe_open(adapter_folder(settings, CORPUS, first) / "adapter_model.safetensors", "pt") as old, \
         safe_open(adapter_folder(settings, CORPUS, trained.adapter.version) / "adapter_model.safetensors", "pt") as new:  # fmt: skip
        moved = [(new.get_tensor(name).float() - old.get_tensor(name).float()).abs().max().item() for name in old.keys()]  # noqa: SIM118
    rate = trained.run.plan.recipe.learning_rate
    assert 0 < max(moved) < 3 * rate, "one step from the parent's weights, which a fresh start is nowhere near"
    other = trained.run.plan.model_copy(update={"recipe": trained.run.plan.recipe.model_copy(update={"rank": 64})})
    with pytest.raises(UserError, match=r"rank \d+, and the recipe says rank 64"):
        refuse_other_shape(parent, other)


def test_ctrl_c_leaves_a_checkpoint_and_resume_goes_on_from_it(settings: Settings) -> None:
    def interrupting(line: str) -> None:
        if line.startswith("Step 1/"):
            signal.raise_signal(signal.SIGINT)

    before = versions(settings, CORPUS)
    with pytest.raises(KeyboardInterrupt):
        sft(settings, Request(CORPUS, max_steps=3, rows=1), Talk(interrupting))
    assert versions(settings, CORPUS) == before, "nothing half-trained is published"
    rows = data_folder(settings, CORPUS) / "sft.jsonl"
    made = rows.read_bytes()
    rows.write_bytes(made + made.splitlines(keepends=True)[0])
    with pytest.raises(UserError, match="The rows changed since"):
        sft(settings, Request(CORPUS, resume=True), SILENT)
    rows.write_bytes(made)
    told: list[str] = []
    trained = sft(settings, Request(CORPUS, resume=True), Talk(told.append))
    log = [json.loads(line) for line in (trained.run.folder / "log.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in log if "step" in line]
    assert steps[-1] == 3 and steps == list(range(1, 4)) and any("from checkpoint-" in line for line in told)
    assert trained.adapter.settings["max_steps"] == 3 and versions(settings, CORPUS) == [*before, trained.adapter.version]
    with pytest.raises(UserError, match="No interrupted run"):
        sft(settings, Request(CORPUS, resume=True), SILENT)


def test_one_that_was_trained_but_not_published_is_published_by_resume(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions(settings, CORPUS)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(tune.train, "publish", full)
        sft(settings, Request(CORPUS, max_steps=1, rows=1), SILENT)
    assert versions(settings, CORPUS) == before
    trained = sft(settings, Request(CORPUS, resume=True), SILENT)
    assert versions(settings, CORPUS) == [*before, trained.adapter.version] and trained.adapter.loss > 0
    assert trained.run.adapter.is_dir() and not list(trained.run.folder.glob("*.part"))


@pytest.mark.parametrize("error", [SafetensorError("Error while serializing: No space left on device"),
                                   RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/3")])  # fmt: skip
def test_a_full_disk_is_the_error_that_the_console_has_a_sentence_for(error: Exception) -> None:
    with pytest.raises(OSError) as told, full_disk():
        raise error
    assert told.value.errno == errno.ENOSPC
    with pytest.raises(RuntimeError, match="something else"), full_disk():
        raise RuntimeError("something else")
