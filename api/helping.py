"""Asking somebody for help with a case that is held: they are told, and may look at it and comment meanwhile."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from api.applications import check_application
from api.authentication import Caller, Key, Using
from api.desk import AtDesk, Keep, Order
from api.presentation import present
from api.schemas import Escalation, HelpBody
from escalations.commands import REVIEWERS, Actor, AskForHelp, Command
from escalations.directory import destination
from escalations.durations import parse_duration
from escalations.errors import Invalid
from store.directory import list_users, read_directory

router = APIRouter(prefix="/v1/escalations", tags=["escalations"], dependencies=[Depends(check_application)])

MOST_ASKED = 200


@router.post(
    "/{escalation_id}/help", response_model=Escalation, summary="Keep a claim while somebody is asked for help"
)
async def ask_for_help(
    caller: Caller, using: Using, at: AtDesk, escalation_id: str, body: HelpBody, key: Key = None
) -> Escalation:
    up_to = parse_duration(body.up_to) if body.up_to is not None else None
    async with using.database.read() as connection:
        directory = await read_directory(connection, caller.tenant)
        users = await list_users(connection, caller.tenant)
    team, login = destination(body.ask, directory)
    if team is None and login is None:
        raise Invalid(f"there is no team or user {body.ask!r}; see `kt team list` and `kt user list`", field="ask")
    able = [user for user in users if user.active and not REVIEWERS.isdisjoint(user.roles)]
    people = tuple(user.login for user in able if user.login == login or (team is not None and team in user.teams))
    if not people:
        raise Invalid(f"nobody who reviews is asked by {body.ask!r}", field="ask")
    if len(people) > MOST_ASKED:
        raise Invalid(f"{len(people)} people are too many to ask; name a person or a smaller team", field="ask")
    asked = f"team:{team}" if team is not None else people[0]

    def make(actor: Actor, keep: Keep, *_: Any) -> Command:
        return AskForHelp(actor, asked, people, keep(body.note), up_to)

    payload = body.model_dump_json().encode()
    view = await at.carry_out(caller, escalation_id, Order("ask_for_help", payload, key, make))
    return present(view, using)
