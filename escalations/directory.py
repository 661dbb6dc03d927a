"""Who there is to route to, and who of them may get a certain case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from escalations.commands import REVIEWERS, Role


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody active: what they may do, in which teams, and whether they are at work."""

    roles: frozenset[Role]
    teams: frozenset[str]
    on_shift: bool = True

    @property
    def leads(self) -> bool:
        return not self.roles.isdisjoint((Role.SENIOR, Role.ADMIN))


@dataclass(frozen=True, slots=True)
class Directory:
    """Who exists: team ids, logins by login and by e-mail address (in lower case), and people by login.

    Where that is asked, `owners` are the people behind applications that can still ask for something: they cannot
    review the requests of these. And `consumer_teams` are the teams that applications are said to be of.
    """

    teams: frozenset[str]
    users: Mapping[str, str]
    people: Mapping[str, Person] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    consumer_teams: frozenset[str] = frozenset()

    def user(self, name: str) -> str | None:
        return self.users.get(name.lower())

    def reviewers(self, team: str) -> tuple[str, ...]:
        """Who may review the cases of a team, in the order of their logins."""
        found = (one for one, person in self.people.items() if team in person.teams)
        return tuple(sorted(one for one in found if not self.people[one].roles.isdisjoint(REVIEWERS)))


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Who may get a case: not its requester and none of `never`; of `only`, where it is given; `leads`: seniors and
    admins alone, as for an appeal."""

    requester: str | None = None
    never: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    leads: bool = False

    def bars(self, login: str, directory: Directory) -> str | None:
        """Why they may not have it; None when they may."""
        person = directory.people.get(login)
        if self.requester is not None and login.lower() == self.requester.lower():
            return "made the request"
        if login.lower() in {one.lower() for one in self.never}:
            return "had a part in it already"
        if person is not None and person.roles.isdisjoint(REVIEWERS):
            return "may not review"
        leads = person is not None and person.leads
        if (self.only is not None and login not in self.only) or (self.leads and not leads):
            return "may not decide it"
        return None

    def among(self, team: str, directory: Directory) -> tuple[str, ...]:
        """Who of a team may have it, in the order of their logins."""
        return tuple(one for one in directory.reviewers(team) if self.bars(one, directory) is None)


def destination(name: str, directory: Directory) -> tuple[str | None, str | None]:
    """(team, None) or (None, login) for `team:NAME`, `user:NAME`, a login, an e-mail or a bare team; else two Nones."""
    kind, _, rest = name.partition(":")
    if kind == "team" and rest:
        return (rest, None) if rest in directory.teams else (None, None)
    login = directory.user(rest if kind == "user" and rest else name)
    if login:
        return None, login
    return (name, None) if name in directory.teams else (None, None)
