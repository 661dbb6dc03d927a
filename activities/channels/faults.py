"""How a channel fails: in words without content or secrets, saying whether it helps to try again, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from temporalio.exceptions import ApplicationError

from escalations.channels import SecretReference

LONGEST_WAIT = timedelta(hours=4)
"""What a receiver may ask for. Beyond it the three days in which Temporal tries would be the receiver's to waste."""


GONE = "the receiver is gone (410)"


def fault(channel: str, told: str, *, final: bool = False, wait: timedelta | None = None) -> ApplicationError:
    """An error of a channel. Temporal tries again, after `wait` where there is one, unless it is final."""
    return ApplicationError(told, type=channel, non_retryable=final, next_retry_delay=wait)


def _now() -> datetime:
    return datetime.now(UTC)


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = _now) -> timedelta | None:
    """What `Retry-After` asks for, in seconds or as a date, four hours at most. None where it says nothing usable.

    Source: RFC 9110, section 10.2.3
    """
    written = headers.get("retry-after", "").strip()
    if written.isascii() and written.isdigit():
        wait = timedelta(seconds=min(int(written[:9]), LONGEST_WAIT.total_seconds()))
    else:
        try:
            until = parsedate_to_datetime(written)
        except ValueError:
            return None
        wait = until.replace(tzinfo=until.tzinfo or UTC) - now()
    # Temporal takes a delay of nothing for no delay asked.
    return min(max(wait, timedelta(seconds=1)), LONGEST_WAIT)


def secret(channel: str, reference: SecretReference, environment: Mapping[str, str], what: str) -> str:
    """A secret from where the settings say. Raises ApplicationError, without repeating it, when there is none."""
    found = environment.get(reference.env, "") if reference.env else _read(reference.file or "")
    if not found.strip() or not found.strip().isprintable():
        raise no_secret(channel, reference, what)
    return found.strip()


def no_secret(channel: str, reference: SecretReference, what: str) -> ApplicationError:
    where = f"environment variable {reference.env}" if reference.env else f"file {reference.file}"
    return fault(channel, f"{where} does not hold {what}")


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        return ""
