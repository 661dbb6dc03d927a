"""The options of each policy, as they stand under `policy:` of a configuration, and detectors of the user's own.

Every policy has `mode`: `enforce`; `shadow`, in which what it finds is recorded with the verdict that it would have had
and nothing is done; `off`. And `rollout`: for which share of consumers or requests it is enforced; for the rest it is a
shadow.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

import re2  # type: ignore[import-untyped]
from pydantic import AfterValidator, Field, field_validator, model_validator

from escalations.channels import SecretReference
from escalations.parts import Duration, Part
from escalations.severity import Severity
from policies.credentials import KINDS
from policies.detectors.described import Described, described
from policies.detectors.entities import ENTITIES
from policies.faults import Misplaced, unknown
from policies.governed import Governed
from policies.rate_options import RateAnomaly
from policies.second_looks import Judge, OnError, Semantic

OVERSIGHT_CATEGORIES = {
    "legal_opinions": Severity.HIGH,
    "medical_decisions": Severity.CRITICAL,
    "hiring_actions": Severity.HIGH,
    "financial_advice": Severity.MEDIUM,
    "high_risk_transactions": Severity.CRITICAL,
}
"""What human-oversight can hold without being told how, each with its default severity."""
PII_ENTITIES = ENTITIES
LONGEST_PATTERN = 1000
_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"


def _of(what: str, known: tuple[str, ...]) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise unknown(what, word, known)
        return word

    return AfterValidator(check)


Entity = Annotated[str, _of("entity", PII_ENTITIES)]
Kind = Annotated[str, _of("kind of secret", tuple(KINDS))]
Name = Annotated[str, Field(pattern=_NAME)]


class Hold(Part):
    """How a caller waits.

    `mode`: `wait` for the decision, or be told at once to fetch the answer later (`deferred`). `grace`: silence in
    which a quick decision keeps a true status code; `keepalive`: between the signs of life after it; `max_wait`: then
    `on_wait_timeout`: `deferred`, the answer can be fetched later, or `block`, the case is withdrawn. `blocked_as`: a
    withheld answer as an `error` while the status is still open, or always as a 200 with `content_filter`.
    `webhook`: the notification channel that is told when the case has ended, beside the waiting caller.
    """

    mode: Literal["wait", "deferred"] = "wait"
    max_wait: Duration = timedelta(seconds=540)
    grace: Duration = timedelta(seconds=2)
    keepalive: Duration = timedelta(seconds=10)
    on_wait_timeout: Literal["deferred", "block"] = "deferred"
    blocked_as: Literal["error", "content_filter"] = "error"
    webhook: str | None = None


class OwnCategory(Part):
    """A category in one's own words: `words` say what it is about, `phrases` and `examples` what decides."""

    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    severity: Severity = Severity.HIGH

    @model_validator(mode="after")
    def _says_something(self) -> OwnCategory:
        try:
            self.ready("category")
        except ValueError:
            raise Misplaced("there is no word, no phrase and no example of three words or more", "KT112") from None
        return self

    def ready(self, name: str) -> Described:
        """To be looked for. Raises ValueError where there is nothing to look for."""
        return described(name, self.words, self.phrases, self.examples)


