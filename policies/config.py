"""The shape of `policy-config.yaml`: every example of the product's documents, and what this release adds.

pack: {name, version, enabled}
providers: {targets: [{id, provider, model, base_url, secret_key_ref, escalation_routing, models}]}
policies: {chain: [names in order]}
policy: {name: its options}
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from escalations.settings import Duration, Part, SecretReference
from escalations.severity import Severity

DEFAULT_BASE_URLS = {
    "openai": "https://api.openai.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "ollama": "http://127.0.0.1:11434/v1",
}

OVERSIGHT_CATEGORIES = {
    "legal_opinions": Severity.HIGH,
    "medical_decisions": Severity.CRITICAL,
    "hiring_actions": Severity.HIGH,
    "financial_advice": Severity.MEDIUM,
    "high_risk_transactions": Severity.CRITICAL,
}
"""What human-oversight can hold, each with its default severity."""

PII_ENTITIES = (
    "CREDIT_CARD",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "MEDICAL_RECORD_NUMBER",
    "PHONE_NUMBER",
    "US_SSN",
)


def suggest(word: str, known: Iterable[str]) -> str:
    """` — did you mean 'x'?`, when something is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" — did you mean {near[0]!r}?" if near else ""


def _one_of(what: str, known: Iterable[str]) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise ValueError(f"unknown {what} {word!r}{suggest(word, known)}; known are {', '.join(known)}")
        return word

    return AfterValidator(check)


Category = Annotated[str, _one_of("category", OVERSIGHT_CATEGORIES)]
Entity = Annotated[str, _one_of("entity", PII_ENTITIES)]


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


class Pack(Part):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    version: Annotated[str, BeforeValidator(str), Field(pattern=r"^\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.-]+)?$")]
    enabled: bool = True

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Model(Part):
    """One model of a target, with a route of its own."""

    model: Annotated[str, Field(min_length=1)]
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
    """Where answers come from. `base_url` with or without `/v1`; without it, the provider's own.

    A target with neither `model` nor `models` takes every model that no other target names.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    provider: str | None = None
    model: str | None = None
    models: tuple[Model, ...] = ()
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    secret_key_ref: SecretReference | None = None
    escalation_routing: EscalationRouting | None = None
    timeout: Duration = timedelta(seconds=600)

    @property
    def url(self) -> str:
        """The base URL, ending in a version such as `/v1`."""
        base = (self.base_url or DEFAULT_BASE_URLS.get(self.provider or "openai", DEFAULT_BASE_URLS["openai"])).rstrip(
            "/"
        )
        last = base.rpartition("/")[2]
        return base if last.startswith("v") and last[1:2].isdigit() else f"{base}/v1"

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


class Chain(Part):
    chain: tuple[str, ...] = ()

    @field_validator("chain")
    @classmethod
    def _no_repetition(cls, chain: tuple[str, ...]) -> tuple[str, ...]:
        for name in chain:
            if chain.count(name) > 1:
                raise ValueError(f"{name!r} stands twice in the chain")
        return chain


class Hold(Part):
    """How a caller waits. `grace`: silence in which a quick decision keeps a true status code; `keepalive`: between the
    signs of life after it; `max_wait`: then the caller is told to fetch the answer later."""

    max_wait: Duration = timedelta(seconds=540)
    grace: Duration = timedelta(seconds=2)
    keepalive: Duration = timedelta(seconds=10)


class HumanOversight(Part):
    """`require_human_for`: what a person must see first. `log` counts without holding, `block` never releases."""

    require_human_for: Annotated[tuple[Category, ...], Field(min_length=1)]
    action: Literal["escalate", "block", "log"] = "escalate"
    severity: dict[Category, Severity] = Field(default_factory=dict)
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    hold: Hold = Hold()

    def severity_of(self, category: str) -> Severity:
        return self.severity.get(category) or OVERSIGHT_CATEGORIES.get(category, Severity.HIGH)


class InjectionResponse(Part):
    action: Literal["block", "escalate", "log"] = "block"


class PromptInjection(Part):
    response: InjectionResponse = InjectionResponse()


class PiiDetector(Part):
    """`pci_mode` finds card numbers through any separators and any script's digits."""

    action: Literal["redact", "block", "escalate", "log"] = "redact"
    pci_mode: bool = False
    entities: tuple[Entity, ...] = PII_ENTITIES


class AuditLogger(Part):
    """The record itself cannot be switched off; these say how long content is kept and that every access counts."""

    retention_days: Annotated[int, Field(ge=1, le=36500)] = 30
    immutable: bool = True
    log_all_access: bool = True


class PolicyOptions(Part):
    human_oversight: Annotated[HumanOversight | None, Field(alias="human-oversight")] = None
    prompt_injection: Annotated[PromptInjection | None, Field(alias="prompt-injection")] = None
    pii_detector: Annotated[PiiDetector | None, Field(alias="pii-detector")] = None
    audit_logger: Annotated[AuditLogger | None, Field(alias="audit-logger")] = None


POLICIES = ("prompt-injection", "pii-detector", "human-oversight", "audit-logger")
"""The policies of this release, in the order in which a chain usually has them."""


class PolicyConfig(Part):
    """The whole document. A fragment (no pack, no targets) can be linted; a gateway needs all of it."""

    pack: Pack | None = None
    providers: Providers = Providers()
    policies: Chain = Chain()
    policy: PolicyOptions = PolicyOptions()

    @model_validator(mode="after")
    def _configured(self) -> PolicyConfig:
        if "human-oversight" in self.policies.chain and self.policy.human_oversight is None:
            raise ValueError(
                "human-oversight is in the chain, but policy.human-oversight does not say require_human_for"
            )
        return self

    @property
    def name(self) -> str:
        return str(self.pack) if self.pack else "fragment@0"
