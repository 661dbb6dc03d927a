"""Everything that has no channel of its own here (Teams, Opsgenie, ntfy, Discord …), by way of Apprise.

Apprise tells once and forgets: there is no card that follows a case and no incident that ends with it, so it is told
what mail is told. It is an extra: `pip install 'keeptrusts[apprise]'`. Its URLs hold secrets, so the settings only say
where one is read from, and its own log is switched off, as it may repeat them.

Source: https://github.com/caronc/apprise/wiki
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from activities.channels.effects import effect_of
from activities.channels.faults import fault, no_secret, secret
from activities.channels.words import finding, page, plain, standing, when_due
from escalations.channels import AppriseChannel as AppriseSettings
from escalations.severity import Severity
from workflows.messages import Notification

_WHAT = "an Apprise URL of a service that Apprise knows"
_KINDS = {Severity.CRITICAL: "failure", Severity.HIGH: "warning"}
_REPEATS_URLS = logging.CRITICAL + 1
_saying = ThreadPoolExecutor(10, thread_name_prefix="apprise")
"""Threads of their own: a service that hangs would hold up whatever else needs one."""


class AppriseChannel:
    def __init__(self, settings: AppriseSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment

    async def send(self, notification: Notification) -> bool:
        """Raises ApplicationError unless the service took it."""
        effect, view = effect_of(notification.event), notification.view
        if not effect.mails:
            return False
        lines = (
            f"Status: {standing(view)}",
            f"Due: {when_due(view)}",
            f"For: {plain(notification.recipient)}",
            page(self._environment, view.escalation_id),
        )
        title = f"{effect.words}: {finding(view)}, {view.severity.value}"
        await self.say(title, "\n".join(lines), _KINDS.get(view.severity, "info"))
        return True

    async def say(self, title: str, body: str, kind: str = "info") -> None:
        """Raises ApplicationError unless the service took it. Apprise says no more than whether it did."""
        url = secret("apprise", self._settings.url_ref, self._environment, _WHAT)
        try:
            asked = partial(_say, url, title, body, kind)
            known, taken = await asyncio.get_running_loop().run_in_executor(_saying, asked)
        except ImportError:
            told = "Apprise is not installed where the worker runs: pip install 'keeptrusts[apprise]'"
            raise fault("apprise", told, final=True) from None
        if not known:
            raise no_secret("apprise", self._settings.url_ref, _WHAT)
        if not taken:
            raise fault("apprise", "the service did not take it, or did not answer")


def _say(url: str, title: str, body: str, kind: str) -> tuple[bool, bool]:
    """Whether the URL is one that Apprise knows, and whether the service took the message. Raises ImportError."""
    # Loaded only where it is used, and in a thread: it is an extra, and takes most of a second.
    import apprise

    logging.getLogger("apprise").setLevel(_REPEATS_URLS)
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    if not service.add(url):
        return False, False
    return True, bool(service.notify(body=body, title=title, notify_type=kind, body_format="text"))
