"""Slack: one card for each escalation and channel, brought up to date with every change, from wherever it came.

Slack has no idempotency key, and which message is the card is written down nowhere but in Slack itself: the card holds
the escalation's id as message metadata, and a process that does not remember it reads the channel's history since the
case was opened. After posting, the history is read once more: of two cards that two processes posted at once the older
one stays, and the other is deleted by who posted it. After every write the case is read again, so that the last writer
leaves the newest state. docs/notifications.md says what this costs.

Source: https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from activities.channels.effects import Effect, OnSlack, effect_of
from activities.channels.faults import fault, secret
from activities.channels.slack_card import Card, Look, blocks, card_of, due, escaped, summary
from activities.channels.slack_web import SlackAway, SlackError, base_url, call, slack_client, slack_fault
from activities.channels.words import page
from escalations.channels import SlackChannel as SlackSettings
from escalations.views import View
from workflows.messages import Notification

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

_MOST_CARDS = 10_000
_MOST_PAGES = 20
_PAGE = 200
_SKEW_S = 60.0
_NEAR_S = 600.0


@dataclass(slots=True)
class Memory:
    """What one process remembers of Slack: cards, channel ids, and which bot a token is. Losing it costs look-ups."""

    cards: OrderedDict[tuple[str, str, str], Card] = field(default_factory=OrderedDict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    bots: dict[str, str] = field(default_factory=dict)
    _locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def alone(self, key: tuple[str, str]) -> AsyncIterator[None]:
        """One at a time for each escalation: the events of a burst must find the first one's card."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield

    def keep(self, key: tuple[str, str, str], card: Card) -> Card:
        self.cards[key] = card
        self.cards.move_to_end(key)
        while len(self.cards) > _MOST_CARDS:
            self.cards.popitem(last=False)
        return card


