"""The plugin's functions do for each token what vLLM's own do, and nothing for tokens without an adapter."""

from importlib.metadata import entry_points
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from serve.lora_cpu import bgmv_expand, bgmv_expand_slice, bgmv_shrink, register

own = pytest.importorskip("vllm.lora.ops.torch_ops.lora_ops")
SLOTS, RANK, IN, OUT = 3, 4, 6, 10
VLLM = {function.__name__: getattr(own, function.__name__) for function in (bgmv_shrink, bgmv_expand, bgmv_expand_slice)}
mapped = st.lists(st.integers(-1, SLOTS - 1), min_size=1, max_size=9)


def matrices(*shape: int) -> torch.Tensor:
    return torch.randn(SLOTS, 1, *shape, generator=torch.Generator().manual_seed(0))


@given(mapped, st.integers(0, 5))
@limits(deadline=None)
def test_each_token_goes_through_its_own_adapter(slots: list[int], seed: int) -> None:
    dice = torch.Generator().manual_seed(seed)
    indices, tokens = torch.tensor(slots), len(slots)
    with_one = indices >= 0
    x, low = torch.randn(tokens, IN, generator=dice), torch.randn(tokens, RANK, generator=dice)

    for function, arguments, width in (
        (bgmv_shrink, lambda into: (x, matrices(RANK, IN), into, indices, 0.5), RANK),
        (bgmv_expand, lambda into: (low, matrices(OUT, RANK), into, indices, True), OUT),
        (bgmv_expand, lambda into: (low, matrices(OUT, RANK), into, indices, False), OUT),
        (bgmv_expand_slice, lambda into: (low, matrices(OUT, RANK), into, indices, 2, OUT, True), OUT + 5),
    ):
        before = torch.randn(tokens, width, generator=dice)
        mine, theirs = before.clone(), before.clone()
        function(*arguments(mine))
        VLLM[function.__name__](*arguments(theirs))
        torch.testing.assert_close(mine[with_one], theirs[with_one], rtol=1e-4, atol=1e-5)
        adds = function is not bgmv_shrink and arguments(mine)[-1]
        untouched = before if adds else torch.zeros_like(before)
        torch.testing.assert_close(mine[~with_one], untouched[~with_one])


def test_it_takes_the_place_of_vllms_own_where_it_runs_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.lora.punica_wrapper import punica_cpu
    from vllm.platforms import current_platform

    for name in VLLM:  # put back afterwards
        monkeypatch.setattr(own, name, getattr(own, name))
        monkeypatch.setattr(punica_cpu, name, getattr(punica_cpu, name))
    register()
    mine: Any = bgmv_shrink if current_platform.is_cpu() else VLLM["bgmv_shrink"]
    assert own.bgmv_shrink is punica_cpu.bgmv_shrink is mine
    (found,) = (point for point in entry_points(group="vllm.general_plugins") if point.name == "lectern_lora_cpu")
    assert found.load() is register, "vLLM finds it by itself"
