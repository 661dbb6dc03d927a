"""Where links in mails and cards lead: nothing happens by opening, and a claim is a POST of the page itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from activities.channels.words import instant
from tests.support.stack import Stack


@pytest.fixture
def browser(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.info["api_url"], timeout=30, trust_env=False) as client:
        yield client


def sign_in(browser: httpx.Client, stack: Stack, who: str = "reviewer") -> None:
    answer = browser.post("/sign-in", data={"token": stack.token(who), "next": "/"})
    assert answer.status_code == 303


def test_whoever_only_follows_a_link_sees_the_sign_in_and_changes_nothing(stack: Stack, browser: httpx.Client) -> None:
    held = stack.create()["escalation_id"]
    answer = browser.get(f"/escalations/{held}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=/escalations/{held}")
    sign_in(browser, stack)
    page = browser.get(f"/escalations/{held}")
    assert page.status_code == 200
    assert "You may terminate" not in page.text
    assert f'<form method="post" action="/escalations/{held}/claim">' in page.text
    assert browser.get(f"/escalations/{held}/claim").status_code == 405
    assert stack.escalation(held)["status"] == "open"


def test_the_button_claims_as_the_person_of_the_session(stack: Stack, browser: httpx.Client) -> None:
    held = stack.create()["escalation_id"]
    sign_in(browser, stack)
    answer = browser.post(f"/escalations/{held}/claim", headers={"sec-fetch-site": "same-origin"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/escalations/{held}")
    assert stack.escalation(held)["assignee"] == "reviewer"
    assert "It is yours" in browser.get(f"/escalations/{held}").text


def test_another_sites_page_claims_nothing(stack: Stack, browser: httpx.Client) -> None:
    held = stack.create()["escalation_id"]
    sign_in(browser, stack)
    answer = browser.post(f"/escalations/{held}/claim", headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert stack.escalation(held)["status"] == "open"


def test_who_comes_too_late_is_told_who_holds_it(stack: Stack, browser: httpx.Client) -> None:
    held = stack.create()["escalation_id"]
    stack.must(held, "claim", who="reviewer2")
    sign_in(browser, stack)
    page = browser.get(f"/escalations/{held}").text
    assert "Claimed by reviewer2" in page
    assert "<button>Claim" not in page
    late = browser.post(f"/escalations/{held}/claim")
    assert late.status_code == 409
    assert "reviewer2 holds this escalation" in late.text


def test_another_teams_case_is_not_there(stack: Stack, browser: httpx.Client) -> None:
    held = stack.create()["escalation_id"]
    sign_in(browser, stack, "other_team_reviewer")
    assert browser.get(f"/escalations/{held}").status_code == 404
    assert browser.post(f"/escalations/{held}/claim").status_code == 404
    assert browser.get("/escalations/<script>").text.count("<script>") == 0


def test_whoever_holds_it_is_told_how_long_looking_keeps_the_claim(stack: Stack, browser: httpx.Client) -> None:
    held = stack.create()["escalation_id"]
    claimed = stack.must(held, "claim")
    since, until = (datetime.fromisoformat(claimed[name]) for name in ("claimed_at", "lease_until"))
    sign_in(browser, stack)
    page = browser.get(f"/escalations/{held}").text
    bound = f"until {instant(since + 4 * (until - since))} at most (4 leases)."
    assert f"Your claim lasts until {instant(until)}, and longer while you look at this page, {bound}" in page
    stack.must(held, "extend", {"by": "20h"})
    assert "Looking at this page keeps it no longer" in browser.get(f"/escalations/{held}").text
