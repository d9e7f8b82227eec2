"""Rows under other names: the same name wherever it stands, order kept, words untouched, and the answer still stands on its passage."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import settings as within
from hypothesis import strategies as st

from ingest.settings import Settings
from tests.plant import CORPUS, SECRET, SILENT, make_plant, opened
from tune.chance import chance
from tune.data import data_folder, fresh_data, make_data, read_data, read_examples, read_pairs
from tune.examples import make_examples
from tune.names import Names
from tune.renamed import RENAMED

ROWS = 16
FIGURES = st.one_of(st.integers(10, 9999), st.decimals("0.1", "99.9", places=1).map(float))
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def named(*texts: str, seed: int = 0) -> Names:
    return Names(texts, chance(seed, "test"))


def test_a_code_is_called_the_same_however_it_is_written() -> None:
    names = named("SC-40 Compressor: Manual", "The SC40 and fault SC-A04 of HP-200, part 40-9044, bolt M10, HP200-0412")
    new = names("SC-40").removesuffix(names("SC-40")[-3:])
    assert new != "SC" and names("SC40") == new + names("SC-40")[-2:] and names("sc-40") == names("SC-40").lower()
    assert names("HP 200") == names("HP-200") != "HP-200", "letters apart from their number, where the passages say the code"
    assert names("SC-A04").startswith(f"{new}-A") and names("SC-A04") != "SC-A04"
    assert names("HP200-0412").startswith(names("HP-200").replace("-", "")) and re.fullmatch(r"M\d\d", names("M10"))
    assert re.fullmatch(r"\d\d-\d{4}", names("40-9044")) and names("40-9044") != "40-9044"


@pytest.mark.parametrize("text", [
    "[1] Take 5 bolts of 2 sizes", "on 2024-10-07 at 14:30", "built in 2019, revised in 2024.", "12. Close the valve",
    "the leaf-spring of USB and PLC", "two of three", "H-frame", "22 March 2025", "December 31, 2023", "12月31日", "31/12/2023", "2023-12",
    "the 21st day, the 95th percentile", "CO2, UTF-8, SHA-256, IPv4, ISO 4406, GB50016-2014, GB/T 50016, IP54", "Type-2 of FY2023",
    "2019-2023 warranty", "99.5 % of 100 %", "error 05", "M10x40",
])  # fmt: skip
def test_markers_dates_years_steps_single_digits_and_words_stay(text: str) -> None:
    assert named("Pressure 45 bar", text)(text) == text


@pytest.mark.parametrize(("text", "shape"), [
    ("after 2000 h", r"after \d{4} h"),
    ("1,500 rpm", r"\d,\d{3} rpm"),
    ("0.15 mm", r"\d\.\d\d mm"),
    ("the 100-hour check", r"the \d{3}-hour check"),
    ("20mL of water", r"\d\dmL of water"),
    ("35 to 55 °C", r"\d\d to \d\d+ °C"),
    ("10-15 bar", r"\d\d-\d\d bar"),
    ("no more than 136%", r"no more than \d{3}%"),
])  # fmt: skip
def test_a_figure_keeps_its_shape_and_unit(text: str, shape: str) -> None:
    other = named(text)(text)
    assert re.fullmatch(shape, other) and other != text


@pytest.mark.parametrize(("one", "other"), [
    ("12. From a single source", "What does paragraph 12 say of 45 bar?"),
    ("每1500小时检查", "每2000小时大修"),
    ("$2000 now", "$1500 later"),
    ("every 1500 operating hours", "every 2000 operating hours"),
    ("50-100 bar", "never above 100 bar"),
    ("1000-1500 rpm", "1500 rpm at most"),
    ("a plate of 100x200x50 mm", "50 mm thick"),
    ("24VDC", "24 V"),
])  # fmt: skip
def test_what_is_one_figure_is_one_afterwards(one: str, other: str) -> None:
    names = named(one, other)
    before = [figure for figure in NUMBER.findall(one) if figure in NUMBER.findall(other)]
    assert names.ok and len(set(NUMBER.findall(names(one))) & set(NUMBER.findall(names(other)))) >= len(before)
    values = {float(figure): float(new) for text in (one, other)
              for figure, new in zip(NUMBER.findall(text), NUMBER.findall(names(text)), strict=True)}  # fmt: skip
    assert [values[value] for value in sorted(values)] == sorted(values.values())


def test_words_before_a_figure_are_no_letters_of_a_code() -> None:
    text = "from 100 to 220 V at 30 °C"
    assert re.fullmatch(r"from \d+ to \d+ V at \d+ °C", named("TO-220 and AT-30", text)(text))


@pytest.mark.parametrize("text", [
    "thirty (30) days", "三十（30）日", "10 000 h", "0,75 kW", "第12条 and 第十二条", "壹佰万元", "6222021234567890123",
    "SC\u201140 at 45 bar", "Set to 4.9 bar; never above 5 bar", "nothing to rename",
])  # fmt: skip
def test_what_would_contradict_itself_is_not_renamed(text: str) -> None:
    assert not named(text).ok


def test_names_of_one_length_may_be_too_few() -> None:
    texts = [f"{one}{two}-71" for one in "ABCDEFGHIJKLMNOP" for two in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    assert named(*texts).letters == {}


@within(deadline=None)
@given(st.lists(FIGURES, min_size=2, max_size=12, unique=True), st.integers(0, 99))
def test_figures_keep_their_order_and_stay_apart(values: list[float], seed: int) -> None:
    text = "; ".join(f"{value} bar" for value in values)
    names = named(text, seed=seed)
    assume(names.ok)
    others = [float(m) for m in NUMBER.findall(names(text))]
    assert len(set(others)) == len(values) == len(others)
    assert [new for _, new in sorted(zip(values, others, strict=True))] == sorted(others)


@within(deadline=None)
@given(st.lists(st.integers(0, 99), min_size=2, max_size=8, unique=True), st.integers(0, 99))
def test_codes_keep_their_order_and_stay_apart(numbers: list[int], seed: int) -> None:
    codes = [f"SC-A{number:02d}" for number in sorted(numbers)]
    others = [named(*codes, seed=seed)(code) for code in codes]
    assert others == sorted(set(others)) and len({other[:-2] for other in others}) == 1


@within(deadline=None)
@given(st.text("SC40-9 .,:%hbar[]\n2024HP", max_size=60), st.integers(0, 99))
def test_whatever_stands_there_only_codes_and_figures_change(text: str, seed: int) -> None:
    other = named(text, seed=seed)(text)
    assert re.sub(r"[A-Za-z0-9.,]+", "", other) == re.sub(r"[A-Za-z0-9.,]+", "", text)
    assert named(text, seed=seed)(text) == other


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_plant(home, tmp_path_factory.mktemp("plant"))


def test_rows_under_other_names_ask_and_answer_what_their_passages_say(settings: Settings) -> None:
    with opened(settings) as assistant:
        rows = make_examples(assistant, ROWS, 0, SILENT, rename=24).taught
        plain = make_examples(assistant, ROWS, 0, SILENT).taught
        again = make_examples(assistant, ROWS, 0, SILENT, rename=24).taught
    assert [row.example for row in again] == [row.example for row in rows]
    own = {row.example.id: row.example for row in rows if not row.example.augmented}
    made = [row.example for row in rows if row.example.augmented == RENAMED]
    assert own == {row.example.id: row.example for row in plain} and len(made) == 24 > len(own), "each once before one is twice"
    assert Counter(row.id.split(f":{RENAMED}")[0] for row in made).most_common()[0][1] == 2 and len({row.id for row in made}) == 24
    for row in made:
        original = own[row.id.split(f":{RENAMED}")[0]]
        asked, said = row.prompt[-1]["content"], row.completion[0]["content"]
        assert row.shown == original.shown and row.prompt != original.prompt and "PM-" not in asked and "FK-" not in asked
        if row.answerable:
            assert all(figure in asked for figure in NUMBER.findall(said))
            assert NUMBER.sub("", said).split()[-1] == NUMBER.sub("", original.completion[0]["content"]).split()[-1]
        else:
            assert row.completion == original.completion


def test_they_are_counted_made_anew_with_the_rest_and_in_no_pair(settings: Settings) -> None:
    data, _ = make_data(settings, CORPUS, ROWS, 0, SILENT, rename=10)
    assert data.augmented == {RENAMED: 10} and data.rename == 10 and data.rows == ROWS + 10
    card = (data_folder(settings, CORPUS) / "card.md").read_text()
    assert "--rename 10`" in card and f"| {RENAMED} | 10 |" in card
    assert fresh_data(settings, CORPUS, SILENT) == data == read_data(settings, CORPUS)
    assert not any(RENAMED in pair.id for pair in read_pairs(settings, CORPUS))
    assert not any(SECRET in row.model_dump_json() for row in read_examples(settings, CORPUS))
