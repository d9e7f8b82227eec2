"""A value that changed in its document: the new one is answered, the old one no more.  With 20: python -m tests.bench.stale"""

from collections.abc import Iterator

import pytest

from ingest.search import Searcher
from ingest.settings import Settings
from serve.chain import open_assistant
from tests.bench.home import make_bilingual_home
from tests.conftest import cache_lock, models
from tests.echo import echo
from tests.staleness import CORPUS, Row, change, make_corpus, rows, says, with_history

ROWS = [row for row in rows() if row["id"] in ("en-06", "en-10", "zh-07")]
each = pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which the old values were answered before their documents changed."""
    with cache_lock():
        models()
    settings = make_bilingual_home(tmp_path_factory.mktemp("stale") / "home")
    folder = make_corpus(settings, ROWS)
    with Searcher(settings) as searcher:
        assistant = open_assistant(CORPUS, settings, searcher)
        assert all(says(assistant.ask(row["question"], mode="extractive"), row["was"]) for row in ROWS)
    change(settings, folder, ROWS)
    return settings


@pytest.fixture(scope="module")
def searcher(settings: Settings) -> Iterator[Searcher]:
    with Searcher(settings) as searcher:
        yield searcher


@each
def test_the_new_value_is_quoted(settings: Settings, searcher: Searcher, row: Row) -> None:
    trace = open_assistant(CORPUS, settings, searcher).ask(row["question"], mode="extractive")
    assert says(trace, row["now"]) and not says(trace, row["was"])


@each
def test_an_old_answer_in_the_conversation_counts_for_nothing(settings: Settings, searcher: Searcher, row: Row) -> None:
    trace = with_history(open_assistant(CORPUS, settings, searcher), row)
    assert says(trace, row["now"]) and not says(trace, row["was"])


@each
def test_a_model_that_says_the_old_value_is_not_believed(settings: Settings, searcher: Searcher, row: Row) -> None:
    with echo(row["stubborn"]) as (url, seen):
        (settings.run / "vllm.url").write_text(url)
        trace = open_assistant(CORPUS, settings, searcher).ask(row["question"])
    assert seen and row["now"] in seen[0]["messages"][1]["content"], "it was shown the new value"
    assert says(trace, row["now"]) and not says(trace, row["was"])
