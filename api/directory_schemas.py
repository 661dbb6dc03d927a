"""What admins send to change the directory: teams, people, consumers and their tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from api.schemas import Body, Name
from escalations.commands import Role
from escalations.durations import parse_duration


class TeamBody(Body):
    team_id: Name
    name: Annotated[str, Field(max_length=200)] | None = None


class UserBody(Body):
    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}$", examples=["ana"])]
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    roles: Annotated[list[Role], Field(min_length=1)] = Field(default_factory=lambda: [Role.REVIEWER])
    teams: list[Name] = Field(default_factory=list)

    @field_validator("roles")
    @classmethod
    def _people(cls, roles: list[Role]) -> list[Role]:
        if Role.GATEWAY in roles:
            raise ValueError("gateway is the role of a consumer's key, not of a person")
        return roles


class ShiftBody(Body):
    on_shift: bool


class ConsumerGroupBody(Body):
    """The group whose rules and limits hold for a consumer; null for the common ones."""

    consumer_group: Annotated[str, Field(min_length=1, max_length=200)] | None


class ConsumerBody(Body):
    consumer_id: Name
    name: Annotated[str, Field(max_length=200)] | None = None
    team: Annotated[str, Field(max_length=200)] | None = None
    consumer_group: Annotated[str, Field(max_length=200)] | None = None
    owner: Annotated[str, Field(max_length=200)] | None = None


class TokenBody(Body):
    """A token for a user (`login`) or a consumer (`consumer_id`): exactly one of them."""

    login: str | None = None
    consumer_id: str | None = None
    label: Annotated[str, Field(max_length=200)] = ""
    expires_in: str = "90d"

    @model_validator(mode="after")
    def _one_subject(self) -> TokenBody:
        if (self.login is None) == (self.consumer_id is None):
            raise ValueError("give exactly one of login and consumer_id")
        parse_duration(self.expires_in)
        return self
