"""Slack's Web API: one call, answered with `ok` or an error in Slack's own words. Temporal alone retries.

Source: https://docs.slack.dev/apis/web-api/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from activities.channels.faults import fault, retry_after

TIMEOUT_S = 20.0
BASE_URL = "KT_SLACK_API_URL"
"""Overrides where Slack's Web API is, for a proxy or a test. Not a setting: whoever edits settings must not aim the
worker's token."""

_TRANSIENT = frozenset(
    {"fatal_error", "internal_error", "rate_limited", "ratelimited", "request_timeout", "service_unavailable"}
)


class SlackError(Exception):
    """Slack answered, and not with `ok`. `code` is one of its documented words."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str]) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers


def base_url(environment: Mapping[str, str]) -> str:
    return (environment.get(BASE_URL) or "https://slack.com/api").rstrip("/")


def slack_client(base: str, token: str, timeout_s: float = TIMEOUT_S) -> httpx.AsyncClient:
    """A client that speaks as the bot whose token it is. The caller closes it."""
    return httpx.AsyncClient(base_url=f"{base}/", headers={"authorization": f"Bearer {token}"}, timeout=timeout_s)


async def call(client: httpx.AsyncClient, method: str, body: dict[str, Any], *, reads: bool = False) -> dict[str, Any]:
    """One call of the Web API. Raises SlackError unless the answer says `ok`, and httpx.HTTPError without an answer."""
    answer = await (client.get(method, params=body) if reads else client.post(method, json=body))
    try:
        said = answer.json()
    except ValueError:
        said = None
    told: dict[str, Any] = said if isinstance(said, dict) else {}
    if answer.status_code != 200 or told.get("ok") is not True:
        raise SlackError(answer.status_code, _code(told.get("error")), answer.headers)
    return told


def slack_fault(refused: SlackError) -> Exception:
    """The channel's error for what Slack refused: final where no repetition heals it."""
    final = refused.status == 200 and refused.code not in _TRANSIENT and refused.code != "unknown"
    told = f"Slack answered {refused.status} {refused.code}"
    return fault("slack", told, final=final, wait=retry_after(refused.headers))


def _code(written: Any) -> str:
    return written if isinstance(written, str) and re.fullmatch(r"[a-z_]{1,60}", written) else "unknown"
