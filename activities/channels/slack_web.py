"""Slack's Web API, through its own SDK: one call, answered with `ok` or an error in Slack's own words.

The SDK's repetitions are off, as Temporal alone retries, and so are its log, which holds what is sent, and redirects,
which would take it elsewhere. It is loaded where it is used, as it takes a quarter of a second.

Sources: https://docs.slack.dev/apis/web-api/, https://docs.slack.dev/tools/python-slack-sdk/
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import httpx

from activities.channels.faults import fault, retry_after

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

TIMEOUT_S = 20.0
BASE_URL = "KT_SLACK_API_URL"
"""Overrides where Slack's Web API is, for a proxy or a test. Not a setting: whoever edits settings must not aim the
worker's token."""

_TRANSIENT = frozenset(
    {"fatal_error", "internal_error", "rate_limited", "ratelimited", "request_timeout", "service_unavailable"}
)


_silent = logging.getLogger("keeptrusts.slack.sdk")
_silent.setLevel(logging.WARNING)
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class SlackAway(Exception):
    """Slack did not answer. Says the kind of the trouble only."""


class SlackError(Exception):
    """Slack answered, and not with `ok`. `code` is one of its documented words."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str]) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers


def base_url(environment: Mapping[str, str]) -> str:
    return (environment.get(BASE_URL) or "https://slack.com/api").rstrip("/")


@asynccontextmanager
async def slack_client(base: str, token: str, timeout_s: float = TIMEOUT_S) -> AsyncIterator[AsyncWebClient]:
    """A client that speaks as the bot whose token it is, and trusts the certificates that everything here trusts."""
    import aiohttp
    from slack_sdk.web.async_client import AsyncWebClient

    straight = aiohttp.TraceConfig()
    straight.on_request_redirect.append(_refuse_redirect)
    limit = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(timeout=limit, trust_env=True, trace_configs=[straight]) as session:
        client = AsyncWebClient(
            token, base_url=f"{base}/", session=session, ssl=_certificates(), retry_handlers=[], logger=_silent
        )
        # The session reads the environment itself, and knows what NO_PROXY means.
        client.proxy = None
        yield client


async def call(client: AsyncWebClient, method: str, body: dict[str, Any], *, reads: bool = False) -> dict[str, Any]:
    """One call of the Web API. Raises SlackError unless the answer says `ok`, and SlackAway without an answer."""
    import aiohttp
    from slack_sdk.errors import SlackApiError

    try:
        # What reads takes no JSON. It is no GET, which aiohttp would repeat by itself.
        answer = await (client.api_call(method, data=body) if reads else client.api_call(method, json=body))
    except SlackApiError as refused:
        raise _error(refused.response) from None
    except (aiohttp.ClientError, OSError) as away:
        # Before the next: a certificate that does not fit is a ValueError too.
        raise SlackAway(type(away).__name__) from None
    except (AttributeError, ValueError):
        # What the SDK makes of an answer that is no JSON object.
        raise SlackError(200, "unknown", {}) from None
    return cast(dict[str, Any], answer.data)


def _error(answer: Any) -> SlackError:
    """Of an answer of the SDK; or of aiohttp, where the body could not be read."""
    status: int = answer.status_code if hasattr(answer, "status_code") else answer.status
    data = getattr(answer, "data", None)
    return SlackError(status, _code(data.get("error") if isinstance(data, dict) else None), answer.headers)


async def _refuse_redirect(*_: Any) -> None:
    import aiohttp

    raise aiohttp.ClientError("a redirect")


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def slack_fault(refused: SlackError | SlackAway) -> Exception:
    """The channel's error for what Slack refused: final where no repetition heals it."""
    if isinstance(refused, SlackAway):
        return fault("slack", f"Slack did not answer: {refused}")
    final = refused.status == 200 and refused.code not in _TRANSIENT and refused.code != "unknown"
    told = f"Slack answered {refused.status} {refused.code}"
    return fault("slack", told, final=final, wait=retry_after(refused.headers))


def _code(written: Any) -> str:
    return written if isinstance(written, str) and re.fullmatch(r"[a-z_]{1,60}", written) else "unknown"
