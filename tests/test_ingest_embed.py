"""The embedder: which texts go before the model together, and that company changes no vector."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.embed import Embedder, batches, open_embedder
from ingest.settings import Settings


@given(st.lists(st.integers(0, 500), max_size=60), st.integers(1, 2000))
def test_batches_hold_every_text_once_and_no_more_than_they_may(lengths: list[int], most: int) -> None:
    found = list(batches(lengths, most))
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    for batch in found:
        assert batch and (len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= most)


@pytest.fixture(scope="module")
def embedder(home) -> Embedder:
    return open_embedder(Settings(home=home))


def test_a_vector_belongs_to_its_text_whatever_comes_with_it(embedder: Embedder) -> None:
    texts = [f"Valve V{n} opens at {n} bar. " * (1 + n * 7 % 23) for n in range(60)]
    together = embedder.encode(texts)
    alone = np.concatenate([embedder.encode([text]) for text in texts])
    assert together.shape == (60, embedder.dimension) and np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert ((together @ alone.T).argmax(axis=1) == np.arange(60)).all() and (together * alone).sum(axis=1).min() > 0.99
    assert embedder.encode([]).shape == (0, embedder.dimension)
