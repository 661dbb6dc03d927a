"""`kt sla report` and `kt sla recompute` over cases that were there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.stack import Stack, wait_for


@contextmanager
def team_of(stack: Stack, name: str, **settings: Any) -> Iterator[str]:
    """A team of one reviewer, to whom all cases go meanwhile; gives the reviewer's login."""
    if name not in {team["team_id"] for team in stack.api("admin").get("/v1/teams").json()["teams"]}:
        made = stack.api("admin").post("/v1/teams", json={"team_id": name})
        assert made.status_code == 201, made.text
        stack.hire(f"one-of-{name}", name)
    rule = {"name": f"to {name}", "match": {"any": True}, "route_to": f"team:{name}"}
    with stack.settings(escalation_routing={"rules": [rule]}, **settings):
        yield f"one-of-{name}"


def row(shown: str, name: str, table: int = 0) -> list[str]:
    """The cells of one line of one of the tables."""
    lines = shown.split("\n\n")[table].splitlines()
    return next(line for line in lines if line.split("\t")[0] == name).split("\t")


def test_a_report_shows_its_figures_and_an_arrow_where_the_trend_matters(stack: Stack) -> None:
    began = datetime.now(UTC)
    with team_of(stack, "counted") as ana:
        for _ in range(5):
            stack.decide(stack.create()["escalation_id"], "block", ana)
    turned = datetime.now(UTC)
    with team_of(stack, "counted", sla={"high": "1s", "expire_after": "1h"}):
        late = [stack.create()["escalation_id"] for _ in range(5)]
    for held in late:
        wait_for(lambda held=held: "breached" in stack.events(held), "the breach")
    length = max(datetime.now(UTC) - turned, turned - began) + timedelta(seconds=1)
    window = ("--since", turned.isoformat(), "--until", (turned + length).isoformat())
    shown = stack.kt("sla", "report", *window, who="admin")
    assert row(shown, "team:counted")[:5] == ["team:counted", "0.0 %", "0", "5", "↑ +100.0 pp"]
    before = ("--since", (turned - length).isoformat(), "--until", turned.isoformat())
    cells = row(stack.kt("sla", "report", *before, who="admin"), "team:counted")
    assert cells[:5] == ["team:counted", "100.0 %", "5", "0", "no data"]
    assert all(cell.endswith("s") for cell in cells[5:])
    series = stack.api("admin").get("/v1/sla/report", params={"since": window[1], "until": window[3], "buckets": 4})
    found = series.json()["breach_series"]
    assert (len(found), sum(one["breached"] for one in found) >= 5) == (4, True)
    assert (found[0]["from"], found[-1]["to"]) == (series.json()["from"], series.json()["to"])


def test_what_was_given_to_somebody_has_a_first_view_and_no_time_to_claim(stack: Stack) -> None:
    given = {"teams": {"given": {"strategy": "round_robin"}}}
    with team_of(stack, "given", assignment=given) as ana:
        held = wait_for(
            lambda: (found := stack.create())["assignee"] == ana and found["escalation_id"], "a case that is given out"
        )
        stack.must(held, "unclaim", who=ana)
        stack.must(held, "claim", who=ana)
        figures = stack.api("admin").get("/v1/sla/report").json()["by_team"]["given"]
        assert (figures["time_to_claim"], figures["time_to_first_view"]) == (None, None)
        for _ in range(2):
            stack.escalation(held, ana, include="context")
        stack.must(held, "resolve", {"resolution": "block"}, ana)
    figures = stack.api("admin").get("/v1/sla/report").json()["by_team"]["given"]
    assert (figures["time_to_claim"], figures["time_to_first_view"]["count"]) == (None, 1)
    assert figures["handle_time"]["count"] == 1
    assert figures["handle_time"]["mean"] <= figures["time_to_resolve"]["mean"]
    shown = stack.kt("sla", "report", "--detail", who="admin")
    assert [cell for cell in row(shown, "team:given", 1) if cell == "no data"] == []
    assert shown.split("\n\n")[2].splitlines()[0].split("\t") == ["FROM", "TO", "MET", "BREACHED", "BREACH RATE"]
    assert row(shown, "0s to 15m00s", 3)[0] == "0s to 15m00s"


def test_recomputing_shows_beforehand_what_it_does_to_a_deadline_that_a_lowered_severity_kept(stack: Stack) -> None:
    with stack.settings(sla={"low": "90m"}):
        held = stack.create(severity="high")["escalation_id"]
    stack.must(held, "claim")
    kept = stack.must(held, "severity", {"severity": "low"})["sla_deadline"]
    expected = stack.api("admin").post(f"/v1/escalations/{held}/recompute", json={"apply": False}).json()
    assert (expected["after"], expected["changed"]) == (kept, False)
    because = stack.api().get(f"/v1/escalations/{held}/explain").json()["deadline"]["because"]
    assert "as before its severity was changed" in because
    stack.hire("other-admin", roles=("admin",))
    applied = stack.api("other-admin").post(f"/v1/escalations/{held}/recompute", json={"apply": True})
    assert (applied.status_code, applied.json()["after"]) == (200, kept)
    assert "as before its severity was changed" in stack.kt("escalation", "explain", held)
