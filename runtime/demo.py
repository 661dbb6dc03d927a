"""The main job in front of a newcomer's eyes: ask with a stock OpenAI client, hold, claim, resolve, receive."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx

from runtime.progress import Progress
from runtime.settings import SettingsError

if TYPE_CHECKING:
    from runtime.dev import Dev

QUESTION = "Draft a final legal opinion about whether we can terminate an employee for cause based on the facts below."
PATIENCE_S = 60.0
_CLIENT = """
import sys
from openai import OpenAI
client = OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.stdin.readline().strip())
answer = client.chat.completions.create(model=sys.argv[2], messages=[{"role": "user", "content": sys.argv[3]}])
print(answer.choices[0].message.content)
"""


async def show_main_job(dev: Dev, progress: Progress) -> None:
    """Raises SettingsError when a step does not happen: a demo that does not end with a released answer has failed."""
    say = progress.say
    say("")
    say("The main job, step by step:")
    say(f"1. an application asks, with an unmodified OpenAI client: “{QUESTION}”")
    started = time.monotonic()
    model = "gpt-4o-mini"
    asking = await _ask(dev, model)
    headers = {"authorization": f"Bearer {dev.tokens['reviewer']}"}
    async with httpx.AsyncClient(base_url=dev.api_url, headers=headers, timeout=30, trust_env=False) as reviewer:
        case = await _held(reviewer, asking)
        held = case["escalation_id"]
        say(f"2. the model has answered, but nobody has seen it: {held} is held for a person")
        say(f"   {case['severity']} · {case['policy_rule']} found {case['reason_code']} · due {case['sla_deadline']}")
        say(f"   to {case['route']['destination']}, by the rule “{case['route']['name']}”")
        context = (await _call(reviewer, "GET", f"/v1/escalations/{held}?include=context"))["context"]
        answer = context["held_answer"]["choices"][0]["message"]["content"]
        say(f"3. the reviewer reads it: “{answer}”")
        await _call(reviewer, "POST", f"/v1/escalations/{held}/claim")
        say(f"4. and claims it:            kt escalation claim {held}")
        decision = {
            "resolution": "approved",
            "category": "false_positive",
            "note": "Allowed after the reviewer confirmed that this is training content.",
        }
        await _call(reviewer, "POST", f"/v1/escalations/{held}/resolve", decision)
        say(f"5. and resolves it:          kt escalation resolve {held} --resolution approved …")
        said, _ = await asyncio.wait_for(asking.communicate(), PATIENCE_S)
        if asking.returncode != 0:
            raise SettingsError("the demo's client did not receive its answer; see the gateway's log")
        say(f"6. the waiting client receives exactly what was approved, after {time.monotonic() - started:.1f} s:")
        say(f"   “{said.decode().strip()}”")
        events = (await _call(reviewer, "GET", f"/v1/escalations/{held}/history"))["history"]
        say("7. and this is what the record says:")
        for event in events:
            say(f"   {event['at'][11:19]}  {event['type']:<10} by {event['actor']:<12} ledger {event['ledger']}")
    say("")
    say(f"Look closer: kt escalation get {held} --include-context   ·   kt escalation explain {held}")
    if case.get("temporal_url"):
        say(f"Its workflow: {case['temporal_url']}")
    say("")


async def _ask(dev: Dev, model: str) -> asyncio.subprocess.Process:
    """The application: a process of its own, with the stock client. The key goes in by standard input."""
    asking = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _CLIENT,
        dev.gateway_url,
        model,
        QUESTION,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert asking.stdin is not None
    asking.stdin.write(dev.tokens["gateway_key"].encode() + b"\n")
    await asking.stdin.drain()
    asking.stdin.close()
    return asking


async def _held(reviewer: httpx.AsyncClient, asking: asyncio.subprocess.Process) -> dict[str, Any]:
    """The newest open case, as soon as there is one."""
    known = {item["escalation_id"] for item in await _open(reviewer)}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and asking.returncode is None:
        fresh = [item for item in await _open(reviewer) if item["escalation_id"] not in known]
        if fresh:
            return fresh[0]
        await asyncio.sleep(0.1)
    raise SettingsError("the demo's request was not held; see the gateway's log")


async def _open(reviewer: httpx.AsyncClient) -> list[dict[str, Any]]:
    page = await _call(reviewer, "GET", "/v1/escalations?status=open&limit=200")
    found: list[dict[str, Any]] = page["escalations"]
    return found


async def _call(client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = await client.request(method, path, json=body)
    if not answer.is_success:
        raise SettingsError(f"the demo stopped: {path} answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()
