"""What vLLM can carry of an adapter: checked from its files, before vLLM is asked to load it."""

import json
import struct
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.settings import Settings
from serve.engine import largest_rank
from serve.prompt import template_hash
from serve.tiers import pick_tier

# Those that set the first weights alone; others alter the base's own, which vLLM does not.
PLAIN_INITS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
HEADER_LIMIT = 16 * 2**20
ENDLESS = {"F32": ("<u4", 0x7F800000), "F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80)}  # exponents of NaN and infinity


def check_adapter(folder: Path, settings: Settings) -> None:
    """Raises `UserError` with every reason for which vLLM would refuse the adapter in `folder`, or serve it wrongly."""
    try:
        _check(folder, settings)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError, RecursionError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(f"The adapter in {folder} is damaged ({said}).", "Publish it anew: tune sft CORPUS") from None


def refuse_other_prompt(folder: Path, settings: Settings) -> None:
    """Raises `UserError` where an adapter was trained under another prompt than is served: it would answer worse without a word."""
    manifest = _json(folder / "manifest.json")
    base = settings.models / pick_tier(settings).base.id
    if base.is_dir() and manifest.get("template_hash") not in (None, template_hash(base)):
        raise UserError(f"The adapter in {folder} was trained under another prompt and is not served.", "Train it anew: tune sft CORPUS")


def _check(folder: Path, settings: Settings) -> None:
    config, manifest = _json(folder / "adapter_config.json"), _json(folder / "manifest.json")
    largest, base = largest_rank(settings), pick_tier(settings).base.id
    rank = max([int(config.get("r") or 0), *map(int, (config.get("rank_pattern") or {}).values())])
    kind, bias, init = config.get("peft_type", "LORA"), config.get("bias", "none"), config.get("init_lora_weights")
    wrong = {
        f"it is a {kind} adapter, not LoRA": kind != "LORA",
        f"its rank {rank} is over the largest that a profile asks for, {largest}": rank > largest,
        "it has no rank": rank < 1,
        "it uses DoRA": config.get("use_dora"),
        f"it replaces whole modules ({config.get('modules_to_save')})": config.get("modules_to_save"),
        f"it trains biases (bias={bias})": bias != "none" or config.get("lora_bias"),
        "it trains new tokens": config.get("trainable_token_indices"),
        f"its initialisation {init} alters the base": isinstance(init, str) and init.lower() not in PLAIN_INITS,
        "it repeats layers": config.get("layer_replication"),
        "it is a variant of LoRA": any(map(config.get, ("alora_invocation_tokens", "use_bdlora", "use_qalora"))),
        f"it was trained on {manifest.get('base')}, and {base} is served": manifest.get("base") != base,
    }
    reasons = [reason for reason, is_so in wrong.items() if is_so]
    reasons = reasons or _wrong_weights(folder / "adapter_model.safetensors", settings.models / base)
    if reasons:
        raise UserError(f"vLLM cannot serve the adapter in {folder}: {'; '.join(reasons)}.",
                        "Train one that it can: tune sft, with the profile's defaults.")  # fmt: skip


def _wrong_weights(file: Path, base: Path) -> list[str]:
    """What is wrong with the weights, by the headers of their file and of the base's."""
    try:
        shapes, finite = _shapes(file), _is_finite(file)
    except FileNotFoundError:
        return ["it has no adapter_model.safetensors"]
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        return [f"adapter_model.safetensors is damaged ({error})"]
    others = [name for name in shapes if ".lora_A." not in name and ".lora_B." not in name]
    if others:
        return [f"it holds weights that are not LoRA's ({others[0]})"]
    # vLLM pads what is too small without a word. Where the base's files name its layers otherwise, nothing is compared.
    served = {name: shape for part in base.glob("*.safetensors") for name, shape in _shapes(part).items()}
    for name, shape in shapes.items():
        module, _, half = name.removeprefix("base_model.model.").removesuffix(".weight").rpartition(".lora_")
        wanted = served.get(f"{module}.weight")
        if wanted and (shape[1] != wanted[1] if half == "A" else shape[0] != wanted[0]):
            return [f"its shape does not fit {base.name} ({name} is {shape}, the layer {wanted})"]
    if not shapes:
        return ["adapter_model.safetensors is empty"]
    # One NaN goes into vLLM's cache of attention and silences every model it serves until it is started again.
    return [] if finite else ["it holds weights that are no finite numbers: its training went astray"]


def _shapes(file: Path) -> dict[str, list[int]]:
    """The shape of every tensor in a safetensors file, read from its header alone."""
    return {name: list(tensor["shape"]) for name, tensor in _header(file)[0].items()}


def _header(file: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where its data begins."""
    with file.open("rb") as weights:
        (length,) = struct.unpack("<Q", weights.read(8))
        if length > HEADER_LIMIT:
            raise ValueError("its header is too long")
        header = json.loads(weights.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def _is_finite(file: Path) -> bool:
    """Are all its numbers finite? Told by their exponents, since numpy has no bf16."""
    import numpy as np

    header, begin = _header(file)
    with file.open("rb") as weights:
        for tensor in header.values():
            kind, exponent = ENDLESS[tensor["dtype"]]
            start, end = tensor["data_offsets"]
            weights.seek(begin + start)
            bits = np.frombuffer(weights.read(end - start), kind)
            if np.any(bits & exponent == exponent):
                return False
    return True


def _json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{file} is missing, so {file.parent} is no adapter.", "See what is published: tune ls CORPUS"
        ) from None
    except ValueError as error:
        raise UserError(f"{file} is damaged ({error}).", "Publish the adapter anew: tune sft CORPUS") from None
    return data if isinstance(data, dict) else {}
