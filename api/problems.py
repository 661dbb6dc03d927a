"""Errors on the wire: problem JSON after RFC 9457, with a stable `code`. The one place that knows the statuses.

{"type": "urn:keeptrusts:problem:already_claimed", "title": "Already claimed", "status": 409, "code": "already_claimed",
 "detail": "ana holds this escalation since …", "instance": "/v1/escalations/…/claim", "request_id": "req_…",
 "assignee": "ana", "since": "…"}
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from activities.opening import NotOpened
from escalations.errors import EscalationError, Invalid, NotAllowed, NotFound, Refused
from store.database import StoreUnavailable
from store.escalations import BadCursor
from vault.envelopes import VaultError

_logger = logging.getLogger("keeptrusts.api")
_TYPE = "urn:keeptrusts:problem:"

TITLES = {
    400: "Bad request",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    413: "Too large",
    415: "Unsupported content type",
    422: "Invalid",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


class Problem(Exception):
    """An error that this API answers with. `more` are further members of its JSON."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = dict(headers or {}), more


def status_of(error: EscalationError) -> int:
    match error:
        case Refused():
            return 409
        case NotAllowed():
            return 403
        case Invalid():
            return 422
        case NotFound():
            return 404
    return 500


def unknown_outcome() -> Problem:
    """Temporal did not answer in time: it is not known whether the operation happened."""
    return Problem(
        503,
        "outcome_unknown",
        "no answer in time, so it is not known whether this happened; ask again with the same Idempotency-Key",
        headers={"Retry-After": "1"},
    )


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    body = {
        "type": _TYPE + problem.code,
        "title": problem.code.replace("_", " ").capitalize(),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "instance": request.url.path,
        "request_id": getattr(request.state, "request_id", None),
        **problem.more,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error, the framework's own among them, in the same shape."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, fault: Problem) -> JSONResponse:
        return problem_response(request, fault)

    @app.exception_handler(EscalationError)
    async def _refusal(request: Request, fault: EscalationError) -> JSONResponse:
        problem = Problem(status_of(fault), fault.code, fault.message)
        problem.more = dict(fault.details)
        return problem_response(request, problem)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, fault: RequestValidationError) -> JSONResponse:
        return problem_response(request, _validation_problem(fault))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, fault: HTTPException) -> JSONResponse:
        code = TITLES.get(fault.status_code, "error").lower().replace(" ", "_")
        return problem_response(request, Problem(fault.status_code, code, str(fault.detail), headers=fault.headers))

    @app.exception_handler(BadCursor)
    async def _cursor(request: Request, fault: BadCursor) -> JSONResponse:
        return problem_response(request, Problem(422, "invalid", str(fault), field="cursor"))

    @app.exception_handler(StoreUnavailable)
    @app.exception_handler(NotOpened)
    async def _unavailable(request: Request, fault: Exception) -> JSONResponse:
        _logger.error("%s", fault)
        away = Problem(
            503,
            "unavailable",
            "the store or Temporal is away; nothing was lost, try again",
            headers={"Retry-After": "1"},
        )
        return problem_response(request, away)

    @app.exception_handler(VaultError)
    async def _sealed(request: Request, fault: VaultError) -> JSONResponse:
        return problem_response(request, Problem(410, "content_unavailable", str(fault)))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, fault: Exception) -> JSONResponse:
        _logger.error("unexpected %s in %s %s", type(fault).__name__, request.method, request.url.path, exc_info=fault)
        return problem_response(request, Problem(500, "internal_error", "this is our fault; the log has the details"))


def _validation_problem(fault: RequestValidationError) -> Problem:
    errors = fault.errors()
    first = errors[0] if errors else {}
    place = [str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path", "header")]
    field = ".".join(place)
    if first.get("type") == "json_invalid":
        return Problem(400, "malformed_json", "the body is not JSON", field=f"character {field}" if field else "body")
    fields = [
        {"field": ".".join(str(p) for p in e["loc"] if p not in ("body", "query", "path")), "problem": str(e["msg"])}
        for e in errors[:20]
    ]
    detail = f"{field or 'body'}: {first.get('msg', 'is not valid')}"
    return Problem(422, "invalid", detail, field=field or "body", fields=fields)
