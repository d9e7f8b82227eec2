"""Search over the shipped corpora finds first what is named, and fusion keeps its promises."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpora import UserError
from ingest.search import Searcher, fuse
from ingest.settings import Settings


@pytest.fixture(scope="module")
def searcher(indexed: Path) -> Iterator[Searcher]:
    with Searcher(Settings(home=indexed, chroma_url="")) as searcher:
        yield searcher


@pytest.mark.parametrize(
    ("corpus", "query", "begins"),
    [
        ("maintenance", "SC-A04", "SC-A04 | Fan motor overload"),
        ("maintenance", "What does fault code SC-A04 mean?", "SC-A04 | Fan motor overload"),
        ("legal", "第二十三条", "第二十三条"),
        ("legal", "第23条怎么规定", "第二十三条"),
        ("code", "compute_delay", "def compute_delay"),
        ("code", "TW-1304", "TW-1304"),
    ],
)
def test_what_is_named_comes_first(searcher: Searcher, corpus: str, query: str, begins: str) -> None:
    hits = searcher.search(corpus, query, 5)
    assert hits and [h.rank for h in hits] == list(range(1, len(hits) + 1))
    assert hits[0].chunk.text.strip().startswith(begins)


def test_a_function_name_finds_its_definition(searcher: Searcher) -> None:
    hit = searcher.search("code", "class RetryLater", 1)[0]
    assert hit.document.endswith("errors.py") and "class RetryLater" in hit.chunk.text


def test_meaning_finds_what_words_do_not(searcher: Searcher) -> None:
    hits = searcher.search("maintenance", "How frequently must lubricant be replaced on the compressor?", 10)
    assert any(h.dense is not None for h in hits)


def test_chinese_is_not_searched_by_a_model_that_does_not_read_it(searcher: Searcher) -> None:
    assert all(h.dense is None for h in searcher.search("official", "请示可以一文多事吗", 5))


def test_offsets_point_into_the_document(searcher: Searcher) -> None:
    for hit in searcher.search("maintenance", "oil change interval", 10):
        assert searcher.manifest.text(hit.chunk.version)[hit.chunk.start : hit.chunk.end] == hit.chunk.text


@pytest.mark.parametrize(
    ("corpus", "query", "says"), [("nothing", "x", "No corpus"), ("legal", "x" * 50_000, "50,000 characters")]
)
def test_bad_questions_are_refused(searcher: Searcher, corpus: str, query: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        searcher.search(corpus, query)


scores = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 30), max_size=6)


@given(scores, scores, st.floats(0, 1))
@example({"a": 5e-324}, {"a": 1.0, "b": 0.0}, 0.25)  # so small that three quarters of it are all of it
def test_fused_scores_lie_in_0_1_and_cover_all_candidates(
    keyword: dict[str, float], cosine: dict[str, float], weight: float
) -> None:
    fused = fuse(keyword, cosine, weight)
    assert fused.keys() == keyword.keys() | cosine.keys()
    assert all(0 <= s <= 1 + 1e-9 for s in fused.values())


@given(scores)
def test_with_one_half_alone_the_order_is_its_own(keyword: dict[str, float]) -> None:
    fused = fuse(keyword, {}, 0.4)
    order = sorted(fused, key=lambda i: fused[i])
    assert all(keyword[a] <= keyword[b] or keyword[a] - keyword[b] < 1e-6 for a, b in pairwise(order))
