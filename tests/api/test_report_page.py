"""The SLA report as a page: the figures that the API gives the same person, with what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.report_page import STRETCHES, TIMES
from tests.cli.test_sla import team_of
from tests.support.stack import Stack, wait_for

PATH = "/reports/sla"


@pytest.fixture
def browser(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.info["api_url"], timeout=30, trust_env=False) as client:
        yield client


def sign_in(browser: httpx.Client, stack: Stack, who: str) -> None:
    answer = browser.post("/sign-in", data={"token": stack.token(who), "next": PATH})
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)


def row(page: str, section: str, name: str) -> list[str]:
    """The cells of one line under one heading."""
    table = page.split(f"<h2>{section}</h2>")[1].split("</section>")[0]
    line = table.split(f'<tr><th scope="row">{name}</th>')[1].split("</tr>")[0]
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td>(.*?)</td>", line)]


def test_it_is_behind_the_sign_in_and_in_the_navigation(stack: Stack, browser: httpx.Client) -> None:
    answer = browser.get(PATH, params={"since": "7d"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={PATH}%3Fsince%3D7d%26until%3D")
    sign_in(browser, stack, "reviewer")
    assert f'<a href="{PATH}">' in browser.get("/").text
    assert browser.get(PATH).status_code == 200


def test_it_shows_the_figures_of_the_api_and_an_arrow_where_the_trend_matters(
    stack: Stack, browser: httpx.Client
) -> None:
    began = datetime.now(UTC)
    with team_of(stack, "on-a-page") as ana:
        for _ in range(5):
            stack.decide(stack.create()["escalation_id"], "block", ana)
    turned = datetime.now(UTC)
    with team_of(stack, "on-a-page", sla={"high": "1s", "expire_after": "1h"}):
        late = [stack.create()["escalation_id"] for _ in range(5)]
    for held in late:
        wait_for(lambda held=held: "breached" in stack.events(held), "the breach")
    length = max(datetime.now(UTC) - turned, turned - began) + timedelta(seconds=1)
    sign_in(browser, stack, "admin")
    stretch = {"since": turned.isoformat(), "until": (turned + length).isoformat()}
    page, found = (browser.get(path, params=stretch) for path in (PATH, "/v1/sla/report"))
    assert row(page.text, "Compliance", "team on-a-page") == ["0.0 %", "0", "5", "↑ +100.0 pp"]
    every = found.json()["all"]
    assert row(page.text, "Compliance", "all")[:3] == [
        every["compliance_shown"],
        str(every["met"]),
        str(every["breached"]),
    ]
    series = page.text.split("<h2>Breaches over time</h2>")[1].split("</section>")[0]
    rows = [re.findall(r"<td>(.*?)</td>", line) for line in series.split("<tr>")[2:]]
    assert [int(cells[2]) for cells in rows] == [one["breached"] for one in found.json()["breach_series"]]
    assert sum(int(cells[2]) for cells in rows) >= 5
    before = browser.get(PATH, params={"since": (turned - length).isoformat(), "until": turned.isoformat()}).text
    assert row(before, "Compliance", "team on-a-page") == ["100.0 %", "5", "0", "no data"]
    times = row(before, "Time to resolve", "team on-a-page")
    assert (times[0], [cell.endswith("s") for cell in times[1:]]) == ("5", [True] * 3)


def test_every_figure_has_its_definition_and_every_severity_its_line(stack: Stack, browser: httpx.Client) -> None:
    sign_in(browser, stack, "auditor")
    page = browser.get(PATH).text
    for title, meaning in TIMES.values():
        assert f"<h2>{title}</h2><p>{meaning}" in page
        for severity in ("critical", "high", "medium", "low"):
            assert len(row(page, title, severity)) == 4
    assert "met / (met + breached)" in page
    assert "1 point at least with 20 counted cases at least in either stretch" in page


def test_where_nothing_was_counted_it_says_so_and_no_data(stack: Stack, browser: httpx.Client) -> None:
    sign_in(browser, stack, "admin")
    page = browser.get(PATH, params={"since": "2020-01-01", "until": "2020-01-02"}).text
    assert "Nothing was counted in this stretch." in page
    assert row(page, "Compliance", "all") == ["no data", "0", "0", "no data"]
    assert row(page, "Time to claim", "critical") == ["0", "no data", "no data", "no data"]


def test_the_stretch_is_chosen_without_a_script(stack: Stack, browser: httpx.Client) -> None:
    sign_in(browser, stack, "reviewer")
    page = browser.get(PATH)
    assert "<script" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    for short, long in STRETCHES.items():
        assert f'href="{PATH}?since={short}"' in page.text
        chosen = browser.get(PATH, params={"since": short, "until": ""}).text
        assert f"aria-current=page>{long}</a>" in chosen
    inputs = re.findall(r'<input id="(\w+)"', page.text)
    assert inputs == ["since", "until"]
    assert all(f'<label for="{name}">' in page.text for name in inputs)


@pytest.mark.parametrize("since", ["yesterday", '"><script>alert(1)</script>', "500d"])
def test_a_stretch_that_is_none_is_told_in_the_words_of_the_api(
    stack: Stack, browser: httpx.Client, since: str
) -> None:
    sign_in(browser, stack, "reviewer")
    page = browser.get(PATH, params={"since": since})
    assert page.status_code == browser.get("/v1/sla/report", params={"since": since}).status_code == 422
    assert 'role="alert"' in page.text
    assert "<script" not in page.text


def test_another_team_s_cases_are_not_in_it(stack: Stack, browser: httpx.Client) -> None:
    stack.decide(stack.create()["escalation_id"], "block")
    sign_in(browser, stack, "other_team_reviewer")
    page = browser.get(PATH).text
    assert '<th scope="row">team legal</th>' not in page


def test_the_key_of_an_application_reads_none(stack: Stack, browser: httpx.Client) -> None:
    admin = stack.api("admin")
    assert admin.post("/v1/consumers", json={"consumer_id": "reads-reports"}).status_code == 201
    key = admin.post("/v1/tokens", json={"consumer_id": "reads-reports"}).json()["token"]
    for path in (PATH, "/v1/sla/report"):
        assert browser.get(path, headers={"authorization": f"Bearer {key}"}).status_code == 403
