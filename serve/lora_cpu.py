"""Adapters on a CPU, computed by the adapter instead of by the token: a plugin that vLLM loads by itself (`vllm.general_plugins`).

vLLM's own CPU code copies an adapter's whole matrices once for every token, which takes more time than the model itself; and it takes a
token without an adapter for one of the last slot, so that the base answers as an adapter does once all slots are taken. Here the tokens
of one adapter go through its matrices together, and tokens without one are left alone.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def register() -> None:
    """Put the functions below in the place of vLLM's, where it runs on a CPU."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.lora.ops.torch_ops import lora_ops
    from vllm.lora.punica_wrapper import punica_cpu

    from serve import seed_cpu

    seed_cpu.register()
    for function in (bgmv_shrink, bgmv_expand, bgmv_expand_slice):
        for module in (lora_ops, punica_cpu):  # the second has its own names for them
            setattr(module, function.__name__, function)


def bgmv_shrink(inputs: "Tensor", lora_a_weights: "Tensor", output_tensor: "Tensor", lora_indices_tensor: "Tensor",
                scaling: float = 1.0) -> None:  # fmt: skip
    """`inputs` (tokens, in) by each token's own A (slots, 1, rank, in), into `output_tensor` (tokens, rank)."""
    import torch

    kind, rank = output_tensor.dtype, lora_a_weights.shape[-2]
    output_tensor[:, :rank] = 0
    for slot, at in _by_slot(lora_indices_tensor[: inputs.shape[0]]):
        output_tensor[at, :rank] = scaling * torch.nn.functional.linear(inputs[at].to(kind), _matrix(lora_a_weights, slot, kind))


def bgmv_expand(inputs: "Tensor", lora_b_weights: "Tensor", output_tensor: "Tensor", lora_indices_tensor: "Tensor",
                add_inputs: bool = True) -> None:  # fmt: skip
    """`inputs` (tokens, rank) by each token's own B (slots, 1, out, rank), added to `output_tensor` (tokens, out) or put in its place."""
    # The model's own output may be padded otherwise than the adapter's.
    bgmv_expand_slice(inputs, lora_b_weights, output_tensor, lora_indices_tensor, 0, min(lora_b_weights.shape[-2], output_tensor.shape[1]),
                      add_inputs)  # fmt: skip


def bgmv_expand_slice(inputs: "Tensor", lora_b_weights: "Tensor", output_tensor: "Tensor", lora_indices_tensor: "Tensor",
                      slice_offset: int, slice_size: int, add_inputs: bool = True) -> None:  # fmt: skip
    """As `bgmv_expand`, into the columns from `slice_offset` on."""
    import torch

    columns = slice(slice_offset, slice_offset + slice_size)
    kind = output_tensor.dtype
    if not add_inputs:
        output_tensor[:, columns] = 0
    for slot, at in _by_slot(lora_indices_tensor[: inputs.shape[0]]):
        output_tensor[at, columns] += torch.nn.functional.linear(inputs[at].to(kind), _matrix(lora_b_weights, slot, kind)[:slice_size])


def _by_slot(indices: "Tensor") -> Iterator[tuple[int, Any]]:
    """Each slot that tokens use, and which tokens: all of them in the usual case, that of one assistant."""
    slots = indices.unique().tolist()
    if len(slots) == 1:
        if slots[0] >= 0:
            yield slots[0], slice(0, indices.shape[0])
        return
    for slot in slots:
        if slot >= 0:
            yield slot, (indices == slot).nonzero()[:, 0]


def _matrix(weights: "Tensor", slot: int, kind: Any) -> "Tensor":
    own = weights[slot]
    return (own.squeeze(0) if own.dim() == 3 else own).to(kind)
