"""Asking for help: the claim does not run out meanwhile, for a bounded time; the clock of the case goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from escalations.case import Case, Help
from escalations.commands import AskForHelp
from escalations.durations import format_duration
from escalations.errors import Invalid
from escalations.events import EventType
from escalations.moves import Moved, emit
from escalations.standing import check_held, check_may_hold, may_hold, standing_of

USUAL_HELP = timedelta(hours=1)
LONGEST_HELP = timedelta(hours=4)
"""Of one claim, however many are asked: who still does not know then hands the case on."""


def ask_for_help(case: Case, command: AskForHelp, now: datetime) -> Moved:
    """Who may not hold a case is not asked about it either. Raises NotClaimed, NotHolder, Invalid, and as
    check_may_hold where nobody else is left."""
    standing = standing_of(case)
    check_held(standing, command.actor)
    hold = case.hold
    assert hold is not None
    people = tuple(login for login in command.people if login.lower() != hold.login.lower())
    if not people:
        raise Invalid("there is nobody to ask there but you", field="ask")
    able = tuple(login for login in people if may_hold(standing, login))
    if not able:
        check_may_hold(standing, people[0])
    since = hold.help.since if hold.help is not None else now
    left = LONGEST_HELP - (now - since)
    length = min(USUAL_HELP, left) if command.up_to is None else command.up_to
    if not timedelta(0) < length <= left:
        most = format_duration(max(left, timedelta(0)))
        raise Invalid(f"a claim waits {most} more for help at most; hand the case on instead", field="up_to")
    until = now + length
    lease = max(hold.lease_until, until) if hold.lease_until is not None else None
    case = replace(
        case, hold=replace(hold, lease_until=lease, warned=False, help=Help(command.asked, able, since, until))
    )
    return emit(
        case,
        EventType.HELP_ASKED,
        now,
        command.actor,
        asked=command.asked,
        note_digest=command.note_digest,
        help_until=until.isoformat(),
        lease_until=lease.isoformat() if lease else None,
    )
