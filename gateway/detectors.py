"""Calling detectors of the user's own, at the same time and each within its own time limit.

One that raises, hangs or says nonsense holds the answer for a person, or blocks it, as its options say: it never passes
for one that found nothing. A Python function runs in a thread, which nothing can stop: as soon as a few of a detector's
calls hang, further ones fail at once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.calling import Connections, told
from policies.applying import Looking
from policies.chain import Chain, Finding, Screened, Verdict, Who
from policies.findings import failed
from policies.loading import read_secret
from policies.options import OwnDetector
from policies.own_detectors import Nonsense, finding_of, given, load_detector
from policies.requests import last_asked

_logger = logging.getLogger("keeptrusts.gateway")
MOST_AT_ONCE = 16


class Detectors:
    """The detectors of one configuration."""

    def __init__(self, chain: Chain, environment: Mapping[str, str], connections: Connections) -> None:
        self._chain = chain
        self._environment = environment
        self._connections = connections
        self._functions: dict[str, Callable[[dict[str, Any]], Any] | None] = {}
        self._under_way = dict.fromkeys(chain.own, 0)
        for name, options in chain.own.items():
            if options.detector is not None:
                self._functions[name] = _loaded(name, options.detector)

    async def look(self, screened: Screened, stage: str, request: dict[str, Any], who: Who | None = None) -> Screened:
        """What the detectors of this stage add to what the chain found."""
        if not self._chain.own:
            return screened
        wanted = {name: options for name, options in self._chain.own.items() if stage in _STAGES[options.on]}
        if not wanted or screened.verdict is Verdict.BLOCKED:
            return screened
        texts = list(Looking(stage, request).texts(screened.document))
        asked = last_asked(request)
        found = await asyncio.gather(
            *(self._ask(name, options, stage, asked, texts) for name, options in wanted.items())
        )
        for name, finding in zip(wanted, found, strict=True):
            if finding is not None:
                screened = screened.adding(finding if self._chain.acts(name, who) else finding.in_shadow())
        return screened

    async def _ask(
        self, name: str, options: OwnDetector, stage: str, asked: str, texts: list[tuple[str, str]]
    ) -> Finding | None:
        try:
            async with asyncio.timeout(options.timeout.total_seconds()):
                document = given(name, stage, asked, texts)
                said = await (self._post(options, document) if options.url else self._call(name, document))
                return finding_of(name, options, stage, texts, said)
        except Exception as fault:
            _logger.error("detector %s failed on %s: %s", name, stage, told(fault))
            return failed(name, stage, options.on_error, options.detector or "http")

    async def _call(self, name: str, document: dict[str, Any]) -> Any:
        function = self._functions[name]
        if function is None:
            raise Nonsense("it could not be loaded")
        if inspect.iscoroutinefunction(function):
            return await function(document)
        if self._under_way[name] >= MOST_AT_ONCE:
            raise Nonsense(f"{MOST_AT_ONCE} calls have not come back")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, fault: Exception | None) -> None:
            self._under_way[name] -= 1
            if answer.done():
                return
            if fault is not None:
                answer.set_exception(fault)
            else:
                answer.set_result(result)

        def work() -> None:
            result, fault = None, None
            try:
                result = function(document)
            except Exception as raised:
                fault = raised
            except BaseException as raised:
                fault = Nonsense(type(raised).__name__)
            # The loop may be gone by the time that a call comes back.
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, fault)

        self._under_way[name] += 1
        # A daemon: a call that hangs must not keep the process from ending.
        threading.Thread(target=work, name=f"detector {name}", daemon=True).start()
        return await answer

    async def _post(self, options: OwnDetector, document: dict[str, Any]) -> Any:
        assert options.url is not None
        headers = {"content-type": "application/json"}
        if options.secret_key_ref is not None:
            secret = read_secret(options.secret_key_ref, self._environment)
            if secret is None:
                raise Nonsense("its secret is not there")
            headers["authorization"] = f"Bearer {secret}"
        return await self._connections.post(options.url, orjson.dumps(document), headers)


_STAGES = {"request": ("input",), "answer": ("output",), "both": ("input", "output")}


def _loaded(name: str, reference: str) -> Callable[[dict[str, Any]], Any] | None:
    try:
        return load_detector(reference)
    except ValueError as fault:
        _logger.error("detector %s: %s; a person has to look at what it would have seen", name, fault)
        return None
