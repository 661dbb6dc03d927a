"""The stream of a provider that speaks another protocol, as the chunks of a streamed chat completion."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from gateway.errors import GatewayError
from gateway.nesting import nests_deeper
from gateway.providers import Translation
from gateway.server_sent_events import events
from gateway.upstream import DEEPEST_ANSWER


async def translated(
    pieces: AsyncGenerator[bytes, None], translation: Translation, *, include_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Each event as it comes. A stream that cannot be read, or breaks off before its end, is a GatewayError."""
    async with aclosing(events(pieces)) as coming:
        async for event in coming:
            try:
                if nests_deeper(event, DEEPEST_ANSWER):
                    raise ValueError("nested too deep")
                document = orjson.loads(event)
                if not isinstance(document, dict):
                    raise ValueError("an event is not an object")
                chunks = list(translation.read(document))
            except ValueError:
                raise _broken() from None
            for chunk in chunks:
                yield b"data: " + orjson.dumps(chunk) + b"\n\n"
    if not translation.finished:
        raise _broken()
    if include_usage:
        yield b"data: " + orjson.dumps(translation.usage_chunk()) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _broken() -> GatewayError:
    return GatewayError(502, "upstream_invalid", "the model's stream cannot be read", kind="server_error")
