"""Where the links of mails and cards lead: a page about one case, and a button that claims it.

Scanners follow every link in a mail, so opening a page changes nothing and tells nothing without a session; what is
done is done by POST, from this very site. The page shows ids and states and no content. When a case that was given to
somebody was first looked at is remembered, for the report. While its holder looks at the page, it keeps their claim,
up to a bound that it says.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from activities.channels.words import finding, instant, standing, when_due
from api import decisions
from api.authentication import Using, authenticate, scope_of
from api.desk import AtDesk
from api.problems import Problem
from api.sessions import show_page, to_sign_in
from escalations.beating import MOST_LEASES, beats_end
from escalations.errors import EscalationError, NotFound
from escalations.views import View
from store.first_views import note_view

router = APIRouter(include_in_schema=False)

_HEARTBEAT = (Path(__file__).parent / "heartbeat.js").read_text(encoding="utf-8")


@router.get("/escalations/{escalation_id}")
async def page(request: Request, using: Using, at: AtDesk, escalation_id: str) -> Response:
    try:
        caller = await authenticate(request)
    except Problem:
        return to_sign_in(_path(escalation_id))
    try:
        view = await at.seen_by(scope_of(caller), escalation_id)
    except NotFound as nothing:
        return _told(str(nothing), 404)
    await note_view(using.database, view, caller, datetime.now(UTC))
    return _case(view, caller.login)


@router.post("/escalations/{escalation_id}/claim")
async def claim(request: Request, using: Using, at: AtDesk, escalation_id: str) -> Response:
    """Claims as the person of the session; a refusal is told on the page."""
    try:
        caller = await authenticate(request)
    except Problem as problem:
        if problem.status != 401:
            raise
        return to_sign_in(_path(escalation_id))
    try:
        await decisions.claim(caller, using, at, escalation_id)
    except EscalationError as refusal:
        return _told(refusal.message, 404 if isinstance(refusal, NotFound) else 409, escalation_id)
    return RedirectResponse(_path(escalation_id), 303)


@router.get("/heartbeat.js")
async def heartbeat_script() -> Response:
    return Response(_HEARTBEAT, media_type="text/javascript", headers={"cache-control": "max-age=3600"})


def _case(view: View, login: str) -> HTMLResponse:
    facts = {
        "Escalation": view.escalation_id,
        "Policy": finding(view),
        "Severity": f"{view.severity.value}: {view.severity.description}",
        "Status": standing(view),
        "Due": when_due(view),
    }
    rows = "".join(f"<dt><strong>{name}</strong></dt><dd>{html.escape(told)}</dd>" for name, told in facts.items())
    action = ""
    if view.end is None and view.assignee is None:
        action = f'<form method="post" action="{_path(view.escalation_id)}/claim"><button>Claim</button></form>'
    elif view.end is None and view.assignee == login:
        command = html.escape(f"kt escalation get {view.escalation_id} --include-context")
        action = f"<p>It is yours. Judge it with <code>{command}</code>.</p>"
        if view.lease_until is not None:
            beats = html.escape(f"/v1/escalations/{quote(view.escalation_id, safe='')}/heartbeat")
            action += (
                f"<p id='lease'>{html.escape(_lease(view, view.lease_until))}</p>"
                f"<script src='/heartbeat.js' data-beats='{beats}' defer></script>"
            )
    return show_page("Escalation", f"<dl>{rows}</dl>{action}", scripted="<script" in action)


def _lease(view: View, until: datetime) -> str:
    lasts = f"Your claim lasts until {instant(until)}"
    if view.lease is None or view.claimed_at is None:
        return f"{lasts}."
    end = beats_end(view.claimed_at, view.lease)
    if end <= until:
        return f"{lasts}. Looking at this page keeps it no longer; comment, or extend it."
    return f"{lasts}, and longer while you look at this page, until {instant(end)} at most ({MOST_LEASES} leases)."


def _told(text: str, status: int, escalation_id: str | None = None) -> HTMLResponse:
    back = f'<p><a href="{_path(escalation_id)}">Back to the escalation</a></p>' if escalation_id else ""
    return show_page("Escalation", f'<p class="fault" role="alert">{html.escape(text)}</p>{back}', status)


def _path(escalation_id: str) -> str:
    return f"/escalations/{quote(escalation_id, safe='')}"
