"""What becomes of a turn: the model's sentences that stand, a form filled in, quotes, a survey, or a refusal; each after its check."""

import time
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain as joined
from uuid import uuid4

from corpora import Profile, UserError
from ingest.fitted import default_mode
from ingest.search import Searcher
from ingest.settings import Settings
from serve.cite import Span, citation, cited, inert, struck
from serve.engine import Engine
from serve.evidence import beside_the_point, strays, unfounded
from serve.extract import extract, nearest
from serve.form import Form
from serve.generate import CutShort, ModelGone, NotTaken, generate
from serve.notices import NOTICES
from serve.prompt import REFUSAL, Prompt
from serve.schema import Answer, Author, Citation, Mode, Support, Trace
from serve.sentences import complete_sentences
from serve.structured import NoModel, Unsupported, check_form
from serve.survey import Survey
from serve.thinking import KEPT, Thought, thinking_budget
from serve.tiers import Tier
from serve.turn import Piece, Turn, timed


class Reply:
    """How one assistant replies. Every method puts out pieces, the last of them with the trace. Safe to share between threads."""

    def __init__(self, profile: Profile, settings: Settings, searcher: Searcher, tier: Tier, engine: Engine) -> None:
        self.profile, self.settings, self.searcher, self.tier, self.engine = profile, settings, searcher, tier, engine

    def generate(self, turn: Turn, prompt: Prompt) -> Iterator[Piece]:
        """The model's sentences, each as soon as its citations stand; one that fails is left out, or shown struck through.

        What was struck leaves with the next sentence that stands: were there none, the documents are quoted alone.
        """
        name = self._model(turn)
        gap = " " if turn.lang == "en" else ""
        failed: list[str] = []
        said: list[str] = []
        tried: set[str] = set()
        citations: list[Citation] = []

        try:
            words = yield from self._think(turn, self._said(turn, prompt, name))
            for sentence in complete_sentences(words):
                if sentence.strip().startswith(REFUSAL[turn.lang].rstrip(".。")) and not said:
                    yield self.refusal(turn, "model", name)
                    return
                text, found = cited(sentence, prompt.hits, turn.weigh)
                if text in tried:
                    break  # a small model that has begun to repeat itself does not stop
                tried.add(text)
                behind = "\n".join(span.text for span, *_ in found)
                if not found or any(fails(turn.standalone, text, behind) for fails in (strays, unfounded, beside_the_point)):
                    failed += [struck(text)] if self.profile.serve.unsupported == "strike" else []
                    continue  # a sentence that does not stand never leaves as if it did
                yield Piece((gap if said else "") + gap.join([*failed, inert(text)]) + self._mark(found, citations))
                said.append(text)
                failed.clear()
        except CutShort:
            pass  # half a sentence states nothing that could be checked
        except ModelGone:
            if not said:
                yield from self.quote(turn, "down")
                return
            timed(turn, "model")
            yield self._end(turn, "model", name, citations, NOTICES["cut"][turn.lang])
            return
        timed(turn, "model")
        if said:
            yield Piece("".join(gap + sentence for sentence in failed))
            yield self._end(turn, "model", name, citations)
        else:
            yield from self.quote(turn, "thought" if turn.thinking and not turn.raw.strip() else "unchecked")

    def fill(self, turn: Turn, form: Form) -> Iterator[Piece]:
        """The answer in its form, whole after the check of each value, or refused; `NoModel` where no model can give one."""
        if turn.prompt is None or not turn.prompt.hits or not self.engine.up():
            if turn.lang not in self.tier.base.languages:
                raise NoModel(f"{self.tier.base.id} does not read the question's language, and only a model fills in a form.",
                              "Ask in another language, or serve a model that reads it: serve model get")  # fmt: skip
            raise NoModel("No language model can answer this in the form that was asked for.", "Ask without a form, or see: make up")
        name = self._model(turn)
        try:
            words = yield from self._think(turn, self._said(turn, turn.prompt, name))
            filled = check_form("".join(words), form, turn.standalone, turn.prompt.hits, turn.weigh)
        except (CutShort, Unsupported) as error:
            yield self.refusal(turn, error.why if isinstance(error, Unsupported) else "malformed", name)
        except NotTaken as error:
            raise UserError(f"vLLM does not take this form: {error}.", "Simplify the schema.") from None
        except ModelGone:
            raise NoModel("The language model stopped before its answer was whole.", "Ask again in a minute.") from None
        else:
            timed(turn, "model")
            yield Piece(filled.text)
            yield self._end(turn, "model", name, filled.citations, NOTICES[filled.notice][turn.lang] if filled.notice else "")

    def _said(self, turn: Turn, prompt: Prompt, name: str) -> Iterator[str | Thought]:
        """What the model says to the prompt, as the profile and the question want it said."""
        serve = self.profile.serve
        thinking = thinking_budget(self.profile, self.tier, self.settings.models / self.tier.base.id)
        constraint = turn.form.constraint if turn.form else None
        length = turn.max_tokens or serve.max_tokens
        return generate(self.engine.url, name, prompt.messages, length, thinking, serve.sampling, turn.stop, constraint)

    def _think(self, turn: Turn, said: Iterator[str | Thought]) -> Generator[Piece, None, Iterator[str]]:
        """Let the thinking out as it comes; what is returned are the words that follow it."""
        for piece in said:
            if isinstance(piece, str):
                return self._words(turn, joined([piece], said))
            turn.thinking += piece.text
            yield Piece(thinking=piece.text)
        return iter(())

    def _words(self, turn: Turn, said: Iterator[str | Thought]) -> Iterator[str]:
        for piece in said:
            if isinstance(piece, str):
                turn.raw += piece
                yield piece

    def quote(self, turn: Turn, why: str) -> Iterator[Piece]:
        found = extract(turn.standalone, turn.hits)
        if not found:
            yield self.refusal(turn, "silent")
            return
        citations: list[Citation] = []
        for n, span in enumerate(found):
            yield Piece(("\n\n" if n else "") + inert(span.text) + self._mark([(span, "supported", "attached")], citations))
        yield self._end(turn, "extractive", "", citations, NOTICES[why][turn.lang])

    def survey(self, turn: Turn, found: Survey) -> Iterator[Piece]:
        """What reading all documents found: in figures, then line by line, each under its heading."""
        turn.hits = found.hits
        citations: list[Citation] = []
        yield Piece(found.said)
        for heading, lines in found.groups:
            yield Piece(f"\n\n{heading}{'' if lines else ': –'}" if heading else "")
            for span in lines:
                yield Piece(f"\n\n{inert(span.text)}{self._mark([(span, 'supported', 'attached')], citations)}")
        timed(turn, "survey")
        yield self._end(turn, "extractive", "", citations, NOTICES[found.notice][found.lang])

    def refusal(self, turn: Turn, why: str, model: str = "") -> Piece:
        """That the documents do not answer; what was searched, and the passages that came nearest."""
        text = REFUSAL[turn.lang]
        notice = f"{NOTICES[f'refused-{why}'][turn.lang]}{' ' * (turn.lang == 'en')}{self._searched(turn)}"
        end = self._end(turn, "model" if model else "extractive", model, [], notice, text)
        assert end.trace
        near = nearest(turn.standalone, turn.hits)
        end.trace.answer.nearest = [citation(n, span, "unsupported", "attached") for n, span in enumerate(near, 1)]
        return Piece(text, end.trace)

    def _searched(self, turn: Turn) -> str:
        known = self.searcher.manifest.corpus_id(self.profile.name)  # with a file of one's own a corpus may be empty
        documents = self.searcher.searched(self.profile.name, turn.where) if known else 0
        if turn.lang == "zh":
            return f"共查找了{documents}份文件。"
        return f"{documents} document{'s' * (documents != 1)} {'were' if documents != 1 else 'was'} searched."

    def _mark(self, found: Sequence[tuple[Span, Support, Author]], citations: list[Citation]) -> str:
        """Append citations for `found` and return their markers; one place keeps one number."""
        marks = ""
        for span, support, by in found:
            new = citation(len(citations) + 1, span, support, by)
            place = (new.version, new.start, new.end)
            same = next((c for c in citations if (c.version, c.start, c.end) == place), None)
            if same is None:
                same = new
                citations.append(same)
            marks += f" [{same.marker}]" if f"[{same.marker}]" not in marks else ""
        return marks

    def quotes_better(self, turn: Turn) -> bool:
        """Did quoting answer this corpus's questions in the turn's language better than the model that would answer?"""
        return default_mode(self.profile.name, self.settings, turn.lang, self._model(turn)) == "extractive"

    def _model(self, turn: Turn) -> str:
        """Which of vLLM's models answers: the one asked for, the champion if it is loaded, else the base."""
        from serve.champion import champion

        if turn.adapter is not None:
            return turn.adapter or self.tier.base.id
        best = champion(self.settings, self.profile.name)
        return best.name if best and best.name in self.engine.models() else self.tier.base.id

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
            prompt=turn.prompt.messages if turn.prompt and (model or turn.raw or turn.thinking) else [],
            thinking=turn.thinking[:KEPT], raw=turn.raw, answer=answer, attached=turn.attached is not None,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ))  # fmt: skip
