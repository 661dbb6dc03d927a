"""On which channel a team or a person is told of what comes to them, where no rule or leg says it.

notification_defaults:
  teams: {legal: "slack:#legal"}
  users: {"ana@example.com": "email:ana@example.com"}
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from escalations.directory import Directory
from escalations.parts import Part

UNTOLD = "log"
"""The channel of whoever has none: a line in the log of the worker."""

_Named = dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[str, Field(min_length=1, max_length=200)]]


class NotificationDefaults(Part):
    """A channel for each team, by its id, and for each person, by login or e-mail address."""

    teams: _Named = Field(default_factory=dict)
    users: _Named = Field(default_factory=dict)

    def person(self, login: str, directory: Directory) -> str | None:
        """Somebody's own channel; None where they have none, or one that is a line in a log."""
        own = self.of(None, login, directory)
        return None if own == UNTOLD else own

    def of(self, team: str | None, login: str | None, directory: Directory) -> str:
        """The channel of a destination: a person's own, or the team's; `log` where it has none."""
        if login is None:
            return self.teams.get(team or "", UNTOLD)
        return next((channel for name, channel in self.users.items() if directory.user(name) == login), UNTOLD)
