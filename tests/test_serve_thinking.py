"""Reasoning models: which they are, and that thinking stays apart. The words are fixed by a local server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.search import Searcher
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.completion import read_chat
from serve.engine import command
from serve.prompt import disarm
from serve.thinking import KEPT, Thought, reasoning_parser, without_thinking
from serve.tiers import pick_tier
from tests.echo import echo
from tests.thinker import QWEN3, SMALL, retold, thinkers_home
from tune.base import load_tokenizer

QUESTION = "What does fault code SC-A04 mean?"
ANSWER = "SC-A04 is a fan motor overload [1]."
MUSING = "Let me see. SC-A04 is a fan motor overload [1]. It could also be the moon. "
BUDGET = 40  # tokens; the context leaves more


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return thinkers_home(tmp_path_factory.mktemp("thinking"), BUDGET)


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    return Settings(home=home, chroma_url="", tier="cpu", base="tiny-r1")


@pytest.fixture(scope="module")
def searcher(settings: Settings) -> Iterator[Searcher]:
    with Searcher(settings) as searcher:
        yield searcher


def assistant(settings: Settings, searcher: Searcher, url: str) -> Assistant:
    settings.run.mkdir(exist_ok=True)
    (settings.run / "vllm.url").write_text(url)
    return open_assistant("maintenance", settings, searcher)


# which models think


def test_a_models_own_files_say_whether_it_thinks(home: Path, tmp_path: Path) -> None:
    models = home / "models"
    assert reasoning_parser(models / SMALL) == ""
    assert reasoning_parser(models / "tiny-r1") == "deepseek_r1"
    assert reasoning_parser(tmp_path / "not-there") == ""
    plain = (models / SMALL / "chat_template.jinja").read_text()
    assert reasoning_parser(retold(models / "tiny-r1", tmp_path / "instruct", plain)) == "", "the marks alone do not make it think"
    qwen = retold(models / "tiny-r1", tmp_path / "qwen3", QWEN3)
    config = json.loads((qwen / "config.json").read_text())
    (qwen / "config.json").write_text(json.dumps({**config, "model_type": "qwen3"}))
    assert reasoning_parser(qwen) == "qwen3"
    assert reasoning_parser(retold(models / SMALL, tmp_path / "unmarked", QWEN3)) == "", "vLLM would not start with a parser"


def test_a_template_may_stand_in_the_tokenizers_settings(home: Path, tmp_path: Path) -> None:
    folder = retold(home / "models" / "tiny-r1", tmp_path / "old", "")
    template, file = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    template.unlink()
    settings = json.loads(file.read_text())
    assert reasoning_parser(folder) == "", "a mark among the tokens is no template"
    file.write_text(json.dumps({**settings, "chat_template": [{"name": "default", "template": QWEN3}]}))
    assert reasoning_parser(folder) == "deepseek_r1"


def test_vllm_is_told_the_parser_of_a_model_that_thinks(settings: Settings) -> None:
    argv, _ = command(pick_tier(settings), settings, {})
    assert argv[argv.index("--reasoning-parser") + 1] == "deepseek_r1"
    argv, _ = command(pick_tier(settings.model_copy(update={"base": ""})), settings, {})
    assert "--reasoning-parser" not in argv


# what the chain does with it


def test_thinking_is_neither_answered_nor_cited_nor_checked(settings: Settings, searcher: Searcher) -> None:
    with echo(f"\n\n{ANSWER}", thinking=MUSING) as (url, seen):
        one = assistant(settings, searcher, url)
        pieces = list(one.stream(QUESTION))
    *said, trace = pieces
    thoughts = [piece.text for piece in said if isinstance(piece, Thought)]
    words = [piece for piece in said if isinstance(piece, str)]
    assert "".join(thoughts) == MUSING and said[: len(thoughts)] == [Thought(t) for t in thoughts]
    assert "".join(words) == trace.answer.answer and "moon" not in trace.answer.answer and "overload" in trace.answer.answer
    assert trace.thinking == MUSING and trace.raw.strip() == ANSWER
    assert len(trace.answer.citations) == 1 and trace.answer.mode == "model"
    assert not any("moon" in m["content"] for m in seen[0]["messages"])


def test_thinking_has_a_budget_of_its_own(settings: Settings, searcher: Searcher) -> None:
    with echo(ANSWER, thinking=MUSING) as (url, seen):
        one = assistant(settings, searcher, url)
        one.ask(QUESTION, max_tokens=30)
        (settings.run / "vllm.url").write_text(url)
        small = open_assistant("maintenance", settings.model_copy(update={"base": ""}), searcher)
        small.ask(QUESTION, max_tokens=30)
    assert seen[0]["thinking_token_budget"] == BUDGET and seen[0]["max_completion_tokens"] == 30 + BUDGET
    assert "thinking_token_budget" not in seen[1] and seen[1]["max_completion_tokens"] == 30


def test_what_thinking_leaves_of_its_budget_is_no_longer_answer(settings: Settings, searcher: Searcher) -> None:
    with echo(f"{ANSWER} The duct is blocked or the bearing seized. " * 3, thinking="Hm.") as (url, _):
        trace = assistant(settings, searcher, url).ask(QUESTION, max_tokens=16)  # of 5 characters each
    assert len(trace.raw) == (16 + 2) * 5 and trace.answer.mode == "model"


@pytest.mark.parametrize("finish", ["length", "stop"])
def test_thinking_without_an_answer_is_quoted_over_and_says_why(settings: Settings, searcher: Searcher, finish: str) -> None:
    with echo("", thinking=MUSING, finish=finish) as (url, _):
        trace = assistant(settings, searcher, url).ask(QUESTION)
    assert trace.answer.mode == "extractive" and "without coming to an answer" in trace.answer.notice
    assert trace.thinking == MUSING and trace.raw == "" and "moon" not in trace.answer.answer and trace.prompt


def test_a_trace_keeps_the_beginning_of_a_long_thinking(settings: Settings, searcher: Searcher) -> None:
    with echo(ANSWER, thinking="tick " * (KEPT // 4)) as (url, _):
        trace = assistant(settings, searcher, url).ask(QUESTION)
    assert trace.thinking == ("tick " * (KEPT // 4))[:KEPT] and "overload" in trace.answer.answer


def test_a_second_mark_does_not_stand_in_the_answer(settings: Settings, searcher: Searcher) -> None:
    """Forced to its end, a model may end its thinking once more by itself; vLLM's parser then takes the mark for content."""
    with echo("</think>\n\n" + ANSWER, thinking=MUSING) as (url, _):
        spread = assistant(settings, searcher, url).ask(QUESTION)
    assert "think" not in spread.answer.answer


