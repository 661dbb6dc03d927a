"""The plain surfaces of OpenAI's API: completions of a prompt, embeddings, moderations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from gateway.errors import invalid
from gateway.surfaces.chat import texts_of
from gateway.surfaces.surface import (
    OpenAI,
    check_common,
    data,
    dict_of,
    dicts_of,
    escalation,
    not_carried,
    pieces,
    refusal,
)

_SAME = (
    *("model", "temperature", "top_p", "n", "stop", "presence_penalty", "frequency_penalty", "logit_bias", "seed"),
    "user",
)


class CompletionsSurface(OpenAI):
    """A prompt and how it goes on. This API has no refusals: a withheld answer is empty, because of a filter."""

    name = "completions"
    path = "/completions"
    holds = True

    def check(self, body: dict[str, Any]) -> None:
        check_common(body)
        if not isinstance(body.get("prompt"), str | list):
            raise invalid("prompt is a text or a list of texts", "prompt")

    def is_answer(self, document: object) -> bool:
        choices = document.get("choices") if isinstance(document, dict) else None
        return isinstance(choices, list) and all(
            isinstance(choice, dict) and isinstance(choice.get("text"), str) for choice in choices
        )

    def withheld(
        self, document: dict[str, Any], escalation_id: str, outcome: str, category: str | None
    ) -> dict[str, Any]:
        """What became of it is said in the `escalation` member alone: a text would pass for the model's."""
        number = max(1, len(document.get("choices") or ()))
        empty = {"text": "", "finish_reason": "content_filter", "logprobs": None}
        told = escalation(escalation_id, outcome, category, f"/v1/escalations/{escalation_id}/response")
        body = {
            "id": document.get("id"),
            "object": "text_completion",
            "created": document.get("created") or int(time.time()),
            "model": document.get("model"),
            "choices": [{"index": index, **empty} for index in range(number)],
            "escalation": {**told, "message": refusal(escalation_id, outcome)},
        }
        if document.get("usage"):
            body["usage"] = document["usage"]
        return body

    def stream(
        self,
        document: dict[str, Any],
        *,
        include_usage: bool,
        starting_after: int | None = None,  # noqa: ARG002
    ) -> Iterator[bytes]:
        """Chunks, the usage chunk where it was asked for, and the end mark."""
        base = {
            "id": document.get("id"),
            "object": "text_completion",
            "created": document.get("created") or int(time.time()),
            "model": document.get("model"),
        }
        for name in ("system_fingerprint", "escalation"):
            if name in document:
                base[name] = document[name]
        for choice in document.get("choices") or ():
            at = {"index": choice.get("index", 0), "logprobs": None}
            for piece in pieces(choice.get("text") or ""):
                yield data({**base, "choices": [{**at, "text": piece, "finish_reason": None}]})
            ending = {**at, "text": "", "finish_reason": choice.get("finish_reason") or "stop"}
            yield data({**base, "choices": [ending]})
        if include_usage:
            yield data({**base, "choices": [], "usage": document.get("usage")})
        yield b"data: [DONE]\n\n"

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """One prompt of text becomes one message of the user."""
        for name in ("suffix", "echo", "logprobs"):
            if body.get(name):
                raise not_carried(name)
        if (body.get("best_of") or 1) != 1:
            raise not_carried("best_of")
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise not_carried("prompt")
        chat: dict[str, Any] = {name: body[name] for name in _SAME if body.get(name) is not None}
        chat["messages"] = [{"role": "user", "content": prompt}]
        if body.get("max_tokens") is not None:
            chat["max_completion_tokens"] = body["max_tokens"]
        return chat

    def from_chat(self, completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        answer = {
            "id": completion.get("id"),
            "object": "text_completion",
            "created": completion.get("created") or int(time.time()),
            "model": completion.get("model") or body.get("model"),
            "choices": [
                {
                    "index": choice.get("index", number),
                    "text": _said(dict_of(choice.get("message"))),
                    "finish_reason": choice.get("finish_reason") or "stop",
                    "logprobs": None,
                }
                for number, choice in enumerate(dicts_of(completion.get("choices")))
            ],
        }
        if completion.get("usage"):
            answer["usage"] = completion["usage"]
        return answer


def _said(message: dict[str, Any]) -> str:
    return "".join([*texts_of(message.get("content")), *texts_of(message.get("refusal"))])


class _Judged(OpenAI):
    """Answers of numbers: nothing in them is text, nothing is streamed, and no chat model can give them."""

    name: str
    path: str
    holds = False
    results: str

    def check(self, body: dict[str, Any]) -> None:
        check_common(body, self.default_model)
        asked = body.get("input")
        if not isinstance(asked, str | list) or not asked:
            raise invalid("input is a text or a list with at least one", "input")

    def options(self, body: dict[str, Any]) -> tuple[bool, bool]:  # noqa: ARG002
        return False, False

    def is_answer(self, document: object) -> bool:
        found = document.get(self.results) if isinstance(document, dict) else None
        return isinstance(found, list) and all(isinstance(each, dict) for each in found)

    def withheld(
        self, document: dict[str, Any], escalation_id: str, outcome: str, category: str | None
    ) -> dict[str, Any]:
        """The same without its results: a request can be held as well, when a check of it failed."""
        told = escalation(escalation_id, outcome, category, f"/v1/escalations/{escalation_id}/response")
        told["message"] = refusal(escalation_id, outcome)
        kept: dict[str, Any] = {name: document[name] for name in ("id", "object", "model", "usage") if name in document}
        return {**kept, self.results: [], "escalation": told}

    def stream(
        self,
        document: dict[str, Any],
        *,
        include_usage: bool,  # noqa: ARG002
        starting_after: int | None = None,  # noqa: ARG002
    ) -> Iterator[bytes]:
        yield data(document)
        yield b"data: [DONE]\n\n"

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        raise not_carried(self.name)

    def from_chat(self, completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        raise not_carried(self.name)


class EmbeddingsSurface(_Judged):
    """Vectors of texts."""

    name = "embeddings"
    path = "/embeddings"
    results = "data"


class ModerationsSurface(_Judged):
    """Scores of texts. Its clients need not name a model."""

    name = "moderations"
    path = "/moderations"
    results = "results"
    default_model: str | None = "omni-moderation-latest"