class SlackChannel:
    """`newest` reads the case as it is now; `destination` is a channel that a rule names instead of the settings'.
    `look` is what cards offer. Without `may_post` a card that is there is brought up to date, and none is made.
    """

    def __init__(
        self,
        settings: SlackSettings,
        environment: Mapping[str, str],
        newest: Callable[[Notification], Awaitable[View]],
        memory: Memory,
        destination: str | None = None,
        look: Look = Look(),  # noqa: B008
        *,
        may_post: bool = True,
    ) -> None:
        self._base = base_url(environment)
        self._token = secret("slack", settings.token_ref, environment, "a Slack token")
        self._workspace = hashlib.sha256(f"{self._base} {self._token}".encode()).hexdigest()
        self._channel = destination or settings.channel
        self._look = look
        self._may_post = may_post
        self._environment = environment
        self._newest = newest
        self._memory = memory

    async def send(self, notification: Notification) -> bool:
        """Raises ApplicationError: what no repetition heals (`channel_not_found`, `invalid_auth` …) is final."""
        effect = effect_of(notification.event)
        if effect.slack is OnSlack.NOTHING:
            return False
        if self._channel is None:
            raise fault("slack", "neither the rule nor the settings name a channel", final=True)
        try:
            async with (
                self._memory.alone((self._workspace, notification.view.escalation_id)),
                slack_client(self._base, self._token) as client,
            ):
                return await self._tell(client, notification, effect)
        except (SlackError, SlackAway) as refused:
            raise slack_fault(refused) from None

    async def post_once(self, message: Mapping[str, Any], since: datetime, *, again: bool) -> None:
        """Post a message that is no card. `again`: an earlier attempt may have arrived, so its metadata is looked for
        among what was posted `since` then. Raises ApplicationError."""
        if self._channel is None:
            raise fault("slack", "neither the rule nor the settings name a channel", final=True)
        try:
            async with slack_client(self._base, self._token) as client:
                channel = await self._channel_id(client)
                if again and await self._is_there(client, channel, message["metadata"], since):
                    return
                await call(client, "chat.postMessage", {"channel": channel, **message})
        except (SlackError, SlackAway) as refused:
            raise slack_fault(refused) from None

    async def _is_there(self, client: AsyncWebClient, channel: str, metadata: Any, since: datetime) -> bool:
        oldest = f"{since.timestamp() - _SKEW_S:.6f}"
        asked = {"channel": channel, "limit": _PAGE, "include_all_metadata": 1, "oldest": oldest}
        cursor: str | None = ""
        pages = 0
        while cursor is not None and pages < _MOST_PAGES:
            pages += 1
            answer = await call(client, "conversations.history", asked | _at(cursor), reads=True)
            if any(message.get("metadata") == metadata for message in answer.get("messages", ())):
                return True
            cursor = _next(answer)
        return False

    async def _tell(self, client: AsyncWebClient, notification: Notification, effect: Effect) -> bool:
        view = await self._newest(notification)
        channel = await self._channel_id(client)
        key = (self._workspace, channel, view.escalation_id)
        card = self._memory.cards.get(key) or await self._find(client, channel, view)
        event = notification.id.split("/")[1] if "/" in notification.id else notification.id
        if card is None:
            if not self._may_post:
                return False
            card = await self._post(client, channel, view, effect, Card("", view.version, frozenset({event})))
        self._memory.keep(key, card)
        calls = effect.slack is OnSlack.REPLY and not notification.following
        if calls and event not in card.said and view.end is None:
            await self._reply(client, channel, view, effect, card)
            # Remembered before the card says so: should the update fail, the retry must not call people again.
            card = self._memory.keep(key, replace(card, version=0, said=card.said | {event}))
        while card.version < (view := await self._newest(notification)).version:
            try:
                card = await self._update(client, channel, view, effect, card)
            except SlackError as refused:
                if refused.code != "message_not_found":
                    raise
                self._memory.cards.pop(key, None)
                card = await self._post(client, channel, view, effect, replace(card, version=view.version))
            self._memory.keep(key, card)
        return True

    async def _post(self, client: AsyncWebClient, channel: str, view: View, effect: Effect, card: Card) -> Card:
        body = {"channel": channel, "unfurl_links": False, "unfurl_media": False, **self._shown(view, effect, card)}
        mine = replace(card, ts=str((await call(client, "chat.postMessage", body)).get("ts")))
        first = await self._find(client, channel, view)
        if first is None or first.ts >= mine.ts:
            return mine
        await call(client, "chat.delete", {"channel": channel, "ts": mine.ts})
        return first

    async def _reply(self, client: AsyncWebClient, channel: str, view: View, effect: Effect, card: Card) -> None:
        """Calls people. Where somebody deleted the card, the new one that the update then posts does so itself."""
        text = f"{escaped(effect.words)}. Due {due(view)}"
        body = {"channel": channel, "thread_ts": card.ts, "reply_broadcast": True, "text": text, "parse": "none"}
        try:
            await call(client, "chat.postMessage", body)
        except SlackError as refused:
            if refused.code not in ("message_not_found", "thread_not_found"):
                raise

    async def _update(self, client: AsyncWebClient, channel: str, view: View, effect: Effect, card: Card) -> Card:
        card = replace(card, version=view.version)
        await call(client, "chat.update", {"channel": channel, "ts": card.ts, **self._shown(view, effect, card)})
        return card

    def _shown(self, view: View, effect: Effect, card: Card) -> dict[str, Any]:
        link = page(self._environment, view.escalation_id)
        return {
            "text": summary(view, effect.words),
            "blocks": blocks(view, link, self._look),
            "metadata": card.metadata(view),
            "parse": "none",
        }

    async def _find(self, client: AsyncWebClient, channel: str, view: View) -> Card | None:
        """The oldest card of the case in the channel, looked for where it should be, and then everywhere since."""
        bot_id = await self._bot_id(client)
        start = view.created_at.timestamp() - _SKEW_S
        near = start + _SKEW_S + _NEAR_S
        pages = 0
        for oldest, latest in ((start, near), (near, None)):
            if oldest > time.time() + _SKEW_S:
                break
            bounds = {"oldest": f"{oldest:.6f}"} | ({"latest": f"{latest:.6f}"} if latest else {})
            found: list[Card] = []
            cursor: str | None = ""
            while cursor is not None and pages < _MOST_PAGES:
                pages += 1
                asked = {"channel": channel, "limit": _PAGE, "inclusive": 1, "include_all_metadata": 1, **bounds}
                answer = await call(client, "conversations.history", asked | _at(cursor), reads=True)
                cards = (card_of(message, view.escalation_id, bot_id) for message in answer.get("messages", ()))
                found += [card for card in cards if card is not None]
                cursor = _next(answer)
            if found:
                return min(found, key=lambda card: card.ts)
        return None

    async def _channel_id(self, client: AsyncWebClient) -> str:
        """The id behind a `#name`, among the channels that the app is in; history and updates take no names."""
        assert self._channel is not None
        if not self._channel.startswith("#"):
            return self._channel
        key = (self._workspace, self._channel)
        cursor: str | None = ""
        while key not in self._memory.names and cursor is not None:
            asked = {"types": "public_channel,private_channel", "exclude_archived": 1, "limit": _PAGE}
            answer = await call(client, "users.conversations", asked | _at(cursor), reads=True)
            for one in answer.get("channels", ()):
                self._memory.names[(self._workspace, f"#{one.get('name')}")] = str(one.get("id"))
            cursor = _next(answer)
        if key not in self._memory.names:
            raise fault(
                "slack", "the app is in no channel of that name; invite it, or name the channel by its id", final=True
            )
        return self._memory.names[key]

    async def _bot_id(self, client: AsyncWebClient) -> str:
        if self._workspace not in self._memory.bots:
            self._memory.bots[self._workspace] = str((await call(client, "auth.test", {})).get("bot_id"))
        return self._memory.bots[self._workspace]


def _at(cursor: str | None) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _next(answer: dict[str, Any]) -> str | None:
    return (answer.get("response_metadata") or {}).get("next_cursor") or None
