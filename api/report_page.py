"""The SLA report as a page: the figures of `kt sla report`, what each of them means, and for which stretch of time.

It shows what the API's report gives the person of the session, no more. It runs no script: the stretch is chosen by
links and by a form that asks with GET, so a report is a link that can be kept.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from activities.channels.words import instant
from api.authentication import READERS, Using, authenticate
from api.problems import Problem
from api.sessions import show_page, to_sign_in
from api.sla import report_for, stretch_of
from escalations.errors import Invalid
from escalations.statistics import NO_DATA, SMALLEST_ARROW, SMALLEST_SAMPLE, show_length, show_trend

router = APIRouter(include_in_schema=False)

PATH = "/reports/sla"
USUAL = "30d"
STRETCHES = {"24h": "24 hours", "7d": "7 days", USUAL: "30 days", "90d": "90 days", "365d": "a year"}
BUCKETS = 10

COMPLIANCE = (
    "Compliance is met / (met + breached). A case counts when it is decided or breaches, whichever comes first; one"
    " that still runs does not count, and a breach stays one. The trend is the share of breaches against that of the"
    " stretch of equal length before, in percentage points: more is worse. An arrow stands only where it is"
    f" {SMALLEST_ARROW:g} point at least with {SMALLEST_SAMPLE} counted cases at least in either stretch, or where the"
    " interval of 95 % around the difference does not hold zero."
)
TIMES = {
    "time_to_claim": (
        "Time to claim",
        "From creation to the first claim, of cases first claimed in the stretch. Without those that were given to"
        " somebody before anybody had claimed them.",
    ),
    "time_to_first_view": (
        "Time to first view",
        "What cases that were given to somebody have instead: from creation until anybody who may review them first"
        " opened them.",
    ),
    "time_to_resolve": (
        "Time to resolve",
        "From creation to the decision, of cases decided in the stretch, by the wall clock: pauses and closed hours"
        " count.",
    ),
    "handle_time": ("Handle time", "From the last claim or assignment to the decision."),
}
_TAILS = "p50 is the median; one case of ten takes longer than p90."


@router.get(PATH)
async def page(request: Request, using: Using, since: str = "", until: str = "") -> Response:
    try:
        caller = await authenticate(request)
    except Problem:
        return to_sign_in(f"{PATH}?{urlencode({'since': since, 'until': until})}" if since or until else PATH)
    if not caller.has(*READERS):
        allowed = ", ".join(role.value for role in READERS)
        return _page(f'<p class="fault" role="alert">This needs one of the roles {allowed}.</p>', 403)
    chooser = _chooser(since or ("" if until else USUAL), until)
    try:
        window = stretch_of(since or None, until or None)
    except Invalid as fault:
        return _page(f'{chooser}<p class="fault" role="alert">{html.escape(fault.message)}</p>', 422)
    return _page(chooser + _report(await report_for(caller, using, window, BUCKETS)))


def _page(body: str, status: int = 200) -> Response:
    return show_page("SLA report", f'<p><a href="/">Home</a></p>{body}', status, wide=True)


def _chooser(since: str, until: str) -> str:
    links = "".join(
        f'<a href="{PATH}?since={short}"{" aria-current=page" if (since, until) == (short, "") else ""}>{long}</a>'
        for short, long in STRETCHES.items()
    )
    return (
        f'<nav aria-label="Stretch of time">{links}</nav><form class="chooser" action="{PATH}">'
        f"{_field('since', 'From', since)}{_field('until', 'To', until)}<button>Show</button></form>"
        "<p><small>An instant, as 2026-05-07 or 2026-05-07T10:00Z, or how long ago, as 7d. Without them: 30 days, until"
        " now.</small></p>"
    )


def _field(name: str, label: str, value: str) -> str:
    return (
        f'<div><label for="{name}">{label}</label><input id="{name}" name="{name}" value="{html.escape(value)}"'
        ' maxlength="40" size="22"></div>'
    )


def _report(found: dict[str, Any]) -> str:
    named = [("all", found["all"]), *found["by_severity"].items()]
    named += [(f"team {team}", figures) for team, figures in found["by_team"].items()]
    told = f"<p>From {instant(found['from'])} to {instant(found['to'])}, of the cases that you may see.</p>"
    if _is_empty(found):
        told += '<p role="status"><strong>Nothing was counted in this stretch.</strong> Choose a longer one.</p>'
    rows = [_compliance(name, figures) for name, figures in named]
    told += _section("Compliance", COMPLIANCE, ("Which", "Compliance", "Met", "Breached", "Trend"), rows)
    for key, (title, meaning) in TIMES.items():
        rows = [(name, *_times(figures[key])) for name, figures in named]
        told += _section(title, f"{meaning} {_TAILS}", ("Which", "Cases", "Mean", "p50", "p90"), rows)
    told += _section(
        "Breaches over time",
        "The same outcomes, the stretch cut into equal parts, oldest first.",
        ("From", "To", "Met", "Breached", "Breach rate"),
        [_bucket(one) for one in found["breach_series"]],
        drawn=[one["breach_rate"] or 0.0 for one in found["breach_series"]],
    )
    ages = [(_age(one), one["count"]) for one in found["open_by_age"]]
    return told + _section("Open at its end, by age", "How long they had been open.", ("Open for", "Cases"), ages)


def _is_empty(found: dict[str, Any]) -> bool:
    figures = found["all"]
    counted = figures["met"] or figures["breached"] or any(figures[key] for key in TIMES)
    return not counted and not any(one["count"] for one in found["open_by_age"])


def _section(
    title: str,
    meaning: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    drawn: Sequence[float] = (),
) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    lines = []
    for number, (first, *others) in enumerate(rows):
        bar = f'<span class="bar" aria-hidden="true" style="width:{4 * drawn[number]:.2f}em"></span> ' if drawn else ""
        cells = [html.escape(str(one)) for one in others]
        cells[-1] = bar + cells[-1]
        told = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row">{html.escape(str(first))}</th>{told}</tr>')
    return (
        f"<section><h2>{title}</h2><p>{meaning}</p>"
        f'<div class="scrolls" tabindex="0" role="region" aria-label="{title}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _compliance(name: str, figures: dict[str, Any]) -> tuple[object, ...]:
    trend = show_trend(figures["breach_trend_points"], figures["breach_trend_matters"])
    return name, figures["compliance_shown"], figures["met"], figures["breached"], trend


def _times(found: dict[str, Any] | None) -> tuple[object, ...]:
    if found is None:
        return 0, NO_DATA, NO_DATA, NO_DATA
    return found["count"], *(show_length(found[name]) for name in ("mean", "p50", "p90"))


def _bucket(one: dict[str, Any]) -> tuple[object, ...]:
    rate = one["breach_rate"]
    shown = NO_DATA if rate is None else f"{100 * rate:.1f} %"
    return instant(one["from"]), instant(one["to"]), one["met"], one["breached"], shown


def _age(one: dict[str, Any]) -> str:
    start, end = show_length(one["from_seconds"]), one["to_seconds"]
    return f"{start} and more" if end is None else f"{start} to {show_length(end)}"
