"""Responses: OpenAI's API of output items, with its own word for an answer that is not whole: incomplete."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson

from gateway.errors import GatewayError, invalid
from gateway.surfaces.response_chat import request_to_chat, response_from_chat
from gateway.surfaces.response_events import events
from gateway.surfaces.surface import OpenAI, check_common, escalation, is_content, named, refusal, wrong_kind

_KEPT = (
    *("background", "conversation", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "prompt"),
    *("prompt_cache_key", "prompt_cache_retention", "previous_response_id", "reasoning", "safety_identifier", "store"),
    *("service_tier", "temperature", "text", "top_logprobs", "top_p", "truncation", "usage", "user"),
)


class ResponsesSurface(OpenAI):
    """What belongs to the request is kept in every answer, also in one that is withheld.

    A withheld answer is `incomplete` because of a `content_filter`, and its one message is a refusal that says which.
    """

    name = "responses"
    path = "/responses"
    holds = True

    def check(self, body: dict[str, Any]) -> None:
        check_common(body)
        asked = body.get("input")
        if not isinstance(asked, str | list) or not asked:
            if asked is not None or not isinstance(body.get("prompt"), dict):
                raise invalid("input is a text or a list with at least one item", "input")
        elif isinstance(asked, list):
            _check_items(asked)
        if not isinstance(body.get("instructions"), str | None):
            raise invalid("instructions are a text", "instructions")
        if not isinstance(body.get("background"), bool | None):
            raise invalid("background is true or false", "background")

    def options(self, body: dict[str, Any]) -> tuple[bool, bool]:
        return bool(body.get("stream")), True

    def is_answer(self, document: object) -> bool:
        output = document.get("output") if isinstance(document, dict) else None
        return isinstance(output, list) and all(
            isinstance(item, dict) and isinstance(item.get("type"), str) for item in output
        )

    def withheld(
        self, document: dict[str, Any], escalation_id: str, outcome: str, category: str | None
    ) -> dict[str, Any]:
        said = {"type": "refusal", "refusal": refusal(escalation_id, outcome)}
        message = {
            "id": f"msg_{escalation_id}",
            "type": "message",
            "role": "assistant",
            "status": "incomplete",
            "content": [said],
        }
        return {
            **{name: document[name] for name in _KEPT if name in document},
            "id": document.get("id"),
            "object": "response",
            "created_at": document.get("created_at") or int(time.time()),
            "model": document.get("model"),
            "status": "incomplete",
            "incomplete_details": {"reason": "content_filter"},
            "error": None,
            "output": [message],
            "parallel_tool_calls": document.get("parallel_tool_calls", True),
            "tool_choice": document.get("tool_choice") or "auto",
            "tools": document.get("tools") or [],
            "escalation": escalation(escalation_id, outcome, category, f"/v1/responses/{document.get('id')}"),
        }

    def stream(
        self,
        document: dict[str, Any],
        *,
        include_usage: bool,  # noqa: ARG002
        starting_after: int | None = None,
    ) -> Iterator[bytes]:
        """The numbered events of the response; the last of them always tells the usage."""
        for number, event in enumerate(events(document)):
            if starting_after is None or number > starting_after:
                yield named({**event, "sequence_number": number})

    def stream_error(self, fault: GatewayError) -> bytes:
        """Both spellings that are in use: some clients read the members, others raise what is under `error`."""
        told = orjson.loads(fault.body)["error"]
        top = {"code": fault.code, "message": fault.message, "param": fault.param}
        return named({"type": "error", **top, "sequence_number": 0, "error": told})

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return request_to_chat(body)
        except (TypeError, AttributeError):
            raise wrong_kind() from None

    def from_chat(self, completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        return response_from_chat(completion, body)


def _check_items(items: list[Any]) -> None:
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("type", item.get("role")), str):
            raise invalid("every item of the input is an object with a type or a role", f"input[{index}]")
        if item.get("type", "message") == "message":
            content = item.get("content")
            if not is_content(content):
                raise invalid("content is a text or a list of parts", f"input[{index}].content")
