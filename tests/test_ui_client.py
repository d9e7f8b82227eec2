"""The page's client against the real gateway, and against servers that break off, refuse or talk nonsense."""

import io
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from reportlab.pdfgen.canvas import Canvas

from serve.journal import Journal
from ui.client import Gateway, events
from ui.replies import Answer, Citation, Document, GatewayError

QUESTION = "What does fault code SC-A04 on the SC-40 compressor mean?"


@pytest.fixture(scope="module")
def gateway(stack: Any) -> Gateway:
    return Gateway(stack.api, stack.key)


def ask(gateway: Gateway, *messages: str) -> tuple[str, Answer]:
    """The answer to the last of `messages`, which are a person's and the assistant's by turns."""
    said = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(messages)]
    *pieces, answer = gateway.ask("maintenance", said)
    assert isinstance(answer, Answer)
    return "".join(map(str, pieces)), answer


@pytest.fixture(scope="module")
def asked(gateway: Gateway) -> tuple[str, Answer]:
    return ask(gateway, QUESTION)


def test_sign_in_link_works_once(stack: Any) -> None:
    token = Journal(stack.home).sign_in_token()
    key = Gateway(stack.api).sign_in(token)
    assert Gateway(stack.api, key).assistants()
    with pytest.raises(GatewayError, match="used already") as refused:
        Gateway(stack.api).sign_in(token)
    assert refused.value.status == 401


@pytest.mark.parametrize("key", ["", "wrong", "schlüssel"])
def test_wrong_key_is_a_sentence(stack: Any, key: str) -> None:
    with pytest.raises(GatewayError, match="key") as refused:
        Gateway(stack.api, key).assistants()
    assert refused.value.status == 401


def test_assistants_have_what_the_page_shows(gateway: Gateway) -> None:
    found = {assistant.id: assistant for assistant in gateway.assistants()}
    assert set(found) >= {"maintenance", "legal", "code", "official"}
    for assistant in found.values():
        assert assistant.title and assistant.description and assistant.languages
    assert all(found[shipped].examples for shipped in ("maintenance", "legal", "code", "official"))
    assert found["maintenance"].documents == len(gateway.documents("maintenance")) > 0
    assert gateway.health().model_up


def test_citations_of_an_answer_open(gateway: Gateway, asked: tuple[str, Answer]) -> None:
    text, answer = asked
    assert text.strip() and answer.trace_id and answer.citations
    for citation in answer.citations:
        assert f"[{citation.marker}]" in text
        passage = gateway.passage("maintenance", citation)
        assert (passage.quote, passage.document) == (citation.quote, citation.document)


def test_page_of_a_pdf_is_a_picture(gateway: Gateway) -> None:
    (manual,) = [d for d in gateway.documents("maintenance") if d.document == "sc-40-screw-compressor-manual.pdf"]
    first = Citation(1, manual.document, manual.version, 1, 0, 20, "", "supported", "attached")
    assert gateway.passage("maintenance", first).has_page_image
    assert gateway.page_image("maintenance", first).startswith(b"\x89PNG")


def test_attached_file_is_listed_and_opens_in_its_conversation(gateway: Gateway) -> None:
    conversation, sheet = uuid4().hex, io.BytesIO()
    canvas = Canvas(sheet)
    canvas.drawString(72, 700, "The Quillfeather valve is set to 7 bar.")
    canvas.save()
    assert gateway.attached(conversation) == []
    with pytest.raises(GatewayError, match=r"No reader for a file called 'tool.exe'. Readable: .*\.pdf"):
        gateway.attach(conversation, "tool.exe", io.BytesIO(b"MZ"))
    file = gateway.attach(conversation, "valve.pdf", io.BytesIO(sheet.getvalue()))
    assert (file.document, file.pages) == ("valve.pdf", 1) and gateway.attached(conversation) == [file]
    place = Citation(1, file.document, file.version, 1, 0, 20, "", "supported", "attached")
    passage = gateway.passage("maintenance", place, conversation)
    assert passage.quote == "The Quillfeather val" and passage.has_page_image
    assert gateway.page_image("maintenance", place, conversation).startswith(b"\x89PNG")
    with pytest.raises(GatewayError) as refused:
        gateway.passage("maintenance", place)
    assert refused.value.status == 404
    gateway.delete_conversation(conversation)
    assert gateway.attached(conversation) == []


def test_follow_up_is_understood_from_its_history(stack: Any, gateway: Gateway, asked: tuple[str, Answer]) -> None:
    _, answer = ask(gateway, QUESTION, asked[0], "And how is it cleared?")
    trace = Journal(stack.home).trace(answer.trace_id)
    assert trace and "SC-A04" not in trace.question and "SC-A04" in trace.standalone


def test_feedback_is_kept(stack: Any, gateway: Gateway, asked: tuple[str, Answer]) -> None:
    gateway.feedback(asked[1].trace_id, -1, "The fan motor draws too much.")
    kept = [f for f, t in Journal(stack.home).feedback("maintenance") if t.id == asked[1].trace_id]
    assert [(f.score, f.correction) for f in kept] == [(-1, "The fan motor draws too much.")]
    with pytest.raises(GatewayError, match="No answer"):
        gateway.feedback("unknown", 1)


def test_refused_upload_and_unknown_document_are_sentences(gateway: Gateway) -> None:
    with pytest.raises(GatewayError, match=r"No reader for a file called 'tool.exe'. Readable: .*\.pdf"):
        gateway.upload("official", "tool.exe", io.BytesIO(b"MZ"))
    with pytest.raises(GatewayError, match="See: GET"):
        gateway.remove("official", Document("d", "0" * 16, "d", None, 1))


