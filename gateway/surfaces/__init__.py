"""The APIs that the gateway speaks, by name."""

from __future__ import annotations

from typing import Any

from gateway.surfaces.chat import ChatSurface
from gateway.surfaces.messages import MessagesSurface
from gateway.surfaces.plain import CompletionsSurface, EmbeddingsSurface, ModerationsSurface
from gateway.surfaces.responses import ResponsesSurface
from gateway.surfaces.surface import Surface

_ALL: tuple[Surface, ...] = (
    ChatSurface(),
    ResponsesSurface(),
    MessagesSurface(),
    CompletionsSurface(),
    EmbeddingsSurface(),
    ModerationsSurface(),
)
SURFACES: dict[str, Surface] = {surface.name: surface for surface in _ALL}


def document_id(document: dict[str, Any]) -> str | None:
    """The id that the model gave its answer, where it gave one."""
    found = document.get("id")
    return found if isinstance(found, str) and found else None


__all__ = ["SURFACES", "Surface", "document_id"]
