"""A webhook signed after Standard Webhooks 1.0.0: headers webhook-id, webhook-timestamp and webhook-signature, the
last an HMAC-SHA256 over `id.timestamp.body`. The body is thin: ids and states, never content.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
from temporalio.exceptions import ApplicationError

from escalations.settings import SecretReference
from escalations.settings import WebhookChannel as WebhookSettings
from workflows.messages import Notification

TIMEOUT_S = 20


class WebhookChannel:
    def __init__(self, settings: WebhookSettings, environment: Mapping[str, str]) -> None:
        self._url = settings.url
        self._key = _key(settings.secret_key_ref, environment)

    async def send(self, notification: Notification) -> None:
        """Raises ApplicationError for everything but a 2xx answer: a redirect is a failure, a 410 is final."""
        body = orjson.dumps(payload(notification))
        headers = {"content-type": "application/json", **sign(self._key, notification.id, int(time.time()), body)}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
                answer = await client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as fault:
            raise ApplicationError(f"the receiver did not answer: {type(fault).__name__}", type="webhook") from None
        if answer.status_code == 410:
            raise ApplicationError("the receiver is gone (410)", type="webhook", non_retryable=True)
        if not answer.is_success:
            raise ApplicationError(f"the receiver answered {answer.status_code}", type="webhook")


def payload(notification: Notification) -> dict[str, Any]:
    """The body: `type`, `timestamp` and `data`, as Standard Webhooks recommends."""
    view = notification.view
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
            "assignee": view.assignee,
            "recipient": notification.recipient,
            "sla_deadline": view.sla_deadline.isoformat(),
            "resolution": view.resolution,
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
    secret = environment.get(reference.env or "", "") if reference.env else _read(reference.file or "")
    try:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < 16:
        where = f"environment variable {reference.env}" if reference.env else f"file {reference.file}"
        raise ApplicationError(f"{where} does not hold a webhook secret (whsec_ and base64)", type="webhook")
    return key


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
