"""The chain: question → search → evidence → prompt → model → citation check → answer.  Run: serve ask maintenance "…"

`Assistant.chain` is a LangChain runnable of these steps, in this order; `ask` and `stream` run it.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda

from corpora import Profile, UserError, load_profile
from ingest.language import language
from ingest.schema import Hit
from ingest.search import MAX_QUERY, Searcher
from ingest.settings import Settings
from ingest.tokens import tokens
from serve.attached import CORPUS as ATTACHED
from serve.attached import beside
from serve.cite import Span, cited, unmarked
from serve.engine import Engine
from serve.evidence import about, evidence, strays, term_weights
from serve.extract import extract
from serve.followup import standalone
from serve.followup_slots import known_of
from serve.generate import CutShort, ModelGone, generate
from serve.notices import NOTICES
from serve.prompt import REFUSAL, Prompt, render_prompt
from serve.retriever import CorpusRetriever
from serve.schema import Answer, Author, Citation, Mode, Support, Trace
from serve.sentences import complete_sentences
from serve.survey import Survey, survey
from serve.tiers import Tier, pick_tier
from serve.tokenizer import counter


@dataclass(slots=True)
class Turn:
    """One question on its way through the chain; each step fills in its part."""

    question: str
    history: Sequence[dict[str, str]] = ()
    adapter: str | None = None  # a name that vLLM serves; None for the champion, "" for the bare base
    mode: Mode | None = None  # None: what the profile and the machine say
    max_tokens: int | None = None
    attached: Searcher | None = None  # of the files of this conversation
    lang: str = "en"
    standalone: str = ""
    hits: list[Hit] = field(default_factory=list)
    weigh: Callable[[str], float] = lambda token: 1.0
    evidence: float = 0.0
    prompt: Prompt | None = None
    raw: str = ""
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """What the chain puts out: checked text as it comes, and with the last piece the trace. Pieces add up."""

    text: str = ""
    trace: Trace | None = None

    def __add__(self, other: "Piece") -> "Piece":
        return Piece(self.text + other.text, other.trace or self.trace)


class Assistant:
    """A corpus that answers. Safe to share between threads."""

    def __init__(self, profile: Profile, settings: Settings, searcher: Searcher, engine: Engine) -> None:
        self.profile = profile
        self.settings = settings
        self.searcher = searcher
        self.engine = engine
        self.tier: Tier = pick_tier(settings)
        self.chain: Runnable[Turn, Piece] = (
            RunnableLambda(self.understand)
            | RunnableLambda(self.retrieve_hits)
            | RunnableLambda(self.weigh_evidence)
            | RunnableLambda(self.write_prompt)
            | RunnableGenerator(self._answers, self._async_answers)
        )

    def ask(self, question: str, history: Sequence[dict[str, str]] = (), adapter: str | None = None, mode: Mode | None = None,
            max_tokens: int | None = None) -> Trace:  # fmt: skip
        """Answer `question`; the trace holds the answer and all that it came from. Raises `UserError` for a bad question."""
        trace = self.chain.invoke(Turn(question, history, adapter, mode, max_tokens)).trace
        assert trace is not None
        return trace

    def stream(self, question: str, history: Sequence[dict[str, str]] = (), adapter: str | None = None, mode: Mode | None = None,
               max_tokens: int | None = None, attached: Searcher | None = None) -> Iterator[str | Trace]:  # fmt: skip
        """Pieces of text, each after its check, and at the end the trace. `attached` searches the conversation's own files."""
        for piece in self.chain.stream(Turn(question, history, adapter, mode, max_tokens, attached)):
            if piece.text:
                yield piece.text
            if piece.trace:
                yield piece.trace

    def retrieve(self, question: str, k: int) -> list[Hit]:
        """The hits that a question would be answered from."""
        found = CorpusRetriever(searcher=self.searcher, corpus=self.profile.name, k=k).invoke(question)
        return about(question, [d.metadata["hit"] for d in found])

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
            turn.hits = self.retrieve(turn.standalone, k)
        else:
            known = self.searcher.manifest.corpus_id(self.profile.name)  # with a file of one's own a corpus may be empty
            own = turn.attached.search(ATTACHED, turn.standalone, k)
            turn.hits = about(turn.standalone, beside(turn.standalone, self.retrieve(turn.standalone, k) if known else [], own))
        return self._timed(turn, "search")

    def weigh_evidence(self, turn: Turn) -> Turn:
        corpus_id = self.searcher.manifest.corpus_id(self.profile.name)
        if corpus_id:
            turn.weigh = term_weights(self.searcher.keywords(self.profile.name, corpus_id))
        turn.evidence = evidence(turn.standalone, turn.hits, turn.weigh)
        return self._timed(turn, "evidence")

    def write_prompt(self, turn: Turn) -> Turn:
        """Choose who answers, and write the prompt if that is the model."""
        if turn.mode is None and self.profile.serve.mode != "auto":
            turn.mode = self.profile.serve.mode
        if turn.mode != "extractive" and turn.evidence >= self.profile.serve.refuse_below and self.reads(turn.lang):
            length = turn.max_tokens or self.profile.serve.max_tokens
            kept = turn.hits[: self.profile.serve.keep]
            turn.prompt = render_prompt(self.profile, turn.standalone, kept, self.count(), self.tier.prompt_budget - length)
        return turn

    def count(self) -> Callable[[str], int]:
        """Counts tokens as the base model does; words where a machine that only quotes has none."""
        folder = self.settings.models / self.tier.base.id
        return counter(folder) if (folder / "tokenizer.json").is_file() else lambda text: len(tokens(text))

    def reads(self, lang: str) -> bool:
        return lang in self.tier.base.languages

    def answers(self, turn: Turn) -> Iterator[Piece]:
        """Survey, refuse, generate or quote; every sentence leaves after its check."""
        if found := survey(turn.standalone, self.searcher, self.profile.name):
            yield from self._survey(turn, found)
        elif turn.evidence < self.profile.serve.refuse_below:
            yield self._refusal(turn, "silent")
        elif turn.prompt is None or not turn.prompt.hits:
            why = "asked" if turn.mode == "extractive" else "unread" if not self.reads(turn.lang) else "long"
            yield from self._quote(turn, why)
        elif not self.engine.up():
            yield from self._quote(turn, "down")
        else:
            yield from self._generate(turn, turn.prompt)

    def _generate(self, turn: Turn, prompt: Prompt) -> Iterator[Piece]:
        name = self._model(turn)
        length = turn.max_tokens or self.profile.serve.max_tokens
        said: list[str] = []
        tried: set[str] = set()
        citations: list[Citation] = []

        def words() -> Iterator[str]:
            for piece in generate(self.engine.url, name, prompt.messages, length):
                turn.raw += piece
                yield piece

        try:
            for sentence in complete_sentences(words()):
                if sentence.strip().startswith(REFUSAL[turn.lang].rstrip(".。")) and not said:
                    yield self._refusal(turn, "model", name)
                    return
                text, found = cited(sentence, prompt.hits, turn.weigh)
                if text in tried:
                    break  # a small model that has begun to repeat itself does not stop
                tried.add(text)
                if not found or strays(turn.standalone, text, " ".join(span.text for span, *_ in found)):
                    continue  # a sentence that does not stand never leaves
                said.append(text)
                yield Piece((" " if len(said) > 1 and turn.lang == "en" else "") + text + self._mark(found, citations))
        except CutShort:
            pass  # half a sentence states nothing that could be checked
        except ModelGone:
            if not said:
                yield from self._quote(turn, "down")
                return
            self._timed(turn, "model")
            yield self._end(turn, "model", name, citations, NOTICES["cut"][turn.lang])
            return
        self._timed(turn, "model")
        if said:
            yield self._end(turn, "model", name, citations)
        else:
            yield from self._quote(turn, "unchecked")

    def _quote(self, turn: Turn, why: str) -> Iterator[Piece]:
        found = extract(turn.standalone, turn.hits, turn.weigh)
        if not found:
            yield self._refusal(turn, "silent")
            return
        citations: list[Citation] = []
        for n, span in enumerate(found):
            yield Piece(("\n\n" if n else "") + unmarked(span.text) + self._mark([(span, "supported", "attached")], citations))
        yield self._end(turn, "extractive", "", citations, NOTICES[why][turn.lang])

    def _survey(self, turn: Turn, found: Survey) -> Iterator[Piece]:
        """What reading all documents found: in figures, then line by line, each under its heading."""
        turn.hits = found.hits
        citations: list[Citation] = []
        yield Piece(found.said)
        for heading, lines in found.groups:
            yield Piece(f"\n\n{heading}{'' if lines else ': –'}" if heading else "")
            for span in lines:
                yield Piece(f"\n\n{unmarked(span.text)}{self._mark([(span, 'supported', 'attached')], citations)}")
        self._timed(turn, "survey")
        yield self._end(turn, "extractive", "", citations, NOTICES[found.notice][found.lang])

    def _refusal(self, turn: Turn, why: str, model: str = "") -> Piece:
        text = REFUSAL[turn.lang]
        end = self._end(turn, "model" if model else "extractive", model, [], NOTICES[f"refused-{why}"][turn.lang], text)
        return Piece(text, end.trace)

    def _mark(self, found: Sequence[tuple[Span, Support, Author]], citations: list[Citation]) -> str:
        """Append citations for `found` and return their markers; one place keeps one number."""
        marks = ""
        for span, support, by in found:
            chunk = span.hit.chunk
            start, end = chunk.start + span.start, chunk.start + span.end
            same = next((c for c in citations if (c.version, c.start, c.end) == (chunk.version, start, end)), None)
            if same is None:
                same = Citation(marker=len(citations) + 1, chunk_id=chunk.id, document=span.hit.document, version=chunk.version,
                                page=chunk.page, start=start, end=end, quote=span.text, support=support, by=by)  # fmt: skip
                citations.append(same)
            marks += f" [{same.marker}]" if f"[{same.marker}]" not in marks else ""
        return marks

    def _model(self, turn: Turn) -> str:
        """Which of vLLM's models answers: the one asked for, the champion if it is loaded, else the base."""
        from serve.champion import champion

        if turn.adapter is not None:
            return turn.adapter or self.tier.base.id
        best = champion(self.settings, self.profile.name)
        return best.name if best and best.name in self.engine.models() else self.tier.base.id

    def _timed(self, turn: Turn, step: str) -> Turn:
        """Note the seconds since the last step ended."""
        spent = sum(v for k, v in turn.timings.items() if k != "start")
        turn.timings[step] = round(time.monotonic() - turn.timings["start"] - spent, 4)
        return turn

    def _end(
        self, turn: Turn, mode: Mode, model: str, citations: list[Citation], notice: str = "", refusal: str = ""
    ) -> Piece:
        timings = {k: v for k, v in turn.timings.items() if k != "start"}
        timings["total"] = round(time.monotonic() - turn.timings["start"], 4)
        answer = Answer(answer=refusal, citations=citations, refused=bool(refusal), mode=mode, model=model, notice=notice,
                        timings=timings)  # fmt: skip
        return Piece(trace=Trace(
            id=uuid4().hex, corpus=self.profile.name, question=turn.question, standalone=turn.standalone,
            hits=[{**h.to_json(), "context": h.chunk.context} for h in turn.hits],
            prompt=turn.prompt.messages if turn.prompt and (model or turn.raw) else [], raw=turn.raw, answer=answer,
            created=datetime.now(UTC).isoformat(timespec="seconds"), attached=turn.attached is not None,
        ))  # fmt: skip

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
