"""BLEU and ROUGE-L of answers: by hand, as sacrebleu has it over a whole corpus, and within their bounds whatever is said."""

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from tune.overlap import bleu, overlap, rouge_l

PAIRS = {
    "en": [("The cooling capacity is 60.4 kW.", "It has a cooling capacity of 60.4 kW."), ("415 L", "The documents do not say."),
           ("Grease the guides every 250 hours.", "Grease the guides every 250 hours with 20 g.")],
    "zh": [("保证金为月租金的两倍。", "保证金是两倍的月租金。"), ("3个工作日内办结", "应在3个工作日内办结。")],
}  # fmt: skip
WORDS = st.lists(st.sampled_from("oil 63 L bar is the of 每面 22 行 保证金 . ，".split()), min_size=1).map(" ".join)


@pytest.mark.parametrize(
    ("gold", "said", "share"),
    [
        ("Mass 515 kg", "The mass is 515 kg.", 2 * 3 / 8),
        ("保证金为两倍", "两倍保证金", 2 * 3 / 11),  # a character is a token, and order counts
        ("CP-80: 45 Nm", "cp 80 45 nm", 1.0),
        ("Weekly.", "Never.", 0.0),
        ("Weekly.", "", 0.0),
    ],
)
def test_rouge_is_the_longest_common_subsequence(gold: str, said: str, share: float) -> None:
    assert rouge_l(gold, said) == pytest.approx(share)


@pytest.mark.parametrize(("lang", "tokenizer"), [("en", "13a"), ("zh", "zh")])
def test_bleu_is_sacrebleus_over_the_whole_corpus(lang: str, tokenizer: str) -> None:
    golds, said = zip(*PAIRS[lang], strict=True)
    whole = sacrebleu.corpus_bleu(list(said), [list(golds)], tokenize=tokenizer).score / 100
    assert 0 < whole < 1
    assert bleu([overlap(gold, answer, lang) for gold, answer in PAIRS[lang]]) == round(whole, 4)
    assert bleu([]) == 0.0


def test_a_short_answer_that_is_the_gold_one_is_right() -> None:
    assert bleu([overlap("415 L", "415 L", "en")]) == 1.0


@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), st.sampled_from(["en", "zh"]))
def test_both_lie_between_0_and_1_and_the_order_of_answers_is_nothing_to_them(pairs: list[tuple[str, str]], lang: str) -> None:
    found = [overlap(gold, said, lang) for gold, said in pairs]
    assert all(0 <= o.rouge_l <= 1 for o in found) and 0 <= bleu(found) <= 1
    assert bleu(found[::-1]) == bleu(found)
    assert all(rouge_l(said, gold) == rouge_l(gold, said) for gold, said in pairs)


@settings(deadline=None)
@given(st.lists(WORDS.map(lambda words: f"{words} oil"), min_size=1, max_size=5), st.sampled_from(["en", "zh"]))
def test_equal_texts_have_1(texts: list[str], lang: str) -> None:
    found = [overlap(text, text, lang) for text in texts]
    assert bleu(found) == 1.0 and all(o.rouge_l == 1.0 for o in found)
