"""PagerDuty, against a fake of Events v2 that checks events and keeps incidents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.channels.pagerduty import PagerDutyChannel
from escalations.channels import PagerDutyChannel as PagerDutySettings
from escalations.channels import SecretReference
from escalations.severity import Severity
from tests.activities.notifications import Projection, breached, claimed, notification, resolved, view
from tests.activities.receivers import Answer, FakePagerDuty, serving
from tests.escalations.cases import START

SETTINGS = PagerDutySettings(type="pagerduty", routing_key_ref=SecretReference(env="ROUTING_KEY"))


class Service:
    def __init__(self, url: str) -> None:
        self.fake = FakePagerDuty()
        self.projection = Projection()
        self.environment = {
            "KT_PAGERDUTY_URL": url,
            "ROUTING_KEY": FakePagerDuty.KEY,
            "KT_PUBLIC_URL": "https://review.example.com/",
        }

    @property
    def channel(self) -> PagerDutyChannel:
        return PagerDutyChannel(SETTINGS, self.environment, self.projection.newest)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service("")
    with serving(lambda request: made.fake.answer(request)) as server:
        made.environment["KT_PAGERDUTY_URL"] = f"http://127.0.0.1:{server.port}"
        yield made


async def test_a_case_is_one_incident_from_trigger_to_resolve(service: Service) -> None:
    standing = []
    for seq, (event, seen) in enumerate(
        [("opened", view()), ("claimed", claimed()), ("breached", breached()), ("resolved", resolved())], start=1
    ):
        await service.channel.send(notification(event, seen, "pagerduty", seq))
        standing.append(service.fake.incidents["esc_1"])
    assert standing == ["triggered", "acknowledged", "acknowledged", "resolved"]
    assert {event["dedup_key"] for event in service.fake.events} == {"esc_1"}


@pytest.mark.parametrize(
    ("severity", "theirs"),
    [
        (Severity.CRITICAL, "critical"),
        (Severity.HIGH, "error"),
        (Severity.MEDIUM, "warning"),
        (Severity.LOW, "info"),
    ],
)
async def test_severities_are_theirs(service: Service, severity: Severity, theirs: str) -> None:
    await service.channel.send(notification("opened", view(severity=severity), "pagerduty"))
    assert service.fake.events[0]["payload"]["severity"] == theirs


async def test_a_trigger_says_what_and_where_and_holds_no_content(service: Service) -> None:
    await service.channel.send(notification("opened", channel="pagerduty"))
    event = service.fake.events[0]
    assert event["payload"]["summary"] == "Review wanted: human-oversight (legal_opinions), high"
    assert event["links"] == [{"href": "https://review.example.com/escalations/esc_1", "text": "Open the escalation"}]
    assert set(event["payload"]) == {
        "summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details",
    }  # fmt: skip
    assert set(event["payload"]["custom_details"]) == {
        "escalation_id", "notification_id", "event", "status", "sla_state", "sla_deadline", "assignee",
    }  # fmt: skip


async def test_an_assignment_wakes_and_does_not_acknowledge(service: Service) -> None:
    await service.channel.send(notification("opened", view(assignee="ana", claimed_at=START), "pagerduty", 1))
    await service.channel.send(notification("assigned", view(assignee="ana", claimed_at=START), "pagerduty", 2))
    assert service.fake.incidents == {"esc_1": "triggered"}


async def test_giving_back_a_claim_triggers_again(service: Service) -> None:
    for seq, (event, seen) in enumerate([("opened", view()), ("claimed", claimed()), ("unclaimed", view(3))], start=1):
        await service.channel.send(notification(event, seen, "pagerduty", seq))
    assert [event["event_action"] for event in service.fake.events] == ["trigger", "acknowledge", "trigger"]


async def test_a_trigger_that_was_stuck_does_not_open_again_what_has_ended(service: Service) -> None:
    service.projection.now = resolved()
    await service.channel.send(notification("resolved", resolved(), "pagerduty", 4))
    await service.channel.send(notification("opened", channel="pagerduty"))
    assert service.fake.incidents == {}


async def test_a_trigger_that_was_stuck_wakes_nobody_for_what_has_been_claimed_since(service: Service) -> None:
    service.projection.now = claimed()
    await service.channel.send(notification("opened", channel="pagerduty"))
    assert service.fake.events == []


@pytest.mark.parametrize("event", ["commented", "extended", "refused", "released_at_breach", "of_the_future"])
async def test_what_concerns_nobody_on_call_is_not_sent(service: Service, event: str) -> None:
    await service.channel.send(notification(event, channel="pagerduty"))
    assert service.fake.events == []


@pytest.mark.parametrize("status", [302, 408, 429, 500, 502, 503])
async def test_limits_and_outages_are_tried_again(service: Service, status: int) -> None:
    service.fake.scripted = [Answer(status, b"secret words", {"retry-after": "11"})]
    with pytest.raises(ApplicationError) as told:
        await service.channel.send(notification("opened", channel="pagerduty"))
    assert not told.value.non_retryable
    assert told.value.next_retry_delay == timedelta(seconds=11)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("answer", [Answer(400), Answer(410), Answer(413)])
async def test_what_they_refuse_is_final(service: Service, answer: Answer) -> None:
    service.fake.scripted = [answer]
    with pytest.raises(ApplicationError) as told:
        await service.channel.send(notification("opened", channel="pagerduty"))
    assert told.value.non_retryable


async def test_a_wrong_key_is_final_and_not_repeated(service: Service) -> None:
    service.environment["ROUTING_KEY"] = "wrong-key"
    with pytest.raises(ApplicationError, match="400") as told:
        await service.channel.send(notification("opened", channel="pagerduty"))
    assert told.value.non_retryable
    assert "wrong-key" not in str(told.value)


async def test_a_connection_that_breaks_is_tried_again(service: Service) -> None:
    service.fake.scripted = [Answer(lost=True)]
    with pytest.raises(ApplicationError, match="did not answer") as told:
        await service.channel.send(notification("opened", channel="pagerduty"))
    assert not told.value.non_retryable


async def test_long_names_are_cut_to_their_limits(service: Service) -> None:
    long = replace(view(), policy_rule="p" * 5000, reason_code="r" * 5000, gateway="g" * 5000, team="t" * 5000)
    await service.channel.send(notification("opened", long, "pagerduty"))
    assert len(service.fake.events) == 1
