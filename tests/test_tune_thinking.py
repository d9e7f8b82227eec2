"""What a reasoning model trains on: the tokens that serving asks with, then the end of an empty thinking, the answer and EOS."""

from pathlib import Path

import pytest

from corpora import UserError
from serve.prompt import REFUSAL
from tests.thinker import QWEN3, R1, make_thinker
from tune.base import load_tokenizer
from tune.dpo import _tokens
from tune.labels import check_labels, encode
from tune.schema import PreferencePair

PROMPT = [{"role": "system", "content": "Cite."}, {"role": "user", "content": "Passages:\n\n[1] Oil\n63 L\n\nQuestion: how much oil?"}]
SAID = "The oil volume is 63 L. [1]"
ANSWER = [{"role": "assistant", "content": SAID}]
# Qwen3.5's way: the prompt begins the thinking, and a finished answer keeps an empty one, joined to it in one token.
BOTH = QWEN3.replace("'<|im_start|>assistant\\n' }}", "'<|im_start|>assistant\\n<think>\\n' }}")


@pytest.fixture(scope="module")
def thinker(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_thinker(home / "models" / "SmolLM2-135M-Instruct", tmp_path_factory.mktemp("thinker") / "tiny")


@pytest.mark.parametrize(
    ("template", "opens", "trained"),
    [
        (R1, "<｜Assistant｜><think>\n", f"</think>\n\n{SAID}"),
        (QWEN3, "<|im_start|>assistant\n", f"<think>\n\n</think>\n\n{SAID}"),
        (BOTH, "<|im_start|>assistant\n<think>\n", f"</think>\n\n{SAID}"),
    ],
    ids=["DeepSeek-R1", "Qwen3", "Qwen3.5"],
)
def test_a_row_asks_as_serving_does_and_begins_with_an_empty_thinking(thinker: Path, template: str, opens: str, trained: str) -> None:
    tokenizer = load_tokenizer(thinker)
    tokenizer.chat_template = template
    if template != R1:
        tokenizer.eos_token = "<|im_end|>"
    row = encode(tokenizer, "row", PROMPT, ANSWER, 768)
    served = tokenizer.apply_chat_template(PROMPT, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert row.prompt == list(served)
    assert tokenizer.decode(row.prompt).endswith(opens)
    assert tokenizer.decode(row.answer) == trained + tokenizer.eos_token
    assert row.answer.count(tokenizer.convert_tokens_to_ids("</think>")) == 1
    with pytest.raises(UserError, match="labels decode to"):
        check_labels(tokenizer, "row", row.labels[:-1], ANSWER)


def test_a_thinking_that_is_not_empty_is_never_trained_on(thinker: Path) -> None:
    tokenizer = load_tokenizer(thinker)
    labels = tokenizer.encode(f"Hm.\n</think>\n\n{SAID}{tokenizer.eos_token}", add_special_tokens=False)
    with pytest.raises(UserError, match="labels decode to"):
        check_labels(tokenizer, "row", labels, ANSWER)


def test_preference_pairs_ask_as_serving_does_too(thinker: Path) -> None:
    tokenizer = load_tokenizer(thinker)
    refused = [{"role": "assistant", "content": REFUSAL["en"]}]
    pair = PreferencePair(id="p", source="refusal", shown=[], prompt=PROMPT, chosen=ANSWER, rejected=refused)
    row = _tokens(tokenizer, pair, 768)
    assert row["prompt_ids"] == encode(tokenizer, "row", PROMPT, ANSWER, 768).prompt
    assert [tokenizer.decode(row[name]) for name in ("chosen_ids", "rejected_ids")] == [
        f"</think>\n\n{said}<｜end▁of▁sentence｜>" for said in (SAID, REFUSAL["en"])
    ]
