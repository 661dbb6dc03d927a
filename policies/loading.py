"""From a file to a configuration that can run, or to one clear line per fault: file, line, column, what to do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from escalations.settings import EscalationSettings, SecretReference
from policies.config import POLICIES, PolicyConfig, suggest
from policies.documents import Document, Trail, Unreadable, read_document

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong, or odd (`warning`), in a file. `rule` is its number, stable over releases."""

    rule: str
    message: str
    file: str
    line: int
    column: int
    warning: bool = False

    def __str__(self) -> str:
        kind = "warning" if self.warning else "error"
        return f"{self.file}:{self.line}:{self.column}: {self.rule} {kind}: {self.message}"


class BadConfig(Exception):
    """A file that cannot be used. `complaints` say why; there is at least one."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(str(complaint) for complaint in self.complaints))


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and the file it came from. `digest` is the SHA-256 of the file."""

    config: PolicyConfig
    document: Document
    digest: str


def load_policy_config(path: Path) -> LoadedConfig:
    """Raises BadConfig."""
    document = read(path)
    config = validate(document, PolicyConfig)
    _know_policies(document, config)
    return LoadedConfig(config, document, hashlib.sha256(document.text.encode()).hexdigest())


def load_for_gateway(path: Path, environment: Mapping[str, str], *, secrets_needed: bool = True) -> LoadedConfig:
    """A configuration that a gateway can run: whole, enabled, its secrets at hand. Raises BadConfig."""
    loaded = load_policy_config(path)
    document, config = loaded.document, loaded.config
    if config.pack is None:
        raise _bad(document, (), "KT106", "there is no pack; a gateway needs `pack: {name, version}`")
    if not config.pack.enabled:
        raise _bad(document, ("pack", "enabled"), "KT107", f"{config.pack} is not enabled; set pack.enabled: true")
    if not config.providers.targets:
        raise _bad(document, ("providers",), "KT106", "there are no providers.targets; a gateway needs at least one")
    if not config.policies.chain:
        raise _bad(document, ("policies",), "KT205", "policies.chain is empty; name at least audit-logger")
    if secrets_needed:
        for index, target in enumerate(config.providers.targets):
            reference = target.secret_key_ref
            if reference is not None and read_secret(reference, environment) is None:
                trail = ("providers", "targets", index, "secret_key_ref", "env" if reference.env else "file")
                where = f"variable {reference.env} is not set" if reference.env else f"{reference.file} cannot be read"
                raise _bad(document, trail, "KT206", f"{where}; export it before starting the gateway")
    return loaded


def load_escalation_settings(path: Path) -> EscalationSettings:
    """Raises BadConfig."""
    return validate(read(path), EscalationSettings)


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
        found = [_complaint(document, schema, error) for error in fault.errors()]
        # A typo first: what it leaves missing follows from it.
        raise BadConfig(sorted(found, key=lambda c: (c.rule not in ("KT101", "KT102"), c.line, c.column))) from None


def read(path: Path) -> Document:
    """Raises BadConfig."""
    try:
        return read_document(path)
    except Unreadable as fault:
        raise BadConfig([Complaint(fault.rule, fault.message, str(path), fault.line, fault.column)]) from None


def _know_policies(document: Document, config: PolicyConfig) -> None:
    unknown = [(index, name) for index, name in enumerate(config.policies.chain) if name not in POLICIES]
    if unknown:
        raise BadConfig(
            complain(
                document, ("policies", "chain", index), "KT102", f"unknown policy {name!r}{suggest(name, POLICIES)}"
            )
            for index, name in unknown
        )


def _bad(document: Document, trail: Trail, rule: str, message: str) -> BadConfig:
    return BadConfig([complain(document, trail, rule, message)])


def complain(document: Document, trail: Trail, rule: str, message: str, *, warning: bool = False) -> Complaint:
    """A complaint about the place that a trail leads to."""
    line, column = document.place(trail)
    return Complaint(rule, message, document.name, line, column, warning)


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
            message = str(error["ctx"]["error"])
            return complain(document, trail, _rule_of(message), f"{field}: {message}" if trail else message)
        case "literal_error" | "enum":
            return complain(
                document, trail, "KT103", f"{field}: {error['input']!r} is not one of {error['ctx']['expected']}"
            )
        case _:
            return complain(
                document, trail, "KT103", f"{field}: {str(error['msg'])[:1].lower()}{str(error['msg'])[1:]}"
            )


def _real_trail(document: Document, loc: tuple[str | int, ...]) -> Trail:
    """The location without the parts that pydantic adds for unions."""
    trail: Trail = ()
    for part in loc:
        if (*trail, part) in document.places or part == loc[-1]:
            trail = (*trail, part)
    return trail


def _rule_of(message: str) -> str:
    if "team_id" in message:
        return "KT105" if message.startswith("neither") else "KT104"
    return "KT103"


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
