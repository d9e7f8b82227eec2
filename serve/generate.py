"""Messages → words, from vLLM through LangChain's chat model."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI

from serve.thinking import MARK, Thought

PATIENCE = 120.0  # seconds between two words; a CPU is slow
CLOSING = 2  # tokens that end the thinking: the mark and a blank line


class ModelGone(Exception):
    """The model server did not answer, or stopped in the middle."""


class CutShort(Exception):
    """The model came to its longest answer in the middle of a sentence."""


class ChatVllm(ChatOpenAI):
    """LangChain's client of OpenAI's API drops what vLLM sends beside `content`; this one keeps the thinking."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        found = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if found and chunk.get("choices") and (thought := (chunk["choices"][0].get("delta") or {}).get("reasoning")):
            found.message.additional_kwargs["reasoning_content"] = thought
        return found


@lru_cache(32)
def chat_model(url: str, name: str) -> ChatVllm:
    """A LangChain chat model for what vLLM serves under `name`; greedy, because a citation must not depend on luck."""
    return ChatVllm(model=name, base_url=f"{url}/v1", api_key="none", temperature=0.0, timeout=PATIENCE,
                    max_retries=0, stream_usage=False)  # fmt: skip


def generate(
    url: str, name: str, messages: list[dict[str, str]], max_tokens: int, thinking: int | None = None
) -> Iterator[str | Thought]:
    """The model's words as they come, at most `max_tokens` of them; before them its thoughts, at most `thinking` tokens.

    Raises `ModelGone`, and `CutShort` at the end where its length was not enough. `thinking` is for reasoning models alone.
    """
    import httpx
    import openai

    body: dict[str, Any] = {}
    if thinking is not None:
        # What was not spent on thinking is no longer answer, so vLLM says with each piece how many tokens it has written.
        usage = {"include_usage": True, "continuous_usage_stats": True}
        body = {"thinking_token_budget": thinking, "stream_options": usage}
    thought = 0
    try:
        for piece in chat_model(url, name).stream(messages, max_tokens=max_tokens + (thinking or 0), extra_body=body):
            written = piece.usage_metadata["output_tokens"] if piece.usage_metadata else 0
            if said := piece.additional_kwargs.get("reasoning_content"):
                thought = written
                yield Thought(said)
            if piece.content:
                yield str(piece.content) if thinking is None else MARK.sub("", str(piece.content))
            too_long = thinking is not None and written - thought >= max_tokens + CLOSING
            if too_long or piece.response_metadata.get("finish_reason") == "length":
                raise CutShort
    except (openai.APIError, httpx.HTTPError) as error:
        raise ModelGone(str(error)) from error
