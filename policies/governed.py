"""What the options of every policy have: how far it acts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from escalations.parts import Part

# YAML 1.1 reads a bare `off` as false.
Mode = Annotated[Literal["enforce", "shadow", "off"], BeforeValidator(lambda value: "off" if value is False else value)]


class Rollout(Part):
    """`percent` of the consumers (the same ones each time), or of the requests, for whom a policy is enforced."""

    percent: Annotated[float, Field(ge=0, le=100)]
    by: Literal["consumer", "request"] = "consumer"


class Governed(Part):
    """What every policy has: how far it acts."""

    mode: Mode = "enforce"
    rollout: Rollout | None = None

    @property
    def always_acts(self) -> bool:
        return self.mode == "enforce" and (self.rollout is None or self.rollout.percent >= 100)
