"""The API for reviewers, auditors, operators and integrations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from fastapi import FastAPI

from api import (
    appeals,
    beating,
    bulk,
    cases,
    codec,
    decisions,
    directory,
    events,
    explaining,
    golden,
    health,
    helping,
    notifications,
    pages,
    policies,
    problems,
    queue,
    report_page,
    revealing,
    schedules,
    second_reviews,
    sessions,
    settings,
    sla,
    slack,
    stream,
    taking,
    temporal_ui,
)
from api.assigning import Assigner
from api.authentication import Principals, bearer
from api.desk import Desk
from api.golden_schedule import GoldenSchedules
from api.limits import Limits
from api.services import Services
from api.slack_clicks import Clicks
from api.slack_socket import SlackSockets

DESCRIPTION = """Human review of AI answers: the queue, its cases, and the record of what was decided.

Every call carries a bearer token; who acts is the token's owner and nobody else. Errors are problem JSON (RFC 9457)
with a stable `code`. `Idempotency-Key` makes any POST safe to repeat.
"""


def create_app(services: Services) -> FastAPI:
    """The ASGI application. It owns nothing of `services`; who made them closes them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk: Desk = app.state.desk
        sockets = SlackSockets(services, app.state.clicks)
        works = (
            services.feed.run(),
            Assigner(services, desk).run(),
            GoldenSchedules(services).run(),
            sockets.run(),
        )
        running = [asyncio.create_task(work) for work in works]
        async with httpx.AsyncClient(timeout=30, trust_env=False, follow_redirects=False) as client:
            app.state.temporal_ui_client = client
            yield
        for task in running:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await app.state.clicks.close()
        await desk.refusals.close()

    app = FastAPI(title="Keeptrusts", version="0.1.0", description=DESCRIPTION, lifespan=lifespan)
    app.state.services = services
    app.state.principals = Principals(services.database)
    app.state.desk = Desk(services)
    app.state.clicks = Clicks(services, app.state.desk)
    problems.install(app)
    app.add_middleware(Limits)
    for module in (
        queue,
        taking,
        bulk,
        cases,
        explaining,
        decisions,
        helping,
        beating,
        appeals,
        events,
        revealing,
        directory,
        settings,
        policies,
        schedules,
        notifications,
        sla,
        second_reviews,
        golden,
        slack,
        stream,
        codec,
        health,
        sessions,
        pages,
        report_page,
        temporal_ui,
    ):
        app.include_router(module.router)
    _document_security(app)
    return app


def _document_security(app: FastAPI) -> None:
    """Say in the OpenAPI document that calls carry a bearer token."""
    plain = app.openapi

    def documented() -> dict[str, object]:
        document: dict[str, object] = plain()
        components = document.setdefault("components", {})
        assert isinstance(components, dict)
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": bearer.model.description}
        }
        document["security"] = [{"bearer": []}]
        return document

    app.openapi = documented  # type: ignore[method-assign]
