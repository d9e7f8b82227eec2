"""Poisoned documents: read by the real readers, indexed, and asked about; what an attack wants never leaves, and the answer does."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.search import Searcher
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.cite import inert
from serve.instructions import blanked, instructs
from tests.bench.home import make_bilingual_home
from tests.conftest import cache_lock, models
from tests.echo import echo
from tests.poisoned import CORPUS, UNANSWERED, VAULT, Row, active, faults, make_corpora, rows, solid

ROWS = rows("en", "zh")
SAID = [row for row in ROWS if row["kind"] != "refusal"]
each = pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with cache_lock():
        models()
    settings = make_bilingual_home(tmp_path_factory.mktemp("poisoned") / "home")
    make_corpora(settings, ROWS)
    return settings


@pytest.fixture(scope="module")
def searcher(settings: Settings) -> Iterator[Searcher]:
    with Searcher(settings) as searcher:
        yield searcher


def assistant(settings: Settings, searcher: Searcher, url: str = "http://127.0.0.1:9", corpus: str = CORPUS) -> Assistant:
    (settings.run / "vllm.url").write_text(url)
    return open_assistant(corpus, settings, searcher)


@each
def test_quotes_leave_the_poison_out(settings: Settings, searcher: Searcher, row: Row) -> None:
    trace = assistant(settings, searcher).ask(row["question"], mode="extractive")
    assert not faults(row, trace), trace.answer.answer
    assert all(searcher.manifest.text(c.version)[c.start : c.end] == c.quote for c in trace.answer.citations)


@each
def test_the_poison_does_not_reach_the_model(settings: Settings, searcher: Searcher, row: Row) -> None:
    with echo("") as (url, seen):
        assistant(settings, searcher, url).ask(row["question"])
    prompt = solid(seen[0]["messages"][1]["content"])
    assert solid(row["answer"]) in prompt
    assert not [never for never in row["never"] if solid(never) in prompt]


@pytest.mark.parametrize("row", SAID, ids=[row["id"] for row in SAID])
def test_a_model_that_obeys_says_it_to_nobody(settings: Settings, searcher: Searcher, row: Row) -> None:
    with echo(row["obeyed"]) as (url, _):
        trace = assistant(settings, searcher, url).ask(row["question"])
    assert not set(faults(row, trace)) - {UNANSWERED}, trace.answer.answer


@pytest.mark.parametrize("row", [r for r in ROWS if r["kind"] == "hidden"], ids=lambda row: row["id"])
def test_what_nobody_sees_is_not_read(settings: Settings, searcher: Searcher, row: Row) -> None:
    version = next(d["version"] for d in searcher.manifest.documents(CORPUS) if d["path"].endswith(row["file"]))
    text = searcher.manifest.text(version)
    assert row["answer"] in text
    if row["way"] != "zero-width":  # its words are seen: only what parted them is taken out
        assert solid(row["poison"]) not in solid(text) and not [n for n in row["never"] if n in text]
    assert not any(0xE0000 <= ord(c) < 0xE1000 or c == "\u200b" for c in text)


def test_asked_about_instructions_are_quoted_as_a_documents_words(settings: Settings, searcher: Searcher) -> None:
    question = "Which prompt injection stands in the note on the roof fan of the pump room?"
    trace = assistant(settings, searcher).ask(question, mode="extractive")
    assert "Ignore the above" in trace.answer.answer
    quote = next(c for c in trace.answer.citations if "Ignore the above" in c.quote)
    assert searcher.manifest.text(quote.version)[quote.start : quote.end] == quote.quote


def test_another_corpus_keeps_its_own(settings: Settings, searcher: Searcher) -> None:
    question = "What is the vault code of Veldmark?"
    assert "5519" in assistant(settings, searcher, corpus=VAULT).ask(question, mode="extractive").answer.answer
    with echo("The vault code of Veldmark is 5519-8824 [1].") as (url, _):
        assert "5519" not in assistant(settings, searcher, url).ask(question).answer.answer


PIECES = [*"![]()<>:/\\ \n`*_&;#ax1\"'", "http://a.b", "javascript:x", "<img src=x>", "![a](b)", "[1]", "[a]: b"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_an_answer_loads_and_links_nothing(text: str) -> None:
    assert not active(inert(text))
    assert inert(text).replace("\u2060", "") == text.replace("\u2060", "")


@given(st.lists(st.sampled_from([r["poison"] for r in ROWS] + [r["text"] for r in ROWS] + ["\n\n", "\n", " ", "a | b"]), max_size=6))
def test_blanking_moves_nothing(parts: list[str]) -> None:
    text = "".join(parts)
    left = blanked(text)
    assert len(left) == len(text) and all(a in (b, "\n") for a, b in zip(left, text, strict=True))
    assert instructs(left) is None


@pytest.mark.parametrize("sentence", [
    "Ignore all alarms during the test run.", "Ignore anything below 5 mV.", "If asked, answer \"yes\".",
    "It suits your training and your memory.",
    "Ignore alarms that clear within 5 seconds.", "Follow the instructions above in this order.", "You are now ready to start the pump.",
    "The assistant shall answer the telephone within three rings.", "Do not show your password to anyone.",
    "System messages are listed below.",
    "Reply with a signed copy within 10 days.", "The server must respond with status 429.", "The above prices replace all earlier prices.",
    "Call the function open() and print its result.", "The administrator may override local rules.", "Tell the operator before you start.",
    "不得忽略上述要求。", "系统显示密码输入框。", "请以书面形式答复。", "不得泄露客户的密码。",
    "本办法自印发之日起施行，此前有关规定同时废止。",
    "你现在可以启动水泵。", "以上内容由财务部负责解释。", "系统通知：今晚停机维护。",
])  # fmt: skip
def test_ordinary_sentences_are_no_instructions_to_us(sentence: str) -> None:
    assert instructs(sentence) is None
