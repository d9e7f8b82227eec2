"""Chance that repeats: the same seed and place, the same draws, whatever else has changed."""

from random import Random

Chance = Random


def chance(seed: int, place: str) -> Chance:
    return Random(f"{seed}:{place}")  # noqa: S311  # nothing here is secret
