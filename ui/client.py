"""The gateway as the page sees it: a method a call, every failure a sentence.  Run: pytest tests/test_ui_client.py"""

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

import httpx

from ui.replies import (
    Answer,
    Assistant,
    Citation,
    Conversation,
    Document,
    GatewayError,
    Health,
    Job,
    Passage,
    Said,
    Thought,
    unreadable,
)

Message = dict[str, str]  # {"role": "user" | "assistant", "content": …}

# A small model on a CPU may think for minutes before its first sentence; other calls are quick or broken.
TIMEOUT = httpx.Timeout(30, connect=5)
ANSWER_TIMEOUT = httpx.Timeout(300, connect=5)


class Gateway:
    """One person's connection to the gateway at `url`."""

    def __init__(self, url: str, key: str = "") -> None:
        if not key.isascii():
            raise GatewayError("That is no key: a key is letters, digits, - and _. Copy it again.", 401)
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # trust_env=False: a proxy from the environment must see neither the key nor the questions.
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT, trust_env=False)

    def sign_in(self, token: str) -> str:
        """The key behind a one-time sign-in link."""
        return str(self._json("POST", "/v1/sign-in", json={"token": token})["key"])

    def health(self) -> Health:
        return Health.read(self._json("GET", "/health", timeout=3))

    def assistants(self) -> list[Assistant]:
        models = self._json("GET", "/v1/models")["data"]
        return [
            Assistant.read({**m["lectern"], "id": m["id"]})
            for m in models
            if m.get("lectern", {}).get("kind") == "assistant"
        ]

    def ask(self, assistant: str, messages: Sequence[Message], conversation: str = "") -> Generator[str | Thought | Answer]:
        """The thinking, the answer in pieces as they are checked and sent, and at the end what stands beside it."""
        body = {"model": assistant, "messages": list(messages), "stream": True}
        if conversation:
            body["conversation"] = conversation
        answer: Answer | None = None
        with self._stream("POST", "/v1/chat/completions", json=body) as response:
            for _, data in events(response.iter_bytes()):
                if data == "[DONE]":
                    break
                chunk = _loads(data)
                if "error" in chunk:
                    raise GatewayError(_message(chunk) or "The answer broke off. Ask again.")
                for choice in chunk.get("choices", ()):
                    delta = choice.get("delta", {})
                    if thinking := delta.get("reasoning_content"):
                        yield Thought(str(thinking))
                    if piece := delta.get("content"):
                        yield piece
                if "citations" in chunk:
                    answer = Answer.read(chunk)
        if answer is None:
            raise GatewayError("The answer broke off before its citations came, so it cannot be checked. Ask again.")
        yield answer

    def conversations(self) -> list[Conversation]:
        """The person's own, newest first."""
        return [Conversation.read(c) for c in self._json("GET", "/v1/conversations")["conversations"]]

    def conversation(self, conversation: str) -> list[Said]:
        turns = self._json("GET", f"/v1/conversations/{_part(conversation)}")["turns"]
        return [Said(str(t["question"]), str(t["answer"]), Answer.read(t), t.get("score")) for t in turns]

    def delete_conversation(self, conversation: str) -> None:
        self._send("DELETE", f"/v1/conversations/{_part(conversation)}")

    def attach(self, conversation: str, name: str, file: BinaryIO) -> Document:
        """Add a file to a conversation; it is read when this returns."""
        path = f"/v1/conversations/{_part(conversation)}/files"
        return Document.read(self._json("POST", path, files={"file": (name, file)}, timeout=ANSWER_TIMEOUT)["file"])

    def attached(self, conversation: str) -> list[Document]:
        """The files of a conversation; none where the gateway knows of no such conversation yet."""
        try:
            return [Document.read(d) for d in self._json("GET", f"/v1/conversations/{_part(conversation)}")["files"]]
        except GatewayError as error:
            if error.status == 404:
                return []
            raise

    def passage(self, corpus: str, citation: Citation, conversation: str = "") -> Passage:
        """What a citation points to; `conversation` is the one that its file is attached to, empty for a document of the corpus."""
        path = f"{_source(corpus, citation, conversation)}/passage"
        return Passage.read(self._json("GET", path, params={"start": citation.start, "end": citation.end}))

    def page_image(self, corpus: str, citation: Citation, conversation: str = "") -> bytes:
        """The picture of its page, as PNG; arguments as for `passage`."""
        path = f"{_source(corpus, citation, conversation)}/pages/{citation.page}.png"
        return self._send("GET", path, params={"start": citation.start, "end": citation.end}).content

    def documents(self, corpus: str) -> list[Document]:
        return [Document.read(d) for d in self._json("GET", f"/v1/corpora/{_part(corpus)}/documents")["documents"]]

    def upload(self, corpus: str, name: str, file: BinaryIO) -> Job:
        path = f"/v1/corpora/{_part(corpus)}/documents"
        return Job.read(self._json("POST", path, files={"file": (name, file)}, timeout=ANSWER_TIMEOUT)["job"])

    def remove(self, corpus: str, document: Document) -> None:
        self._send("DELETE", f"/v1/corpora/{_part(corpus)}/documents/{_part(document.version)}")

    def job(self, job_id: str) -> Job:
        return Job.read(self._json("GET", f"/v1/jobs/{_part(job_id)}"))

    def log(self, job_id: str) -> list[str]:
        """All that a job has written, once it is over."""
        with self._stream("GET", f"/v1/jobs/{_part(job_id)}/events") as response:
            return [data for event, data in events(response.iter_bytes()) if event == "log"]

    def feedback(self, trace_id: str, score: Literal[1, -1], correction: str = "", learn: bool = False) -> None:
        """`learn`: the assistant may be taught with it."""
        self._send("POST", "/v1/feedback", json={"trace_id": trace_id, "score": score, "correction": correction, "learn": learn})

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return _loads(self._send(method, path, **options).text)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._sentences():
            response = self._http.request(method, path, **options)
        return _checked(response)

    @contextmanager
    def _stream(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        with (
            self._sentences(),
            self._http.stream(method, path, timeout=ANSWER_TIMEOUT, **options) as response,
        ):
            if response.is_error:
                response.read()
            yield _checked(response)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise GatewayError(f"The gateway at {self.url} does not answer. Start it with: make up") from None
        except httpx.TimeoutException:
            raise GatewayError("The gateway took too long. Try again, or see run/api.log in LECTERN_HOME.") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise GatewayError("The connection to the gateway broke off. Try again.") from None


def events(pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Server-sent events as (name, data). Lines end at LF alone: a quote may hold U+2028 or U+0085, and httpx's own
    line iterator would cut the JSON there."""
    name, rest = "", b""
    data: list[str] = []
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if not text:
                if data:
                    yield name, "\n".join(data)
                name, data = "", []
            elif text.startswith("data:"):
                data.append(text[5:].removeprefix(" "))
            elif text.startswith("event:"):
                name = text[6:].strip()


def _checked(response: httpx.Response) -> httpx.Response:
    if not response.is_error:
        return response
    try:
        sentence = _message(response.json())
    except ValueError:
        sentence = ""
    raise GatewayError(sentence or f"The gateway refused this (HTTP {response.status_code}).", response.status_code)


def _message(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message") or "") if isinstance(error, dict) else ""


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise unreadable(error) from None


def _source(corpus: str, citation: Citation, conversation: str) -> str:
    """The address of the document that a citation points into."""
    if conversation:
        return f"/v1/conversations/{_part(conversation)}/files/{_part(citation.version)}"
    return f"/v1/corpora/{_part(corpus)}/versions/{_part(citation.version)}"


def _part(text: str) -> str:
    return quote(text, safe="")
