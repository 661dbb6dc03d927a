"""What a surface is: one API that clients already speak, with its shapes for an answer, a stream and an error.

A governed document keeps the shape of the surface that its caller used, from the model to the reviewer and back. A
stream is chunked anew from the released document: what leaves is what was approved, however the model chunked it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import orjson

from gateway.errors import GatewayError, invalid

PIECE = 96
"""Characters per text piece of a replayed stream."""

_NEVER_FROM_CLIENTS = frozenset({"base_url", "api_base", "api_key", "api_version"})
_HOW_IT_IS_SENT = frozenset({"stream", "stream_options", "background"})


class Surface(Protocol):
    """One API. Everything here is a pure function of what it is given.

    `name` is chat, responses, messages, completions, embeddings or moderations; `path` is where a model that speaks it
    serves it, behind its base URL; `holds` says whether its answers have text that output policies look at;
    `default_model` is what a request means that names none, None where it must name one.
    """

    name: str
    path: str
    holds: bool
    default_model: str | None

    def check(self, body: dict[str, Any]) -> None:
        """Raises GatewayError for what the gateway needs and does not find."""

    def options(self, body: dict[str, Any]) -> tuple[bool, bool]:
        """Whether the answer is to be streamed, and whether the stream is to tell the usage."""

    def plain_request(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same request for one whole answer, at once."""

    def is_answer(self, document: object) -> bool:
        """Whether this has the shape of an answer, as far as it must have for its text to be found."""

    def withheld(
        self, document: dict[str, Any], escalation_id: str, outcome: str, category: str | None
    ) -> dict[str, Any]:
        """In place of an answer, with none of its text. `outcome`: block, expired, withdrawn, or open if undecided."""

    def stream(
        self, document: dict[str, Any], *, include_usage: bool, starting_after: int | None = None
    ) -> Iterator[bytes]:
        """The document as the server-sent events that clients of this API expect, from the first to the last.

        Where this API numbers its events, those up to `starting_after` are left out: the client has seen them.
        """

    def stream_error(self, fault: GatewayError) -> bytes:
        """An error after a stream has begun; the client raises it."""

    def error_body(self, fault: GatewayError) -> bytes:
        """An error in this API's own envelope."""

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same request as a chat completion request. Raises GatewayError 400 for what cannot be carried over."""

    def from_chat(self, completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """A chat completion as the answer to `body`, a request of this surface."""

    def usage(self, document: dict[str, Any]) -> dict[str, Any] | None:
        """What the answer cost, as this API counts it."""


class OpenAI:
    """What the surfaces of OpenAI's API have in common."""

    default_model: str | None = None

    def options(self, body: dict[str, Any]) -> tuple[bool, bool]:
        told = body.get("stream_options")
        return bool(body.get("stream")), isinstance(told, dict) and bool(told.get("include_usage"))

    def plain_request(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name not in _HOW_IT_IS_SENT}

    def stream_error(self, fault: GatewayError) -> bytes:
        return b"data: " + fault.body + b"\n\n"

    def error_body(self, fault: GatewayError) -> bytes:
        return fault.body

    def usage(self, document: dict[str, Any]) -> dict[str, Any] | None:
        usage = document.get("usage")
        return usage if isinstance(usage, dict) else None


def check_common(body: dict[str, Any], default_model: str | None = None) -> None:
    """What every surface needs: a model, a yes or no to streaming, and nothing that is the gateway's to set."""
    model = body.get("model", default_model)
    if not isinstance(model, str) or not model:
        raise invalid("you must provide a model parameter", "model")
    for name in _NEVER_FROM_CLIENTS.intersection(body):
        raise invalid(f"{name} is the gateway's to set", name)
    if not isinstance(body.get("stream"), bool | None):
        raise invalid("stream is true or false", "stream")


def is_content(content: object) -> bool:
    """Whether this is a text, or a list of parts that are objects."""
    return isinstance(content, str) or (isinstance(content, list) and all(isinstance(part, dict) for part in content))


def object_of(body: dict[str, Any], name: str, param: str = "") -> dict[str, Any]:
    """The object under a name, empty where there is none. Raises GatewayError 400 for anything else."""
    value = body.get(name)
    if not isinstance(value, dict | None):
        raise invalid(f"{name} is an object", param or name)
    return value or {}


def objects_of(body: dict[str, Any], name: str, param: str = "") -> list[dict[str, Any]]:
    """The objects of a list under a name, likewise."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise invalid(f"{name} is a list of objects", param or name)
    return value


def wrong_kind() -> GatewayError:
    """For a request that is not what its API describes, in a place too deep to be checked one by one."""
    return invalid("a member of this request is not of the kind that its API describes")


def not_carried(param: str) -> GatewayError:
    """For what a caller asked in one API and the model, which speaks chat completions, cannot be asked."""
    return invalid(f"this model speaks chat completions and cannot take {param}", param, "unsupported_parameter")


def refusal(escalation_id: str, outcome: str) -> str:
    """What stands where the answer would. A reviewer's note never leaves."""
    return _REFUSALS[outcome].format(id=escalation_id)


def escalation(escalation_id: str, outcome: str, category: str | None, retrieve: str) -> dict[str, Any]:
    """The member that tells programs what became of the answer, and where to fetch it while that is open."""
    told: dict[str, Any] = {"id": escalation_id, **_STATES[outcome]}
    if outcome == "block":
        told["category"] = category
    if outcome == "open":
        told["retrieve"] = retrieve
    return told


def dicts_of(value: object) -> list[dict[str, Any]]:
    """The objects of a list that a model sent, which may be anything."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def dict_of(value: object) -> dict[str, Any]:
    """The object that a model sent, empty where it is none."""
    return value if isinstance(value, dict) else {}


def count(value: object) -> int:
    """The number of tokens that a model told, 0 where it told none."""
    return value if isinstance(value, int) else 0


def pieces(text: object) -> Iterator[str]:
    """A text in the pieces that a stream sends; what is no text has none."""
    if not isinstance(text, str):
        return
    for start in range(0, len(text), PIECE):
        yield text[start : start + PIECE]


def data(body: dict[str, Any]) -> bytes:
    """A server-sent event without a name."""
    return b"data: " + orjson.dumps(body) + b"\n\n"


def named(body: dict[str, Any]) -> bytes:
    """A server-sent event named by its type."""
    return f"event: {body['type']}\n".encode() + data(body)


_REFUSALS = {
    "block": "Withheld by human review ({id}).",
    "expired": "Not reviewed in time, so not released ({id}). This is not a denial.",
    "withdrawn": "Withdrawn before it was reviewed ({id}).",
    "open": "Held for human review ({id}). Fetch it later.",
}
_STATES: dict[str, dict[str, Any]] = {
    "block": {"status": "resolved", "resolution": "blocked"},
    "expired": {"status": "expired", "resolution": None},
    "withdrawn": {"status": "expired", "resolution": None, "reason": "withdrawn"},
    "open": {"status": "open", "resolution": None},
}
