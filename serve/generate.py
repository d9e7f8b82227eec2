"""Messages → words, from vLLM through LangChain's chat model."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI

from corpora.profile import SamplingSection
from serve.thinking import MARK, Thought

PATIENCE = 120.0  # seconds between two words; a CPU is slow
CLOSING = 2  # tokens that end the thinking: the mark and a blank line
ENDED = re.compile(r"[.!?。！？…”\"')）\]】]\s*$")


class ModelGone(Exception):
    """The model server did not answer, or stopped in the middle."""


class NotTaken(ModelGone):
    """The model server does not take what was asked of it: a schema that it makes no grammar of."""


class CutShort(Exception):
    """The model came to its longest answer in the middle of a sentence."""


class ChatVllm(ChatOpenAI):
    """LangChain's client of OpenAI's API drops what vLLM sends beside `content`; this one keeps the thinking."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        found = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if found and (choices := chunk.get("choices")):
            if thought := (choices[0].get("delta") or {}).get("reasoning"):
                found.message.additional_kwargs["reasoning_content"] = thought
            if isinstance(choices[0].get("stop_reason"), str):  # the string that it stopped at
                found.message.additional_kwargs["stopped"] = True
        return found


@lru_cache(32)
def chat_model(url: str, name: str) -> ChatVllm:
    """A LangChain chat model for what vLLM serves under `name`."""
    return ChatVllm(model=name, base_url=f"{url}/v1", api_key="none", timeout=PATIENCE,
                    max_retries=0, stream_usage=False)  # fmt: skip


def generate(
    url: str, name: str, messages: list[dict[str, str]], max_tokens: int, thinking: int | None = None,
    sampling: SamplingSection | None = None, stop: Sequence[str] = (), constraint: dict[str, Any] | None = None,
) -> Iterator[str | Thought]:  # fmt: skip
    """The model's words as they come, at most `max_tokens` of them; before them its thoughts, at most `thinking` tokens.

    `thinking` is for reasoning models alone; `constraint` is vLLM's `structured_outputs`. Raises `ModelGone`, and `CutShort` at
    the end where its length was not enough or a `stop` came in the middle of a sentence.
    """
    import httpx
    import openai

    # Greedy unless the profile says otherwise, because a citation must not depend on luck.
    body: dict[str, Any] = (sampling or SamplingSection()).model_dump(exclude_none=True)
    if constraint:
        body["structured_outputs"] = constraint
    if thinking is not None:
        # What was not spent on thinking is no longer answer, so vLLM says with each piece how many tokens it has written.
        usage = {"include_usage": True, "continuous_usage_stats": True}
        body |= {"thinking_token_budget": thinking, "stream_options": usage}
    thought, last = 0, ""
    try:
        asked = chat_model(url, name).stream(
            messages, max_tokens=max_tokens + (thinking or 0), extra_body=body, stop=list(stop) or None
        )
        for piece in asked:
            written = piece.usage_metadata["output_tokens"] if piece.usage_metadata else 0
            if said := piece.additional_kwargs.get("reasoning_content"):
                thought = written
                yield Thought(said)
            if piece.content:
                words = str(piece.content) if thinking is None else MARK.sub("", str(piece.content))
                last = (last + words)[-40:]
                yield words
            too_long = thinking is not None and written - thought >= max_tokens + CLOSING
            halted = piece.additional_kwargs.get("stopped") and not ENDED.search(last)
            if too_long or halted or piece.response_metadata.get("finish_reason") == "length":
                raise CutShort
    except (openai.APIError, httpx.HTTPError) as error:
        said = getattr(error, "body", None)  # vLLM makes the grammar when the stream has begun, so its 400 may come inside
        if isinstance(said, dict) and str(said.get("code")) == "400":
            raise NotTaken(" ".join(str(said.get("message")).split())[:300].rstrip(".")) from error
        raise ModelGone(str(error)) from error
