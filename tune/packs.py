"""Packs: rows that begin alike become one sequence, and what they share is computed once.

A pack is the shared beginning and then the rest of each row. A rest sees the beginning and itself alone, and its positions go on from the
beginning, so the loss of each row is what it would be by itself ("prefix sharing"; a test compares both). Rows that share nothing are
packs of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tune.labels import IGNORED, Encoded

if TYPE_CHECKING:
    import torch

LEAST = 0.5  # share of a row that it must have in common with the pack's first
PADDED = {"input_ids": 0, "labels": IGNORED, "position_ids": 0}  # what stands before a shorter pack
SHARED = 0  # segment of what all rows of a pack see


@dataclass(frozen=True, slots=True)
class Pack:
    """Four lists of one length; `segments` says which row a token belongs to, from 1 on, or that it is SHARED."""

    input_ids: list[int]
    labels: list[int]
    position_ids: list[int]
    segments: list[int]


def packed(rows: Sequence[Encoded], longest: int) -> list[Pack]:
    """Rows in a row that begin alike, at most `longest` tokens a pack; a row longer than that stands alone."""
    packs: list[Pack] = []
    group: list[Encoded] = []
    common = length = 0
    for row in rows:
        # What precedes an answer is its own row's: of two rows with one prompt its last token stays with each.
        alike = min(_alike(group[0].prompt, row.prompt), len(row.prompt) - 1) if group else 0
        shared = min(common, alike)
        grown = length + len(row.ids) - shared + (common - shared) * (len(group) - 1)
        if group and shared >= LEAST * len(row.ids) and grown <= longest:
            length, common = grown, shared
            group.append(row)
            continue
        if group:
            packs.append(_pack(group, common))
        group, common, length = [row], len(row.prompt) - 1, len(row.ids)
    return [*packs, _pack(group, common)] if group else packs


def _alike(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _pack(rows: Sequence[Encoded], common: int) -> Pack:
    first = rows[0]
    ids, labels, positions = list(first.ids[:common]), [IGNORED] * common, list(range(common))
    segments = [SHARED] * common
    for number, row in enumerate(rows, 1):
        rest = row.ids[common:]
        ids += rest
        labels += row.labels[common:]
        positions += range(common, common + len(rest))
        segments += [number] * len(rest)
    return Pack(ids, labels, positions, segments)


def collate(packs: Sequence[dict[str, Any]]) -> dict[str, "torch.Tensor"]:
    """A batch of packs, the shorter ones padded in front, with the mask that keeps rows apart.

    The mask is `(packs, 1, tokens, tokens)`, true where a token sees another; what pads sees itself alone.
    """
    import torch

    length = max(len(pack["segments"]) for pack in packs)
    batch = {name: torch.full((len(packs), length), fill) for name, fill in PADDED.items()}
    sees = torch.eye(length, dtype=torch.bool).repeat(len(packs), 1, 1)
    for n, pack in enumerate(packs):
        begin = length - len(pack["segments"])
        for name in batch:
            batch[name][n, begin:] = torch.tensor(pack[name])
        segments = torch.tensor(pack["segments"])
        own = (segments[None, :] == SHARED) | (segments[None, :] == segments[:, None])
        sees[n, begin:, begin:] = own.tril()
    return {**batch, "attention_mask": sees[:, None]}
