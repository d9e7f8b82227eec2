"""Mistakes that a served adapter makes: what counts as one, under which names it is asked, and what is preferred to what."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import UserError
from ingest.settings import Settings
from serve.chain import Assistant
from serve.cite import MARKER
from serve.prompt import REFUSAL
from tests.echo import echo
from tests.plant import CORPUS, SECRET, SILENT, make_plant, maker_of, opened
from tune.cli import main
from tune.examples import make_examples
from tune.maker import Maker, Taught
from tune.mined import ANSWERED, ELSEWHERE, REFUSED, WRONG, mined_pairs, mistake_of
from tune.schema import Adapter

ROWS = 16
NO = REFUSAL["en"]


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_plant(home, tmp_path_factory.mktemp("plant"))


@pytest.fixture
def assistant(settings: Settings) -> Iterator[Assistant]:
    with opened(settings) as assistant:
        yield assistant


@pytest.fixture
def maker(assistant: Assistant) -> Maker:
    return maker_of(assistant)


@pytest.fixture
def taught(assistant: Assistant) -> list[Taught]:
    return make_examples(assistant, ROWS, 0, SILENT).taught


@pytest.fixture
def served(settings: Settings) -> Iterator[Path]:
    settings.run.mkdir(exist_ok=True)
    yield settings.run / "vllm.url"
    (settings.run / "vllm.url").unlink(missing_ok=True)


def adapter() -> Adapter:
    known = {"corpus": CORPUS, "version": 3, "kind": "sft", "base": "b", "parent": None}
    return Adapter.model_construct(**known)


def said(row: Taught) -> str:
    return row.example.completion[0]["content"]


def test_what_is_wrong_with_an_answer(taught: list[Taught]) -> None:
    answered = next(row for row in taught if row.example.answerable and len(row.hits) > 1)
    refused = next(row for row in taught if not row.example.answerable)
    assert mistake_of(answered, said(answered)) == "" == mistake_of(refused, NO)
    assert mistake_of(answered, NO) == REFUSED and mistake_of(refused, said(answered)) == ANSWERED
    assert mistake_of(answered, "The mass of the moon is 9 kg. [1]") == WRONG
    right = int(MARKER.search(said(answered))[1])  # type: ignore[index]
    assert mistake_of(answered, MARKER.sub(f" [{1 if right != 1 else 2}]", said(answered))) == ELSEWHERE
    assert mistake_of(answered, MARKER.sub("", said(answered))) == ELSEWHERE


def test_the_adapter_is_asked_under_new_names_and_where_it_errs_the_right_answer_is_preferred(
    maker: Maker, taught: list[Taught], served: Path
) -> None:
    with echo(lambda prompt: NO) as (url, seen):
        served.write_text(url)
        pairs = mined_pairs(maker, taught, adapter(), 12, 0, SILENT)
    loaded, *asked = seen
    assert loaded["lora_name"] == f"{CORPUS}-v3" and len(asked) == 12 and {body["model"] for body in asked} == {f"{CORPUS}-v3"}
    assert len({body["seed"] for body in asked}) == 12 and all(body["temperature"] > 0 for body in asked)
    prompts = [body["messages"][-1]["content"] for body in asked]
    assert not any("PM-7" in prompt or "FK-3" in prompt or SECRET in prompt for prompt in prompts)
    assert pairs and {pair.source for pair in pairs} == {REFUSED} and len({pair.id for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert pair.prompt[-1]["content"] in prompts and pair.rejected[0]["content"] == NO != pair.chosen[0]["content"]


def test_one_that_errs_nowhere_gives_no_pair(maker: Maker, taught: list[Taught], served: Path) -> None:
    with echo("") as (url, _):
        served.write_text(url)
        assert mined_pairs(maker, taught, adapter(), 4, 0, SILENT) == []


def test_without_a_server_or_an_adapter_the_next_command_is_named(
    settings: Settings, maker: Maker, taught: list[Taught], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"does not answer.*make up"):
        mined_pairs(maker, taught, adapter(), 4, 0, SILENT)
    monkeypatch.setenv("LECTERN_HOME", str(settings.root))
    assert main(["data", CORPUS, "--mine", "5", "--json"]) == 2
    assert f"tune sft {CORPUS}" in "".join(capsys.readouterr())
