"""The table of machines, and the row that is picked."""

import json

import pytest

from corpora import UserError
from ingest.settings import Settings
from serve.tiers import Gpu, known_models, load_tiers, parse_gpus, pick_tier, tier_for


def a_model(home, name, architecture, **more):
    folder = home / "models" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture], **more}))
    return folder


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in ("LECTERN_TIER", "LECTERN_BASE", "LECTERN_EMBEDDER"):
        monkeypatch.delenv(name, raising=False)
    return lambda **given: Settings(home=tmp_path, **given)


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        (None, "cpu"),
        (Gpu(name="H100", memory_gb=79.6, bf16=True), "gpu-80gb"),
        (Gpu(name="RTX 4090", memory_gb=24.0, bf16=True), "gpu-24gb"),
        (Gpu(name="L4", memory_gb=22.5, bf16=True), "gpu-24gb"),
        (Gpu(name="RTX 4060", memory_gb=8.0, bf16=True), "gpu-8gb"),
        (Gpu(name="T4", memory_gb=15.0, bf16=False), "gpu-nobf16"),
        (Gpu(name="V100", memory_gb=32.0, bf16=False), "gpu-nobf16"),
        (Gpu(name="GT 1030", memory_gb=2.0, bf16=False), "cpu"),
    ],
)
def test_the_first_row_whose_needs_are_met_is_taken(gpu, expected):
    assert tier_for(gpu).name == expected


def test_the_largest_card_of_a_machine_counts():
    output = "NVIDIA T400, 2048, 7.5\nNVIDIA H100 80GB HBM3, 81559, 9.0\nNVIDIA A2, [N/A], 8.6\n"
    assert parse_gpus(output) == Gpu(name="NVIDIA H100 80GB HBM3", memory_gb=81559 / 1024, bf16=True)
    assert parse_gpus("") is None
    assert parse_gpus("NVIDIA-SMI has failed because it couldn't communicate with the driver.") is None


def test_rows_run_from_the_largest_machine_to_one_without_a_gpu():
    tiers = load_tiers()
    assert [t.name for t in tiers] == ["gpu-80gb", "gpu-24gb", "gpu-8gb", "gpu-nobf16", "cpu"]
    assert not tiers[-1].gpu
    assert tiers[-1].base.carried and tiers[-1].embedder.carried, "a machine without a hub must find its models in pip"
    for tier in tiers:
        assert tier.prompt_budget <= tier.context
        assert (tier.base.kind, tier.embedder.kind) == ("base", "embedder")
        assert tier.dtype == ("float16" if tier.name == "gpu-nobf16" else "bfloat16")
        assert not tier.gpu or 0.5 <= tier.gpu_memory <= 0.9, "embedder and reranker need the rest of the card"


def test_every_model_of_the_table_has_a_free_licence():
    assert {ref.licence for ref in known_models().values()} <= {"Apache-2.0", "MIT"}


def test_a_large_card_without_its_model_is_served_by_the_small_one_and_says_so(settings):
    tier = pick_tier(settings(tier="gpu-24gb"))
    assert tier.name == "gpu-24gb"
    assert tier.base.id == "SmolLM2-135M-Instruct"
    assert tier.reranker is None
    assert (tier.prompt_budget, tier.quantization) == (768, None)
    assert "serve model get Qwen/Qwen2.5-7B-Instruct" in tier.notices[0]
    assert len(tier.notices) == 3


def test_models_that_are_there_are_used(settings, tmp_path):
    a_model(tmp_path, "Qwen2.5-7B-Instruct", "Qwen2ForCausalLM")
    a_model(tmp_path, "bge-m3", "XLMRobertaModel")
    a_model(tmp_path, "bge-reranker-v2-m3", "XLMRobertaForSequenceClassification")
    tier = pick_tier(settings(tier="gpu-24gb"))
    assert (tier.base.id, tier.embedder.id) == ("Qwen2.5-7B-Instruct", "bge-m3")
    assert tier.reranker is not None
    assert tier.prompt_budget == 4096
    assert tier.notices == ()


def test_a_chosen_base_is_used_as_its_files_are(settings, tmp_path):
    a_model(tmp_path, "My-Qwen", "Qwen2ForCausalLM", model_type="qwen2")
    tier = pick_tier(settings(tier="gpu-80gb", base="My-Qwen"))
    assert tier.base.id == "My-Qwen"
    assert tier.base.languages == ("en", "zh")
    assert tier.quantization is None
    assert tier.prompt_budget == 6144


@pytest.mark.parametrize("given", [{"base": "nowhere"}, {"base": "../../etc"}, {"base": "an-embedder"},
                                   {"embedder": "nowhere"}, {"tier": "gpu-1tb"}])  # fmt: skip
def test_a_wrong_choice_names_what_there_is(settings, tmp_path, given):
    (a_model(tmp_path, "an-embedder", "BertModel") / "modules.json").write_text("[]")
    with pytest.raises(UserError) as error:
        pick_tier(settings(**given))
    assert error.value.next_step
