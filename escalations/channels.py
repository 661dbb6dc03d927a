"""The settings of notification channels: how each is reached, where its secrets stand, what it may show.

notification_channels:
  slack: {type: slack, token_ref: {env: SLACK_BOT_TOKEN}, channel: "C0123456789"}
  legal-hook: {type: webhook, url: "https://…", secret_key_ref: {env: LEGAL_HOOK_SECRET}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from escalations.grouping import Groups
from escalations.parts import Part, one_or_many


class SecretReference(Part):
    """Where a secret is read from: an environment variable or a file. Never the secret itself."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretReference:
        if (self.env is None) == (self.file is None):
            raise ValueError("set exactly one of env and file")
        return self


SLACK_CHANNEL = r"^(#[\w.-]{1,80}|[CGD][A-Z0-9]{8,})$"
ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"


Content = Literal["none", "redacted", "full"]
"""What a card or a mail shows of a held answer: nothing, an excerpt with personal data and credentials struck out where
they are recognised, or an excerpt as it is."""


class Reached(Part):
    """What all channels that can fail have in common. `fall_through` is told in the place of one that fails."""

    fall_through: Annotated[str, Field(min_length=1, max_length=300)] | None = None


class WebhookChannel(Reached):
    """A receiver of signed webhooks (Standard Webhooks 1.0.0); the secret is `whsec_` and base64."""

    type: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://")]
    secret_key_ref: SecretReference


class LogChannel(Part):
    """A line in the worker's log."""

    type: Literal["log"]


class SlackChannel(Reached, Groups):
    """Cards in Slack. `channel` is their home unless a rule names another: an id (`C0123456789`) or a `#name`.

    `interactive: true` makes the buttons act; Slack must then be told where its clicks go, and `signing_secret_ref` is
    what their signatures are checked with. With `app_token_ref` clicks come by Socket Mode, to which Slack need not
    reach this installation.
    """

    type: Literal["slack"]
    token_ref: SecretReference
    channel: Annotated[str, Field(pattern=SLACK_CHANNEL)] | None = None
    interactive: bool = False
    signing_secret_ref: SecretReference | None = None
    app_token_ref: SecretReference | None = None
    content: Content = "none"


Address = Annotated[str, Field(pattern=ADDRESS, max_length=254)]


class EmailChannel(Reached, Groups):
    """Mail through an SMTP server. Without `to` it goes to the person, or to the members of the team, that a case is
    routed to."""

    type: Literal["email"]
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: str | None = None
    username: str | None = None
    password_ref: SecretReference | None = None
    sender: Annotated[Address, Field(alias="from")]
    to: Annotated[tuple[Address, ...], BeforeValidator(one_or_many), Field(max_length=50)] = ()
    content: Content = "none"

    @model_validator(mode="after")
    def _password_is_kept(self) -> EmailChannel:
        if (self.username is None) != (self.password_ref is None):
            raise ValueError("username and password_ref belong together")
        if self.username is not None and self.tls == "none":
            raise ValueError("a password is never sent without TLS; set tls to starttls or implicit")
        return self


class PagerDutyChannel(Reached):
    """An Events API v2 integration of one PagerDuty service; `region` is that of the account."""

    type: Literal["pagerduty"]
    routing_key_ref: SecretReference
    region: Literal["us", "eu"] = "us"


class AppriseChannel(Reached, Groups):
    """A service that Apprise knows. Its URL holds secrets, so it is read from an environment variable or a file."""

    type: Literal["apprise"]
    url_ref: SecretReference


Channel = Annotated[
    WebhookChannel | LogChannel | SlackChannel | EmailChannel | PagerDutyChannel | AppriseChannel,
    Field(discriminator="type"),
]


def entry_of(channels: Mapping[str, Channel], written: str) -> str:
    """The name of the entry that `find_channel` finds, whatever destination is named beside it."""
    kind, _, rest = written.partition(":")
    return rest if rest in channels else kind


def find_channel(channels: Mapping[str, Channel], written: str) -> tuple[Channel | None, str | None]:
    """What a rule's `notification_channel` means: its settings, and the destination that it names beside them.

    `NAME` and `kind:NAME` are an entry of `notification_channels`; `slack:#channel` and `email:address` are the entry
    `slack` or `email` with another destination.
    """
    kind, _, rest = written.partition(":")
    if (named := channels.get(rest or kind)) is not None:
        return named, None
    match channels.get(kind):
        case SlackChannel() as slack if re.fullmatch(SLACK_CHANNEL, rest):
            return slack, rest
        case EmailChannel() as email if re.fullmatch(ADDRESS, rest):
            return email, rest
    return None, None
