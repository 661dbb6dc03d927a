"""What becomes of a notification that cannot be sent, on a real server: it falls through, it is kept, nothing waits."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import TypeAdapter

from activities.channels.guard import ALLOW_PRIVATE
from activities.choosing import PLACES
from activities.telling import start_telling
from escalations.commands import Claim
from escalations.routes import Chooser, Place, Route
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from escalations.sla import SlaTerms
from store.attempts import Attempt, AttemptOutcome, list_attempts
from store.settings import current_settings, put_settings
from tests.activities.notifications import notification, view
from tests.activities.receivers import Answer, Request, serving
from tests.escalations.cases import opening, resolve
from tests.support.bench import Bench, eventually, reviewer, running_bench
from workflows.messages import Notification

SECRET = "whsec_" + base64.b64encode(b"a secret of these tests' webhooks").decode()


@dataclass
class Receivers:
    """Webhooks by path; each answers 204 unless `answers` says otherwise."""

    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> Answer:
        self.asked[request.path] += 1
        found = self.answers.get(request.path, Answer(204))
        if found.status < 300:
            self.received.append((request.path, json.loads(request.body)))
        return found


@dataclass
class House:
    bench: Bench
    receivers: Receivers
    url: str

    async def channels(self, **fall_through: str | None) -> None:
        written = {
            name: {
                "type": "webhook",
                "url": f"{self.url}/{name}",
                "secret_key_ref": {"env": "SECRET"},
                **({"fall_through": following} if following else {}),
            }
            for name, following in fall_through.items()
        }
        settings = EscalationSettings.model_validate({"notification_channels": written})
        async with self.bench.database.write() as connection:
            await put_settings(connection, "default", settings, "admin", datetime.now(UTC))

    async def opens(self, name: str, channel: str, severity: Severity = Severity.HIGH) -> None:
        route = Route(Chooser.RULE, "all", team="legal", channel=channel, position=0)
        await self.bench.start(opening(escalation_id=name, route=route, severity=severity, edition=1))

    async def attempts(self, name: str, outcome: AttemptOutcome) -> list[Attempt]:
        """The rows of a case with that outcome, as soon as there are any."""

        async def look() -> list[Attempt]:
            async with self.bench.database.read() as connection:
                return await list_attempts(connection, "default", escalation_id=name, outcome=outcome)

        return await eventually(look, f"{outcome.value} attempts of {name}") or []


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    receivers, directory = Receivers(), Path(tmp_path_factory.mktemp("notifying"))
    with serving(receivers.answer) as server:
        environ = {"SECRET": SECRET, ALLOW_PRIVATE: "1"}
        async with running_bench(directory, environ=environ, hurry=100) as bench:
            yield House(bench, receivers, f"http://127.0.0.1:{server.port}")


async def test_what_can_never_arrive_falls_through_and_is_kept(house: House) -> None:
    await house.channels(gone="second", second=None)
    house.receivers.answers["/gone"] = Answer(410)
    await house.opens("esc_gone", "gone")
    (sent,) = await house.attempts("esc_gone", AttemptOutcome.SENT)
    assert (sent.channel, sent.notification_id) == ("second", "esc_gone/1/second")
    (dead,) = await house.attempts("esc_gone", AttemptOutcome.DEAD)
    assert (dead.channel, dead.next_channel, dead.problem) == ("gone", "second", "the receiver is gone (410)")
    assert dead.body is not None
    assert ("/second", "esc_gone") in [(path, told["data"]["escalation_id"]) for path, told in house.receivers.received]


async def test_a_receiver_that_is_gone_is_asked_no_more_and_other_channels_are(house: House) -> None:
    await house.channels(left="stand-in", **{"stand-in": None})
    house.receivers.answers["/left"] = Answer(410)
    await house.opens("esc_left", "left")
    await house.attempts("esc_left", AttemptOutcome.DEAD)
    asked = house.receivers.asked["/left"]
    await house.opens("esc_left_too", "left")
    (dead,) = await house.attempts("esc_left_too", AttemptOutcome.DEAD)
    assert dead.problem == "the receiver is gone (410), as it said before; nothing was sent"
    assert house.receivers.asked["/left"] == asked
    (sent,) = await house.attempts("esc_left_too", AttemptOutcome.SENT)
    assert sent.channel == "stand-in"


async def test_a_receiver_that_is_back_is_asked_again_after_a_dead_letter_arrived(house: House) -> None:
    await house.channels(moved=None)
    house.receivers.answers["/moved"] = Answer(410)
    await house.opens("esc_moved", "moved")
    (dead,) = await house.attempts("esc_moved", AttemptOutcome.DEAD)
    house.receivers.answers["/moved"] = Answer(204)
    letter = TypeAdapter(Notification).validate_json(dead.body or b"")
    await start_telling(house.bench.client, replace(letter, replayed=True), "by hand")
    await house.attempts("esc_moved", AttemptOutcome.SENT)
    await house.opens("esc_moved_too", "moved")
    (sent,) = await house.attempts("esc_moved_too", AttemptOutcome.SENT)
    assert sent.channel == "moved"


async def test_a_receiver_that_was_gone_is_asked_again_under_other_settings(house: House) -> None:
    await house.channels(set_up=None)
    house.receivers.answers["/set_up"] = Answer(410)
    await house.opens("esc_set_up", "set_up")
    await house.attempts("esc_set_up", AttemptOutcome.DEAD)
    house.receivers.answers["/set_up"] = Answer(204)
    await house.channels(set_up=None, anew=None)
    await house.opens("esc_set_up_anew", "set_up")
    (sent,) = await house.attempts("esc_set_up_anew", AttemptOutcome.SENT)
    assert sent.channel == "set_up"


async def test_a_critical_case_falls_through_at_the_first_failure_and_the_first_channel_goes_on(house: House) -> None:
    await house.channels(away="next", next=None)
    house.receivers.answers["/away"] = Answer(500)
    await house.opens("esc_away", "away", Severity.CRITICAL)
    (sent,) = await house.attempts("esc_away", AttemptOutcome.SENT)
    assert sent.channel == "next"
    del house.receivers.answers["/away"]

    async def both() -> bool:
        sent = await house.attempts("esc_away", AttemptOutcome.SENT)
        return {attempt.channel for attempt in sent} == {"away", "next"}

    await eventually(both, "the first channel to be told as well")
    assert [path for path, told in house.receivers.received if told["data"]["escalation_id"] == "esc_away"] == [
        "/next", "/away",
    ]  # fmt: skip


async def test_a_case_falls_through_at_the_third_failure_and_not_before(house: House) -> None:
    await house.channels(broken="instead", instead=None)
    house.receivers.answers["/broken"] = Answer(500)
    await house.opens("esc_broken", "broken")
    (sent,) = await house.attempts("esc_broken", AttemptOutcome.SENT)
    assert sent.channel == "instead"

    async def three() -> list[Attempt] | None:
        failed = await house.attempts("esc_broken", AttemptOutcome.FAILED)
        return failed if len(failed) == 3 else None

    failed = await eventually(three, "the row of the third failure")
    assert sorted((one.attempt, one.next_channel) for one in failed) == [(1, None), (2, None), (3, "instead")]


async def test_a_receiver_that_hangs_holds_no_other_channel_up(house: House) -> None:
    await house.channels(hanging=None, prompt=None)
    released = threading.Event()
    house.receivers.answers["/hanging"] = Answer(204, held=released)
    waiting = [notification(seen=view(escalation_id=f"esc_hang_{n}"), channel="hanging") for n in range(3 * PLACES)]
    for one in waiting:
        await start_telling(house.bench.client, one)

    async def full() -> bool:
        return house.receivers.asked["/hanging"] == PLACES

    await eventually(full, "the places of the channel to be taken")
    await start_telling(house.bench.client, notification(seen=view(escalation_id="esc_prompt"), channel="prompt"))
    await house.attempts("esc_prompt", AttemptOutcome.SENT)
    assert house.receivers.asked["/hanging"] == PLACES
    released.set()
    for one in waiting:
        await house.attempts(one.view.escalation_id, AttemptOutcome.SENT)


async def test_no_failing_channel_keeps_a_case_from_being_decided(house: House) -> None:
    await house.channels(dripping=None)
    house.receivers.answers["/dripping"] = Answer(503)
    await house.opens("esc_drip", "dripping")
    await house.attempts("esc_drip", AttemptOutcome.FAILED)
    await house.bench.do("esc_drip", Claim(reviewer()))
    done = await house.bench.do("esc_drip", resolve(reviewer()))
    assert done.view.resolution == "allow"
    await house.bench.happened("esc_drip", "resolved")


async def test_a_circle_ends(house: House) -> None:
    await house.channels(one="two", two="one")
    house.receivers.answers |= {"/one": Answer(410), "/two": Answer(410)}
    await house.opens("esc_circle", "one")

    async def both() -> bool:
        return len(await house.attempts("esc_circle", AttemptOutcome.DEAD)) == 2

    await eventually(both, "both to be given up")
    dead = await house.attempts("esc_circle", AttemptOutcome.DEAD)
    assert {(one.channel, one.next_channel) for one in dead} == {("one", "two"), ("two", None)}


async def test_each_leg_of_a_chain_is_told_on_its_own_channels(house: House) -> None:
    await house.channels(first=None, beside=None, second=None, admins=None)
    legs = [
        {"to": "team:legal", "ack_timeout": "1s", "notify": ["first", "beside"]},
        {"to": "team:compliance", "ack_timeout": "1s", "notify": ["second"]},
    ]
    chains = {"asked": {"legs": legs, "on_exhausted": "page_admin", "page": ["admins"]}}
    rules = [{"name": "in turn", "match": {"any": True}, "route_to": "chain:asked"}]
    async with house.bench.database.write() as connection:
        before = (await current_settings(connection, "default")).settings
        kept = before.model_dump(mode="json", by_alias=True, exclude_none=True)
        chosen = EscalationSettings.model_validate(kept | {"chains": chains, "escalation_routing": {"rules": rules}})
        version = (await put_settings(connection, "default", chosen, "admin", datetime.now(UTC))).version
    place = Place("asked", 0, 0, timedelta(seconds=1))
    route = Route(Chooser.RULE, "in turn", team="legal", channel="first", position=0, place=place, also=("beside",))
    sla = SlaTerms(timedelta(hours=1), settings_version=version)
    await house.bench.start(opening(escalation_id="esc_chained", route=route, sla=sla))
    await house.bench.happened("esc_chained", "chain_exhausted")

    async def told() -> dict[str, list[str]] | None:
        heard: dict[str, list[str]] = {}
        for path, body in house.receivers.received:
            if body["data"]["escalation_id"] == "esc_chained":
                heard.setdefault(path, []).append(body["type"])
        return heard if sum(map(len, heard.values())) >= 7 else None

    heard = await eventually(told, "everybody to be told") or {}
    assert {path: sorted(kinds) for path, kinds in heard.items()} == {
        "/first": ["escalation.opened", "escalation.unacknowledged"],
        "/beside": ["escalation.opened", "escalation.unacknowledged"],
        "/second": ["escalation.reassigned", "escalation.unacknowledged"],
        "/admins": ["escalation.chain_exhausted"],
    }
