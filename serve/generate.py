"""Messages → words, from vLLM through LangChain's chat model."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from langchain.chat_models import init_chat_model

PATIENCE = 120.0  # seconds for one answer; a CPU is slow


class ModelGone(Exception):
    """The model server did not answer, or stopped in the middle."""


class CutShort(Exception):
    """The model came to its longest answer in the middle of a sentence."""


@lru_cache(32)
def chat_model(url: str, name: str, max_tokens: int) -> Any:
    """A LangChain chat model for what vLLM serves under `name`; greedy, because a citation must not depend on luck."""
    return init_chat_model(name, model_provider="openai", base_url=f"{url}/v1", api_key="none", temperature=0.0,
                           max_tokens=max_tokens, timeout=PATIENCE, max_retries=0, stream_usage=False)  # fmt: skip


def generate(url: str, name: str, messages: list[dict[str, str]], max_tokens: int) -> Iterator[str]:
    """The model's words as they come. Raises `ModelGone`, and `CutShort` at the end where its length was not enough."""
    import httpx
    import openai

    try:
        for piece in chat_model(url, name, max_tokens).stream(messages):
            if piece.content:
                yield str(piece.content)
            if piece.response_metadata.get("finish_reason") == "length":
                raise CutShort
    except (openai.APIError, httpx.HTTPError) as error:
        raise ModelGone(str(error)) from error
