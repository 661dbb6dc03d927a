"""A model for tests: a real HTTP server that speaks the wire formats of chat completions, responses, messages, legacy
completions and embeddings, and counts who asked.

What it answers stands in the question, behind `ANSWER:`; without that it says `Paris.`. Further words of the question
make it misbehave: `[slow 2]`, `[status 500]`, `[garbage]`, `[tool]`, `[two]`, `[leak]` (its system prompt).
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

from tests.support.streams import gemini_events, message_events, written


class FakeModel:
    fails = False
    """Whether everything is answered with 500."""

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
                asked = _question(request)
                if "[leak]" in asked:
                    asked = f"ANSWER:{'I may say so. ' * 40}{_system_prompt(request)}"
                if slow := re.search(r"\[slow ([\d.]+)\]", asked):
                    time.sleep(float(slow[1]))
                if model.fails:
                    self._send(500, b"{}")
                elif failing := re.search(r"\[status (\d+)\]", asked):
                    self._send(
                        int(failing[1]), json.dumps({"error": {"message": "no", "type": "t", "code": "c"}}).encode()
                    )
                elif "[garbage]" in asked:
                    self._send(200, b"<html>")
                elif request.get("stream") or ":streamGenerateContent" in self.path:
                    self._send(200, stream(self.path, request, asked), "text/event-stream")
                else:
                    shape = next((make for path, make in _SHAPES.items() if self.path.endswith(path)), completion)
                    self._send(200, json.dumps(shape(request, asked)).encode())

            def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("x-ratelimit-remaining-requests", "41")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        return Handler


def stream(path: str, request: dict[str, Any], asked: str) -> bytes:
    """The same answer in pieces, in whichever protocol was asked."""
    if path.endswith("/messages"):
        return written(message_events(message(request, asked)))
    if ":streamGenerateContent" in path:
        return written(gemini_events(gemini(request, asked)))
    whole = completion(request, asked)
    words = whole["choices"][0]["message"]["content"].split(" ")
    base = {"id": whole["id"], "object": "chat.completion.chunk", "created": 1, "model": whole["model"]}
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": f"{word} "} for word in words)]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return ("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n").encode()


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


def response(request: dict[str, Any], asked: str) -> dict[str, Any]:
    said = asked.partition("ANSWER:")[2].strip() or "Paris."
    content = [{"type": "output_text", "text": said, "annotations": []}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    return {
        "id": f"resp_{abs(hash(asked)) % 10**12}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": request.get("model"),
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 12,
        },
        "unknown_field": {"kept": True},
        **({"instructions": request["instructions"]} if request.get("instructions") else {}),
    }


def message(request: dict[str, Any], asked: str) -> dict[str, Any]:
    said = asked.partition("ANSWER:")[2].strip() or "Paris."
    return {
        "id": f"msg_{abs(hash(asked)) % 10**12}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model"),
        "content": [{"type": "text", "text": said}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 7},
        "unknown_field": {"kept": True},
    }


def legacy_completion(request: dict[str, Any], asked: str) -> dict[str, Any]:
    said = asked.partition("ANSWER:")[2].strip() or "Paris."
    return {
        "id": f"cmpl-{abs(hash(asked)) % 10**12}",
        "object": "text_completion",
        "created": 1,
        "model": request.get("model"),
        "choices": [{"index": 0, "text": said, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    }


def embeddings(request: dict[str, Any], asked: str) -> dict[str, Any]:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5, float(len(asked))]}
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "model": request.get("model"), "data": [vector], "usage": usage}


def moderations(request: dict[str, Any], _asked: str) -> dict[str, Any]:
    result = {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}
    return {"id": "modr-1", "model": request.get("model"), "results": [result]}


def gemini(_request: dict[str, Any], asked: str) -> dict[str, Any]:
    said = asked.partition("ANSWER:")[2].strip() or "Paris."
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": said}]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}
    return {"responseId": "gem_1", "candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2"}


_SHAPES = {
    "/responses": response,
    "/messages": message,
    "chat/completions": completion,
    "/completions": legacy_completion,
    "/embeddings": embeddings,
    "/moderations": moderations,
    ":generateContent": gemini,
}


def _system_prompt(request: dict[str, Any]) -> str:
    said = request.get("system") or request.get("instructions")
    for message in request.get("messages") or ():
        if message["role"] == "system":
            said = said or message["content"]
    return str(said)


def _question(request: dict[str, Any]) -> str:
    """The last thing that was asked, in whichever shape."""
    last = (request.get("messages") or request.get("contents") or [{}])[-1]
    content = last.get("content") or last.get("parts") or request.get("input") or request.get("prompt") or ""
    if isinstance(content, list):
        last_part = content[-1]
        inner = last_part.get("text") or last_part.get("content") if isinstance(last_part, dict) else last_part
        content = inner if isinstance(inner, str) else str(inner)
    return str(content)
