"""Apprise, with its own plug-in for JSON, against a receiver on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from temporalio.exceptions import ApplicationError

from activities.channels.other_services import AppriseChannel
from escalations.channels import AppriseChannel as AppriseSettings
from escalations.channels import SecretReference
from tests.activities.notifications import notification, view
from tests.activities.receivers import Answer, Request, serving
from tests.support.bench import eventually

SETTINGS = AppriseSettings(type="apprise", url_ref=SecretReference(env="URL"))


@dataclass
class Service:
    port: int = 0
    answers: Answer = field(default_factory=lambda: Answer(200))
    received: list[dict[str, str]] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.received.append(json.loads(request.body))
        return self.answers

    def channel(self, url: str | None = None) -> AppriseChannel:
        given = f"json://user:s3cret@127.0.0.1:{self.port}/" if url is None else url
        return AppriseChannel(SETTINGS, {"URL": given, "KT_PUBLIC_URL": "https://review.example.com"})


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    with serving(made.answer) as server:
        made.port = server.port
        yield made


async def test_a_service_is_told_what_mail_is_told(service: Service) -> None:
    assert await service.channel().send(notification()) is True
    assert await service.channel().send(notification("claimed")) is False
    (told,) = service.received
    assert told["title"] == "Review wanted: human-oversight (legal_opinions), high"
    assert told["type"] == "warning"
    assert "https://review.example.com/escalations/esc_1" in told["message"]


async def test_a_service_that_hangs_keeps_no_other_work_of_the_process_waiting(service: Service) -> None:
    loop, held = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    service.answers = Answer(200, held=held)
    telling = asyncio.create_task(service.channel().send(notification()))
    await eventually(lambda: asyncio.sleep(0, service.received), "the service to be asked")
    assert await asyncio.to_thread(lambda: "other work") == "other work"
    held.set()
    assert await telling


async def test_hostile_names_stay_on_their_line(service: Service) -> None:
    await service.channel().send(notification("opened", view(policy_rule="x\n\u202e[a](https://evil.example)")))
    (told,) = service.received
    assert "\n" not in told["title"]
    assert "\u202e" not in told["title"]


async def test_a_service_that_refuses_is_tried_again_without_its_url_in_any_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answers = Answer(500)
    with caplog.at_level(logging.DEBUG), pytest.raises(ApplicationError, match="did not take it") as told:
        await service.channel().send(notification())
    assert not told.value.non_retryable
    assert "s3cret" not in caplog.text + str(told.value)


@pytest.mark.parametrize("url", ["", "nothing-that-apprise-knows://x", "not a url"])
async def test_a_url_that_is_none_is_refused_without_repeating_it(service: Service, url: str) -> None:
    with pytest.raises(ApplicationError, match="URL does not hold an Apprise URL") as told:
        await service.channel(url).send(notification())
    assert not url or url not in str(told.value)


async def test_without_the_extra_it_says_what_to_install(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ApplicationError, match=r"keeptrusts\[apprise\]") as told:
        await service.channel().send(notification())
    assert told.value.non_retryable
