"""Words as the keyword index knows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.language import language
from ingest.sentences import sentences
from ingest.tokens import chinese_number, exact_tokens, tokens


@pytest.mark.parametrize("text", ["第三十九条", "第39条", "第 39 條", "Article 39", "article 39", "Ａrticle ３９"])
def test_a_clause_number_is_one_token_however_written(text: str) -> None:
    assert "§39" in tokens(text)
    assert exact_tokens(text) == {"§39"}


@pytest.mark.parametrize(
    ("text", "number"), [("十", 10), ("十二", 12), ("二十", 20), ("一百零二", 102), ("两千三百", 2300)]
)
def test_chinese_numbers(text: str, number: int) -> None:
    assert chinese_number(text) == number


@pytest.mark.parametrize(
    ("text", "whole", "part"),
    [
        ("SK-42", "sk-42", "42"),
        ("M8×1.25", "m8×1.25", "25"),
        ("snake_case", "snake_case", "snake"),
        ("camelCase", "camelcase", "camel"),
    ],
)
def test_codes_are_found_whole_and_in_part(text: str, whole: str, part: str) -> None:
    assert {whole, part} <= set(tokens(text))


def test_full_width_case_and_accents_fold() -> None:
    assert tokens("ＳＣ－４０ Café") == tokens("sc-40 cafe")


def test_chinese_is_characters_and_pairs() -> None:
    assert set(tokens("更换滤芯")) == {"更", "换", "滤", "芯", "更换", "换滤", "滤芯"}


def test_english_is_stemmed_and_stop_words_go() -> None:
    assert tokens("the filters are changed") == tokens("filter change")


@given(st.text(max_size=300))
def test_tokens_hold_no_white_space_and_are_never_empty(text: str) -> None:
    assert all(t and not any(c.isspace() for c in t) for t in tokens(text))


@given(st.text(max_size=300))
def test_a_text_has_the_same_tokens_as_its_upper_width(text: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
    assert tokens(wide) == tokens(text)


@given(st.text(alphabet="ab 。.！?\n一二A[1]", max_size=200))
def test_sentences_are_in_order_apart_and_leave_out_only_blanks(text: str) -> None:
    at = 0
    for start, end in sentences(text):
        assert text[at:start].strip() == "" and start < end
        at = end
    assert text[at:].strip() == ""


def test_sentences_know_abbreviations_and_numbers() -> None:
    text = "Turn No. 5 by 3.5 mm. See Fig. 2. Done. 拧紧螺栓。然后检查！"
    assert [text[a:b] for a, b in sentences(text)] == [
        "Turn No. 5 by 3.5 mm.",
        "See Fig. 2.",
        "Done.",
        "拧紧螺栓。",
        "然后检查！",
    ]


@pytest.mark.parametrize(
    ("text", "lang"), [("What is it?", "en"), ("请问SK-42的扭矩是多少？", "zh"), ("", "en"), ("DC-15滤袋", "zh")]
)
def test_language(text: str, lang: str) -> None:
    assert language(text) == lang
