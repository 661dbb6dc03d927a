"""On which channel a team or a person is told of what comes to them, where no rule or leg says it, and when not.

notification_defaults:
  teams: {legal: "slack:#legal"}
  users: {"ana@example.com": "email:ana@example.com"}
  quiet_hours:
    users: {"ana@example.com": {from: "18:00", to: "08:00", zone: Europe/Berlin}}
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from escalations.directory import Directory, destination
from escalations.grouping import QuietHours
from escalations.parts import Part

UNTOLD = "log"
"""The channel of whoever has none: a line in the log of the worker."""

_Named = dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[str, Field(min_length=1, max_length=200)]]


class OwnQuietHours(Part):
    """Quiet hours of a team, by its id, and of a person, by login or e-mail address, on channels that have any."""

    teams: dict[str, QuietHours] = Field(default_factory=dict)
    users: dict[str, QuietHours] = Field(default_factory=dict)


class NotificationDefaults(Part):
    """A channel for each team, by its id, and for each person, by login or e-mail address."""

    teams: _Named = Field(default_factory=dict)
    users: _Named = Field(default_factory=dict)
    quiet_hours: OwnQuietHours | None = None

    def quiet_of(self, recipient: str, directory: Directory) -> QuietHours | None:
        """The own quiet hours of whom a notification is for; None where they have none. What is for a team is not for
        each of its members."""
        if self.quiet_hours is None:
            return None
        team, login = destination(recipient, directory)
        if login is None:
            return self.quiet_hours.teams.get(team or "")
        return next((hours for name, hours in self.quiet_hours.users.items() if directory.user(name) == login), None)

    def person(self, login: str, directory: Directory) -> str | None:
        """Somebody's own channel; None where they have none, or one that is a line in a log."""
        own = self.of(None, login, directory)
        return None if own == UNTOLD else own

    def of(self, team: str | None, login: str | None, directory: Directory) -> str:
        """The channel of a destination: a person's own, or the team's; `log` where it has none."""
        if login is None:
            return self.teams.get(team or "", UNTOLD)
        return next((channel for name, channel in self.users.items() if directory.user(name) == login), UNTOLD)
