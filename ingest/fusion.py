"""Fusion: what words and what meaning say of a chunk becomes one score."""


def fuse(keyword: dict[str, float], cosine: dict[str, float], weight: float, ceiling: float) -> dict[str, float]:
    """Linear fusion in 0..1: `(1 - weight) * BM25 / ceiling + weight * cosine / best cosine`.

    `ceiling` is what BM25 could be at most for the question. Over it, and not over its best, a chunk that has little of what was asked
    counts little, and meaning decides. What meaning did not find is taken to be as near as the last that it found.
    """
    if not cosine:
        weight = 0.0
    elif not keyword:
        weight = 1.0
    best = max(cosine.values(), default=0.0)
    low = min(cosine.values(), default=0.0)

    def near(i: str) -> float:
        return min(1.0, max(0.0, cosine.get(i, low)) / best) if best > 0 else 0.0

    return {i: (1 - weight) * min(1.0, keyword.get(i, 0.0) / ceiling) + weight * near(i) for i in {*keyword, *cosine}}
