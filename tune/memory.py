"""What a training needs of memory, by part, told before it begins: the base's files give the weights, a model of one and of two of its
layers what is kept for the way back.  See: tune plan maintenance"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from corpora.profile import Recipe
from tune.base import on_gpu
from tune.lora import lora_config, trainable
from tune.packs import collate

FULL = 4  # bytes of a number in full precision
LEARNS = 4  # of each of the adapter's: itself, its gradient, and Adam's two moments
BITS = {"8bit": 8, "4bit": 4.127}  # of a linear layer's weight; NF4's own scales are quantized again (QLoRA, section 3)
WORDS = 64  # that the probe's model knows: the head is reckoned by itself
HEAP = 1.7  # of what comes and goes, that a CPU's heap takes: pieces of many sizes leave gaps
SCORES = 4  # times that all scores are held in full precision: cast, exponentiated, their gradient and its cast


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that are held at the fullest moment of a step."""

    process: int  # Python and its libraries
    weights: int  # of the frozen base
    adapter: int  # what learns, its gradients and the optimizer's moments
    activations: int  # kept on the way forward for the way back
    head: int  # scores of every token that may follow, where an answer is learnt

    @property
    def whole(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))


@dataclass(frozen=True, slots=True)
class Probe:
    """A model of the base's shape but with few layers: bytes kept for the way back, and what of it learns."""

    kept: int
    learns: int


def estimate(base: Path, recipe: Recipe, precision: str, checkpointing: bool, batch: int, pack: dict[str, Any], labels: int,
             process: int) -> Memory:  # fmt: skip
    """For batches of `batch` packs like `pack`, the longest, of which `labels` tokens are learnt; `process` is in bytes."""
    config = AutoConfig.from_pretrained(base, local_files_only=True)
    one, two = (probe(config, recipe, precision, pack, layers) for layers in (1, 2))
    layer, learns, deep = two.kept - one.kept, two.learns - one.learns, config.num_hidden_layers - 1
    through = len(pack["input_ids"]) * config.hidden_size * (FULL if precision == "float32" else FULL // 2)
    # Computed twice, a layer keeps what goes into it alone, but for the one that is at work.
    kept = one.kept + deep * (through if checkpointing else layer)
    gaps = 1.0 if on_gpu() else HEAP
    return Memory(
        process=process, weights=weights(base, recipe.quantization, precision), adapter=(one.learns + deep * learns) * FULL * LEARNS,
        activations=int(gaps * batch * kept), head=int(gaps * batch * labels * config.vocab_size * FULL * SCORES),
    )  # fmt: skip


def weights(base: Path, quantization: str, precision: str) -> int:
    """Bytes of the base as training holds it; quantized are the linear layers alone, which are all but embeddings and norms."""
    whole = linear = 0
    for file in base.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no dictionary
                shape = tensors.get_slice(name).get_shape()
                size = torch.Size(shape).numel()
                whole += size
                linear += size * (len(shape) == 2 and "embed" not in name and "lm_head" not in name)
    bits = 32 if precision == "float32" else 16
    return int((linear * BITS.get(quantization, bits) + (whole - linear) * bits) / 8)


def probe(config: PretrainedConfig, recipe: Recipe, precision: str, pack: dict[str, Any], layers: int) -> Probe:
    """What autograd keeps of one forward pass of `pack`, each piece of memory counted once, the parameters not at all."""
    small = type(config).from_dict({**config.to_dict(), "num_hidden_layers": layers, "vocab_size": WORDS, "layer_types": None})
    model: Any = AutoModelForCausalLM.from_config(small, dtype=getattr(torch, precision), attn_implementation="sdpa")
    model = get_peft_model(model, lora_config(recipe)).train()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no other takes its place
        return tensor

    batch = collate([pack])
    batch["input_ids"] %= WORDS
    labels = batch.pop("labels")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**batch, logits_to_keep=(labels[0] >= 0).nonzero()[:, 0], use_cache=False)
    return Probe(sum(size for size, _ in kept.values()), trainable(model)[0])
