"""Second looks at what the words of a request or an answer leave in doubt: the encoder in a thread, a judge over HTTP.

Either has its own time limit. One that fails holds the answer for a person, blocks it, or is passed over, as the
options say; without a word there, it is held. An encoder that is behind with its work fails at once for what is new.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson

from gateway.calling import Connections, told
from policies.chain import Finding, Screened, Verdict
from policies.detectors import semantic
from policies.doubts import Doubt, Pending, suspicious
from policies.findings import failed
from policies.judgement import certainty, new_word, question
from policies.loading import read_secret
from policies.own_detectors import Nonsense
from policies.second_looks import OnError

_logger = logging.getLogger("keeptrusts.gateway")
MOST_WAITING = 32
MOST_JUDGED = 8
"""Questions to a judge about one request or answer, at the same time."""


class SecondLooks:
    """What takes second looks for all configurations of a process."""

    def __init__(self, environment: Mapping[str, str], connections: Connections) -> None:
        self._environment = environment
        self._connections = connections
        # One thread: numpy lets go of the interpreter while it multiplies, and two would only share the processor.
        self._beside = ThreadPoolExecutor(1, "meaning")
        self._waiting = 0

    async def look(self, screened: Screened) -> Screened:
        """The same with nothing pending."""
        if not screened.pending:
            return screened
        pending, screened = screened.pending, replace(screened, pending=())
        if screened.verdict is Verdict.BLOCKED:
            return screened
        for one in pending:
            one, fault = await self._meaning(one)
            one, faults = await self._judged(one)
            screened = screened.adding(*one.findings(), *(one.shaded(found) for found in (*fault, *faults)))
        return screened

    def close(self) -> None:
        self._beside.shutdown(wait=False, cancel_futures=True)

    async def _meaning(self, pending: Pending) -> tuple[Pending, list[Finding]]:
        options = pending.semantic
        if not options.enabled or not pending.doubts:
            return pending, []
        try:
            if self._waiting >= MOST_WAITING:
                raise Nonsense(f"{MOST_WAITING} texts wait for it")
            self._waiting += 1
            try:
                async with asyncio.timeout(options.timeout.total_seconds()):
                    loop = asyncio.get_running_loop()
                    return await loop.run_in_executor(self._beside, pending.with_meaning), []
            finally:
                self._waiting -= 1
        except Exception as fault:
            _logger.error("the semantic layer of %s failed: %s", pending.policy, told(fault))
            return pending, _fault(pending, options.on_error, semantic.VERSION)

    async def _judged(self, pending: Pending) -> tuple[Pending, list[Finding]]:
        doubts = pending.unsure
        if not doubts:
            return pending, []
        surest = sorted(doubts, key=lambda doubt: -doubt.score.score)
        asked = surest[:MOST_JUDGED]
        answers = await asyncio.gather(*(self._ask(pending, doubt) for doubt in asked), return_exceptions=True)
        faults: list[Finding] = []
        for doubt, answer in zip(asked, answers, strict=True):
            if isinstance(answer, float):
                pending = pending.judged(doubt, answer)
            elif isinstance(answer, Exception):
                _logger.error("the judge of %s failed: %s", pending.policy, told(answer))
                faults = faults or _fault(pending, pending.on_judge_error, "judge")
            else:
                raise answer
        if len(surest) > MOST_JUDGED:
            _logger.error("the judge of %s was not asked about all of %d texts", pending.policy, len(surest))
            faults = faults or _fault(pending, pending.on_judge_error, "judge")
        return pending, faults

    async def _ask(self, pending: Pending, doubt: Doubt) -> float:
        """How sure the judge is. Raises whatever went wrong."""
        judge = pending.judge
        assert judge is not None
        if pending.policy != "prompt-injection" and (suspicious(doubt.asked) or suspicious(doubt.said)):
            raise Nonsense("the text gives orders to whoever reads it")
        headers = {"content-type": "application/json"}
        if judge.secret_key_ref is not None:
            secret = read_secret(judge.secret_key_ref, self._environment)
            if secret is None:
                raise Nonsense("its secret is not there")
            headers["authorization"] = f"Bearer {secret}"
        word = new_word()
        body = orjson.dumps(question(judge, doubt, word, pending.examples.get(doubt.score.category, ())))
        url = f"{judge.base_url.rstrip('/')}/chat/completions"
        async with asyncio.timeout(judge.timeout.total_seconds()):
            answer: Any = await self._connections.post(url, body, headers)
        return certainty(answer, word)


def _fault(pending: Pending, on_error: OnError, detector: str) -> list[Finding]:
    return [] if on_error == "ignore" else [failed(pending.policy, pending.stage, on_error, detector)]
