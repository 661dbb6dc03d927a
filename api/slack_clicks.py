"""What clicks on cards in Slack do: claim, and decide in a window. The same functions as over HTTP, as the same user.

Slack wants an answer within three seconds, so a click is answered at once and carried out behind that; whoever clicked
is told by a message that only they see (`response_url`) why it was refused. What it changed is on the card by way of
the workflow, like every other change. A click that is lost with its process has changed nothing and can be made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import orjson
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.channels.faults import secret
from activities.channels.slack_card import CLAIM, DECIDE, escaped
from activities.channels.slack_web import SlackAway, SlackError, base_url, call, slack_client
from activities.channels.words import page
from activities.excerpts import Shown, as_much_as, show
from api import decisions
from api.decision_schemas import ResolveBody
from api.desk import Desk
from api.problems import Problem
from api.records import note_act, note_read
from api.services import Services
from api.slack_modal import CALLBACK, CATEGORY, NOTE, OUTCOME, Answered, Opened, answered, modal
from api.slack_people import SlackPeople, SlackPerson
from escalations.channels import Content, SlackChannel
from escalations.commands import Actor, ActorKind
from escalations.errors import EscalationError, Invalid, NotAllowed
from escalations.views import View, facts_of
from store.contents import ANSWER, FINDING
from store.database import StoreUnavailable
from store.settings import current_settings, settings_at
from store.tokens import Principal
from vault.envelopes import VaultError

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

TENANT = "default"
SLACK_TIMEOUT_S = 5.0
WINDOW_WAIT_S = 2.0
"""How long a window waits for its decision, to say in it what is missing. Slack waits for three seconds."""
_HOOKS = "hooks.slack.com"
_FIELDS = {"note_required": NOTE, "category_required": CATEGORY, "unknown_category": CATEGORY}
_logger = logging.getLogger("keeptrusts.slack")


@dataclass(frozen=True, slots=True)
class SlackApp:
    """The Slack app that a click came from: an entry of `notification_channels` whose signing secret it bears."""

    name: str
    settings: SlackChannel


@dataclass(frozen=True, slots=True)
class Click:
    """One click: by whom, on which case. `key` makes it harmless to carry out twice."""

    app: SlackApp
    person: SlackPerson
    escalation_id: str
    response_url: str
    trigger: str
    key: str


class Clicks:
    def __init__(self, services: Services, desk: Desk) -> None:
        self._services = services
        self._desk = desk
        self._people = SlackPeople(services.database)
        self._base = base_url(services.environment)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def handle(self, app: SlackApp, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        """The body to answer an interaction with, None for an empty one. Raises ValueError for a malformed payload.

        `payload` is Slack's, its signature checked.
        """
        match payload.get("type"):
            case "block_actions":
                for action in _list(payload, "actions"):
                    if action.get("action_id") == CLAIM:
                        self._later(self._claim(_click(app, payload, str(action.get("value")))))
                    elif action.get("action_id") == DECIDE:
                        self._later(self._open(_click(app, payload, str(action.get("value")))))
            case "view_submission":
                return await self._submitted(app, payload)
        return None

    async def close(self) -> None:
        """Let what was answered already come to its end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=WINDOW_WAIT_S)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What is done

    async def _claim(self, click: Click) -> None:
        async def act(caller: Principal, _client: AsyncWebClient) -> None:
            await decisions.claim(caller, self._services, self._desk, click.escalation_id, click.key)

        await self._as_user(click, "claim", act)

    async def _open(self, click: Click) -> None:
        async def act(caller: Principal, client: AsyncWebClient) -> None:
            view = await self._desk.may(caller, click.escalation_id, "resolve", self._in_slack)
            async with self._services.database.read() as connection:
                kept = await settings_at(connection, caller.tenant, view.settings_version)
                settings = (kept or await current_settings(connection, caller.tenant)).settings
            shown = await self._shown(caller, view, click.app.settings.content)
            link = page(self._services.environment, view.escalation_id)
            window = modal(view, shown, settings.decisions.categories, link, click.response_url)
            await call(client, "views.open", {"trigger_id": click.trigger, "view": window})

        await self._as_user(click, "resolve", act)

    async def _submitted(self, app: SlackApp, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        window = payload.get("view")
        if not isinstance(window, Mapping) or window.get("callback_id") != CALLBACK:
            return None
        opened, said = Opened.read(window.get("private_metadata")), answered(window.get("state"))
        missing = _missing(opened, said)
        if missing:
            return _errors(missing)
        key = _key(str(window.get("id")), orjson.dumps([said.outcome, said.category, said.note]).decode())
        click = Click(app, _person(payload), opened.escalation_id, opened.response_url, "", key)
        deciding = self._later(self._decide(click, opened, said))
        await asyncio.wait([deciding], timeout=WINDOW_WAIT_S)
        wrong = deciding.result() if deciding.done() and not deciding.cancelled() else None
        return _errors(wrong) if wrong else None

    async def _decide(self, click: Click, opened: Opened, said: Answered) -> dict[str, str] | None:
        """What is wrong with what was filled in, by field; None where it was carried out, or refused for good."""
        wrong: dict[str, str] = {}

        async def act(caller: Principal, _client: AsyncWebClient) -> None:
            view = await self._desk.may(caller, opened.escalation_id, None, self._in_slack)
            try:
                body = ResolveBody.model_validate(
                    {
                        "resolution": said.outcome,
                        "category": said.category,
                        "note": said.note,
                        "content_digest": opened.content_digest,
                        "claim_epoch": opened.claim_epoch or None,
                    }
                )
                await decisions.resolve(caller, self._services, self._desk, view.escalation_id, body, click.key)
            except ValidationError as fault:
                wrong[NOTE] = str(fault.errors()[0]["msg"])
            except Invalid as refusal:
                wrong[_FIELDS.get(refusal.code, OUTCOME)] = refusal.message

        await self._as_user(click, "resolve", act)
        return wrong or None

    # By whom, and what they are told

    async def _as_user(self, click: Click, operation: str, act: Any) -> None:
        """Do it as the user behind the click; a refusal is told to whoever clicked, in words."""
        try:
            token = secret("slack", click.app.settings.token_ref, self._services.environment, "a Slack token")
            async with slack_client(self._base, token, SLACK_TIMEOUT_S) as client:
                told = await self._told(click, operation, act, client)
        except (ApplicationError, SlackError, SlackAway) as fault:
            why = str(fault)
            _logger.error("a click in Slack could not be carried out: %s", why)
            told = "Slack could not be asked who you are, or took too long. Click again, or open the escalation."
        if told is not None:
            await self._tell(click, told)

    async def _told(self, click: Click, operation: str, act: Any, client: AsyncWebClient) -> str | None:
        using, person = self._services, click.person
        try:
            caller = await self._people.principal(client, click.app.name, TENANT, person)
            if caller is None:
                nobody = Actor(str(person), ActorKind.OPERATOR)
                await self._desk.refusals.write(TENANT, click.escalation_id, operation, nobody, "not_linked")
                return (
                    "You are not known here: no active user has the e-mail address that Slack has confirmed for you. "
                    "An admin can give your user that address."
                )
            await note_act(using, caller, "slack.clicked", click.escalation_id, operation=operation, slack=str(person))
            await act(caller, client)
        except EscalationError as refusal:
            return refusal.message
        except Problem as problem:
            return problem.detail
        except StoreUnavailable:
            return "The store is away; nothing was changed. Try again in a moment."
        return None

    async def _tell(self, click: Click, text: str) -> None:
        """A message that only they see. Nothing is lost without it but the reason."""
        if not is_slacks(click.response_url, self._base):
            _logger.warning("a click in Slack named no place to answer to")
            return
        said = {"response_type": "ephemeral", "replace_original": False, "text": escaped(text)}
        try:
            async with httpx.AsyncClient(timeout=SLACK_TIMEOUT_S, follow_redirects=False) as client:
                (await client.post(click.response_url, json=said)).raise_for_status()
        except httpx.HTTPError as away:
            _logger.warning("whoever clicked in Slack could not be told: %s", type(away).__name__)

    # What the window needs

    async def _in_slack(self, caller: Principal, view: View) -> None:
        """Raises NotAllowed unless the settings of today let cases of this kind be decided in Slack."""
        async with self._services.database.read() as connection:
            settings = (await current_settings(connection, caller.tenant)).settings
        if not settings.decisions.in_slack(facts_of(view)):
            raise NotAllowed("cases of this kind are not decided in Slack; open the escalation")

    async def _shown(self, caller: Principal, view: View, content: Content) -> Shown | None:
        """The held answer, as far as it may be shown; the ledger has it before."""
        if content == "none":
            return None
        await note_read(self._services, caller, view.escalation_id, "answer", surface="slack", content=content)
        try:
            async with self._services.database.read() as connection:
                found = await self._services.contents.read(connection, view.tenant, view.escalation_id, ANSWER, FINDING)
            content, completion = as_much_as(content, found), orjson.loads(found[ANSWER])
        except (VaultError, KeyError, orjson.JSONDecodeError):
            return None
        return await asyncio.to_thread(show, completion, content)

    def _later(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _logged(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await work
    except Exception as fault:
        # Slack has its answer already; what went wrong must not vanish with the task.
        _logger.error("a click in Slack failed: %s", type(fault).__name__, exc_info=fault)
        return None


def _missing(opened: Opened, said: Answered) -> dict[str, str]:
    wrong = {}
    if said.outcome not in opened.offered:
        wrong[OUTCOME] = "Choose one of the outcomes that this window offers."
    if not said.category:
        wrong[CATEGORY] = "Choose a category."
    if not said.note:
        wrong[NOTE] = "Say why: a decision needs a note."
    return wrong


def _errors(wrong: Mapping[str, str]) -> dict[str, Any]:
    return {"response_action": "errors", "errors": dict(wrong)}


def _click(app: SlackApp, payload: Mapping[str, Any], escalation_id: str) -> Click:
    trigger = str(payload.get("trigger_id"))
    key = _key(trigger, escalation_id)
    return Click(app, _person(payload), escalation_id, str(payload.get("response_url", "")), trigger, key)


def _person(payload: Mapping[str, Any]) -> SlackPerson:
    user = payload.get("user")
    if not isinstance(user, Mapping) or not isinstance(user.get("id"), str):
        raise ValueError("an interaction says which user it is of")
    team = payload.get("team")
    workspace = team.get("id") if isinstance(team, Mapping) else user.get("team_id")
    return SlackPerson(str(workspace), user["id"])


def _list(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = payload.get(name)
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ValueError(f"an interaction of this type has {name}")
    return found


def _key(*parts: str) -> str:
    return "slack-" + hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def is_slacks(url: str, base: str) -> bool:
    """Whether a URL is one that Slack answers at: its own, or that of the Web API's stand-in."""
    try:
        asked, ours = urlsplit(url), urlsplit(base)
    except ValueError:
        return False
    if (asked.scheme, asked.netloc) == ("https", _HOOKS):
        return True
    return ours.hostname != "slack.com" and (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc)
