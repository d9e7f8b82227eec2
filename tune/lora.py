"""LoRA: which of the base's layers learn, and how their adapters are scaled (Hu et al. 2021; rsLoRA: Kalajdzievski 2023)."""

from typing import Any

from peft import LoraConfig

from corpora.profile import Recipe
from serve.engine import LAYERS

SCALE = 2  # alpha in ranks: what an adapter adds is multiplied by alpha / rank
STEADY = 8  # alpha of rsLoRA, which divides by the root of the rank: at rank 16 both are the same


def lora_config(recipe: Recipe) -> LoraConfig:
    return LoraConfig(
        r=recipe.rank, lora_alpha=STEADY if recipe.rslora else SCALE * recipe.rank, use_rslora=recipe.rslora, lora_dropout=0.0,
        target_modules=list(LAYERS.get(recipe.modules, ())) or "all-linear", task_type="CAUSAL_LM",
    )  # fmt: skip


def steady(model: Any) -> None:
    """The adapter's own weights in full precision: TRL halves those over a quantized base, and small steps are then lost."""
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def trainable(model: Any) -> tuple[int, int]:
    """Parameters that learn, and all of them. A quantized weight counts what it stands for."""
    learn, whole = model.get_nb_trainable_parameters()
    return int(learn), int(whole)
