"""The chain on a real index: model's words fixed by a local server, everything else real."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import UserError
from ingest.fitted import write_fitted
from ingest.search import Searcher
from ingest.settings import Settings
from ingest.where import Where
from serve.chain import Assistant, open_assistant
from serve.cite import STRUCK
from serve.notices import NOTICES
from serve.prompt import REFUSAL
from serve.schema import Trace
from serve.tokenizer import counter
from serve.turn import Piece, Turn
from tests.echo import echo

QUESTION = "What does fault code SC-A04 mean?"


@pytest.fixture(scope="module")
def settings(indexed: Path) -> Settings:
    return Settings(home=indexed, chroma_url="", tier="cpu")


@pytest.fixture(scope="module")
def searcher(settings: Settings) -> Iterator[Searcher]:
    with Searcher(settings) as searcher:
        yield searcher


def assistant(settings: Settings, searcher: Searcher, corpus: str = "maintenance", url: str = "") -> Assistant:
    settings.run.mkdir(exist_ok=True)
    file = settings.run / "vllm.url"
    file.unlink(missing_ok=True)
    if url:
        file.write_text(url)
    else:
        file.write_text("http://127.0.0.1:9")  # nothing listens there
    return open_assistant(corpus, settings, searcher)


def verbatim(trace: Trace, searcher: Searcher) -> bool:
    return all(searcher.manifest.text(c.version)[c.start : c.end] == c.quote for c in trace.answer.citations)


def test_checked_sentences_leave_and_others_do_not(settings: Settings, searcher: Searcher) -> None:
    words = (
        "SC-A04 is a fan motor overload [1]. It happens at 95 °C on Mars. The duct is blocked or the bearing seized."
    )
    with echo(words) as (url, seen):
        trace = assistant(settings, searcher, url=url).ask(QUESTION)
    answer = trace.answer
    assert answer.mode == "model" and not answer.refused
    assert "fan motor overload" in answer.answer and "Mars" not in answer.answer
    assert answer.citations and verbatim(trace, searcher)
    assert all(f"[{c.marker}]" in answer.answer for c in answer.citations)
    assert trace.raw == words and trace.prompt == seen[0]["messages"]


def test_streamed_pieces_add_up_to_the_answer(settings: Settings, searcher: Searcher) -> None:
    with echo("SC-A04 is a fan motor overload. [1] The duct is blocked.") as (url, _):
        *pieces, trace = assistant(settings, searcher, url=url).stream(QUESTION)
    assert isinstance(trace, Trace) and "".join(map(str, pieces)) == trace.answer.answer


def test_nothing_that_stands_is_replaced_by_quotes_and_says_so(settings: Settings, searcher: Searcher) -> None:
    with echo("The moon is made of green cheese and weighs 7 tonnes.") as (url, _):
        trace = assistant(settings, searcher, url=url).ask(QUESTION)
    assert trace.answer.mode == "extractive" and "did not stand up" in trace.answer.notice
    assert "cheese" not in trace.answer.answer and verbatim(trace, searcher)


def test_half_a_sentence_at_the_longest_answer_does_not_leave(settings: Settings, searcher: Searcher) -> None:
    words = "SC-A04 is a fan motor overload [1]. The duct is blocked or the bearing seized"
    with echo(words, finish="length") as (url, _):
        trace = assistant(settings, searcher, url=url).ask(QUESTION)
    assert "fan motor overload" in trace.answer.answer and "bearing" not in trace.answer.answer
    assert trace.answer.mode == "model" and trace.raw == words
    with echo(words) as (url, _):
        assert "bearing seized" in assistant(settings, searcher, url=url).ask(QUESTION).answer.answer


def test_a_model_that_repeats_itself_is_stopped(settings: Settings, searcher: Searcher) -> None:
    words = "SC-A04 is a fan motor overload [1]. " * 40
    with echo(words) as (url, _):
        trace = assistant(settings, searcher, url=url).ask(QUESTION)
    assert trace.answer.answer.count("fan motor overload") == 1 and len(trace.raw) < len(words) / 4


def test_what_holds_for_another_machine_is_no_answer(settings: Settings, searcher: Searcher) -> None:
    trace = assistant(settings, searcher).ask("What is the mass of the CP-80?")
    assert trace.hits and all("CP-80" in f"{h['context']} {h['text']}" for h in trace.hits)


def test_a_document_that_is_named_is_the_one_quoted(settings: Settings, searcher: Searcher) -> None:
    trace = assistant(settings, searcher, "legal").ask("合同管理办法第二十三条怎么规定？")
    assert {c.document for c in trace.answer.citations} == {"hengchuan-contract-management-measures.docx"}


def test_a_models_refusal_is_a_refusal(settings: Settings, searcher: Searcher) -> None:
    with echo(REFUSAL["en"]) as (url, _):
        trace = assistant(settings, searcher, url=url).ask(QUESTION)
    assert trace.answer.refused and trace.answer.citations == [] and trace.answer.answer == REFUSAL["en"]


def test_a_model_that_breaks_off_keeps_what_was_checked(settings: Settings, searcher: Searcher) -> None:
    words = "SC-A04 is a fan motor overload [1]. The duct is blocked or the bearing seized, and so on and on."
    with echo(words, cut_after=12) as (url, _):
        trace = assistant(settings, searcher, url=url).ask(QUESTION)
    assert "fan motor overload" in trace.answer.answer and "stopped in the middle" in trace.answer.notice


@pytest.mark.parametrize(
    ("corpus", "question", "notice"),
    [
        ("maintenance", QUESTION, "not running"),
        ("maintenance", "SC-A04是什么故障？", "不懂中文"),
        ("legal", "合同管理办法第二十三条怎么规定？", "不懂中文"),
    ],
)
def test_without_a_model_it_quotes_and_says_so(
    settings: Settings, searcher: Searcher, corpus: str, question: str, notice: str
) -> None:
    trace = assistant(settings, searcher, corpus).ask(question)
    assert trace.answer.mode == "extractive" and notice in trace.answer.notice
    assert trace.answer.citations and verbatim(trace, searcher)
    assert all(c.quote in trace.answer.answer and c.by == "attached" for c in trace.answer.citations)


def test_a_clause_asked_for_by_number_is_quoted_whole(settings: Settings, searcher: Searcher) -> None:
    trace = assistant(settings, searcher, "legal").ask("合同管理办法第二十三条怎么规定？")
    assert trace.answer.citations[0].quote.startswith("第二十三条") and "七个工作日" in trace.answer.answer


@pytest.mark.parametrize(
    "question", ["Who won the world cup in 1998?", "What does fault code ZX-991 mean?", "红烧肉怎么做？"]
)
def test_what_the_documents_do_not_hold_is_refused(settings: Settings, searcher: Searcher, question: str) -> None:
    with echo("Anything at all.") as (url, seen):
        trace = assistant(settings, searcher, url=url).ask(question)
    answer = trace.answer
    assert answer.refused and answer.notice and seen == [], "the model is not asked"
    assert "searched" in answer.notice or "查找" in answer.notice
    assert not answer.citations and all(c.support == "unsupported" for c in answer.nearest)
    assert all(searcher.manifest.text(c.version)[c.start : c.end] == c.quote for c in answer.nearest)


def test_a_refusal_offers_what_came_nearest(settings: Settings, searcher: Searcher) -> None:
    answer = assistant(settings, searcher).ask("Which sculptor painted the fan motor of the lighthouse in Ravenna?").answer
    assert answer.refused and [c.marker for c in answer.nearest] == list(range(1, len(answer.nearest) + 1))
    assert any("fan" in c.quote for c in answer.nearest)


def test_where_the_profile_says_so_a_failing_sentence_is_struck(settings: Settings, searcher: Searcher) -> None:
    words = "It happens at 95 °C on ~~Mars~~ [1]. SC-A04 is a fan motor overload [1]. Nothing else is [2]."
    with echo(words) as (url, _):
        one = assistant(settings, searcher, url=url)
        serve = one.profile.serve.model_copy(update={"unsupported": "strike"})
        one.reply.profile = one.profile.model_copy(update={"serve": serve})
        answer = one.ask(QUESTION).answer
        dropped = assistant(settings, searcher, url=url).ask(QUESTION).answer
    gone, stands = answer.answer.split("~~ ", 1)
    assert gone.startswith("~~\u2060It happens at 95 °C") and gone.count("~~") == 1, "the model's own strokes are no strokes"
    assert stands == f"{dropped.answer} ~~\u2060Nothing else is.~~" and "95" not in dropped.answer
    assert STRUCK.sub("", answer.answer).strip() == dropped.answer
    with echo("It happens at 95 °C on Mars [1].") as (url, _):
        one = assistant(settings, searcher, url=url)
        one.reply.profile = one.profile.model_copy(update={"serve": serve})
        assert one.ask(QUESTION).answer.mode == "extractive", "what is struck is no answer alone"


def test_where_quoting_won_it_quotes_and_says_so(settings: Settings, searcher: Searcher) -> None:
    with echo("SC-A04 is a fan motor overload [1].") as (url, seen):
        one = assistant(settings, searcher, url=url)
        for mode, model in (("extractive", "another"), ("model", one.tier.base.id)):
            write_fitted("maintenance", settings, {"modes": {"en": {model: {"mode": mode}}}})
            assert one.ask(QUESTION).answer.mode == "model"
        write_fitted("maintenance", settings, {"modes": {"en": {one.tier.base.id: {"mode": "extractive"}}}})
        seen.clear()
        answer = one.ask(QUESTION).answer
        assert answer.mode == "extractive" and answer.notice == NOTICES["wins"]["en"] and not seen
        assert one.ask(QUESTION, mode="model").answer.mode == "model", "who asks for the model gets it"
        write_fitted("maintenance", settings, {"modes": {}})


def test_only_the_documents_given_are_searched(settings: Settings, searcher: Searcher) -> None:
    one = assistant(settings, searcher)
    names = [d["document"] for d in searcher.manifest.documents("maintenance")]
    for name in names:
        trace = one.ask(QUESTION, mode="extractive", where=Where((name,)))
        assert {h["document"] for h in trace.hits} <= {name} and {c.document for c in trace.answer.citations} <= {name}
    with pytest.raises(UserError, match="No document"):
        one.ask(QUESTION, where=Where(("none.pdf",)))


def test_a_follow_up_is_searched_with_what_it_leans_on(settings: Settings, searcher: Searcher) -> None:
    history = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "A fan motor overload [1]."}]
    trace = assistant(settings, searcher).ask("And its likely cause?", history)
    assert "SC-A04" in trace.standalone and any("SC-A04" in h["text"] for h in trace.hits)


def test_the_prompt_keeps_its_budget_and_whole_passages(settings: Settings, searcher: Searcher) -> None:
    with echo("x") as (url, seen):
        one = assistant(settings, searcher, url=url)
        trace = one.ask("How is the oil of the SC-40 compressor changed and how often?")
    count = counter(settings.models / one.tier.base.id)
    length = one.profile.serve.max_tokens
    assert sum(count(m["content"]) for m in seen[0]["messages"]) + length <= one.tier.prompt_budget
    shown = [h for h in trace.hits if h["text"].strip() in seen[0]["messages"][1]["content"]]
    assert shown and seen[0]["max_tokens" if "max_tokens" in seen[0] else "max_completion_tokens"] == length


def test_the_chain_is_a_langchain_runnable(settings: Settings, searcher: Searcher) -> None:
    chain = assistant(settings, searcher).chain
    one = chain.invoke(Turn(QUESTION))
    assert one.trace and one.text == one.trace.answer.answer
    assert [p.text for p in chain.batch([Turn(QUESTION), Turn(QUESTION)])] == [one.text, one.text]

    async def collect() -> Piece:
        total = Piece()
        async for piece in chain.astream(Turn(QUESTION)):
            total = total + piece
        return total

    assert asyncio.run(collect()).text == one.text
    assert asyncio.run(chain.ainvoke(Turn(QUESTION))).text == one.text


@pytest.mark.parametrize(("question", "says"), [("", "empty"), ("x" * 50_000, "50,000")])
def test_bad_questions(settings: Settings, searcher: Searcher, question: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        assistant(settings, searcher).ask(question)
