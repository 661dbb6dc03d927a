"""200 webhooks through 72 hours of an outage, scaled: the receiver is real, the hours are those of a virtual clock.

All arrive but those that the receiver does not want any more (410), which an admin sends once more. A plain loop
stands in for Temporal, with the waits of the workflow's retry policy and the receiver's own wishes.
"""

from __future__ import annotations

import base64
import heapq
import secrets
import threading
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from standardwebhooks import Webhook
from temporalio.exceptions import ApplicationError

from activities.channels.guard import ALLOW_PRIVATE
from activities.channels.webhook import WebhookChannel
from escalations.channels import SecretReference
from escalations.channels import WebhookChannel as WebhookSettings
from tests.activities.notifications import notification, view
from tests.activities.receivers import Answer, Request, serving
from workflows.messages import Notification

HOUR = 3600.0
OUTAGE = 72 * HOUR
GIVEN_UP = 76 * HOUR
SECRET = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Receiver:
    """Away for a day, then failing in every way that there is, then well. Only what it answers 2xx to is accepted.

    For an hour it says that it is gone, which is final for whoever asks then.
    """

    now: float = 0.0
    attempts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    bodies: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    accepted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    well: bool = False
    asked_to_wait: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def away(self) -> bool:
        return self.now < 24 * HOUR

    def answer(self, request: Request) -> Answer:
        told = Webhook(SECRET).verify(request.body, request.headers)
        message_id = request.headers["webhook-id"]
        self.attempts[message_id] += 1
        self.bodies[message_id].add(request.body)
        assert told["data"]["status"] == "open"
        if self.well:
            self.accepted[message_id] += 1
            return Answer(204)
        if self.now < 48 * HOUR:
            return self._failed("500", Answer(500, b"a page of excuses"))
        if self.now < 49 * HOUR:
            return self._failed("slow", Answer(204, held=self.released))
        if self.now < 50 * HOUR:
            return self._failed("drips", Answer(drips=True))
        if self.now < 51 * HOUR:
            return self._failed("410", Answer(410))
        if self.now < 56 * HOUR:
            self.asked_to_wait.add(message_id)
            return self._failed("429", Answer(429, headers={"retry-after": "7200"}))
        if self.now < 64 * HOUR:
            return self._failed("302", Answer(302, headers={"location": "http://127.0.0.1:9/"}))
        self.accepted[message_id] += 1
        if self.now < OUTAGE:
            return self._failed("taken and not answered", Answer(lost=True))
        return Answer(204)

    def _failed(self, how: str, answer: Answer) -> Answer:
        self.seen.add(how)
        return answer


def wait_before(attempt: int) -> float:
    """What the workflow's retry policy for notifications waits after the attempt of that number."""
    return min(5 * 4.0 ** (attempt - 1), 4 * HOUR)


async def failure(channel: WebhookChannel, told: Notification) -> ApplicationError | None:
    try:
        await channel.send(told)
    except ApplicationError as failed:
        return failed
    return None


@pytest.mark.timeout(180)
async def test_200_webhooks_survive_three_days_of_outage() -> None:
    receiver = Receiver()
    cases = [view(escalation_id=f"esc_{number}") for number in range(200)]
    told = [replace(notification("opened", seen), id=f"{seen.escalation_id}/1/webhook:legal") for seen in cases]
    waiting = [(number * OUTAGE / 200, 1, number) for number in range(200)]
    began = [at for at, _, _ in waiting]
    delivered: dict[int, float] = {}
    given_up: list[int] = []
    with ExitStack() as running:
        server = running.enter_context(serving(receiver.answer, listening=False))
        running.callback(receiver.released.set)
        settings = WebhookSettings(
            type="webhook", url=f"http://127.0.0.1:{server.port}/hook", secret_key_ref=SecretReference(env="S")
        )
        hasty = WebhookChannel(settings, {"S": SECRET, ALLOW_PRIVATE: "1"}, timeout_s=0.05)
        patient = WebhookChannel(settings, {"S": SECRET, ALLOW_PRIVATE: "1"})
        back = False
        while waiting:
            at, attempt, number = heapq.heappop(waiting)
            receiver.now = at
            if not receiver.away and not back:
                server.listen()
                back = True
            slow = 48 * HOUR <= at < 50 * HOUR
            failed = await failure(hasty if slow else patient, told[number])
            if failed is None:
                delivered[number] = at
                continue
            if failed.non_retryable:
                given_up.append(number)
                continue
            asked = failed.next_retry_delay
            wait = asked.total_seconds() if asked is not None else wait_before(attempt)
            heapq.heappush(waiting, (at + wait, attempt + 1, number))
        # What the receiver did not want any more is sent once more by hand, when it does.
        receiver.well = True
        for number in given_up:
            assert await failure(patient, told[number]) is None
    assert given_up
    assert len(delivered) + len(given_up) == 200
    assert all(delivered[number] - began[number] < GIVEN_UP for number in delivered)
    assert receiver.seen == {"500", "slow", "drips", "410", "429", "302", "taken and not answered"}
    assert receiver.asked_to_wait
    assert set(receiver.accepted) == {f"esc_{number}_1_webhook_legal" for number in range(200)}
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values())
    assert any(times > 1 for times in receiver.accepted.values()), "at least once: the id is what tells a repetition"
