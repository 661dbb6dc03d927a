"""The shape of `policy-config.yaml`: every example of the product's documents, and what this release adds.

pack: {name, version, enabled}
providers: {targets: [...]}                  see policies.targets
policies: {chain: [names in order]}
policy: {name: its options}                  see policies.options
detectors: {name: a detector of one's own}
limits, consumer_groups, streaming
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from escalations.parts import Part
from policies.faults import RANGE_FAULTS, Misplaced
from policies.governed import Governed
from policies.options import (
    OVERSIGHT_CATEGORIES,
    AuditLogger,
    ContentRules,
    DataLoss,
    Hold,
    HumanOversight,
    Name,
    OwnDetector,
    PiiDetector,
    PromptInjection,
    TopicAllow,
    escalates,
)
from policies.rate_options import RateAnomaly
from policies.second_looks import Judge
from policies.targets import Providers

__all__ = [
    "OVERSIGHT_CATEGORIES",
    "POLICIES",
    "Chain",
    "ConsumerGroup",
    "Hold",
    "HumanOversight",
    "Limits",
    "Pack",
    "PiiDetector",
    "PolicyConfig",
    "PolicyOptions",
    "PromptInjection",
]


class Pack(Part):
    """`two_person`: a version becomes active only when a second admin promotes it too."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    version: Annotated[str, BeforeValidator(str), Field(pattern=r"^\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.-]+)?$")]
    enabled: bool = True
    two_person: bool = False

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Chain(Part):
    chain: tuple[str, ...] = ()

    @field_validator("chain")
    @classmethod
    def _no_repetition(cls, chain: tuple[str, ...]) -> tuple[str, ...]:
        for index, name in enumerate(chain):
            if name in chain[:index]:
                raise Misplaced(f"{name!r} stands twice in the chain", "KT111", (index,))
        return chain


class PolicyOptions(Part):
    human_oversight: Annotated[HumanOversight | None, Field(alias="human-oversight")] = None
    prompt_injection: Annotated[PromptInjection | None, Field(alias="prompt-injection")] = None
    pii_detector: Annotated[PiiDetector | None, Field(alias="pii-detector")] = None
    content_rules: Annotated[ContentRules | None, Field(alias="content-rules")] = None
    rate_anomaly: Annotated[RateAnomaly | None, Field(alias="rate-anomaly")] = None
    topic_allow: Annotated[TopicAllow | None, Field(alias="topic-allow")] = None
    data_loss: Annotated[DataLoss | None, Field(alias="data-loss")] = None
    audit_logger: Annotated[AuditLogger | None, Field(alias="audit-logger")] = None


POLICIES = (
    "prompt-injection",
    "rate-anomaly",
    "topic-allow",
    "content-rules",
    "data-loss",
    "pii-detector",
    "human-oversight",
    "audit-logger",
)
"""The policies of this release, in the order in which a chain usually has them."""


class Limits(Part):
    """What one consumer may use. `held`: answers of theirs that wait for a person at one time; None is no limit.

    Requests and tokens are counted by each gateway process for itself; held answers are counted in the store.
    """

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    held: Annotated[int, Field(ge=0)] | None = None


class ConsumerGroup(Part):
    """What is different for a group of consumers: its own chain, options laid over the common ones, limits."""

    chain: tuple[str, ...] | None = None
    policy: dict[str, Any] = Field(default_factory=dict)
    limits: Limits | None = None


