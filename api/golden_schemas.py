"""What a golden case is made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, Field, model_validator

from api.decision_schemas import AnyResolution
from api.schemas import Body
from escalations.severity import Severity

_MADE = ("answer", "policy_rule", "reason_code")


class GoldenBody(Body):
    """A known answer: a copy of the case `from`, with all that it looks like; or `answer`, `policy_rule` and
    `reason_code`, as a case that is brought over the API. `resolution` is the right decision of it."""

    source: Annotated[
        str | None, Field(max_length=64, validation_alias=AliasChoices("from", "source"), serialization_alias="from")
    ] = None
    resolution: Annotated[AnyResolution, Field(validation_alias=AliasChoices("resolution", "expected"))]
    category: Annotated[str, Field(max_length=100, description="without one, any is right")] | None = None
    request: Annotated[Any, Field(description="the prompt or request, any JSON")] = None
    answer: str | dict[str, Any] | None = None
    policy_rule: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    reason_code: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    severity: Severity | None = None
    consumer: Annotated[str, Field(max_length=200)] | None = None
    provider: Annotated[str, Field(max_length=100)] | None = None
    model: Annotated[str, Field(max_length=200)] | None = None
    finding: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> GoldenBody:
        given = [
            name for name in (*_MADE, "request", "consumer", "provider", "model") if getattr(self, name) is not None
        ]
        if self.source is not None and (given or self.finding):
            raise ValueError(f"a copy takes {given[0] if given else 'finding'} from the case itself; leave it out")
        missing = [name for name in _MADE if getattr(self, name) is None]
        if self.source is None and missing:
            raise ValueError(f"give the case to copy (from), or {', '.join(missing)}")
        return self
