"""Where answers come from: `providers.targets` of a policy configuration, and who reviews what they say."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from escalations.channels import SecretReference
from escalations.parts import Duration, Part

DEFAULT_BASE_URLS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "google": "https://generativelanguage.googleapis.com/v1beta",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
    "llama.cpp": "http://127.0.0.1:8080/v1",
}
_VERSIONS = {"gemini": "v1beta", "google": "v1beta"}


class EscalationRouting(Part):
    """Who reviews: exactly one of a team and a user."""

    team_id: Annotated[str, Field(min_length=1)] | None = None
    user_id: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> EscalationRouting:
        if self.team_id is not None and self.user_id is not None:
            raise ValueError("both team_id and user_id are set; keep exactly one")
        if self.team_id is None and self.user_id is None:
            raise ValueError("neither team_id nor user_id is set; set exactly one, or remove the block")
        return self


class Model(Part):
    """One model of a target, with a route of its own. `upstream_model` is its name there, if callers use an alias."""

    model: Annotated[str, Field(min_length=1)]
    upstream_model: Annotated[str, Field(min_length=1)] | None = None
    escalation_routing: EscalationRouting | None = None

    @model_validator(mode="before")
    @classmethod
    def _other_names(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"model": data}
        if isinstance(data, dict) and "model" not in data:
            for other in ("id", "name"):
                if other in data:
                    return {**{k: v for k, v in data.items() if k != other}, "model": data[other]}
        return data


class Target(Part):
    """One place that answers. `base_url` with or without `/v1`; without it, the provider's own.

    A target with neither `model` nor `models` takes every model that no other target names. Targets that serve the same
    model are tried in their order when one cannot be reached or fails; where they have a `weight`, the first is drawn
    by it. `retries` are for connections that did not come to be: no request is ever sent twice to the same target.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    provider: str | None = None
    model: str | None = None
    models: tuple[Model, ...] = ()
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    secret_key_ref: SecretReference | None = None
    escalation_routing: EscalationRouting | None = None
    timeout: Duration = timedelta(seconds=600)
    connect_timeout: Duration = timedelta(seconds=10)
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    weight: Annotated[int, Field(ge=1, le=1000)] | None = None

    @field_validator("provider")
    @classmethod
    def _in_one_spelling(cls, provider: str | None) -> str | None:
        return None if provider is None else provider.lower()

    @model_validator(mode="after")
    def _has_an_address(self) -> Target:
        # A secret and a prompt that went to somebody else's address could not be taken back.
        if self.base_url is None and (self.provider or "openai") not in DEFAULT_BASE_URLS:
            raise ValueError(f"provider {self.provider!r} has no address that is known here; set base_url")
        return self

    @property
    def url(self) -> str:
        """The base URL, ending in a version such as `/v1`."""
        return versioned(self.base_url or DEFAULT_BASE_URLS[self.provider or "openai"], self.provider)

    def upstream_name(self, model: str) -> str:
        """What the target itself calls this model."""
        entry = self.model_entry(model)
        return entry.upstream_model if entry and entry.upstream_model else model

    def model_entry(self, model: str) -> Model | None:
        return next((entry for entry in self.models if entry.model == model), None)

    def serves(self, model: str) -> bool:
        """Whether this target names the model."""
        return self.model == model or self.model_entry(model) is not None

    @property
    def names(self) -> tuple[str, ...]:
        own = (self.model,) if self.model else ()
        return (*own, *(entry.model for entry in self.models if entry.model != self.model))


class Providers(Part):
    targets: tuple[Target, ...] = ()

    @field_validator("targets")
    @classmethod
    def _ids_are_unique(cls, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        seen: set[str] = set()
        for target in targets:
            if target.id in seen:
                raise ValueError(f"two targets have the id {target.id!r}")
            seen.add(target.id)
        return targets


def versioned(url: str, provider: str | None) -> str:
    """The base URL with the version that the provider's paths begin with, unless it ends in one."""
    base = url.rstrip("/")
    if provider == "azure" and base.endswith(".openai.azure.com"):
        base += "/openai"
    last = base.rpartition("/")[2]
    return base if last[:1] == "v" and last[1:2].isdigit() else f"{base}/{_VERSIONS.get(provider or '', 'v1')}"
