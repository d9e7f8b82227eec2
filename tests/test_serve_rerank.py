"""The reranker: a tiny cross-encoder with random weights is loaded as a real one is, and its order is what comes out."""

from dataclasses import replace
from pathlib import Path

import pytest

from corpora import UserError
from ingest.schema import Chunk, Hit
from serve.evidence import distinct
from serve.rerank import Reranker


@pytest.fixture(scope="module")
def folder(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer that ends in one score, with the small embedder's tokenizer."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(home / "models" / "all-MiniLM-L6-v2")
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                        num_labels=1, max_position_embeddings=256)  # fmt: skip
    where = tmp_path_factory.mktemp("reranker")
    BertForSequenceClassification(config).save_pretrained(where)
    tokenizer.save_pretrained(where)
    return where


def hit(n: int, text: str) -> Hit:
    return Hit(n, 1 / n, Chunk("v", n, text, 0, len(text), None, "Manual"), "manual.md")


def test_its_scores_give_the_order_and_what_was_looked_up_stays_first(folder: Path) -> None:
    hits = [hit(n, f"The pump number {n} is greased with {word}.") for n, word in enumerate(("oil", "lithium grease", "water", "wax"), 1)]
    one = Reranker(folder)
    ranked = one.rerank("What is the pump greased with?", hits)
    scores = one.model.predict([("What is the pump greased with?", h.chunk.embedded) for h in hits])
    assert [h.chunk.ordinal for h in ranked] == [n + 1 for n in sorted(range(4), key=lambda n: -scores[n])]
    assert [h.rank for h in ranked] == [1, 2, 3, 4] and all(0 <= h.score <= 1 for h in ranked)
    last = ranked[-1].chunk.ordinal
    exact = one.rerank("What is the pump greased with?", [replace(h, exact=h.chunk.ordinal == last) for h in hits])
    assert exact[0].chunk.ordinal == last
    assert one.rerank("x", hits[:1]) == hits[:1]


def test_no_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="serve model get"):
        Reranker(tmp_path / "bge-reranker-v2-m3")


def test_what_says_the_same_word_for_word_is_dropped_but_no_row() -> None:
    long = "Before any work on the fan the main switch is locked and the key is kept by whoever works on it."
    hits = [hit(1, long), hit(2, long.upper() + "\n"), hit(3, long.replace("fan", "pump")), hit(4, "P-12 | 35 Nm"), hit(5, "P-12 | 35 Nm")]
    assert [h.rank for h in distinct(hits)] == [1, 3, 4, 5]
