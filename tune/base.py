"""The base model as training sees it: its folder, its hash, its tokenizer, and which settings fit this machine."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.embed import multiplies_bf16
from ingest.settings import Settings
from serve.models import Say, ensure
from serve.tiers import Tier

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EDGE = 2**20  # bytes at each end of a weights file that its hash covers: a changed model differs there or in its header
WHOLE = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def base_folder(tier: Tier, settings: Settings, say: Say) -> Path:
    return ensure(tier.base, settings, say)


def base_hash(folder: Path) -> str:
    """SHA-256 over names, sizes, small files whole and both ends of the weights: seconds even for 60 GB."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.name in WHOLE:
            digest.update(f"{file.name}\0".encode() + _settled(file))
        elif file.suffix == ".safetensors":
            size = file.stat().st_size
            digest.update(f"{file.name}\0{size}\0".encode())
            with file.open("rb") as weights:
                digest.update(weights.read(EDGE))
                weights.seek(max(0, size - EDGE))
                digest.update(weights.read(EDGE))
    return digest.hexdigest()


def _settled(file: Path) -> bytes:
    """A file's bytes, without what transformers notes of how it was unpacked: with a hub out of reach or not."""
    data = file.read_bytes()
    return b"".join(line for line in data.splitlines(keepends=True) if b'"local_files_only"' not in line)


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def load_model(folder: Path, quantization: str = "none") -> "PreTrainedModel":
    """The frozen base: as `precision` says, or quantized by bitsandbytes to `8bit` (Dettmers et al. 2022) or `4bit` (NF4, QLoRA,
    Dettmers et al. 2023)."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    kind = getattr(torch, precision())
    how = {"8bit": BitsAndBytesConfig(load_in_8bit=True),
           "4bit": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                      bnb_4bit_compute_dtype=kind)}.get(quantization)  # fmt: skip
    return AutoModelForCausalLM.from_pretrained(folder, dtype=kind, local_files_only=True, attn_implementation="sdpa",
                                                quantization_config=how)  # fmt: skip


def precision() -> str:
    """What the frozen weights are held and computed in."""
    import torch

    if on_gpu():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "bfloat16" if multiplies_bf16() else "float32"  # LoRA's own weights stay fp32 in any case


def on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def trainer_settings() -> dict[str, Any]:
    """What of TRL's arguments depends on the machine."""
    kind, gpu = precision(), on_gpu()
    return {
        "use_cpu": not gpu,
        # Autocast is for GPUs: on a CPU it would cast each weight anew at each use, and PEFT casts for LoRA by itself.
        "bf16": gpu and kind == "bfloat16",
        "fp16": kind == "float16",
        "dataloader_pin_memory": gpu,
    }


def quiet() -> None:
    """Keep the libraries' own bars and hints out of a log that people read, and the libraries off the network.

    Called before TRL and PEFT are imported: PEFT would ask a hub for each adapter's base by its name.
    """
    import logging
    import warnings

    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("bitsandbytes", "torch.distributed", "accelerate", "trl", "peft"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(torch|trl|peft|transformers|accelerate)\b")
    from datasets.utils.logging import disable_progress_bar
    from transformers.utils import logging as transformers_logging

    disable_progress_bar()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
