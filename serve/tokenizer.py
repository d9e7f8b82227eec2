"""Counts tokens as the base model does, for the prompt's budget."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from corpora import UserError


@lru_cache(8)
def counter(folder: Path) -> Callable[[str], int]:
    """A function from text to its number of tokens for the model in `folder`."""
    from tokenizers import Tokenizer

    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"No base model in {folder}.", "Unpack or fetch it: serve model get, or make up")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
