"""What a row trains on: its answer and the end of its turn, exactly; anything else stops the run before it starts.

A reasoning model is taught to answer without thinking: its answer begins by closing a thinking in which nothing stands.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpora import UserError
from serve.thinking import BEGIN, END
from tune.schema import Messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # a label that counts for nothing in the loss
OPENED = re.compile(rf"{BEGIN}\s*\Z")  # a prompt that begins the thinking itself
EMPTY = re.compile(rf"(?:{BEGIN}\s*)?{END}\s*")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row in tokens: `answer` ends in EOS, and is all that the loss sees."""

    prompt: list[int]
    answer: list[int]

    @property
    def ids(self) -> list[int]:
        return self.prompt + self.answer

    @property
    def labels(self) -> list[int]:
        return [IGNORED] * len(self.prompt) + self.answer


def encode(tokenizer: "PreTrainedTokenizerBase", row_id: str, prompt: Messages, answer: Messages, max_length: int) -> Encoded:
    """The row by the base's own chat template. Raises `UserError` where a label would not be answer + EOS, or the row is too long."""
    before = _ids(tokenizer, prompt, asks=True)
    whole = _ids(tokenizer, prompt + answer, asks=False)
    if (closed := _closed(tokenizer, prompt, answer)) is not None:
        whole = before + closed
    if whole[: len(before)] != before:
        raise UserError(f"{row_id}: the base's chat template renders the prompt otherwise when an answer follows, so training would not "
                        "see what serving asks.", "Use another base: serve model list")  # fmt: skip
    rest = whole[len(before) :]
    if tokenizer.eos_token_id not in rest:
        raise UserError(f"{row_id}: the base's chat template ends no answer with {tokenizer.eos_token!r}, so the model would never "
                        "learn to stop.", "Use a base whose chat template does: serve model list")  # fmt: skip
    encoded = Encoded(before, rest[: rest.index(tokenizer.eos_token_id) + 1])
    check_labels(tokenizer, row_id, encoded.labels, answer)
    if len(encoded.ids) > max_length:
        raise UserError(f"{row_id} has {len(encoded.ids)} tokens, more than the {max_length} of this machine's tier; nothing is cut.",
                        "Make the rows anew: tune data CORPUS")  # fmt: skip
    return encoded


def check_labels(tokenizer: "PreTrainedTokenizerBase", row_id: str, labels: Sequence[int], answer: Messages) -> None:
    """Raises `UserError` unless the labels decode to the answer and EOS, no more and no less."""
    said = str(tokenizer.decode([token for token in labels if token != IGNORED]))
    said = said[opening.end() :] if (opening := EMPTY.match(said)) else said
    wanted = f"{answer[0]['content']}{tokenizer.eos_token}"
    if said != wanted:
        raise UserError(f"{row_id}: the labels decode to {said[:120]!r}, not to {wanted[:120]!r}.",
                        "Use a base whose chat template leaves answers as they are: serve model list")  # fmt: skip


def decoded(tokenizer: "PreTrainedTokenizerBase", encoded: Encoded) -> str:
    """The row as the model sees it, with what it is trained on between ⟦ and ⟧."""
    return f"{tokenizer.decode(encoded.prompt)}⟦{tokenizer.decode(encoded.answer)}⟧"


def _closed(tokenizer: "PreTrainedTokenizerBase", prompt: Messages, answer: Messages) -> list[int] | None:
    """What follows a prompt that begins the thinking: its end, then the answer as the template writes it; None for other prompts.

    Such a template leaves the thinking out of a finished answer, so prompt and answer in one would not be what serving asks.
    """
    asked: Any = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    opened = OPENED.search(asked)
    if opened is None:
        return None
    whole: Any = tokenizer.apply_chat_template(prompt + answer, add_generation_prompt=False, tokenize=False)
    if not whole.startswith(asked[: opened.start()]):
        return None
    said = EMPTY.sub("", whole[opened.start() :], count=1)
    return list(tokenizer.encode(f"{END}\n\n{said}", add_special_tokens=False))


def _ids(tokenizer: "PreTrainedTokenizerBase", messages: Messages, asks: bool) -> list[int]:
    rendered: Any = tokenizer.apply_chat_template(messages, add_generation_prompt=asks, return_dict=True)
    return list(rendered["input_ids"])
