"""What a provider is: somebody's API behind a target, and the translation of requests and answers to and from it.

Everything here is a pure function of what it is given; nothing is sent. A provider that speaks the surface that the
client used gets the request and gives the answer untouched, unknown fields included. Any other gets it by way of a
chat completion. What an answer would differ by and cannot be carried over is refused in words, not dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

Failure = tuple[str, str, str | None, str | None]
"""Of an error: message, type, code and param, in OpenAI's terms. An empty message: none that a caller can use."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes over the wire: `path` behind the target's base URL, and headers that hold the secret."""

    path: str
    headers: dict[str, str] = field(repr=False)
    body: dict[str, Any] = field(repr=False)


class Untranslatable(ValueError):
    """A request has what this provider's API has no place for. One line: what it is, and what to do instead."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Translation(Protocol):
    """One stream on its way to the chunks of a chat completion."""

    finished: bool

    def read(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The chunks that follow from an event. Raises ValueError for what is no part of such a stream."""

    def usage_chunk(self) -> dict[str, Any]:
        """What it cost, when it is finished."""


class Provider(Protocol):
    @property
    def name(self) -> str:
        """As the configuration calls it."""

    def speaks(self, surface: str) -> bool:
        """Whether requests of this surface pass untouched."""

    def request(self, surface: str, body: dict[str, Any], secret: str | None) -> Sent:
        """A request of a surface that it speaks, or of chat. Raises Untranslatable."""

    def answer(self, surface: str, document: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        """The provider's JSON as a document of that surface. Raises ValueError when it is no such answer."""

    def streaming(self, body: dict[str, Any], secret: str | None) -> tuple[Sent, Translation]:
        """A chat request for a stream, and what translates it, where chat does not pass untouched. Raises
        Untranslatable."""

    def failure(self, body: bytes) -> Failure:
        """What the body of an error says. Never raises."""
