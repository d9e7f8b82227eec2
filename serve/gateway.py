"""What the gateway's routes share: settings, journal, model server, and the assistants, each opened once."""

import asyncio
import logging
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast
from uuid import uuid4

import httpx
from fastapi import Depends, HTTPException, Request

from corpora import UserError, load_profile, profile_names
from corpora.profile import NAME
from ingest.manifest import Manifest
from ingest.settings import Settings
from serve.champion import champion, load, versions
from serve.engine import Engine
from serve.journal import Journal
from serve.refusal import Busy
from serve.schema import Trace
from serve.thinking import Thought
from serve.tiers import pick_tier

if TYPE_CHECKING:
    from collections.abc import Generator

    from ingest.search import Searcher
    from serve.attached import Attached
    from serve.chain import Assistant
    from serve.completion import ChatRequest

ASKED_AT_ONCE = 16  # questions being answered; more wait their turn
REMEMBERED = 3600.0  # seconds in which an answer or a file that was begun before its conversation was deleted has ended
WAITING = 64  # and more than these are sent away
Told = str | Thought | Trace
log = logging.getLogger(__name__)


class Gateway:
    """One gateway process. Everything here may be used from any thread."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self.settings, self.journal = settings, journal
        self.engine = Engine(settings)
        self.base = pick_tier(settings).base.id
        self.vllm = httpx.AsyncClient(timeout=httpx.Timeout(None, connect=5), trust_env=False)
        self._threads = ThreadPoolExecutor(ASKED_AT_ONCE, "ask")
        self._forgotten: dict[tuple[str, str], float] = {}  # conversations → when they were deleted
        self._answering: dict[tuple[str, str], list[str]] = {}  # conversations → the assistants that are answering in them now
        self._answering_lock = threading.Lock()
        self._asked = 0
        self._searcher: Searcher | None = None
        self._attached: Attached | None = None
        self._assistants: dict[str, Assistant] = {}
        self._opening = threading.RLock()

    def open(self) -> None:
        """Open everything now, so that the first question waits for nothing; one broken corpus stops no other."""
        try:
            self.searcher.embedder.encode(["Loads the model."])
        except UserError as error:
            log.warning("%s", error)
        self.attached.sweep(self.journal.asked())
        for corpus in profile_names(self.settings.root):
            try:
                self.assistant(corpus)
            except UserError as error:
                log.warning("%s: %s", corpus, error)

    async def close(self) -> None:
        await self.vllm.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._searcher:
            self._searcher.close()
        self.journal.close()

    @property
    def searcher(self) -> "Searcher":
        """One search for all assistants, with one embedding model in memory."""
        from ingest.search import Searcher

        with self._opening:
            if self._searcher is None:
                self._searcher = Searcher(self.settings)
            return self._searcher

    @property
    def attached(self) -> "Attached":
        """The files attached to conversations."""
        from serve.attached import Attached

        with self._opening:
            if self._attached is None:
                self._attached = Attached(self.settings)
            return self._attached

    def assistant(self, corpus: str) -> "Assistant":
        """The assistant of a corpus; opened anew when its profile was edited."""
        from serve.chain import open_assistant

        profile = load_profile(corpus, self.settings.root)
        with self._opening:
            found = self._assistants.get(corpus)
            if found is None or found.profile != profile:
                found = open_assistant(corpus, self.settings, self.searcher, self.engine)
                self._assistants[corpus] = found
            return found

    def serves(self, model: str) -> bool:
        """Is it the base, or an adapter that is published: what is passed on to vLLM?"""
        adapter = re.fullmatch(rf"({NAME.pattern})-v([1-9]\d{{0,8}})", model)
        return model == self.base or bool(adapter and int(adapter[2]) in versions(self.settings, adapter[1]))

    def answers_as(self, model: str) -> bool:
        """Is it an assistant, or CORPUS@VERSION with a published version?"""
        corpus, at, version = model.partition("@")
        if corpus not in profile_names(self.settings.root):
            return False
        return not at or bool(re.fullmatch(r"[1-9]\d{0,8}", version) and int(version) in versions(self.settings, corpus))

    def models(self) -> list[dict[str, Any]]:
        """The entries of /v1/models: assistants, and what vLLM serves at this moment."""
        manifest = Manifest(self.settings.root)
        try:
            assistants = [entry for name in profile_names(self.settings.root) if (entry := self._entry(name, manifest))]
        finally:
            manifest.close()
        raw = [_model(name, 0, {"kind": "base" if name == self.base else "adapter"}) for name in self.engine.models()]
        return assistants + raw

    def _entry(self, name: str, manifest: Manifest) -> dict[str, Any] | None:
        try:
            profile = load_profile(name, self.settings.root)
            serving = champion(self.settings, name)
        except UserError as error:
            log.warning("%s is left out: %s", name, error)
            return None
        return _model(name, int((profile.folder / "profile.yaml").stat().st_mtime), {
            "kind": "assistant", "title": profile.title, "description": profile.description,
            "languages": list(profile.languages), "documents": len(manifest.documents(name)),
            "adapter": serving.name if serving else None, "examples": profile.serve.examples,
        })  # fmt: skip

    def attach(self, key: str, conversation: str, label: str, file: BinaryIO) -> dict[str, Any]:
        """Attach a file, as `Attached.add` does. Raises `UserError` where its conversation was deleted meanwhile."""
        begun = time.monotonic()
        self.attached.sweep(self.journal.asked())
        row = self.attached.add(key, conversation, label, file, self.searcher.embedder)
        if self._is_forgotten(key, conversation, begun):
            self.attached.forget(key, conversation)
            raise UserError("The conversation was deleted while the file was read.", "Attach it to another one.")
        return row

    def forget(self, key: str, conversation: str) -> tuple[int, int]:
        """Delete a conversation, what is still being answered or read in it included; returns how many turns and files it had."""
        now = time.monotonic()
        self._forgotten = {one: at for one, at in self._forgotten.items() if at > now - REMEMBERED} | {(key, conversation): now}
        if files := len(self.attached.files(key, conversation)):
            self.attached.forget(key, conversation)
        return self.journal.delete_conversation(conversation, key), files

    def _is_forgotten(self, key: str, conversation: str, begun: float) -> bool:
        """Was the conversation deleted since then?"""
        return self._forgotten.get((key, conversation), 0.0) > begun

    @contextmanager
    def _turn_of(self, key: str, conversation: str, corpus: str) -> Iterator[Trace | None]:
        """The conversation's last turn, while `corpus` answers in it. Raises `UserError` where it is with another assistant."""
        with self._answering_lock:
            last, now = self.journal.last_turn(conversation, key), self._answering.get((key, conversation))
            partner = last.corpus if last else now[0] if now else corpus
            if partner != corpus:
                raise UserError(f"This conversation is with {partner}.", f"Send no `conversation` to begin one with {corpus}.")
            self._answering.setdefault((key, conversation), []).append(corpus)
        try:
            yield last
        finally:
            with self._answering_lock:
                self._answering[key, conversation].pop()
                if not self._answering[key, conversation]:
                    del self._answering[key, conversation]

    async def ask(self, asked: "ChatRequest", key: str) -> AsyncGenerator[Told, None]:
        """Checked pieces of the answer as they come, then its trace, which is on record by then.

        The chain blocks, so it runs in a thread of its own from first to last; leaving the loop early stops it.
        """
        if self._asked >= ASKED_AT_ONCE + WAITING:
            raise Busy
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[Told | Exception] = asyncio.Queue()
        left = threading.Event()

        def tell(item: Told | Exception) -> None:
            if not left.is_set():
                loop.call_soon_threadsafe(told.put_nowait, item)

        self._asked += 1
        try:
            self._threads.submit(self._answer, asked, key, left, tell)
            item: Told | Exception = ""
            while not isinstance(item, Trace):
                item = await told.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            left.set()
            self._asked -= 1

    def _answer(self, asked: "ChatRequest", key: str, left: threading.Event, tell: Callable[[Told | Exception], None]) -> None:
        from serve.followup import with_document

        if left.is_set():
            return
        begun = time.monotonic()
        try:
            assistant, conversation = self.assistant(asked.corpus), asked.conversation or uuid4().hex
            adapter = load(self.settings, asked.corpus, asked.version) if asked.version else None
            longest = assistant.profile.serve.max_tokens  # more would leave the passages no room in the prompt
            length = min(asked.max_completion_tokens or asked.max_tokens or longest, longest)
            with ExitStack() as stack:
                last = stack.enter_context(self._turn_of(key, conversation, asked.corpus))
                files = stack.enter_context(self.attached.searcher(key, conversation, self.searcher.embedder))
                said = assistant.stream(asked.question, with_document(asked.history, last), max_tokens=length, form=asked.form,
                                        stop=asked.stops, where=asked.where.meant, attached=files, adapter=adapter,
                                        mode="model" if adapter else None)  # fmt: skip
                for piece in stack.enter_context(closing(cast("Generator[Told, None, None]", said))):
                    if left.is_set():
                        return
                    if isinstance(piece, Trace):
                        piece = piece.model_copy(update={"key": key, "conversation": conversation})
                        self.journal.add_trace(piece)
                        if self._is_forgotten(key, conversation, begun):
                            self.journal.delete_conversation(conversation, key)
                    tell(piece)
        except Exception as error:  # goes to whoever asked, in the route
            tell(error)


def shared(request: Request) -> Gateway:
    found: Gateway = request.app.state.gateway
    return found


def key_of(request: Request) -> str:
    """The id of the key that this request came with."""
    return str(request.state.key)


Shared = Annotated[Gateway, Depends(shared)]
Key = Annotated[str, Depends(key_of)]


def known_corpus(corpus: str, shared: Shared) -> str:
    """The corpus of a path; an unknown one is refused before anything is looked up by it."""
    names = profile_names(shared.settings.root)
    if corpus not in names:
        raise HTTPException(404, f"No corpus {corpus[:60]!r}. Known: {', '.join(names)}. See: GET /v1/models")
    return corpus


Corpus = Annotated[str, Depends(known_corpus)]


def _model(name: str, created: int, about: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "lectern", "lectern": about}
