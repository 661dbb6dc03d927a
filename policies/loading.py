"""From a file to a configuration that can run, or to one clear line per fault: file, line, column, what to do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from escalations.channels import SecretReference
from policies.config import PolicyConfig
from policies.detectors.encoder import NotInstalled, check_installed
from policies.documents import Document, Trail, Unreadable, read_document
from policies.faults import DID_YOU_MEAN, RANGE_FAULTS, Misplaced, suggest
from policies.lint_rules import RULES
from policies.own_detectors import load_detector

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong, or odd (`warning`), in a file. `rule` is its number, stable over releases.

    `hint` is what to do about this very thing; the rule's own suggestion stands in for it. `trail` is what it is about.
    """

    rule: str
    message: str
    file: str
    line: int
    column: int
    warning: bool = False
    hint: str = ""
    trail: Trail = ()

    @property
    def suggestion(self) -> str:
        """What to do."""
        return self.hint or RULES[self.rule].fix

    @property
    def kind(self) -> str:
        return "warning" if self.warning else "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.rule} {self.kind}: {self.message} — {self.suggestion}"


class BadConfig(Exception):
    """A file that cannot be used. `complaints` say why; there is at least one."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(str(complaint) for complaint in self.complaints))

    @classmethod
    def of(cls, fault: Unreadable, file: str) -> BadConfig:
        return cls([Complaint(fault.rule, fault.message, file, fault.line, fault.column)])


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and the file it came from. `digest` is the SHA-256 of the file."""

    config: PolicyConfig
    document: Document
    digest: str


def load_policy_config(path: Path) -> LoadedConfig:
    """Raises BadConfig."""
    return load_document(read(path))


def load_document(document: Document) -> LoadedConfig:
    """The configuration that a document is. Raises BadConfig."""
    config = validate(document, PolicyConfig)
    _know_policies(document, config)
    return LoadedConfig(config, document, hashlib.sha256(document.text.encode()).hexdigest())


def load_for_gateway(path: Path, environment: Mapping[str, str], *, secrets_needed: bool = True) -> LoadedConfig:
    """A configuration that a gateway can run: whole, enabled, its secrets at hand. Raises BadConfig."""
    return ready_for_gateway(load_policy_config(path), environment, secrets_needed=secrets_needed)


def ready_for_gateway(
    loaded: LoadedConfig,
    environment: Mapping[str, str],
    *,
    secrets_needed: bool = True,
    functions_needed: bool = True,
) -> LoadedConfig:
    """The same configuration, when a gateway can run it. Raises BadConfig."""
    document, config = loaded.document, loaded.config
    if config.pack is None:
        raise _bad(document, (), "KT106", "there is no pack; a gateway needs `pack: {name, version}`")
    if not config.pack.enabled:
        raise _bad(document, ("pack", "enabled"), "KT107", f"{config.pack} is not enabled")
    if not config.providers.targets:
        raise _bad(document, ("providers",), "KT106", "there are no providers.targets; a gateway needs at least one")
    if not config.policies.chain:
        raise _bad(document, ("policies",), "KT205", "policies.chain is empty")
    for name, options in config.detectors.items():
        if options.detector is not None and functions_needed:
            try:
                load_detector(options.detector)
            except ValueError as fault:
                raise _bad(document, ("detectors", name, "detector"), "KT113", str(fault)) from None
    if functions_needed:
        _check_encoder(document, config)
    if secrets_needed:
        _check_secrets(document, config, environment)
    return loaded


def _check_secrets(document: Document, config: PolicyConfig, environment: Mapping[str, str]) -> None:
    for where, kind in config.kinds:
        for name, judge in kind.judges.items():
            if judge.secret_key_ref is not None and read_secret(judge.secret_key_ref, environment) is None:
                raise _no_secret(document, (*where, "policy", name, "judge"), judge.secret_key_ref)
    for index, target in enumerate(config.providers.targets):
        reference = target.secret_key_ref
        if reference is not None and read_secret(reference, environment) is None:
            raise _no_secret(document, ("providers", "targets", index), reference)


def _no_secret(document: Document, trail: Trail, reference: SecretReference) -> BadConfig:
    where = f"variable {reference.env} is not set" if reference.env else f"{reference.file} cannot be read"
    return _bad(document, (*trail, "secret_key_ref", "env" if reference.env else "file"), "KT206", where)


def _check_encoder(document: Document, config: PolicyConfig) -> None:
    """Raises BadConfig where some group's answers are to be looked at by an encoder that is not there."""
    for trail, kind in config.kinds:
        oversight = kind.policy.human_oversight
        if oversight is not None and oversight.semantic.enabled and "human-oversight" in kind.policies.chain:
            try:
                check_installed()
            except NotInstalled as fault:
                raise _bad(document, (*trail, "policy", "human-oversight", "semantic"), "KT228", str(fault)) from None


