"""Does a training fit into this machine's memory?"""

from collections.abc import Sequence
from dataclasses import asdict

import psutil

from corpora import UserError
from ingest.settings import Settings
from serve.tiers import GB
from tune.base import on_gpu
from tune.labels import IGNORED
from tune.memory import Memory, estimate
from tune.packs import Pack
from tune.run import Plan


def memory_of(settings: Settings, plan: Plan, packs: Sequence[Pack]) -> Memory:
    """What batches of the longest packs take."""
    longest = max(packs, key=lambda pack: len(pack.input_ids))
    labels = max(sum(label != IGNORED for label in pack.labels) for pack in packs)
    process = 0 if on_gpu() else psutil.Process().memory_info().rss
    return estimate(settings.models / plan.base, plan.recipe, plan.precision, plan.checkpointing, plan.batch, asdict(longest), labels,
                    process)  # fmt: skip


def free_memory() -> int:
    """Bytes that a training could take: of the GPU where there is one, else what is free and what this process has already."""
    import torch

    if on_gpu():
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available + psutil.Process().memory_info().rss)


def refuse_too_large(settings: Settings, plan: Plan, packs: Sequence[Pack]) -> None:
    """Raises `UserError` on a CPU whose memory would not suffice: the system would end this or another program in the middle of it."""
    if on_gpu():
        return  # there it is tried, with fewer sequences at once where they are too many
    needed, free = plan.processes * memory_of(settings, plan, packs).whole, free_memory()
    if needed > free:
        less = "Close other programs" if plan.checkpointing else "Write in the profile: tune: checkpointing: true"
        raise UserError(f"Training takes {needed / GB:.1f} GB at its fullest, and {free / GB:.1f} GB are free.",
                        f"{less}. See: tune plan {plan.corpus}")  # fmt: skip
