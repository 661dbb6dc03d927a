"""A webhook signed after Standard Webhooks 1.0.0: headers webhook-id, webhook-timestamp and webhook-signature, the
last an HMAC-SHA256 over `id.timestamp.body`. The body is thin: ids and states, never content.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import orjson

from activities.channels import guard
from activities.channels.faults import GONE, fault, no_secret, retry_after, secret
from escalations.channels import SecretReference
from escalations.channels import WebhookChannel as WebhookSettings
from workflows.messages import Notification

TIMEOUT_S = 20.0
_WHAT = "a webhook secret (whsec_ and base64)"


class WebhookChannel:
    """`look_up`, `tls` and `timeout_s` are the name service, the trusted certificates and the patience, for tests."""

    def __init__(
        self,
        settings: WebhookSettings,
        environment: Mapping[str, str],
        *,
        look_up: guard.Resolve = guard.resolve,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url = settings.url
        self._environment = environment
        self._key = _key(settings.secret_key_ref, environment)
        self._look_up = look_up
        self._tls = tls
        self._timeout_s = timeout_s

    async def send(self, notification: Notification) -> bool:
        """Raises ApplicationError for everything but a 2xx answer: a redirect is a failure, a 410 is final."""
        await self.post(notification.id, int(time.time()), orjson.dumps(payload(notification)))
        return True

    async def post(self, message_id: str, timestamp: int, body: bytes) -> None:
        """Send a signed body. Raises ApplicationError."""
        headers = {"content-type": "application/json", **sign(self._key, message_id, timestamp, body)}
        try:
            async with asyncio.timeout(self._timeout_s):
                targets = await guard.targets(self._url, self._environment, self._look_up)
                status, answered = await self._post(targets, headers, body)
        except guard.Refused as refused:
            raise fault("webhook", str(refused), final=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, guard.Unresolved) as away:
            raise fault("webhook", f"the receiver did not answer: {type(away).__name__}") from None
        if status == 410:
            raise fault("webhook", GONE, final=True)
        if not 200 <= status < 300:
            wait = retry_after(answered) if status in (429, 503) else None
            raise fault("webhook", f"the receiver answered {status}", wait=wait)

    async def _post(
        self, targets: list[guard.Target], headers: dict[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str]]:
        """Status and headers of the answer. Its body is never read: nothing in it matters, and it may have no end."""
        client = httpx.AsyncClient(
            timeout=self._timeout_s, follow_redirects=False, trust_env=False, verify=self._tls or _public_certificates()
        )
        async with client:
            for index, target in enumerate(targets):
                all_headers = {**headers, "host": target.host}
                try:
                    async with client.stream(
                        "POST", target.url, content=body, headers=all_headers, extensions=target.extensions
                    ) as answer:
                        return answer.status_code, answer.headers
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if index == len(targets) - 1:
                        raise
        raise httpx.ConnectError("no address")


def payload(notification: Notification) -> dict[str, Any]:
    """The body: `type`, `timestamp` and `data`, as Standard Webhooks recommends.

    Of a case that may be reviewed a second time, blind, only the application whose answer was held is told how it was
    decided: who else reads a webhook may be asked.
    """
    view = notification.view
    blind = view.second_review and not notification.to_consumer
    return {
        "type": f"escalation.{notification.event}",
        "timestamp": notification.at.isoformat(),
        "data": {
            "escalation_id": view.escalation_id,
            "status": view.status.value,
            "sla_state": view.sla_state.value,
            "severity": view.severity.value,
            "policy_rule": view.policy_rule,
            "reason_code": view.reason_code,
            "team": view.team,
            "assignee": None if blind and view.end is not None else view.assignee,
            "recipient": notification.recipient,
            "sla_deadline": view.sla_deadline.isoformat(),
            "resolution": None if blind else view.resolution,
            "event_id": view.event_id,
        },
    }


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers. `message_id` stays the same over retries, the timestamp is the attempt's."""
    message_id = message_id.replace("/", "_").replace(":", "_").replace(".", "_")
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _key(reference: SecretReference, environment: Mapping[str, str]) -> bytes:
    """The signing key of a `whsec_…` secret. Raises ApplicationError when there is none, without naming it."""
    written = secret("webhook", reference, environment, _WHAT)
    try:
        key = base64.b64decode(written.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < 16:
        raise no_secret("webhook", reference, _WHAT)
    return key


@cache
def _public_certificates() -> ssl.SSLContext:
    """Loaded once: it costs more than a delivery."""
    return httpx.create_ssl_context(trust_env=False)