class PolicyConfig(Part):
    """The whole document. A fragment (no pack, no targets) can be linted; a gateway needs all of it.

    `streaming`: with an output policy in the chain nothing of a stream leaves before its verdict (`buffer`); `window`
    lets text go as soon as the redaction of what surrounds it is done, and can take nothing back.
    """

    pack: Pack | None = None
    providers: Providers = Providers()
    policies: Chain = Chain()
    policy: PolicyOptions = PolicyOptions()
    detectors: dict[Name, OwnDetector] = Field(default_factory=dict)
    limits: Limits = Limits()
    consumer_groups: dict[str, ConsumerGroup] = Field(default_factory=dict)
    streaming: Literal["buffer", "window"] = "buffer"

    @field_validator("detectors")
    @classmethod
    def _names_are_free(cls, detectors: dict[str, OwnDetector]) -> dict[str, OwnDetector]:
        for name in detectors:
            if name in POLICIES:
                raise Misplaced(f"{name!r} is a policy of the product", "KT111", (name,))
        return detectors

    @model_validator(mode="after")
    def _configured(self) -> PolicyConfig:
        for name, needed, options in (
            ("human-oversight", "require_human_for", self.policy.human_oversight),
            ("content-rules", "rules", self.policy.content_rules),
            ("topic-allow", "topics", self.policy.topic_allow),
        ):
            if name in self.policies.chain and options is None:
                told = f"{name} is in the chain, but policy.{name} does not say {needed}"
                raise Misplaced(told, "KT106", ("policies", "chain", self.policies.chain.index(name)))
        return self

    @model_validator(mode="after")
    def _groups_are_whole(self) -> PolicyConfig:
        for name in self.consumer_groups:
            try:
                self.for_group(name)
            except ValidationError as fault:
                first = fault.errors()[0]
                inner = first.get("ctx", {}).get("error")
                loc = (*first["loc"], *(inner.trail if isinstance(inner, Misplaced) else ()))
                where = ".".join(str(part) for part in loc) or "the group"
                trail = ("consumer_groups", name, *(loc[1:] if loc[:1] == ("policies",) else loc))
                rule = "KT108" if first["type"] in RANGE_FAULTS else "KT103"
                rule = inner.rule if isinstance(inner, Misplaced) else rule
                raise Misplaced(f"consumer_groups.{name}: {where}: {inner or first['msg']}", rule, trail) from None
        return self

    @property
    def name(self) -> str:
        return str(self.pack) if self.pack else "fragment@0"

    @property
    def known_policies(self) -> tuple[str, ...]:
        """What a chain may name."""
        return (*POLICIES, *self.detectors)

    @property
    def options(self) -> dict[str, Governed]:
        """The options of each policy of the chain that acts, defaults where nothing is said."""
        said = {
            "prompt-injection": self.policy.prompt_injection or PromptInjection(),
            "rate-anomaly": self.policy.rate_anomaly or RateAnomaly(),
            "topic-allow": self.policy.topic_allow,
            "content-rules": self.policy.content_rules,
            "data-loss": self.policy.data_loss or DataLoss(),
            "pii-detector": self.policy.pii_detector or PiiDetector(),
            "human-oversight": self.policy.human_oversight,
            **self.detectors,
        }
        return {name: options for name in self.policies.chain if (options := said.get(name)) is not None}

    @property
    def escalating(self) -> tuple[str, ...]:
        """The policies of the chain that hold answers for a person, those in shadow too."""
        return tuple(name for name, options in self.options.items() if options.mode != "off" and escalates(options))

    @property
    def kinds(self) -> tuple[tuple[tuple[str, ...], PolicyConfig], ...]:
        """The configuration that is common, and that of each group, with the place where each is written."""
        groups = tuple((("consumer_groups", name), self.for_group(name)) for name in self.consumer_groups)
        return ((), self), *groups

    @property
    def judges(self) -> dict[str, Judge]:
        """The judges of policies that stand in the chain."""
        asking = (self.policy.human_oversight, self.policy.prompt_injection)
        named = zip(("human-oversight", "prompt-injection"), asking, strict=True)
        return {
            name: options.judge
            for name, options in named
            if options is not None and options.judge is not None and name in self.policies.chain
        }

    def for_group(self, name: str | None) -> PolicyConfig:
        """The configuration as it is for consumers of that group; this one where the group has nothing of its own."""
        group = self.consumer_groups.get(name or "")
        if group is None:
            return self
        options = self.policy.model_dump(mode="json", by_alias=True, exclude_unset=True)
        chain = self.policies if group.chain is None else {"chain": group.chain}
        return PolicyConfig.model_validate(
            {
                "pack": self.pack,
                "providers": self.providers,
                "policies": chain,
                "policy": _laid_over(options, group.policy),
                "detectors": self.detectors,
                "limits": group.limits or self.limits,
                "streaming": self.streaming,
            }
        )


def _laid_over(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`own` over `common`, blocks merged, everything else replaced."""
    merged = dict(common)
    for key, value in own.items():
        before = merged.get(key)
        merged[key] = _laid_over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
