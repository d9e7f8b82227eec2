"""Thinking: what a reasoning model writes before its answer. It is shown apart, and is never cited, checked or put back.

Which models think is told by their own files: a chat template that knows how thinking ends, and a tokenizer with the marks for it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from corpora import Profile
from serve.models import read_config
from serve.tiers import Tier
from serve.tokenizer import tokenizer

BEGIN, END = "<think>", "</think>"
MARK = re.compile(f"{BEGIN}|{END}")
KEPT = 20_000  # characters of a thinking that its trace keeps


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of thinking, as it comes."""

    text: str


def reasoning_parser(folder: Path) -> str:
    """The name of vLLM's parser that takes the thinking of the model in `folder` apart; empty where the model does not think.

    A parser on a model that does not think would take its answers for thinking; a missing one lets thinking out as the answer.
    """
    if END not in chat_template(folder):
        return ""
    known = tokenizer(folder)
    if known.token_to_id(BEGIN) is None or known.token_to_id(END) is None:
        return ""
    return "qwen3" if str(read_config(folder).get("model_type")).startswith("qwen3") else "deepseek_r1"


def chat_template(folder: Path) -> str:
    """The chat template of the model in `folder`, from the file of its own or the tokenizer's settings; empty where there is none."""
    own, settings = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    if not settings.is_file():
        return ""
    found = json.loads(settings.read_text(encoding="utf-8")).get("chat_template") or ""
    return found if isinstance(found, str) else json.dumps(found)  # several, by name


def thinking_budget(profile: Profile, tier: Tier, folder: Path) -> int | None:
    """How many tokens the model in `folder` may think before it must answer; None where it does not think.

    It comes on top of the prompt's budget, so it never takes more than the context leaves.
    """
    return min(profile.serve.thinking_tokens, tier.context - tier.prompt_budget) if reasoning_parser(folder) else None


def without_thinking(text: str) -> str:
    """An answer that a client sends back, without the thinking in it; one that never ended goes to the end."""
    return re.sub(rf"(?s){BEGIN}.*?(?:{END}|\Z)", "", text).rpartition(END)[2].strip()
