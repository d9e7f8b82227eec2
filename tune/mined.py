"""Mined mistakes: what an adapter answers wrongly to questions that it was taught, asked under new names. What it really gets wrong
teaches it more than mistakes that were thought up (rejected answers from the policy itself: Guo et al. 2024, "Direct Language Model
Alignment from Online AI Feedback").

A mistake is a refusal of what the passages answer, an answer to what they do not, an answer that lacks a figure or most of the words of
the right one, and a right one with the number of a passage that does not say it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from corpora import UserError
from corpora.profile import SamplingSection
from ingest.language import language
from serve.chain import Assistant
from serve.cite import MARKER
from serve.generate import CutShort, ModelGone, generate
from serve.prompt import REFUSAL, template_hash
from serve.thinking import thinking_budget
from tune.base import base_hash
from tune.chance import chance
from tune.loaded import Loaded
from tune.maker import Maker, Taught, stands
from tune.metrics import is_correct
from tune.pairs import preferred
from tune.registry import newest_sft, refuse_stale
from tune.renamed import renamed
from tune.schema import Adapter, PreferencePair
from tune.talk import Talk

WARMTH = 0.7  # the likeliest answer alone would show the mistakes of one draw
AT_ONCE = 16
REFUSED, ANSWERED = "mined: refused what the passages answer", "mined: answered what the passages do not"
WRONG, ELSEWHERE = "mined: answered otherwise", "mined: cited another passage"


def mined_pairs(maker: Maker, taught: Sequence[Taught], adapter: Adapter, most: int, seed: int, talk: Talk) -> list[PreferencePair]:
    """Ask the adapter, which vLLM loads, `most` of the rows under new names; each right answer is preferred to the wrong one it gave."""
    assistant = maker.assistant
    # Another seed than that of the rows: these names and figures were in none that it learnt from.
    own = [[row] for row in taught if not row.example.augmented and row.hits]
    rows = [row for group in renamed(maker, own, most, seed + 1, talk, Counter()) for row in group]
    pairs: list[PreferencePair] = []
    loaded = Loaded(assistant.engine, assistant.settings, adapter.corpus, adapter.version)
    with loaded, talk.bar("Asked", len(rows)) as advance, ThreadPoolExecutor(AT_ONCE) as pool:
        for row, said in zip(rows, pool.map(lambda row: _answer(assistant, loaded.name, row, seed), rows), strict=True):
            advance(1, row.example.document)
            if said and (mistake := mistake_of(row, said)):
                pairs.append(preferred(row, mistake, said))
    return pairs


def student(assistant: Assistant, base: Path) -> Adapter:
    """The newest SFT adapter of a corpus. Raises `UserError` where there is none, none for this prompt and base, or no server is up."""
    found = newest_sft(assistant.settings, assistant.profile.name)
    refuse_stale(found, template_hash(base), base_hash(base))
    if not assistant.engine.up():
        raise UserError("The mistakes of an adapter are seen by asking it, and no model server is up.", "Start it: make up")
    return found


def mistake_of(row: Taught, said: str) -> str:
    """What is wrong with an answer to the row; empty where nothing is."""
    refused = REFUSAL[language(row.asked.question)] in said
    if not row.example.answerable:
        return "" if refused else ANSWERED
    if refused:
        return REFUSED
    right = row.example.completion[0]["content"]
    if not is_correct(MARKER.sub("", right), MARKER.sub("", said)):
        return WRONG
    return "" if stands(said, row.hits) else ELSEWHERE


def _answer(assistant: Assistant, name: str, row: Taught, seed: int) -> str:
    """What the model says to the row's prompt; nothing where it came to no end."""
    tier, profile = assistant.tier, assistant.profile
    thinking = thinking_budget(profile, tier, assistant.settings.models / tier.base.id)
    sampling = SamplingSection(temperature=WARMTH, seed=chance(seed, f"{row.example.id}:mined").randrange(2**31))
    try:
        return "".join(_words(assistant.engine.url, name, row, profile.serve.max_tokens, thinking, sampling)).strip()
    except CutShort:
        return ""
    except ModelGone as error:
        raise UserError(f"The model server went away ({error}).", f"See {assistant.settings.run / 'vllm.log'}") from None


def _words(url: str, name: str, row: Taught, most: int, thinking: int | None, sampling: SamplingSection) -> Iterator[str]:
    return (piece for piece in generate(url, name, row.example.prompt, most, thinking, sampling) if isinstance(piece, str))
