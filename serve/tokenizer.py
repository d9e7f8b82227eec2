"""Counts tokens as the base model does, for the prompt's budget."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from corpora import UserError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@lru_cache(8)
def tokenizer(folder: Path) -> "Tokenizer":
    """The tokenizer of the model in `folder`."""
    from tokenizers import Tokenizer

    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"No base model in {folder}.", "Unpack or fetch it: serve model get, or make up")
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@lru_cache(8)
def counter(folder: Path) -> Callable[[str], int]:
    """A function from text to its number of tokens for the model in `folder`."""
    known = tokenizer(folder)
    return lambda text: len(known.encode(text, add_special_tokens=False).ids)