class HumanOversight(Governed):
    """`require_human_for`: what a person must see first; `categories` describes those of one's own.

    `log` counts without holding, `block` never releases; `thresholds` and `actions` are for single categories. What
    scores in the grey band `ambiguous` (from, below) and under the threshold is escalated or only counted, as
    `on_ambiguous` says. `semantic` and `judge` look again where the words leave a doubt, each score before that.
    """

    require_human_for: Annotated[tuple[str, ...], Field(min_length=1)]
    action: Literal["escalate", "block", "log"] = "escalate"
    severity: dict[str, Severity] = Field(default_factory=dict)
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    thresholds: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    actions: dict[str, Literal["escalate", "block", "log"]] = Field(default_factory=dict)
    ambiguous: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=0, lt=1)]] | None = None
    on_ambiguous: Literal["escalate", "log"] = "escalate"
    categories: dict[Name, OwnCategory] = Field(default_factory=dict)
    semantic: Semantic = Semantic()
    judge: Judge | None = None
    on_judge_error: OnError = "escalate"
    hold: Hold = Hold()

    @model_validator(mode="after")
    def _known_categories(self) -> HumanOversight:
        known = (*OVERSIGHT_CATEGORIES, *self.categories)
        for name in self.categories:
            if name in OVERSIGHT_CATEGORIES:
                raise Misplaced(f"{name!r} is a category of the product", "KT111", ("categories", name))
        for index, name in enumerate(self.require_human_for):
            if name not in known:
                raise unknown("category", name, known, ("require_human_for", index))
        for block in ("severity", "thresholds", "actions"):
            for name in getattr(self, block):
                if name not in known:
                    raise unknown("category", name, known, (block, name))
        if self.ambiguous is not None and self.ambiguous[0] >= self.ambiguous[1]:
            raise Misplaced("the grey band must rise, as [0.35, 0.5] does", "KT108", ("ambiguous",))
        return self

    def threshold_of(self, category: str) -> float:
        return self.thresholds.get(category, self.threshold)

    @cached_property
    def built_in(self) -> tuple[str, ...]:
        """What is looked for of the categories of the product."""
        return tuple(name for name in self.require_human_for if name not in self.categories)

    @cached_property
    def least_score(self) -> float:
        """Below it nothing is done about any category."""
        grey = () if self.ambiguous is None else (self.ambiguous[0],)
        return min(*map(self.threshold_of, self.require_human_for), *grey, 1.0)

    def action_of(self, category: str, score: float) -> str | None:
        """What is done about a score: that of the category, that of the grey band, or nothing."""
        if score >= self.threshold_of(category):
            return self.actions.get(category, self.action)
        grey = self.ambiguous is not None and self.ambiguous[0] <= score < self.ambiguous[1]
        return self.on_ambiguous if grey else None

    def severity_of(self, category: str) -> Severity:
        own = self.categories[category].severity if category in self.categories else Severity.HIGH
        return self.severity.get(category) or OVERSIGHT_CATEGORIES.get(category, own)


class InjectionResponse(Part):
    action: Literal["block", "escalate", "log"] = "block"


class PromptInjection(Governed):
    """`threshold`: from which score on a request is taken for an attempt; docs/detection.md has what each one finds.

    `canary` puts a word into the system prompt on its way to the model; to an answer that holds it, the response is the
    same as to an attempt, and the word never leaves.
    `judge` is asked about requests that the patterns do not settle: those that show a sign (`ask: grey`), or all.
    """

    response: InjectionResponse = InjectionResponse()
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    canary: bool = False
    judge: Judge | None = None
    ask: Literal["grey", "always"] = "grey"
    on_judge_error: OnError = "escalate"


class PiiDetector(Governed):
    """`mask` keeps length and shape; `hash` puts a keyed name, the same each time; `tokenize` the same name, and keeps
    what it stands for in the vault.

    `pci_mode` finds card numbers through any separators and any script's digits. Whatever the action, no more than
    the last four digits of a card go on, and nothing of its security code.
    """

    action: Literal["redact", "mask", "hash", "tokenize", "block", "escalate", "log"] = "redact"
    pci_mode: bool = False
    entities: tuple[Entity, ...] = PII_ENTITIES


class DataLoss(Governed):
    """Secrets by their known formats, in requests and in answers."""

    action: Literal["redact", "block", "escalate", "log"] = "redact"
    kinds: tuple[Kind, ...] = tuple(KINDS)
    severity: Severity = Severity.HIGH


def compile_pattern(pattern: str) -> Any:
    """A pattern of RE2, linear in time whatever it is. Raises ValueError, with what is wrong."""
    options = re2.Options()
    options.log_errors = False
    try:
        made = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as fault:
        told = str(fault.args[0].decode("utf-8", "replace") if isinstance(fault.args[0], bytes) else fault.args[0])
        raise ValueError(f"the pattern does not compile: {told}") from None
    if made.search("") is not None:
        raise ValueError("the pattern matches the empty text, so it would be found everywhere")
    return made


