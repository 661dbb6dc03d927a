"""The options of the layers that look again where words leave a doubt: what a text means, and a model as a judge."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from escalations.channels import SecretReference
from escalations.parts import Duration, Part
from policies.faults import Misplaced

OnError = Literal["escalate", "block", "ignore"]
LONGEST_LOOK = timedelta(seconds=30)


def _short_enough(timeout: timedelta) -> None:
    if not timedelta(0) < timeout <= LONGEST_LOOK:
        raise Misplaced("a second look has more than no time and at most 30 seconds", "KT108", ("timeout",))


class Semantic(Part):
    """A sentence encoder, for scores in the grey band. It needs the extra `semantic` and the encoder's weights.

    `on_error`: what becomes of an answer of which the encoder could not say anything within `timeout`.
    """

    enabled: bool = False
    timeout: Duration = timedelta(seconds=5)
    on_error: OnError = "escalate"

    @model_validator(mode="after")
    def _in_time(self) -> Semantic:
        _short_enough(self.timeout)
        return self


class Judge(Part):
    """A model behind an OpenAI-compatible endpoint that is asked about scores `between` two others.

    `base_url` ends before `/chat/completions`. The text that is judged leaves for that endpoint.
    """

    base_url: Annotated[str, Field(max_length=500)]
    model: Annotated[str, Field(min_length=1, max_length=200)]
    secret_key_ref: SecretReference | None = None
    timeout: Duration = timedelta(seconds=3)
    between: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] = (0.1, 0.9)

    @model_validator(mode="after")
    def _can_be_asked(self) -> Judge:
        if not self.base_url.startswith(("http://", "https://")):
            raise Misplaced(f"{self.base_url!r} is not an http(s) URL", "KT113", ("base_url",))
        if self.between[0] >= self.between[1]:
            raise Misplaced("the scores must rise, as [0.1, 0.9] does", "KT108", ("between",))
        _short_enough(self.timeout)
        return self
