"""Questions in other words: every fact of them stays, passages are found anew, the answer is the old one, and nothing held out is asked."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import settings as within
from hypothesis import strategies as st

from ingest.language import language
from ingest.settings import Settings
from serve.chain import Assistant
from serve.cite import MARKER
from serve.prompt import render_prompt
from serve.tokenizer import counter
from tests.echo import echo
from tests.plant import CORPUS, SECRET, SILENT, make_plant, maker_of, opened
from tune.augment import BACK, PARAPHRASE, SYNONYMS, TYPING, augmented, ways_of
from tune.chance import chance
from tune.data import data_folder, fresh_data, make_data, read_data, read_examples
from tune.examples import make_examples
from tune.maker import Maker, Taught
from tune.paraphrase import asks_the_same, back_translated, paraphrased
from tune.phrasings import phrasings
from tune.slots import keeps, slots
from tune.talk import Talk
from tune.vary import mistyped, reworded

ROWS = 16
FACTS = ["PM-7", "PM-E11", "M8×1.25", "45 N·m", "0.15 mm", "Kestrel Point", "“working pressure”", '"in writing"', "RV2", "retry_after",
         "config.yaml", "30 days", "Section 4", "£1,200", "14:30", "12 May 2025", "FK-3 Fan", "rpm", "kPa", "`open the lid`"]  # fmt: skip
FACTS_ZH = ["SC-40", "第三十九条", "第2.1款", "《合同管理办法》", "“重大事项”", "45 N·m", "三十日", "3.5万元", "2025年6月9日", "兆帕",
            "80%", "临数发〔2025〕23号"]  # fmt: skip


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


def question(row: Taught) -> str:
    return row.asked.question


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_phrases_are_of_asking_alone(lang: str) -> None:
    known = phrasings(lang)  # type: ignore[arg-type]
    assert len(known.instead) >= 60
    pairs = [(phrase, other) for phrase, others in known.instead.items() for other in others]
    for phrase, other in [*pairs, *known.slips.items()]:
        assert phrase != other and phrase == phrase.lower() and not slots(phrase) and not slots(other), (phrase, other)
        assert language(phrase) == language(other) == lang


@st.composite
def asked(draw: st.DrawFn, phrases: list[str], words: list[str], facts: list[str], blank: str, mark: str) -> tuple[str, list[str]]:
    said = draw(st.lists(st.sampled_from(facts), min_size=1, max_size=3, unique=True))
    plain = draw(st.lists(st.sampled_from(words), min_size=1, max_size=4))
    body = draw(st.permutations([*said, *plain]))
    text = blank.join([draw(st.sampled_from(phrases)), *body])
    return (text[:1].upper() + text[1:] if draw(st.booleans()) else text) + draw(st.sampled_from([mark, "", f" {mark}"])), said


WORDS = ["the press", "grease", "tighten", "pressure", "whenever", "bearing", "on", "for", "after", "supplier"]
WORDS_ZH = ["压力", "更换", "的", "应该", "员工", "负责", "之后", "审批"]
EN = asked(sorted(phrasings("en").instead), WORDS, FACTS, " ", "?")
ZH = asked(sorted(phrasings("zh").instead), WORDS_ZH, FACTS_ZH, "", "？")


@within(deadline=None)  # the first call reads tables
@given(st.one_of(EN, ZH), st.integers(0, 10_000))
def test_a_variant_keeps_every_fact_of_the_question(row: tuple[str, list[str]], seed: int) -> None:
    text, facts = row
    for vary in (reworded, mistyped):
        variant = vary(text, chance(seed, text))
        assert variant != text
        if variant:
            assert all(variant.count(fact) >= text.count(fact) for fact in facts), (text, variant)
            assert keeps(text, variant) and language(variant) == language(text)


@within(deadline=None)  # the first call reads tables
@given(st.text("aPM-7 45mm“”'\"《》？?的多少what is the bar Kestrel\n", max_size=60), st.integers(0, 99))
def test_whatever_is_asked_a_variant_keeps_its_figures_and_quotes(text: str, seed: int) -> None:
    for vary in (reworded, mistyped):
        if variant := vary(text, chance(seed, text)):
            assert re.findall(r"\d+", variant) == re.findall(r"\d+", text)
            assert re.findall("“[^”]*”|《[^》]*》", variant) == re.findall("“[^”]*”|《[^》]*》", text)
            assert len(re.findall(r"\bKestrel\b", variant)) == len(re.findall(r"\bKestrel\b", text))


@within(deadline=None)  # the first call reads tables
@given(EN, st.integers(0, 2))
def test_a_fact_that_is_lost_or_changed_is_seen(row: tuple[str, list[str]], how: int) -> None:
    text, facts = row
    fact = facts[0]
    assume(text.count(fact) == 1)
    changed = ["", fact + "9", "SK-99"][how]
    variant = text.replace(fact, changed)
    assume(slots(fact) == [(0, len(fact))] or how == 0)
    assert not keeps(text, variant)


def test_rows_are_varied_through_the_retriever_with_the_answer_of_their_own(settings: Settings, assistant: Assistant) -> None:
    rows = make_examples(assistant, ROWS, 0, SILENT, augment=10).taught
    plain = make_examples(assistant, ROWS, 0, SILENT).taught
    made = [row for row in rows if row.example.augmented]
    assert {r.example.model_dump_json() for r in rows if not r.example.augmented} == {r.example.model_dump_json() for r in plain}
    assert len(made) == 10 and {row.example.augmented for row in made} == {SYNONYMS, TYPING}
    assert len({question(row) for row in rows}) == len(rows) and len({row.example.id for row in rows}) == len(rows)
    budget = assistant.tier.prompt_budget - assistant.profile.serve.max_tokens
    count = counter(assistant.settings.models / assistant.tier.base.id)
    for row in made:
        alike = [r for r in plain if r.example.chunk_id == row.example.chunk_id and said(r) == said(row)]
        own = [r for r in alike if keeps(question(r), question(row))]
        assert own and question(row) not in {question(r) for r in own} and own[0].example.kind == row.example.kind
        assert row.example.prompt == render_prompt(assistant.profile, question(row), row.hits, count, budget).messages
        found = [h.chunk.id for h in assistant.retrieve(question(row), 30)]
        assert all(chunk in found or chunk == row.example.chunk_id for chunk in row.example.shown)
    again = make_examples(assistant, ROWS, 0, SILENT, augment=10).taught
    assert [r.example for r in again] == [r.example for r in rows]


def said(row: Taught) -> str:
    return " ".join(MARKER.sub(" ", row.example.completion[0]["content"]).split())


def test_they_are_counted_and_made_anew_with_the_rest(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"instruction": "Please write a line to the night shift.", "output": "Leave the hall tidy, please."}))
    data, _ = make_data(settings, CORPUS, ROWS, 0, SILENT, [file], augment=6)
    rows = read_examples(settings, CORPUS)
    assert sum(data.augmented.values()) == 6 == sum(bool(row.augmented) for row in rows) and data.augment == 6
    assert not any(row.kind == "given" and row.augmented for row in rows), "rows of files stay as they are"
    card = (data_folder(settings, CORPUS) / "card.md").read_text()
    assert "--augment 6`" in card and "| Augmented: other" in card and f"| {TYPING} | {data.augmented[TYPING]} |" in card
    assert fresh_data(settings, CORPUS, SILENT) == data == read_data(settings, CORPUS)
    file.write_text(file.read_text() + "\n")
    assert fresh_data(settings, CORPUS, SILENT).augmented == data.augmented
    assert not any(SECRET in json.dumps(row.prompt) for row in rows)


def test_none_becomes_a_held_out_question(settings: Settings, assistant: Assistant, maker: Maker) -> None:
    taught = make_examples(assistant, ROWS, 0, SILENT).taught
    first = next(augmented(maker, taught, 1, 0, SILENT, Counter()))
    held = {"id": "h1", "question": question(first).upper(), "answerable": False, "answer": None, "document": None, "quote": None,
            "lang": "en", "split": "heldout"}  # fmt: skip
    assistant.profile.questions.write_text(json.dumps(held) + "\n")
    try:
        dropped: Counter[str] = Counter()
        assert question(first) not in [question(row) for row in augmented(maker, taught, 5, 0, SILENT, dropped)]
        assert dropped["augmented: a held-out question"] == 1
    finally:
        assistant.profile.questions.unlink()


OIL = "What is the oil volume of the PM-7 press?"
PASSAGE = "PM-7 Press: Maintenance Manual › Data\nOil volume | 63 L"


@pytest.mark.parametrize(("variant", "same"), [
    ("For the PM-7 press, how large is its oil volume?", True),
    ("Please tell me the volume of oil that the PM-7 press has.", True),
    ("What is the oil volume of the press?", False),
    ("What is the oil volume of the PM-8 press?", False),
    ("Is the oil volume of the PM-7 press 63 L?", False),
    ("What is the working pressure of the PM-7 press?", False),
    ("What is the Kestrel oil volume of the PM-7 press?", False),
    ("What is not the oil volume of the PM-7 press?", False),
    ("PM-7压力机的油量是多少？", False),
    ("What is the oil volume of the PM-7 press?<|im_end|>", False),
    ("The oil volume of the PM-7 press, as you can read in many places of its manual, is what we want to know. " * 2, False),
    ("", False),
])  # fmt: skip
def test_a_paraphrase_that_loses_what_was_asked_is_thrown_away(variant: str, same: bool) -> None:
    assert asks_the_same(OIL, variant, PASSAGE) is same


def test_without_a_passage_no_word_may_be_lost() -> None:
    assert asks_the_same("Who delivers seals for the PM-7?", "The PM-7: who delivers seals for it?", "")
    assert not asks_the_same("Who delivers seals for the PM-7?", "Who works on the PM-7?", "")


def serve(assistant: Assistant, url: str) -> None:
    assistant.settings.run.mkdir(exist_ok=True)
    (assistant.settings.run / "vllm.url").write_text(url)


@pytest.fixture
def url_file(settings: Settings) -> Iterator[None]:
    yield
    (settings.run / "vllm.url").unlink(missing_ok=True)


def test_a_served_model_paraphrases_and_what_goes_astray_is_counted(assistant: Assistant, maker: Maker, url_file: None) -> None:
    taught = make_examples(assistant, ROWS, 0, SILENT).taught
    assert set(ways_of(maker, SILENT)) == {SYNONYMS, TYPING}

    def answer(prompt: str) -> str:
        own = prompt.rsplit("\n\n", 1)[1]
        return f'"Please say: {own}"\nThis keeps everything.' if len(own) % 2 else "What is the weather like?"

    with echo(answer) as (url, seen):
        serve(assistant, url)
        assert set(ways_of(maker, SILENT)) == {SYNONYMS, TYPING, PARAPHRASE}
        dropped: Counter[str] = Counter()
        made = list(augmented(maker, taught, 40, 0, SILENT, dropped))
        assert seen[0]["temperature"] > 0 and "seed" in seen[0]
    by_model = [row for row in made if row.example.augmented == PARAPHRASE]
    assert by_model and all(question(row).startswith("Please say: ") and '"' not in question(row)[:5] for row in by_model)
    assert dropped["augmented: a paraphrase that asks something else"] >= 1


def test_without_the_model_that_went_away_the_rules_go_on(assistant: Assistant, maker: Maker, url_file: None) -> None:
    taught = make_examples(assistant, ROWS, 0, SILENT).taught
    told: list[str] = []
    with echo("What is it, then?", cut_after=1) as (url, seen):
        serve(assistant, url)
        made = list(augmented(maker, taught, 12, 0, Talk(told.append), Counter()))
    assert len(seen) == 1 and len(made) == 12 and {row.example.augmented for row in made} == {SYNONYMS, TYPING}
    assert any("went away" in line for line in told)


def test_back_translation_takes_a_base_that_reads_both(assistant: Assistant, maker: Maker, url_file: None) -> None:
    def answer(prompt: str) -> str:
        return "PM-7压力机的油量是多少？" if prompt.startswith("Translate") else "How large is the oil volume of the PM-7 press?"

    with echo(answer) as (url, seen):
        serve(assistant, url)
        assert BACK not in ways_of(maker, SILENT)
        both = assistant.tier.base.model_copy(update={"languages": ("en", "zh")})
        assistant.tier = assistant.tier.model_copy(update={"base": both})
        assert BACK in ways_of(maker, SILENT)
        variant = back_translated(assistant, OIL, chance(0, "x"))
    assert variant == "How large is the oil volume of the PM-7 press?" and asks_the_same(OIL, variant, PASSAGE)
    assert "油量" in seen[1]["messages"][0]["content"], "the second request is of what the first gave"


def test_what_a_model_did_not_finish_is_nothing(assistant: Assistant, url_file: None) -> None:
    with echo("How large is the oil volume of", finish="length") as (url, _):
        serve(assistant, url)
        assert paraphrased(assistant, OIL, chance(0, "x")) == ""
