"""A streamed answer of Google's streamGenerateContent as chunks of a chat completion."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from gateway.providers.completion import Chunks, object_in, objects_in, text_in
from gateway.providers.gemini_answer import call_of, finish_of, usage_of


class GeminiStream(Chunks):
    """One stream, read event by event: each is a whole answer with a piece of its text."""

    def __init__(self, asked: dict[str, Any]) -> None:
        super().__init__(str(asked.get("model")))
        self.identifier = f"chatcmpl-{uuid.uuid4().hex}"
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._texts: dict[int, bool] = {}
        self._calls: dict[int, int] = {}

    def read(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        identifier, model = event.get("responseId"), event.get("modelVersion")
        if not self._begun:
            self.identifier = identifier if isinstance(identifier, str) and identifier else self.identifier
            self.model = model if isinstance(model, str) else self.model
        if event.get("error") is not None:
            raise ValueError("the model failed in the middle of its answer")
        candidates = objects_in(event, "candidates")
        if not candidates and not self._begun and event.get("promptFeedback") is not None:
            text_in(object_in(event, "promptFeedback"), "blockReason")
            yield from self._begin(0)
            yield self.chunk({}, finish_reason="content_filter")
            self._ended.add(0)
        for candidate in candidates:
            yield from self._candidate(candidate, event)
        self.usage = usage_of(event) or self.usage
        self.finished = bool(self._begun) and self._begun == self._ended

    def _begin(self, number: int) -> Iterator[dict[str, Any]]:
        if number not in self._begun:
            self._begun.add(number)
            yield self.chunk({"role": "assistant", "content": ""}, number)

    def _candidate(self, candidate: dict[str, Any], event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        number = candidate.get("index", 0)
        if not isinstance(number, int) or not 0 <= number < 100 or number in self._ended:
            raise ValueError("a candidate that cannot be")
        yield from self._begin(number)
        for part in objects_in(object_in(candidate, "content"), "parts"):
            if part.get("functionCall") is not None:
                place = self._calls.get(number, 0)
                self._calls[number] = place + 1
                call = call_of(part, event, f"{number}.{place}")
                yield self.chunk({"tool_calls": [{"index": place, **call}]}, number)
            elif part.get("text"):
                thought = part.get("thought") is True
                self._texts[number] = self._texts.get(number, False) or not thought
                yield self.chunk({"reasoning_content" if thought else "content": text_in(part, "text")}, number)
        reason = candidate.get("finishReason")
        if reason is not None:
            said, called = self._texts.get(number, False), bool(self._calls.get(number))
            self._ended.add(number)
            yield self.chunk({}, number, finish_of(reason, said=said, called=called))