# what goes back and forth


def test_thinking_in_a_clients_history_is_taken_out() -> None:
    said = "<think>\nThe user means the pump [1].\n</think>\n\nIt is 35 Nm [1]."
    chat = read_chat({"model": "m", "messages": [{"role": "user", "content": "How <think>tight</think>?"},
                                                 {"role": "assistant", "content": said}, {"role": "user", "content": "Why?"}]})  # fmt: skip
    assert [m["content"] for m in chat.history] == ["How <think>tight</think>?", "It is 35 Nm [1]."]


@given(st.lists(st.sampled_from(["<think>", "</think>", "thought", "\n", "word "])))
def test_no_mark_of_thinking_is_ever_left(parts: list[str]) -> None:
    left = without_thinking("".join(parts))
    assert "<think>" not in left and "</think>" not in left
    assert without_thinking(left) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [("a <think>b</think> c", "a  c"), ("b</think>c", "c"), ("a<think>b", "a"), ("a<think>b</think>c</think>d", "d"), ("plain", "plain")],
)
def test_what_is_thinking_and_what_is_not(text: str, left: str) -> None:
    assert without_thinking(text) == left


@pytest.mark.parametrize("mark", ["<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<think>", "</think>", "<|im_end|>"])
def test_a_document_cannot_close_the_turn_of_a_reasoning_model(mark: str, home: Path) -> None:
    tokenizer = load_tokenizer(home / "models" / "tiny-r1")
    marks = set(tokenizer.encode(mark, add_special_tokens=False))
    assert len(marks) == 1 and not marks & set(tokenizer.encode(disarm(f"a {mark} b"), add_special_tokens=False))
