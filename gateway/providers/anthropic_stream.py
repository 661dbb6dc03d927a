"""A streamed message of Anthropic's Messages API as chunks of a chat completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.providers.anthropic_answer import finish_of, refusal_of, usage_of
from gateway.providers.completion import Chunks, call_delta, object_in, text_in


class AnthropicStream(Chunks):
    """One stream, read event by event. Blocks of other types come of tools that a chat completion cannot ask for."""

    def __init__(self, asked: dict[str, Any]) -> None:
        super().__init__(str(asked.get("model")))
        self._calls: dict[int, int] = {}
        self._silent: set[int] = set()
        self._thoughts = 0
        self._told: dict[str, Any] = {}

    def read(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        match event.get("type"):
            case "message_start":
                yield from self._start(object_in(event, "message"))
            case "content_block_start":
                yield from self._block(event.get("index"), object_in(event, "content_block"))
            case "content_block_delta":
                yield from self._delta(event.get("index"), object_in(event, "delta"))
            case "content_block_stop":
                yield from self._stop(_key(event.get("index")))
            case "message_delta":
                yield from self._end(object_in(event, "delta"), object_in(event, "usage"))
            case "message_stop":
                self.finished = True
            case "error":
                raise ValueError("the model failed in the middle of its answer")

    def _start(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.identifier = text_in(message, "id")
        if isinstance(message.get("model"), str):
            self.model = message["model"]
        self._told = object_in(message, "usage")
        yield self.chunk({"role": "assistant", "content": ""})

    def _block(self, index: Any, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
        kind = block.get("type")
        if kind == "tool_use":
            number = self._calls.setdefault(_key(index), len(self._calls))
            self._silent.add(index)
            call = {"index": number, "id": text_in(block, "id"), "type": "function"}
            yield self.chunk({"tool_calls": [{**call, **call_delta("", text_in(block, "name"))}]})
        elif kind == "text" and block.get("text"):
            yield self.chunk({"content": text_in(block, "text")})
        elif kind == "thinking":
            self._thoughts += 1
            if self._thoughts > 1:
                yield self.chunk({"reasoning_content": "\n\n"})

    def _delta(self, index: Any, delta: dict[str, Any]) -> Iterator[dict[str, Any]]:
        match delta.get("type"):
            case "text_delta":
                yield self.chunk({"content": text_in(delta, "text")})
            case "thinking_delta":
                yield self.chunk({"reasoning_content": text_in(delta, "thinking")})
            case "input_json_delta":
                written = text_in(delta, "partial_json")
                if _key(index) not in self._calls:
                    raise ValueError("arguments of no call")
                if written:
                    self._silent.discard(index)
                    yield self.chunk({"tool_calls": [{"index": self._calls[index], **call_delta(written)}]})

    def _stop(self, index: int) -> Iterator[dict[str, Any]]:
        """A call without arguments has an empty object, which is what clients read."""
        if index in self._silent:
            self._silent.discard(index)
            yield self.chunk({"tool_calls": [{"index": self._calls[index], **call_delta("{}")}]})

    def _end(self, delta: dict[str, Any], usage: dict[str, Any]) -> Iterator[dict[str, Any]]:
        refusal = refusal_of(delta)
        if refusal is not None:
            yield self.chunk({"refusal": refusal})
        self._told = {**self._told, **{name: count for name, count in usage.items() if count is not None}}
        self.usage = usage_of({"usage": self._told})
        if delta.get("stop_reason") is not None:
            yield self.chunk({}, finish_reason=finish_of(delta))


def _key(index: Any) -> int:
    if not isinstance(index, int):
        raise ValueError("a block without a number")
    return index
