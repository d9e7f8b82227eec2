"""Words as the keyword index knows them."""

from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.language import language
from ingest.sentences import sentences
from ingest.tokens import chinese_number, exact_tokens, fold, heads, tokens


@pytest.mark.parametrize(
    ("texts", "clause"),
    [
        (["第三十九条", "第39条", "第 39 條", "Article 39", "article 39", "Ａrticle ３９", "§ 39", "art. 39", "Clause 39"], "§39"),
        (["第1.1条", "1.1条", "第1.1款", "Clause 1.1", "Section 1.1", "clauses 1.1"], "§1.1"),
        (["Article IV", "Article 4", "第四条", "Section IV."], "§4"),
        (["第一百三十三条之一", "第133条之一", "Article 133-1"], "§133-1"),
        (["Section 12A", "section 12A (2)"], "§12a"),
    ],
)
def test_a_clause_number_is_one_token_however_written(texts: list[str], clause: str) -> None:
    for text in texts:
        assert clause in tokens(text)
        assert exact_tokens(text) == {clause}, text


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("2.1 范围", {"§2.1"}),
        ("8.5 The Lessee pays.", {"§8.5"}),
        ("12. Liability", {"§12"}),
        ("3、付款", {"§3"}),
        ("Equipment Lease › 12 Liability › 12.3", {"§12", "§12.3"}),
        ("Master Services Agreement › Section 4.2", {"§4.2"}),
        ("A word.\n  2.10 Another", {"§2.10"}),
        ("2.5 bar is the pressure", set()),
        ("The pump gives 2.5 Bar", set()),
        ("2019 Annual Report", set()),
        ("根据本法第三十九条", set()),
        ("12 Monkeys", set()),
    ],
)
def test_a_number_at_the_head_is_the_clauses_own(text: str, clauses: set[str]) -> None:
    assert heads(text) == clauses
    assert clauses <= set(tokens(text)), "so that what serving compares by tokens knows them"


@pytest.mark.parametrize(
    ("text", "number"), [("十", 10), ("十二", 12), ("二十", 20), ("一百零二", 102), ("两千三百", 2300)]
)
def test_chinese_numbers(text: str, number: int) -> None:
    assert chinese_number(text) == number


@pytest.mark.parametrize(
    ("texts", "whole", "part"),
    [
        (["SK-42", "SK42", "sk42", "ＳＫ－４２", "SK–42", "sk‑42", "SK−42"], "sk42", "42"),
        (["M8×1.25", "M8x1.25", "M8X1.25", "M8*1.25", "m8×1.25"], "m8x1.25", "m8"),
        (["put_filter", "putFilter", "PutFilter", "put-filter"], "putfilt", "filter"),
        (["ChatGPT", "iPhone and ChatGPT"], "chatgpt", "gpt"),
        (["back-off", "backoff"], "backoff", "backoff"),
        (["os.path.join"], "os.path.join", "path"),
        (["HTTPServer", "HttpServer"], "httpserver", "server"),
    ],
)
def test_variants_of_a_code_are_found_whole_and_in_part(texts: list[str], whole: str, part: str) -> None:
    for text in texts:
        assert {whole, part} <= set(tokens(text)), text


@given(st.from_regex(r"[A-Z]{1,3}[0-9]{2,4}", fullmatch=True), st.sampled_from("-‐‑–−－_"), st.booleans(), st.booleans())
def test_a_code_has_one_shape(code: str, dash: str, wide: bool, lower: bool) -> None:
    letters = code.rstrip("0123456789")
    other = f"{letters}{dash}{code[len(letters):]}"
    other = other.lower() if lower else other
    other = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in other) if wide else other
    assert tokens(other) == tokens(code)
    assert exact_tokens(other) == exact_tokens(code)


def test_a_measure_is_no_code() -> None:
    assert exact_tokens("7.2 m³/h through 50 mm² of the 85 m3 room at 30-45 °C") == set()


@given(st.text(max_size=200))
def test_what_is_exact_is_a_token(text: str) -> None:
    assert exact_tokens(text) <= set(tokens(text))
    assert heads(text) <= set(tokens(text))


@given(st.text(max_size=200) | st.text(alphabet="ßæ條款½ﬀ①ｶﾞé\u0301\u00ad豈Ⅳ×—–가\u1100\u1161", max_size=20))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("name", ["iPhone", "ChatGPT", "MacBook", "SK-42", "FilterBag", "M8×1.25", "os.path"])
def test_a_name_is_found_by_its_small_letters(name: str) -> None:
    assert set(tokens(name.lower())) & set(tokens(name)) - {"8", "m", "1", "25"}


def test_traditional_characters_find_simplified_ones() -> None:
    assert tokens("勞動合同法第三十九條：試用期間被證明不符合錄用條件的") == tokens("劳动合同法第三十九条：试用期间被证明不符合录用条件的")


def test_full_width_case_and_accents_fold() -> None:
    assert tokens("ＳＣ－４０ Café STRASSE") == tokens("sc-40 cafe straße")


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


def test_a_text_of_nothing_but_abbreviations_is_cut_in_time() -> None:
    start = thread_time()
    assert len(sentences("No. 5 e.g. Fig. " * 20_000)) == 1
    assert thread_time() - start < 5, "it takes half a second; minutes where each stop looks back to the beginning"
    assert len(sentences("See Fig. 3 and No. 5 e.g. Here. " * 100)) == 100