@pytest.mark.parametrize(
    ("assistant", "question", "status", "said"),
    [("maintenance", "x" * 50_000, 413, "50,000 characters"), ("nothing", "Hello?", 404, "Known: "), ("legal", " ", 400, "empty")],
)  # fmt: skip
def test_refused_question_is_a_sentence(gateway: Gateway, assistant: str, question: str, status: int, said: str) -> None:
    with pytest.raises(GatewayError, match=said) as refused:
        list(gateway.ask(assistant, [{"role": "user", "content": question}]))
    assert refused.value.status == status


def test_names_cannot_leave_their_part_of_the_address(gateway: Gateway) -> None:
    astray = Citation(1, "d", "../../documents?x=", None, 0, 1, "", "supported", "model")
    with pytest.raises(GatewayError) as refused:
        gateway.passage("maintenance", astray)
    assert refused.value.status == 404
    with pytest.raises(GatewayError) as refused:
        gateway.passage("maintenance", astray, "0" * 32)
    assert refused.value.status == 404
    with pytest.raises(GatewayError):
        gateway.attach("../corpora/official/documents?x=", "a.md", io.BytesIO(b"Text."))


Reply = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def server() -> Iterator[Callable[[Reply], Gateway]]:
    """Start a server that answers everything with `reply`; returns a client of it."""
    servers: list[ThreadingHTTPServer] = []

    def start(reply: Reply) -> Gateway:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply(self)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return Gateway(f"http://127.0.0.1:{servers[-1].server_port}", "key")

    yield start
    for running in servers:
        running.shutdown()
        running.server_close()


def send(handler: BaseHTTPRequestHandler, *pieces: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.end_headers()
    for piece in pieces:
        handler.wfile.write(piece)
        handler.wfile.flush()


def sse(data: object) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\r\n\r\n"


PIECE = sse({"choices": [{"delta": {"content": "Tighten"}}]})
QUOTE = "one\u2028two\u0085three"  # line ends to some readers, not to server-sent events
CITED = {"marker": 1, "document": "d", "version": "v", "page": None, "start": 0, "end": 9, "quote": QUOTE, "support": "supported",
         "by": "model", "chunk_id": "v:0", "new": 1}  # fmt: skip
END = sse({"choices": [{"delta": {}}], "citations": [CITED], "trace_id": "t", "mode": "model", "refused": False})


def test_nobody_listening_is_a_sentence_with_the_next_command() -> None:
    with pytest.raises(GatewayError, match=r"http://127\.0\.0\.1:9 does not answer\. Start it with: make up"):
        Gateway("http://127.0.0.1:9").health()


def test_stream_survives_cuts_in_the_middle_of_a_character(server: Callable[[Reply], Gateway]) -> None:
    whole = b": waiting\r\n\r\n" + PIECE + END + b"data: [DONE]\r\n\r\n"
    cuts = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    text, answer = server(lambda handler: send(handler, *cuts)).ask("a", [])
    assert text == "Tighten" and isinstance(answer, Answer) and answer.citations[0].quote == QUOTE


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([PIECE], "broke off before its citations"),
        ([PIECE, sse({"error": {"message": "Too many questions are waiting. Ask again."}})], "Too many questions"),
        ([PIECE, b"data: {nonsense\n\n"], "cannot read"),
        ([PIECE, sse({"choices": [], "citations": [{"marker": 1}]})], "cannot read"),
        ([PIECE, sse({"choices": [], "citations": [{**CITED, "by": "<b>"}]})], "cannot read"),
    ],
)
def test_broken_answer_is_a_sentence_and_keeps_what_came(
    server: Callable[[Reply], Gateway], sent: list[bytes], said: str
) -> None:
    pieces = server(lambda handler: send(handler, *sent)).ask("a", [])
    assert next(pieces) == "Tighten"
    with pytest.raises(GatewayError, match=said):
        list(pieces)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b'{"error": {"message": "Too many questions. Ask again."}}', "Too many questions. Ask again."),
        (502, b"<html>Bad Gateway</html>", "HTTP 502"),
        (400, b'{"error": "plain"}', "HTTP 400"),
        (200, b"<html>", "cannot read"),
    ],
)
def test_refusal_is_the_gateways_own_sentence(
    server: Callable[[Reply], Gateway], status: int, body: bytes, said: str
) -> None:
    with pytest.raises(GatewayError, match=said):
        server(lambda handler: send(handler, body, status=status)).health()


def test_files_that_cannot_be_listed_are_not_none(server: Callable[[Reply], Gateway]) -> None:
    body = b'{"error": {"message": "Too many questions. Ask again."}}'
    with pytest.raises(GatewayError, match="Ask again"):
        server(lambda handler: send(handler, body, status=503)).attached("0" * 32)


def test_connection_that_breaks_is_a_sentence(server: Callable[[Reply], Gateway]) -> None:
    with pytest.raises(GatewayError, match=r"broke off\. Try again"):
        server(lambda handler: handler.connection.close()).health()


def test_key_does_not_go_to_a_proxy(server: Callable[[Reply], Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    proxy = server(lambda handler: seen.append(handler.headers["Authorization"]))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with pytest.raises(GatewayError, match="does not answer"):
        Gateway("http://127.0.0.1:9", "secret").health()
    assert not seen


def test_events_are_read_as_the_standard_says() -> None:
    stream = b": hello\n\nevent: log\ndata: one\ndata: two\nid: 7\n\ndata:three\n\nevent: cut\ndata: off"
    assert list(events([stream])) == [("log", "one\ntwo"), ("", "three")]
