"""How `kt` fails: one clear line on stderr, and an exit code that scripts can rely on.

0 ok · 1 error or findings · 2 usage · 4 sign in · 5 not found · 6 conflict · 7 timeout · 130 interrupted
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ERROR, USAGE, SIGN_IN, NOT_FOUND, CONFLICT, TIMEOUT = 1, 2, 4, 5, 6, 7

_BY_STATUS = {400: USAGE, 401: SIGN_IN, 404: NOT_FOUND, 409: CONFLICT, 422: USAGE, 504: TIMEOUT}


class Failure(Exception):
    """What went wrong, in one sentence; `hint` says what to do where the sentence does not. `fields` are all that are
    wrong in what was sent, each with its problem, where the API names them."""

    def __init__(
        self,
        message: str,
        exit_code: int = ERROR,
        *,
        code: str = "error",
        hint: str = "",
        request_id: str = "",
        field: str = "",
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.field, self.fields = field, tuple(fields)
        self.message, self.exit_code, self.code, self.hint, self.request_id = message, exit_code, code, hint, request_id

    def as_json(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message, "hint": self.hint, "request_id": self.request_id}
        return {"error": {name: value for name, value in error.items() if value}}


def from_problem(status: int, problem: dict[str, Any]) -> Failure:
    """The failure that an answer of the API means."""
    code = str(problem.get("code") or "error")
    exit_code = TIMEOUT if code == "outcome_unknown" else _BY_STATUS.get(status, ERROR)
    return Failure(
        str(problem.get("detail") or f"the API answered {status}"),
        exit_code,
        code=code,
        request_id=str(problem.get("request_id") or ""),
        field=str(problem.get("field") or ""),
        fields=[(str(one["field"]), str(one["problem"])) for one in problem.get("fields") or ()],
    )
