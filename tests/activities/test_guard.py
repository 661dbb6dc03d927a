"""Where webhooks may go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.channels.guard import ALLOW_PRIVATE, Refused, Unresolved, is_public, resolve, targets
from activities.channels.webhook import WebhookChannel
from escalations.channels import SecretReference
from escalations.channels import WebhookChannel as WebhookSettings
from tests.activities.certificates import certified
from tests.activities.notifications import notification
from tests.activities.receivers import Answer, Request, serving

SECRET = "whsec_" + "QUJD" * 8
HOOK = SecretReference(env="HOOK_SECRET")


def names(*answers: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A name service that gives these answers, one after the other."""
    left = list(answers)

    async def look_up(host: str, port: int) -> list[str]:
        return left.pop(0)

    return look_up


async def test_a_look_up_waits_for_no_other_work_of_the_process() -> None:
    loop, held = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    other = loop.run_in_executor(None, held.wait)
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]
    held.set()
    await other


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1",
        "2001:0:53aa:64c:0:0:80ff:fffe",
    ],
)  # fmt: skip
def test_addresses_that_only_the_worker_reaches_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:2800:21f::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_addresses_that_everybody_reaches_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]:80/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://127.1/",
    ],
)
async def test_a_private_address_is_refused_however_it_is_written(url: str) -> None:
    with pytest.raises(Refused) as told:
        await targets(url, {})
    assert "127" not in str(told.value)
    assert await targets(url, {ALLOW_PRIVATE: "1"})


@pytest.mark.parametrize("value", ["", "0", "true", "yes"])
async def test_only_a_one_allows_private_addresses(value: str) -> None:
    with pytest.raises(Refused):
        await targets("http://127.0.0.1/", {ALLOW_PRIVATE: value})


async def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(Refused):
        await targets("https://hooks.example.com", {}, names(["93.184.215.14", "10.0.0.1"]))


async def test_the_request_goes_to_the_address_that_was_checked() -> None:
    look_up = names(["93.184.215.14"], ["127.0.0.1"])
    (target,) = await targets("https://user:pw@hooks.example.com:8443/a?b=c", {}, look_up)
    assert str(target.url).endswith("@93.184.215.14:8443/a?b=c")
    assert target.host == "hooks.example.com:8443"
    assert target.extensions == {"sni_hostname": "hooks.example.com"}


@pytest.mark.parametrize("url", ["http://", "http:///x", "http://[::1", "http://x:99999/", "ftp://x"])
async def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        await targets(url, {}, names(["8.8.8.8"]))


async def test_a_name_without_an_address_may_have_one_later() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(Unresolved):
        await targets("https://hooks.example.com", {}, nothing)


async def test_a_webhook_to_a_private_address_is_final_and_never_connects() -> None:
    received: list[Request] = []

    def answer(request: Request) -> Answer:
        received.append(request)
        return Answer(204)

    with serving(answer) as server:
        url = f"http://127.0.0.1:{server.port}/"
        settings = WebhookSettings(type="webhook", url=url, secret_key_ref=HOOK)
        with pytest.raises(ApplicationError, match="no public address") as told:
            await WebhookChannel(settings, {"HOOK_SECRET": SECRET}).send(notification())
    assert told.value.non_retryable
    assert received == []


@pytest.mark.parametrize(("wanted", "arrives"), [("hooks.example.com", True), ("other.example.com", False)])
async def test_over_tls_the_certificate_is_that_of_the_name(tmp_path: Path, wanted: str, arrives: bool) -> None:
    certificate = certified(tmp_path, "hooks.example.com")
    received: list[Request] = []

    def answer(request: Request) -> Answer:
        received.append(request)
        return Answer(204)

    with serving(answer) as server:
        server.socket = certificate.server.wrap_socket(server.socket, server_side=True)
        url = f"https://{wanted}:{server.port}/hook"
        settings = WebhookSettings(type="webhook", url=url, secret_key_ref=HOOK)
        environment = {"HOOK_SECRET": SECRET, ALLOW_PRIVATE: "1"}
        channel = WebhookChannel(settings, environment, look_up=names(["127.0.0.1"]), tls=certificate.client)
        if arrives:
            await channel.send(notification())
        else:
            with pytest.raises(ApplicationError, match="did not answer"):
                await channel.send(notification())
    expected = [f"{wanted}:{server.port}"] if arrives else []
    assert [request.headers["host"] for request in received] == expected


async def test_an_address_that_does_not_listen_is_passed_over_for_the_next() -> None:
    received: list[Request] = []

    def answer(request: Request) -> Answer:
        received.append(request)
        return Answer(204)

    with serving(answer) as server:
        url = f"http://hooks.example.com:{server.port}/"
        settings = WebhookSettings(type="webhook", url=url, secret_key_ref=HOOK)
        environment = {"HOOK_SECRET": SECRET, ALLOW_PRIVATE: "1"}
        await WebhookChannel(settings, environment, look_up=names(["127.0.0.2", "127.0.0.1"])).send(notification())
    assert len(received) == 1
