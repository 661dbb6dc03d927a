"""What is odd about second looks, and about secrets: an encoder that is not there, a judge that cannot be trusted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from escalations.channels import SecretReference
from policies.config import PolicyConfig
from policies.detectors.encoder import NotInstalled, check_installed
from policies.documents import Document, Trail
from policies.loading import Complaint, complain
from policies.options import HumanOversight, PromptInjection
from policies.second_looks import Judge

_SECRET = re.compile(
    r"(?i)^(?:sk-|sk_|xox[abp]-|gh[pousr]_|AKIA|AIza|eyJ|whsec_|Bearer |-----BEGIN)|^[A-Za-z0-9_\-]{40,}$"
)
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def second_look_complaints(document: Document, config: PolicyConfig) -> Iterator[Complaint]:
    """Every warning about the encoder and about judges."""
    oversight, injection = config.policy.human_oversight, config.policy.prompt_injection
    if oversight is not None:
        yield from _encoder(document, oversight)
    for name, options in (("human-oversight", oversight), ("prompt-injection", injection)):
        if options is None:
            continue
        trail: Trail = ("policy", name)
        if options.judge is None:
            for word in sorted(options.model_fields_set & {"on_judge_error", "ask"}):
                told = f"{word} of {name} is never used: there is no judge"
                yield complain(document, (*trail, word), "KT229", told, warning=True)
        else:
            yield from _judge(document, (*trail, "judge"), options.judge)
            yield from _passed_over(document, (*trail, "on_judge_error"), options)


def secret_complaints(document: Document, trail: Trail, reference: SecretReference) -> Iterator[Complaint]:
    """A reference that looks like what it should refer to."""
    named = reference.env or reference.file or ""
    in_it = _SECRET.search(named) or (reference.env is not None and not _VARIABLE.match(named))
    if in_it and not (reference.file or "").startswith(("/", ".")):
        where = (*trail, "secret_key_ref", "env" if reference.env else "file")
        yield complain(document, where, "KT220", "this looks like a secret, not like its name", warning=True)


def in_clear(url: str) -> bool:
    """Whether what is sent there can be read on the way."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith((".localhost", ".internal", ".local")):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." in host
    return not (address.is_loopback or address.is_private)


def _encoder(document: Document, options: HumanOversight) -> Iterator[Complaint]:
    trail: Trail = ("policy", "human-oversight", "semantic")
    if not options.semantic.enabled:
        return
    try:
        check_installed()
    except NotInstalled as fault:
        yield complain(document, (*trail, "enabled"), "KT228", str(fault), warning=True)
    if options.semantic.on_error == "ignore":
        told = "what the encoder fails on leaves as the words alone say"
        yield complain(document, (*trail, "on_error"), "KT230", told, warning=True)


def _judge(document: Document, trail: Trail, judge: Judge) -> Iterator[Complaint]:
    if judge.secret_key_ref is not None:
        yield from secret_complaints(document, trail, judge.secret_key_ref)
    if in_clear(judge.base_url):
        told = "what is judged, and the secret, are sent over plain http"
        yield complain(document, (*trail, "base_url"), "KT221", told, warning=True)


def _passed_over(document: Document, trail: Trail, options: HumanOversight | PromptInjection) -> Iterator[Complaint]:
    if options.on_judge_error == "ignore":
        told = "what the judge fails on leaves as the other layers say"
        yield complain(document, trail, "KT230", told, warning=True)
