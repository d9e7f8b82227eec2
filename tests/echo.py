"""A server that speaks vLLM's API and says fixed words, for tests of what is done with a model's words."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "SmolLM2-135M-Instruct"
LIKELY = -0.5  # the logarithm of the likelihood of each token that is asked about


@contextmanager
def echo(words: str | Callable[[str], str], cut_after: int | None = None, finish: str = "stop", pause: float = 0.0,
         thinking: str = "") -> Iterator[tuple[str, list[dict]]]:  # type: ignore[type-arg]  # fmt: skip
    """`(url, requests seen)`; streams `thinking` and `words` five characters every `pause` seconds, and breaks off after `cut_after`
    of these pieces. Words may depend on what was asked. Whoever asks for usage is told of a token for each; a stop is kept."""
    seen: list[dict] = []  # type: ignore[type-arg]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._whole({"data": [{"id": MODEL}]})

        def _whole(self, data: dict) -> None:  # type: ignore[type-arg]
            body = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            if "allowed_token_ids" in seen[-1]:
                self._whole({"choices": [{"logprobs": {"token_logprobs": [LIKELY]}}]})
                return
            if "lora_name" in seen[-1]:
                self._whole({})
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            spoken = words if isinstance(words, str) else words(seen[-1]["messages"][-1]["content"])
            at = min((spoken.find(stop) for stop in seen[-1].get("stop") or () if stop in spoken), default=len(spoken))
            stopped = spoken[at : at + 1] or None
            said = (("reasoning", thinking), ("content", spoken[:at]))
            pieces = [(name, text[i : i + 5]) for name, text in said for i in range(0, len(text), 5)]
            counts = "stream_options" in seen[-1]
            for n, (name, piece) in enumerate(pieces):
                time.sleep(pause)
                if n == cut_after:
                    self.connection.close()
                    return
                usage = {"usage": {"prompt_tokens": 9, "completion_tokens": n + 1, "total_tokens": n + 10}} if counts else {}
                self._send({"choices": [{"index": 0, "delta": {"role": "assistant", name: piece}}], **usage})
            self._send({"choices": [{"index": 0, "delta": {}, "finish_reason": finish, "stop_reason": stopped}]})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

        def _send(self, data: dict) -> None:  # type: ignore[type-arg]
            frame = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": MODEL, **data}
            self._chunk(f"data: {json.dumps(frame)}\n\n".encode())

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()  # soon seen to be over
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
