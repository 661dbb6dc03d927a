"""Signing in with a browser: a token of `kt token create` becomes a session cookie. A page that runs a script
names it; all others run none."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.authentication import SESSION_COOKIE, Principals, Using, authenticate
from api.problems import Problem
from store.tokens import issue_token, revoke_token

router = APIRouter(include_in_schema=False)

SESSION_LIFE = timedelta(hours=12)
_CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_SCRIPTS = "; script-src 'self'; connect-src 'self'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}"
    "input,button{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.3rem 0}"
    "code{font-size:.95em}.fault{border-left:4px solid #c33;padding-left:.7rem}"
)
_WIDE_STYLE = (
    "body{max-width:62rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{padding:.3rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid #8886}"
    "td{font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left}th[scope=row]{font-weight:normal}"
    ".scrolls{overflow-x:auto}.chooser{display:flex;flex-wrap:wrap;gap:1rem;align-items:end}"
    ".chooser input,.chooser button{width:auto;display:block}"
    "nav a{margin-right:1rem}nav a[aria-current]{font-weight:bold}"
    ".bar{display:inline-block;height:.7em;background:#c33;vertical-align:baseline}"
)


@router.get("/")
async def home(request: Request, using: Using) -> Response:
    """Where a person lands: who they are, and where to go next."""
    try:
        caller = await authenticate(request)
    except Problem:
        return RedirectResponse("/sign-in", 303)
    operators = (
        '<li><a href="/temporal/">Temporal: the history of every escalation</a></li>' if using.temporal_ui else ""
    )
    return show_page(
        "Keeptrusts",
        f"<p>Signed in as <strong>{html.escape(caller.login)}</strong>.</p><ul>"
        '<li><a href="/reports/sla">How it goes: the SLA report</a></li>'
        "<li>Review from a terminal: <code>kt escalation list --status open</code></li>"
        f'<li><a href="/docs">The HTTP API</a></li>{operators}</ul>'
        '<form method="post" action="/sign-out"><button>Sign out</button></form>',
    )


@router.get("/sign-in")
async def sign_in_page(to: Annotated[str, Query(alias="next")] = "/") -> Response:
    return _form(to)


@router.post("/sign-in")
async def sign_in(request: Request, using: Using) -> Response:
    """Exchange a token for a session of twelve hours."""
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise Problem(403, "cross_site", "sign in on the page itself")
    fields = parse_qs((await request.body()).decode(errors="replace"))
    token, to = fields.get("token", [""])[0].strip(), fields.get("next", ["/"])[0]
    principals: Principals = request.app.state.principals
    caller = await principals.of(token)
    if caller is None or caller.kind != "user":
        return _form(to, "That is not a valid token of a person. Ask an admin for <code>kt token create</code>.", 401)
    async with using.database.write() as connection:
        _, session = await issue_token(
            connection,
            caller.tenant,
            "session",
            caller.login,
            label="browser",
            now=datetime.now(UTC),
            life=SESSION_LIFE,
            created_by=caller.token_id,
        )
    answer = RedirectResponse(_local(to), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        SESSION_COOKIE, session, max_age=int(SESSION_LIFE.total_seconds()), httponly=True, samesite="lax", secure=secure
    )
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, using: Using) -> Response:
    caller = await authenticate(request)
    if caller.kind == "session":
        async with using.database.write() as connection:
            await revoke_token(connection, caller.tenant, caller.token_id, datetime.now(UTC))
        principals: Principals = request.app.state.principals
        principals.forget()
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def to_sign_in(path: str) -> RedirectResponse:
    """Send a browser to sign in, and back to where it wanted to go."""
    return RedirectResponse(f"/sign-in?next={quote(path)}", 303)


def _local(to: str) -> str:
    """Only a path of this site: anything else would make the sign-in page a redirector."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"


def _form(to: str, fault: str = "", status: int = 200) -> HTMLResponse:
    told = f'<p class="fault" role="alert">{fault}</p>' if fault else ""
    return show_page(
        "Sign in",
        f"{told}<form method='post' action='/sign-in'>"
        f"<input type='hidden' name='next' value='{html.escape(_local(to), quote=True)}'>"
        "<label for='token'>Your token</label>"
        "<input id='token' name='token' type='password' autocomplete='current-password' autofocus required>"
        "<button>Sign in</button></form>",
        status,
    )


def show_page(title: str, body: str, status: int = 200, *, scripted: bool = False, wide: bool = False) -> HTMLResponse:
    """A plain page; `body` is HTML in which everything from outside is escaped already. One that is `scripted` may run
    scripts of this site, and nothing that stands in the page itself. A `wide` one has room for tables."""
    style = _STYLE + _WIDE_STYLE if wide else _STYLE
    text = (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title} · Keeptrusts</title>"
        f"<meta name='viewport' content='width=device-width'><style>{style}</style></head>"
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
    policy = _CSP + _SCRIPTS if scripted else _CSP
    return HTMLResponse(text, status, headers={"content-security-policy": policy})
