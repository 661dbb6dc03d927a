"""Where Slack sends clicks: `POST /v1/slack/interactions`. The signature comes first; nothing else is read before it.

A request whose signature is wrong, or older than five minutes, is answered 401 and written to the ledger. Signatures
are checked against the signing secret of every Slack entry of the settings whose buttons act.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from slack_sdk.signature import SignatureVerifier
from temporalio.exceptions import ApplicationError

from activities.channels.faults import secret
from api.authentication import Using
from api.desk import AtDesk
from api.problems import Problem
from api.services import Services
from api.slack_clicks import TENANT, Clicks, SlackApp
from escalations.channels import SlackChannel
from escalations.commands import Actor, ActorKind
from store.settings import current_settings

router = APIRouter(prefix="/v1/slack", tags=["slack"])

_NOBODY = Actor("slack", ActorKind.OPERATOR)


@router.post("/interactions", summary="Clicks in Slack, signed by Slack", response_model=None)
async def interactions(request: Request, using: Using, at: AtDesk) -> Response:
    """Answers within Slack's three seconds: a click is carried out behind the answer."""
    body = await request.body()
    app = await _signed_by(using, request.headers, body)
    if app is None:
        await at.refusals.write(TENANT, None, "slack_interaction", _NOBODY, "bad_signature")
        told = "this is not signed by Slack with a signing secret of the settings, or it is older than five minutes"
        raise Problem(401, "bad_signature", told)
    clicks: Clicks = request.app.state.clicks
    try:
        answer = await clicks.handle(app, _payload(body))
    except ValueError:
        raise Problem(400, "bad_request", "this is no interaction that Slack would send", field="payload") from None
    return Response(status_code=200) if answer is None else JSONResponse(answer)


async def _signed_by(using: Services, headers: Mapping[str, str], body: bytes) -> SlackApp | None:
    """The Slack app whose secret this is signed with, None for none."""
    async with using.database.read() as connection:
        channels = (await current_settings(connection, TENANT)).settings.notification_channels
    for name, channel in channels.items():
        if not isinstance(channel, SlackChannel) or not channel.interactive or channel.signing_secret_ref is None:
            continue
        try:
            key = secret("slack", channel.signing_secret_ref, using.environment, "a Slack signing secret")
        except ApplicationError:
            continue
        if _holds(SignatureVerifier(key), headers, body):
            return SlackApp(name, channel)
    return None


def _holds(verifier: SignatureVerifier, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the signature is right and young. What is no number, no text or not there is not right."""
    try:
        return verifier.is_valid(body, headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature"))
    except (ValueError, TypeError, OverflowError):
        return False


def _payload(body: bytes) -> Mapping[str, Any]:
    """Raises ValueError for what is no JSON object in the form's one field."""
    written = parse_qs(body.decode(), strict_parsing=True, max_num_fields=4).get("payload", [""])
    found = orjson.loads(written[0])
    if not isinstance(found, dict):
        raise ValueError("an interaction is a JSON object")
    return found
