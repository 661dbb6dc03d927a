"""Secrets by their known formats: cloud keys, tokens, private keys, connection strings.

Formats are those that the issuers publish (https://docs.github.com/code-security/secret-scanning/introduction/
supported-secret-scanning-patterns lists most). Patterns are RE2: linear in time. A secret without a format of its own,
such as a password in prose, is not found.
"""

from __future__ import annotations

from typing import Any

import re2  # type: ignore[import-untyped]

from policies.detectors import Span
from policies.normalising import readable_by_re2

VERSION = "data-loss/1"

_FORMATS: dict[str, tuple[tuple[str, ...], str]] = {
    "AWS_ACCESS_KEY": (("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "AWS_SECRET_KEY": (
        ("secret", "SECRET", "Secret"),
        r"(?i:aws_?secret_?(?:access_?)?key|secret_?access_?key)[\"']?\s{0,3}[=:]\s{0,3}[\"']?[A-Za-z0-9/+]{40}\b",
    ),
    "GOOGLE_API_KEY": (("AIza",), r"\bAIza[A-Za-z0-9_-]{35}"),
    "GOOGLE_OAUTH_TOKEN": (("ya29.", "GOCSPX-"), r"\b(?:ya29\.[A-Za-z0-9_-]{20,300}|GOCSPX-[A-Za-z0-9_-]{28})"),
    "AZURE_STORAGE_KEY": (
        ("AccountKey", "SharedAccessKey"),
        r"\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,90}={0,2}",
    ),
    "GITHUB_TOKEN": (("gh", "github_pat_"), r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b"),
    "GITLAB_TOKEN": (("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20,64}"),
    "SLACK_TOKEN": (("xox", "xapp-"), r"\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]+)"),
    "SLACK_WEBHOOK": (("hooks.slack.com",), r"https://hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{20,}"),
    "STRIPE_KEY": (("k_live_", "k_test_"), r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{20,247}\b"),
    "ANTHROPIC_KEY": (("sk-ant-",), r"\bsk-ant-[A-Za-z0-9_-]{20,200}"),
    "OPENAI_KEY": (("sk-",), r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9][A-Za-z0-9_-]{31,200}"),
    "HUGGINGFACE_TOKEN": (("hf_",), r"\bhf_[A-Za-z]{34}\b"),
    "NPM_TOKEN": (("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    "PYPI_TOKEN": (("pypi-",), r"\bpypi-AgE[A-Za-z0-9_-]{50,1000}"),
    "SENDGRID_KEY": (("SG.",), r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    "DIGITALOCEAN_TOKEN": (("_v1_",), r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    "TELEGRAM_TOKEN": ((":AA",), r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}"),
    "JSON_WEB_TOKEN": (("eyJ",), r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "PRIVATE_KEY": (
        ("PRIVATE KEY",),
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]*(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)?)",
    ),
    "CONNECTION_STRING": (
        ("://",),
        r"\b(?i:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|redis|rediss|amqps?|mssql|sqlserver|https?|ftp|smtp)"
        r"(?:\+[a-z0-9]+)?://[^\s:/@\"'<>]{0,100}:[^\s/@\"'<>]{3,200}@[^\s\"'<>]{1,300}",
    ),
    "DATABASE_PASSWORD": (
        ("assword=", "ASSWORD=", "Pwd=", "pwd=", "PWD="),
        r"(?i:(?:server|data source|host|uid|user id)\s?=[^;\n]{1,200};[^\n]{0,300}?(?:password|pwd)\s?=\s?)"
        r"[^;\s\"']{3,200}",
    ),
}  # fmt: skip
KINDS: dict[str, Any] = {name: re2.compile(pattern) for name, (_, pattern) in _FORMATS.items()}
"""What can be found, by name."""


def find_credentials(path: str, text: str, kinds: tuple[str, ...]) -> list[Span]:
    """The secrets of one text, without overlaps, from left to right."""
    wanted = [name for name in kinds if any(hint in text for hint in _FORMATS[name][0])]
    if not wanted:
        return []
    readable = readable_by_re2(text)
    found: list[Span] = []
    for name in wanted:
        for match in KINDS[name].finditer(readable):
            start, end = match.span()
            if all(end <= other.start or start >= other.end for other in found):
                found.append(Span(path, start, end, name, name.lower()))
    return sorted(found, key=lambda span: span.start)
