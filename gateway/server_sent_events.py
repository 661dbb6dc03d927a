"""Reading server-sent events as models send them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

LARGEST_EVENT = 1024 * 1024


async def events(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The data of each event, however the stream is cut into pieces. One that is too large ends them."""
    buffer = b""
    async with aclosing(pieces) as coming:
        async for piece in coming:
            buffer = (buffer + piece).replace(b"\r\n", b"\n")
            if len(buffer) > LARGEST_EVENT:
                return
            while (end := buffer.find(b"\n\n")) >= 0:
                block, buffer = buffer[:end], buffer[end + 2 :]
                lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
                if lines:
                    yield b"\n".join(lines)
