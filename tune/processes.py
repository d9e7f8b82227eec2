"""Processes: one training spread over several by `accelerate launch -m tune sft …`. In one alone, everything here is plain.

The first process decides, writes and talks; the others compute.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def count() -> int:
    """How many processes train together, as the launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def from_first(make: Callable[[], T]) -> T:
    """What `make` returns in the first process, in all of them. Where it raises, the others end too."""
    if count() == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    join()
    made: list[Any] = [None, False]
    try:
        if is_first():
            made = [make(), True]
    finally:
        made = broadcast_object_list(made)
    if not made[1]:
        raise SystemExit(2)  # the first one has told why
    return made[0]


def any_of_them(here: bool) -> bool:
    """Is it so in any process? Asked by all at the same point, so that none waits for one that has stopped."""
    if count() == 1:
        return here
    import torch
    from accelerate import PartialState
    from accelerate.utils import reduce

    return bool(reduce(torch.tensor(float(here), device=PartialState().device), "sum").item())


def join() -> None:
    """Meet the others, over gloo on CPUs and NCCL on GPUs."""
    from accelerate import PartialState

    from tune.base import on_gpu

    PartialState(cpu=not on_gpu())
