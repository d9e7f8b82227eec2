"""The chain: question → search → evidence → prompt → model → citation check → answer.  Run: serve ask maintenance "…"

`Assistant.chain` is a LangChain runnable of these steps, in this order; `ask` and `stream` run it.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Unpack

from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda

from corpora import Profile, UserError, load_profile
from ingest.language import language
from ingest.schema import Hit
from ingest.search import EVERYWHERE, MAX_QUERY, Searcher
from ingest.settings import Settings
from ingest.tokens import tokens
from ingest.where import Where
from serve.attached import CORPUS as ATTACHED
from serve.attached import beside
from serve.engine import Engine
from serve.evidence import about, distinct, enough, evidence
from serve.followup import standalone
from serve.followup_slots import known_of
from serve.instructions import without_instructions
from serve.prompt import render_prompt
from serve.reply import Reply
from serve.rerank import READ, open_reranker
from serve.retriever import CorpusRetriever
from serve.schema import Trace
from serve.survey import survey
from serve.thinking import Thought
from serve.tiers import Tier, pick_tier
from serve.tokenizer import counter
from serve.turn import How, Piece, Turn, timed

SPARE = 5  # hits more than are wanted, since some say the same


class Assistant:
    """A corpus that answers. Safe to share between threads."""

    def __init__(self, profile: Profile, settings: Settings, searcher: Searcher, engine: Engine) -> None:
        self.profile = profile
        self.settings = settings
        self.searcher = searcher
        self.engine = engine
        self.tier: Tier = pick_tier(settings)
        self.reranker = open_reranker(settings.models / self.tier.reranker.id) if self.tier.reranker else None
        self.reply = Reply(profile, settings, searcher, self.tier, engine)
        self.chain: Runnable[Turn, Piece] = (
            RunnableLambda(self.understand)
            | RunnableLambda(self.retrieve_hits)
            | RunnableLambda(self.weigh_evidence)
            | RunnableLambda(self.write_prompt)
            | RunnableGenerator(self._answers, self._async_answers)
        )

    def ask(self, question: str, history: Sequence[dict[str, str]] = (), **how: Unpack[How]) -> Trace:
        """Answer `question`; the trace holds the answer and all that it came from. Raises `UserError` for a bad question."""
        trace = self.chain.invoke(Turn(question, history, **how)).trace
        assert trace is not None
        return trace

    def stream(self, question: str, history: Sequence[dict[str, str]] = (), **how: Unpack[How]) -> Iterator[str | Thought | Trace]:
        """A reasoning model's thoughts, pieces of text, each after its check, and at the end the trace."""
        for piece in self.chain.stream(Turn(question, history, **how)):
            if piece.thinking:
                yield Thought(piece.thinking)
            if piece.text:
                yield piece.text
            if piece.trace:
                yield piece.trace

    def retrieve(self, question: str, k: int, where: Where = EVERYWHERE) -> list[Hit]:
        """The hits that a question would be answered from, without instructions in them."""
        read = max(k + SPARE, READ if self.reranker else 0)
        retriever = CorpusRetriever(searcher=self.searcher, corpus=self.profile.name, k=read, where=where)
        hits = [document.metadata["hit"] for document in retriever.invoke(question)]
        if self.reranker:
            hits = self.reranker.rerank(question, hits)
        return without_instructions(question, about(question, distinct(hits)[:k]))

    def stands_alone(self, question: str, history: Sequence[dict[str, str]]) -> str:
        """The question as it is searched and asked, with what it leans on in `history`."""
        if not history:
            return question
        known = known_of(self.searcher, self.profile.name)
        alone = standalone(question, history, self.count(), self.tier.prompt_budget, known)
        return alone[:MAX_QUERY].encode("utf-8", "replace").decode()

    # the steps

    def understand(self, turn: Turn) -> Turn:
        if not turn.question.strip():
            raise UserError("The question is empty.", "Ask something.")
        if len(turn.question) > MAX_QUERY:
            raise UserError(f"The question has {len(turn.question):,} characters; at most {MAX_QUERY:,} are read.",
                            "Shorten it, or add the text as a document: ingest add")  # fmt: skip
        turn.question = turn.question.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        turn.timings["start"] = time.monotonic()
        turn.lang = language(turn.question)
        turn.standalone = self.stands_alone(turn.question, turn.history)
        return turn

    def retrieve_hits(self, turn: Turn) -> Turn:
        k = max(10, self.profile.serve.keep)
        if turn.attached is None:
            turn.hits = self.retrieve(turn.standalone, k, turn.where)
        else:
            known = self.searcher.manifest.corpus_id(self.profile.name)  # with a file of one's own a corpus may be empty
            own = turn.attached.search(ATTACHED, turn.standalone, k)
            found = beside(turn.standalone, self.retrieve(turn.standalone, k, turn.where) if known else [], own)
            turn.hits = without_instructions(turn.standalone, about(turn.standalone, found))
        return timed(turn, "search")

    def weigh_evidence(self, turn: Turn) -> Turn:
        corpus_id = self.searcher.manifest.corpus_id(self.profile.name)
        if corpus_id:
            turn.weigh = self.searcher.keywords(self.profile.name, corpus_id).idf
        turn.evidence = evidence(turn.standalone, turn.hits, turn.weigh)
        return timed(turn, "evidence")

    def write_prompt(self, turn: Turn) -> Turn:
        """Choose who answers, and write the prompt if that is the model."""
        if turn.mode is None and self.profile.serve.mode != "auto":
            turn.mode = self.profile.serve.mode
        elif turn.mode is None and not turn.form and self.reply.quotes_better(turn):
            turn.mode, turn.why = "extractive", "wins"
        if turn.mode != "extractive" and turn.evidence >= enough(self.profile, turn.lang) and self.reads(turn.lang):
            length = turn.max_tokens or self.profile.serve.max_tokens
            kept = turn.hits[: self.profile.serve.keep]
            form = turn.form.instruction(turn.lang) if turn.form else ""
            budget = self.tier.prompt_budget - length - self.count()(form)
            turn.prompt = render_prompt(self.profile, turn.standalone, kept, self.count(), budget)
            turn.prompt.messages[0]["content"] += f" {form}" if form else ""
        return turn

    def count(self) -> Callable[[str], int]:
        """Counts tokens as the base model does; words where a machine that only quotes has none."""
        folder = self.settings.models / self.tier.base.id
        return counter(folder) if (folder / "tokenizer.json").is_file() else lambda text: len(tokens(text))

    def reads(self, lang: str) -> bool:
        return lang in self.tier.base.languages

    def answers(self, turn: Turn) -> Iterator[Piece]:
        """Survey, refuse, generate or quote; every sentence leaves after its check."""
        found = None if turn.form else survey(turn.standalone, self.searcher, self.profile.name, turn.where)
        if found:
            yield from self.reply.survey(turn, found)
        elif turn.evidence < enough(self.profile, turn.lang):
            yield self.reply.refusal(turn, "silent")
        elif turn.form:
            yield from self.reply.fill(turn, turn.form)
        elif turn.prompt is None or not turn.prompt.hits:
            why = turn.why if turn.mode == "extractive" else "unread" if not self.reads(turn.lang) else "long"
            yield from self.reply.quote(turn, why)
        else:
            yield from self.reply.generate(turn, turn.prompt)

    def _answers(self, turns: Iterator[Turn]) -> Iterator[Piece]:
        for turn in turns:
            text = ""
            for piece in self.answers(turn):
                text += piece.text
                if piece.trace:
                    piece.trace.answer.answer = text
                yield piece

    async def _async_answers(self, turns: AsyncIterator[Turn]) -> AsyncIterator[Piece]:
        import asyncio

        end = object()
        async for turn in turns:
            pieces = self._answers(iter([turn]))
            while (piece := await asyncio.to_thread(next, pieces, end)) is not end:
                assert isinstance(piece, Piece)
                yield piece


def open_assistant(
    corpus: str, settings: Settings, searcher: Searcher | None = None, engine: Engine | None = None
) -> Assistant:
    """The assistant of a corpus. Raises `UserError` for an unknown one."""
    profile = load_profile(corpus, settings.root)
    return Assistant(profile, settings, searcher or Searcher(settings), engine or Engine(settings))
