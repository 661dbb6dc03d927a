"""A model for tests: a real HTTP server that speaks the wire format of chat completions, and counts who asked.

What it answers stands in the question, behind `ANSWER:`; without that it says `Paris.`. Further words of the question
make it misbehave: `[slow 2]`, `[status 500]`, `[garbage]`, `[tool]`, `[two]`.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeModel:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self, marker: str) -> int:
        """How many requests held this text."""
        return sum(marker in json.dumps(request) for request in self.requests)

    @contextmanager
    def running(self) -> Iterator[FakeModel]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.requests.append({**request, "_headers": dict(self.headers)})
                asked = str((request.get("messages") or [{}])[-1].get("content"))
                if slow := re.search(r"\[slow ([\d.]+)\]", asked):
                    time.sleep(float(slow[1]))
                if failing := re.search(r"\[status (\d+)\]", asked):
                    self._send(
                        int(failing[1]), json.dumps({"error": {"message": "no", "type": "t", "code": "c"}}).encode()
                    )
                elif "[garbage]" in asked:
                    self._send(200, b"<html>")
                elif request.get("stream"):
                    self._stream(request, asked)
                else:
                    self._send(200, json.dumps(completion(request, asked)).encode())

            def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("x-ratelimit-remaining-requests", "41")
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, request: dict[str, Any], asked: str) -> None:
                whole = completion(request, asked)
                words = whole["choices"][0]["message"]["content"].split(" ")
                base = {"id": whole["id"], "object": "chat.completion.chunk", "created": 1, "model": whole["model"]}
                deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": f"{word} "} for word in words)]
                chunks = [
                    {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
                ]
                chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
                self._send(200, body.encode(), "text/event-stream")

            def log_message(self, *_: Any) -> None:
                return

        return Handler


def completion(request: dict[str, Any], asked: str) -> dict[str, Any]:
    said = asked.partition("ANSWER:")[2].strip() or "Paris."
    message: dict[str, Any] = {"role": "assistant", "content": said}
    if "[tool]" in asked:
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "send", "arguments": json.dumps({"text": said})},
        }
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    count = 2 if "[two]" in asked else 1
    return {
        "id": f"chatcmpl-{abs(hash(asked)) % 10**12}",
        "object": "chat.completion",
        "created": 1,
        "model": request.get("model"),
        "choices": [
            {"index": index, "message": message, "finish_reason": "stop", "logprobs": None} for index in range(count)
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
        "unknown_field": {"kept": True},
    }
