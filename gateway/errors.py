"""Errors as OpenAI clients read them: `{"error": {message, type, param, code}}`, and whether a retry makes sense.

What must not be repeated says so (`x-should-retry: false`), because a stock client repeats 408, 409, 429 and 5xx twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


class GatewayError(Exception):
    """An answer that is an error. `more` stands beside the four members of the envelope."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.kind, self.param = status, code, message, kind, param
        self.headers = dict(headers or {})
        if retry is not None:
            self.headers["x-should-retry"] = "true" if retry else "false"
        self.more = more

    @property
    def body(self) -> bytes:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code, **self.more}
        return orjson.dumps({"error": error})

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        return Response(self.body, self.status, {**(headers or {}), **self.headers}, "application/json")


def invalid(message: str, param: str | None = None, code: str = "invalid_request") -> GatewayError:
    return GatewayError(400, code, message, param=param)


def unavailable(message: str = "review is not available right now; nothing was released") -> GatewayError:
    """Fail closed: what had to be held could not be, so nothing leaves."""
    return GatewayError(503, "review_unavailable", message, kind="server_error", headers={"retry-after": "2"})


def blocked(escalation_id: str) -> GatewayError:
    return GatewayError(
        403,
        "human_review_blocked",
        f"A reviewer withheld this answer ({escalation_id}).",
        kind="policy_violation",
        retry=False,
        escalation_id=escalation_id,
    )


def expired(escalation_id: str) -> GatewayError:
    return GatewayError(
        410,
        "escalation_expired",
        f"Nobody reviewed this answer in time ({escalation_id}); this is not a denial.",
        kind="policy_violation",
        retry=False,
        escalation_id=escalation_id,
    )


def withdrawn(escalation_id: str) -> GatewayError:
    return GatewayError(
        410,
        "escalation_withdrawn",
        f"This request was withdrawn before anybody reviewed it ({escalation_id}).",
        kind="policy_violation",
        retry=False,
        escalation_id=escalation_id,
    )