class ContentRule(Part):
    """Phrases, taken literally in any case, and RE2 patterns. `on`: what is looked at."""

    name: Name
    phrases: tuple[Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)], ...] = ()
    patterns: tuple[Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)], ...] = ()
    on: Literal["request", "answer", "both"] = "both"
    action: Literal["escalate", "block", "redact", "log"] = "escalate"
    severity: Severity = Severity.MEDIUM

    @model_validator(mode="after")
    def _can_be_looked_for(self) -> ContentRule:
        if not self.phrases and not self.patterns:
            raise Misplaced(f"rule {self.name!r} has neither phrases nor patterns", "KT112")
        for index, phrase in enumerate(self.phrases):
            if not phrase.strip():
                raise Misplaced("a phrase of spaces would be found everywhere", "KT112", ("phrases", index))
        for index, pattern in enumerate(self.patterns):
            try:
                compile_pattern(pattern)
            except ValueError as fault:
                raise Misplaced(str(fault), "KT110", ("patterns", index)) from None
        return self


class ContentRules(Governed):
    rules: Annotated[tuple[ContentRule, ...], Field(min_length=1)]

    @field_validator("rules")
    @classmethod
    def _names_differ(cls, rules: tuple[ContentRule, ...]) -> tuple[ContentRule, ...]:
        names = [rule.name for rule in rules]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Misplaced(f"two rules are named {name!r}", "KT111", (index, "name"))
        return rules


class TopicAllow(Governed):
    """What requests may be about; of others, `otherwise` says what becomes. Shorter ones than `min_words` pass."""

    topics: Annotated[dict[Name, OwnCategory], Field(min_length=1)]
    otherwise: Literal["block", "escalate", "log"] = "block"
    min_words: Annotated[int, Field(ge=1, le=100)] = 4
    severity: Severity = Severity.LOW


class AuditLogger(Part):
    """The record itself cannot be switched off; these say how long content is kept and that every access counts."""

    retention_days: Annotated[int, Field(ge=1, le=36500)] = 30
    immutable: bool = True
    log_all_access: bool = True


class OwnDetector(Governed):
    """A detector of one's own: a Python function (`package.module:function`), or an HTTP service.

    It has `timeout` for one request or answer. One that fails, hangs or says nonsense is no reason to pass: the answer
    is held for a person (`on_error: escalate`), or withheld (`block`). `threshold`: below it a finding is none.
    """

    detector: str | None = None
    url: str | None = None
    secret_key_ref: SecretReference | None = None
    timeout: Duration = timedelta(seconds=1)
    on: Literal["request", "answer", "both"] = "answer"
    action: Literal["escalate", "block", "log"] = "escalate"
    on_error: Literal["escalate", "block"] = "escalate"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    severity: Severity = Severity.MEDIUM

    @model_validator(mode="after")
    def _can_be_called(self) -> OwnDetector:
        if (self.detector is None) == (self.url is None):
            raise Misplaced("set exactly one of detector and url", "KT113")
        if self.detector is not None:
            module, _, function = self.detector.partition(":")
            if not (function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
                raise Misplaced(f"{self.detector!r} is not package.module:function", "KT113", ("detector",))
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise Misplaced(f"{self.url!r} is not an http(s) URL", "KT113", ("url",))
        if self.timeout > timedelta(seconds=30):
            raise Misplaced("a detector has at most 30 seconds", "KT108", ("timeout",))
        return self


def escalates(options: Governed) -> bool:
    """Whether a policy with these options can hold an answer for a person."""
    match options:
        case HumanOversight():
            grey = options.ambiguous is not None and options.on_ambiguous == "escalate"
            sure = {options.actions.get(category, options.action) for category in options.require_human_for}
            return "escalate" in sure or grey
        case PromptInjection():
            return options.response.action == "escalate"
        case ContentRules():
            return any(rule.action == "escalate" for rule in options.rules)
        case TopicAllow():
            return options.otherwise == "escalate"
        case RateAnomaly():
            return "escalate" in (options.action, options.on_unknown)
        case PiiDetector() | DataLoss() | OwnDetector():
            return options.action == "escalate"
    return False
