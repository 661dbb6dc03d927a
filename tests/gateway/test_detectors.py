"""Detectors of the user's own: what they say counts, and whatever goes wrong with one holds the answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from gateway.rules import RuleBook, Rules
from policies.chain import Screened, Verdict, Who
from policies.config import PolicyConfig

REQUEST = {"messages": [{"role": "user", "content": "How do I cook rice?"}]}
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Boil the rice in water."}}]}
HANGING = threading.Event()


def finds_rice(document: dict[str, Any]) -> Any:
    [text] = document["texts"]
    start = text["text"].find("rice")
    assert document["asked"] == "How do I cook rice?"
    return [{"label": "rice", "score": 0.8, "path": text["path"], "start": start, "end": start + 4}]


async def finds_nothing(document: dict[str, Any]) -> Any:
    await asyncio.sleep(0)
    return {"findings": []}


def raises(document: dict[str, Any]) -> Any:
    raise ZeroDivisionError(document["texts"])


def leaves(document: dict[str, Any]) -> Any:
    raise SystemExit(3)


def hangs(document: dict[str, Any]) -> Any:
    HANGING.wait(60)
    return []


def says_nonsense(document: dict[str, Any]) -> Any:
    return [{"label": "x", "score": 7}]


def says_nothing(document: dict[str, Any]) -> Any:
    return None


def book(**options: Any) -> RuleBook:
    document = {"policies": {"chain": ["mine", "audit-logger"]}, "detectors": {"mine": options}}
    return RuleBook(PolicyConfig.model_validate(document), "digest", {"DETECTOR_KEY": "k"})


def rules(**options: Any) -> Rules:
    return book(**options).common


async def looked(made: Rules, who: Who | None = None) -> Screened:
    return await made.detectors.look(Screened(ANSWER), "output", REQUEST, who)


async def test_what_it_finds_has_the_verdict_of_its_action_and_a_place() -> None:
    screened = await looked(rules(detector=f"{__name__}:finds_rice", severity="high"))
    assert screened.verdict is Verdict.ESCALATED
    [finding] = screened.findings
    assert (finding.policy, finding.reason_code, finding.score, finding.severity) == ("mine", "rice", 800, "high")
    assert (finding.spans[0].start, finding.spans[0].end) == (9, 13)
    assert rules(detector=f"{__name__}:finds_rice").chain.looks_at_answers


async def test_below_its_threshold_it_finds_nothing_and_async_functions_are_awaited() -> None:
    assert (await looked(rules(detector=f"{__name__}:finds_rice", threshold=0.9))).findings == ()
    assert (await looked(rules(detector=f"{__name__}:finds_nothing"))).findings == ()


async def test_in_shadow_it_is_called_and_does_nothing() -> None:
    screened = await looked(rules(detector=f"{__name__}:finds_rice", mode="shadow"))
    assert screened.verdict is Verdict.PASSED
    assert screened.findings[0].would is Verdict.ESCALATED
    off = await looked(rules(detector=f"{__name__}:finds_rice", mode="off"))
    assert off.findings == ()


@pytest.mark.parametrize("name", ["raises", "leaves", "says_nonsense", "says_nothing", "is_not_there"])
@pytest.mark.parametrize(("on_error", "verdict"), [("escalate", Verdict.ESCALATED), ("block", Verdict.BLOCKED)])
async def test_one_that_fails_never_passes(name: str, on_error: str, verdict: Verdict) -> None:
    screened = await looked(rules(detector=f"{__name__}:{name}", on_error=on_error))
    assert screened.verdict is verdict
    assert screened.findings[0].reason_code == "detector_failed"


async def test_one_that_hangs_is_left_in_time_and_soon_not_called_any_more() -> None:
    HANGING.clear()
    made = rules(detector=f"{__name__}:hangs", timeout=0.1)
    started = time.monotonic()
    screened = await asyncio.gather(*(looked(made) for _ in range(40)))
    assert time.monotonic() - started < 3
    assert {one.verdict for one in screened} == {Verdict.ESCALATED}
    assert sum(thread.name == "detector mine" for thread in threading.enumerate()) <= 16
    HANGING.set()


@asynccontextmanager
async def served(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/look", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield _address(runner)
    finally:
        await runner.cleanup()


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}/look"


async def look_by_http(handler: Callable[[web.Request], Awaitable[web.StreamResponse]], **options: Any) -> Screened:
    async with served(handler) as url:
        return await look_at(url, **options)


async def look_at(url: str, **options: Any) -> Screened:
    made = book(url=url, **options)
    try:
        return await looked(made.common)
    finally:
        await made.close()


async def test_a_service_is_asked_with_its_secret_and_believed() -> None:
    seen: dict[str, Any] = {}

    async def answers(request: web.Request) -> web.Response:
        seen.update(await request.json(), authorization=request.headers["authorization"])
        return web.json_response({"findings": [{"label": "toxic", "score": 0.9}]})

    screened = await look_by_http(answers, secret_key_ref={"env": "DETECTOR_KEY"}, action="block")
    assert screened.verdict is Verdict.BLOCKED
    assert seen["authorization"] == "Bearer k"
    assert (seen["policy"], seen["stage"], seen["texts"][0]["text"]) == ("mine", "output", "Boil the rice in water.")


@pytest.mark.parametrize("kind", ["an error", "a redirect", "nonsense", "too much", "too late", "half of it"])
async def test_a_service_that_fails_never_passes(kind: str) -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        match kind:
            case "an error":
                return web.Response(status=500)
            case "a redirect":
                return web.Response(status=302, headers={"location": "/elsewhere"})
            case "nonsense":
                return web.Response(text="[" * 10_000)
            case "too much":
                return web.Response(body=b" " * 3_000_000)
            case "half of it":
                return web.Response(text='{"findings": [')
        await asyncio.sleep(5)
        return web.json_response({"findings": []})

    screened = await look_by_http(fails, timeout=0.3)
    assert (screened.verdict, screened.findings[0].reason_code) == (Verdict.ESCALATED, "detector_failed")


async def test_a_service_that_is_not_there_never_passes() -> None:
    assert (await look_at("http://127.0.0.1:1/look")).verdict is Verdict.ESCALATED
    lost = await look_at("http://127.0.0.1:1/look", secret_key_ref={"env": "NOT_SET"})
    assert lost.verdict is Verdict.ESCALATED


def test_rules_are_exchanged_whole_and_a_bad_one_changes_nothing() -> None:
    made = RuleBook(PolicyConfig.model_validate({"policies": {"chain": ["audit-logger"]}}), "one")
    before = made.common
    newer = PolicyConfig.model_validate({"policies": {"chain": ["pii-detector"]}, "consumer_groups": {"vip": {}}})
    made.use(made.ready(newer, "two"))
    assert (before.digest, made.common.digest, made.rules_for("vip").digest) == ("one", "two", "two")
    assert before.chain.names == ("audit-logger",)
