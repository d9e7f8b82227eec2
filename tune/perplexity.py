"""Perplexity: how likely a model finds the gold answers, where it sees the passages that prove them.

The gold answer is put as training puts it: after the messages that serving shows, by the base's chat template, each sentence with the
number of the passage that holds the gold quote, then the end of the turn. So it is exp of training's loss, on held-out questions.
"""

from collections.abc import Collection
from threading import Lock
from typing import TYPE_CHECKING, Any

import httpx

from corpora import UserError
from ingest.schema import Hit
from serve.chain import Assistant
from serve.engine import Engine, loopback, reason
from serve.schema import Trace
from tune.base import load_tokenizer
from tune.gold import Gold
from tune.labels import Encoded, encode
from tune.maker import marked

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PATIENCE = 120.0  # seconds; a CPU is slow, and other questions wait beside this one


class Scorer:
    """Scores the gold answers of the questions with these ids by the running vLLM."""

    def __init__(self, assistant: Assistant, ids: Collection[str]) -> None:
        self.ids = ids
        self.engine = assistant.engine
        self.context = assistant.tier.context
        self.tokenizer: PreTrainedTokenizerBase = load_tokenizer(assistant.settings.models / assistant.tier.base.id)
        self.lock = Lock()  # a tokenizer is for one thread at a time

    def nll(self, model: str, trace: Trace, hits: list[Hit], gold: Gold) -> tuple[float, int]:
        """Negative log-likelihood of the gold answer in nats, and its tokens; none where its passage is not among `hits`, those shown."""
        if gold.question.id not in self.ids or (target := self.target(trace, hits, gold)) is None:
            return 0.0, 0
        start, ids = len(target.prompt), target.ids
        return -sum(log_probability(self.engine, model, ids[:n], ids[n]) for n in range(start, len(ids))), len(target.answer)

    def target(self, trace: Trace, hits: list[Hit], gold: Gold) -> Encoded | None:
        """Prompt and gold answer in tokens; None too where they are too long for the model, or its template is none to train with."""
        shown = (n for n, hit in enumerate(hits, 1) if gold.is_at(hit.chunk.version, hit.chunk.start, hit.chunk.end))
        marker = next(shown, None)
        if marker is None or not gold.question.answer:
            return None
        answer = [{"role": "assistant", "content": marked(gold.question.answer, marker)}]
        try:
            with self.lock:
                return encode(self.tokenizer, gold.question.id, trace.prompt, answer, self.context - 1)
        except UserError:
            return None


def log_probability(engine: Engine, model: str, before: list[int], token: int) -> float:
    """Of the one token after those `before`, in nats.

    It is the only one that may be written, and vLLM tells how likely it was among all. `prompt_logprobs` would tell of the whole answer
    at once, but where adapters are enabled and another request is answered beside it, it stops vLLM (its issues 16668 and 51594).
    """
    body: dict[str, Any] = {"model": model, "prompt": before, "max_tokens": 1, "temperature": 0, "logprobs": 0,
                            "allowed_token_ids": [token], "ignore_eos": True}  # fmt: skip
    try:
        answer = loopback().post(f"{engine.url}/v1/completions", json=body, timeout=PATIENCE)
    except httpx.HTTPError as error:
        raise UserError(f"The model server went away while it was measured ({error}).",
                        "See its log: run/vllm.log in LECTERN_HOME") from None  # fmt: skip
    if not answer.is_success:
        raise UserError(f"vLLM would not say how likely an answer is: {reason(answer)}.", "See its log: run/vllm.log in LECTERN_HOME")
    return float(answer.json()["choices"][0]["logprobs"]["token_logprobs"][0])
