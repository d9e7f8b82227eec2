"""Which passages a model had before it, found out from the trace of its answer."""

from ingest.schema import Chunk, Hit
from serve.chain import Assistant
from serve.prompt import render_prompt
from serve.schema import Trace
from serve.tokenizer import counter


def shown_hits(assistant: Assistant, trace: Trace) -> list[Hit]:
    """The hits of the prompt, [1] first; empty where it was written by other rules than today's, or none was."""
    if not trace.prompt:
        return []
    profile, tier = assistant.profile, assistant.tier
    hits = [_hit(row) for row in trace.hits[: profile.serve.keep]]
    count = counter(assistant.settings.models / tier.base.id)
    prompt = render_prompt(profile, trace.standalone, hits, count, tier.prompt_budget - profile.serve.max_tokens)
    return prompt.hits if prompt.messages == trace.prompt else []


def _hit(row: dict[str, object]) -> Hit:
    version, _, ordinal = str(row["chunk_id"]).rpartition(":")
    page = row["page"]
    chunk = Chunk(version, int(ordinal), str(row["text"]), int(str(row["start"])), int(str(row["end"])),
                  None if page is None else int(str(page)), str(row["context"]))  # fmt: skip
    return Hit(int(str(row["rank"])), float(str(row["score"])), chunk, str(row["document"]))
