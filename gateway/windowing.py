"""Redaction of a stream as it goes: text leaves once nothing that stands in it can still become a finding.

For chains whose only output policy redacts. What has left cannot be taken back: a finding that is longer than the
window, or that only later text makes one, is missed. Chains that hold answers are buffered whole instead.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from gateway.server_sent_events import events
from policies.chain import Chain, Finding

WINDOW = 160
"""Characters that stay back: longer than any card number, address or identifier that is looked for."""
_AS_IT_IS = ("role",)

_Place = tuple[Any, str]
"""A choice, and the text in it: a member of its delta, or a tool's input by its kind and number."""


class _Texts(dict[_Place, "_Text"]):
    """The texts of a stream; all watch for the same canary."""

    def __init__(self, canary: str | None) -> None:
        super().__init__()
        self._canary = canary

    def at(self, place: _Place, path: str = "") -> _Text:
        return self.setdefault(place, _Text(self._canary, path))


class Leaked(Exception):
    """A piece of the answer holds the canary of its system prompt. Nothing of that piece leaves."""

    def __init__(self, finding: Finding) -> None:
        super().__init__("the answer repeats its system prompt")
        self.finding = finding


class _Text:
    """One text of one choice, as far as it has come and has not left. A tool's arguments stay until they are whole:
    half of them is no JSON, and nobody reads them as they come."""

    def __init__(self, canary: str | None, path: str = "") -> None:
        self.pending = ""
        self._canary = canary
        self._path = path

    def add(self, text: str, chain: Chain) -> str:
        """What may leave of it and of what came before."""
        self.pending += text
        return self.take(chain, all_of_it=False)

    def take(self, chain: Chain, *, all_of_it: bool) -> str:
        """What may leave now. Raises Leaked."""
        if self._canary is not None:
            self.pending, finding = chain.leaked(self.pending, self._canary, self._path)
            if finding is not None:
                raise Leaked(finding)
        if not all_of_it and (self._path or len(self.pending) <= WINDOW):
            return ""
        if all_of_it:
            ready, self.pending = chain.redacted(self.pending, self._path), ""
            return ready
        end = chain.safe_end(self.pending, len(self.pending) - WINDOW)
        ready, self.pending = chain.redacted(self.pending[:end]), self.pending[end:]
        return ready


async def windowed(
    pieces: AsyncGenerator[bytes, None], chain: Chain, canary: str | None = None
) -> AsyncGenerator[bytes, None]:
    """The chunks of a streamed chat completion, their text redacted. Chunks that cannot be read end the stream.

    Raises Leaked where an answer holds the canary and more than a note is to follow.
    """
    texts = _Texts(canary)
    last: dict[str, Any] = {}
    async with aclosing(events(pieces)) as coming:
        async for event in coming:
            if event == b"[DONE]":
                for chunk in _rest(texts, last, chain):
                    yield chunk
                yield b"data: [DONE]\n\n"
                return
            try:
                chunk = orjson.loads(event)
            except orjson.JSONDecodeError:
                return
            if not isinstance(chunk, dict):
                return
            for choice in chunk.get("choices") or ():
                if isinstance(choice, dict):
                    choice["logprobs"] = None
                    _redact(choice, texts, chain)
            last = chunk
            yield b"data: " + orjson.dumps(chunk) + b"\n\n"


def _redact(choice: dict[str, Any], texts: _Texts, chain: Chain) -> None:
    """Every text of a choice goes through its window. What has a shape that nobody here looks at does not pass."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        choice["delta"] = delta = {}
    index, ending = choice.get("index", 0), choice.get("finish_reason") is not None
    told: dict[str, Any] = {name: delta[name] for name in _AS_IT_IS if isinstance(delta.get(name), str)}
    for name, value in delta.items():
        if name in _AS_IT_IS:
            continue
        if isinstance(value, str):
            told[name] = texts.at((index, name)).add(value, chain)
        elif value is None:
            told[name] = None
        elif name == "function_call" and isinstance(value, dict):
            told[name] = _call(value, (index, name), texts, chain)
        elif name == "tool_calls" and isinstance(value, list):
            calls = [each for each in value if isinstance(each, dict)]
            told[name] = [_tool_call(each, index, texts, chain) for each in calls]
    if ending:
        for (number, name), text in texts.items():
            if number == index and text.pending:
                _put(told, name, text.take(chain, all_of_it=True))
    choice["delta"] = told


def _tool_call(call: dict[str, Any], index: Any, texts: _Texts, chain: Chain) -> dict[str, Any]:
    number = call.get("index", 0)
    told: dict[str, Any] = {name: call[name] for name in ("index", "id", "type") if name in call}
    for kind in ("function", "custom"):
        if isinstance(call.get(kind), dict):
            told[kind] = _call(call[kind], (index, f"{kind} {number}"), texts, chain)
    return told


def _call(called: dict[str, Any], place: _Place, texts: _Texts, chain: Chain) -> dict[str, Any]:
    told = {"name": called["name"]} if isinstance(called.get("name"), str) else {}
    for name in ("arguments", "input"):
        if isinstance(called.get(name), str):
            told[name] = texts.at(place, f"/{name}").add(called[name], chain)
    return told


def _put(delta: dict[str, Any], name: str, text: str) -> None:
    """The rest of a text, where its place is in a delta."""
    kind, _, number = name.partition(" ")
    if number:
        called = {"input" if kind == "custom" else "arguments": text}
        delta.setdefault("tool_calls", []).append({"index": int(number), kind: called})
    elif kind == "function_call":
        before = delta.get(kind) or {}
        delta[kind] = {**before, "arguments": before.get("arguments", "") + text}
    else:
        delta[name] = (delta.get(name) or "") + text


def _rest(texts: _Texts, last: dict[str, Any], chain: Chain) -> list[bytes]:
    """What is still here when a stream ends without a finish reason."""
    base = {name: last.get(name) for name in ("id", "object", "created", "model")}
    left = []
    for (index, name), text in texts.items():
        if text.pending:
            delta: dict[str, Any] = {}
            _put(delta, name, text.take(chain, all_of_it=True))
            left.append({**base, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})
    return [b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in left]
