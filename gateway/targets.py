"""Which target answers a request, and how it is asked: in its own protocol, with the next one behind it.

A target that cannot be reached, fails or is out of its own allowance gives way to the next that serves the same model;
a refusal of the request itself does not, because every target would refuse it.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import GatewayError, invalid
from gateway.providers import Provider, Sent, Untranslatable, provider_named
from gateway.surfaces import SURFACES, Surface
from gateway.translating import translated
from gateway.upstream import Endpoint, Upstream, told_headers
from policies.config import PolicyConfig
from policies.targets import Target

_CHAT = SURFACES["chat"]
_NEXT_MAY_HELP = frozenset({"upstream_unreachable", "upstream_error", "upstream_timeout", "upstream_invalid"})


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer in the shape of its surface, `size` bytes as it came.

    `headers` are the target's that callers may know; `seconds` it took.
    """

    document: dict[str, Any]
    headers: Mapping[str, str]
    target: Target
    seconds: float
    size: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A stream of which the first piece is there, `seconds` after it was asked for; the others are to be closed."""

    first: bytes
    pieces: AsyncGenerator[bytes, None]
    headers: Mapping[str, str]
    target: Target
    seconds: float


class Targets:
    def __init__(self, upstream: Upstream, endpoints: Mapping[str, Endpoint]) -> None:
        self._upstream = upstream
        self._endpoints = endpoints

    @staticmethod
    def candidates(config: PolicyConfig, model: str) -> tuple[Target, ...]:
        """The targets that serve a model, in the order in which they are asked; empty when none does."""
        targets = config.providers.targets
        serving = [target for target in targets if target.serves(model)]
        serving = serving or [target for target in targets if not target.names]
        weights = [target.weight or 0 for target in serving]
        if len(serving) > 1 and any(weights):
            first = random.choices(serving, weights)[0]  # noqa: S311
            serving = [first, *(target for target in serving if target is not first)]
        return tuple(serving)

    async def ask(
        self, surface: Surface, candidates: Sequence[Target], model: str, request: dict[str, Any]
    ) -> Answered:
        """The whole answer of the first target that gives one. Raises GatewayError, the last target's."""
        for target in candidates[:-1]:
            try:
                return await self._ask(surface, target, model, request)
            except GatewayError as fault:
                if not _gives_way(fault):
                    raise
        return await self._ask(surface, candidates[-1], model, request)

    async def stream(
        self, surface: Surface, candidates: Sequence[Target], model: str, request: dict[str, Any]
    ) -> Begun | None:
        """The stream of the first target that begins one; None where a target cannot stream this surface.

        Raises GatewayError, the last target's; after the first piece there is no other target to turn to.
        """
        for number, target in enumerate(candidates, 1):
            try:
                return await self._begun(surface, target, {**request, "model": target.upstream_name(model)})
            except GatewayError as fault:
                if number == len(candidates) or not _gives_way(fault):
                    raise
        return None

    async def _begun(self, surface: Surface, target: Target, asked: dict[str, Any]) -> Begun | None:
        provider, endpoint = provider_named(target.provider), self._endpoints[target.id]
        translation = None
        if provider.speaks(surface.name):
            sent = _send(provider, surface, surface, endpoint, asked)
        elif surface is _CHAT:
            try:
                sent, translation = provider.streaming(surface.plain_request(asked), endpoint.secret)
            except Untranslatable as fault:
                raise invalid(str(fault), fault.param, code="unsupported_by_provider") from None
        else:
            return None
        started = time.monotonic()
        headers, pieces = await self._upstream.stream(endpoint, sent, provider.failure)
        if translation is not None:
            pieces = translated(pieces, translation, include_usage=surface.options(asked)[1])
        first = await anext(pieces, b"")
        return Begun(first, pieces, told_headers(headers), target, time.monotonic() - started)

    async def _ask(self, surface: Surface, target: Target, model: str, request: dict[str, Any]) -> Answered:
        provider, endpoint = provider_named(target.provider), self._endpoints[target.id]
        spoken = surface if provider.speaks(surface.name) else _CHAT
        asked = request if spoken is surface else surface.to_chat(request)
        asked = {**asked, "model": target.upstream_name(model)}
        sent = _send(provider, spoken, surface, endpoint, asked)
        started = time.monotonic()
        found = await self._upstream.complete(endpoint, sent, provider.failure)
        seconds = time.monotonic() - started
        try:
            document = provider.answer(spoken.name, found.document, asked)
        except ValueError:
            raise _no_answer() from None
        if not spoken.is_answer(document):
            raise _no_answer()
        if spoken is not surface:
            document = surface.from_chat(document, request)
        return Answered(document, told_headers(found.headers), target, seconds, found.size)


def _send(provider: Provider, spoken: Surface, surface: Surface, endpoint: Endpoint, asked: dict[str, Any]) -> Sent:
    try:
        return provider.request(spoken.name, asked, endpoint.secret)
    except Untranslatable as fault:
        where = fault.param if spoken is surface else None
        raise invalid(str(fault), where, code="unsupported_by_provider") from None


def _gives_way(fault: GatewayError) -> bool:
    return fault.code in _NEXT_MAY_HELP or fault.status == 429


def _no_answer() -> GatewayError:
    return GatewayError(502, "upstream_invalid", "the model's answer is not a completion", kind="server_error")