def read_secret(reference: SecretReference, environment: Mapping[str, str]) -> str | None:
    """The secret that a reference means, None when it is not there."""
    if reference.env is not None:
        return environment.get(reference.env) or None
    try:
        return Path(reference.file or "").read_text().strip() or None
    except OSError:
        return None


def validate(document: Document, schema: type[Schema]) -> Schema:
    """The document as `schema`. Raises BadConfig with a complaint for every fault."""
    if not isinstance(document.data, dict):
        raise _bad(document, (), "KT103", "the file holds no settings")
    try:
        return schema.model_validate(document.data)
    except ValidationError as fault:
        # A default that could not be made because something else is wrong is no fault of its own.
        errors = [error for error in fault.errors() if error["type"] != "default_factory_not_called"]
        found = [_complaint(document, schema, error) for error in errors]
        # A typo first: what it leaves missing follows from it.
        raise BadConfig(sorted(found, key=lambda c: (c.rule not in ("KT101", "KT102"), c.line, c.column))) from None


def read(path: Path) -> Document:
    """Raises BadConfig."""
    try:
        return read_document(path)
    except Unreadable as fault:
        raise BadConfig.of(fault, str(path)) from None


def _know_policies(document: Document, config: PolicyConfig) -> None:
    known = config.known_policies
    chains: list[tuple[Trail, tuple[str, ...]]] = [(("policies", "chain"), config.policies.chain)]
    chains += [
        (("consumer_groups", name, "chain"), group.chain or ()) for name, group in config.consumer_groups.items()
    ]
    unknown = [
        complain(document, (*trail, index), "KT102", f"unknown policy {name!r}{suggest(name, known)}")
        for trail, chain in chains
        for index, name in enumerate(chain)
        if name not in known
    ]
    if unknown:
        raise BadConfig(unknown)


def _bad(document: Document, trail: Trail, rule: str, message: str) -> BadConfig:
    return BadConfig([complain(document, trail, rule, message)])


def complain(document: Document, trail: Trail, rule: str, message: str, *, warning: bool = False) -> Complaint:
    """A complaint about the place that a trail leads to. A question at the end of the message is its suggestion."""
    line, column = document.place(trail)
    told, question, word = message.partition(DID_YOU_MEAN)
    hint = f"{question.removeprefix(' — ')}{word}"
    return Complaint(rule, told, document.name, line, column, warning, hint, trail)


def _complaint(document: Document, schema: type[BaseModel], error: Any) -> Complaint:
    trail = _real_trail(document, error["loc"])
    field = ".".join(str(part) for part in trail) or "the file"
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(schema, error["loc"][:-1])
            word = str(error["loc"][-1])
            rule = "KT102" if error["loc"][:-1] == ("policy",) else "KT101"
            what = "policy" if rule == "KT102" else "key"
            return complain(document, trail, rule, f"unknown {what} {word!r}{suggest(word, known)}")
        case "missing":
            return complain(document, trail[:-1], "KT106", f"{field} is missing")
        case "value_error":
            fault = error["ctx"]["error"]
            if isinstance(fault, Misplaced):
                trail = _real_trail(document, (*error["loc"], *fault.trail))
                return complain(document, trail, fault.rule, str(fault))
            message = str(fault)
            return complain(document, trail, _rule_of(message), f"{field}: {message}" if trail else message)
        case "literal_error" | "enum":
            word, expected = str(error["input"]), str(error["ctx"]["expected"])
            near = suggest(word, re.findall(r"'([^']+)'", expected))
            return complain(document, trail, "KT103", f"{field}: {error['input']!r} is not one of {expected}{near}")
        case kind:
            rule = "KT108" if kind in RANGE_FAULTS else "KT112" if kind == "too_short" else "KT103"
            told = str(error["msg"])
            return complain(document, trail, rule, f"{field}: {told[:1].lower()}{told[1:]}")


def _real_trail(document: Document, loc: tuple[str | int, ...]) -> Trail:
    """The location without the parts that pydantic adds for unions."""
    trail: Trail = ()
    for part in loc:
        if (*trail, part) in document.places or part == loc[-1]:
            trail = (*trail, part)
    return trail


def _rule_of(message: str) -> str:
    """The rule of a fault that other packages word and do not number."""
    if "team_id" in message:
        return "KT105" if message.startswith("neither") else "KT104"
    if message.startswith(("two targets have", "two rules are named")):
        return "KT111"
    return "KT108" if message.startswith("a duration must be") else "KT103"


def _known_keys(schema: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that a block takes, for suggestions."""
    here: Any = schema
    for part in loc:
        if isinstance(part, int) or not (isinstance(here, type) and issubclass(here, BaseModel)):
            continue
        for name, info in here.model_fields.items():
            if part in (name, info.alias):
                here = _model_in(info.annotation)
                break
    if not (isinstance(here, type) and issubclass(here, BaseModel)):
        return []
    return [info.alias or name for name, info in here.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    """The first model class inside an annotation such as `tuple[Target, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
