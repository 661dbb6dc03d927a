"""A configuration held against what people decided, and what their decisions suggest."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import cli.policy
import cli.policy_tuning
import cli.policy_versions
from cli.failures import NOT_FOUND, Failure
from escalations.settings import EscalationSettings
from escalations.severity import Severity
from policies.backtesting import Record, backtest
from policies.config import PolicyConfig
from policies.predicting import predict
from policies.starting import starting_config
from policies.suggesting import changed, suggest_changes

CONFIG = PolicyConfig.model_validate(
    {
        "policies": {"chain": ["human-oversight", "audit-logger"]},
        "policy": {"human-oversight": {"require_human_for": ["legal_opinions", "hiring_actions"]}},
    }
)


def finding(
    category: str = "legal_opinions", score: int = 700, verdict: str = "escalated", **more: Any
) -> dict[str, Any]:
    return {"policy": "human-oversight", "reason_code": category, "score": score, "verdict": verdict, **more}


def record(name: str, *findings: dict[str, Any], **more: Any) -> Record:
    held = any(one["verdict"] == "escalated" for one in findings)
    return Record(f"evt_{name}", "escalated" if held else "passed", findings, f"esc_{name}" if held else None, **more)


def threshold(value: float) -> PolicyConfig:
    return changed(CONFIG, {"policy": {"human-oversight": {"threshold": value}}})


def test_what_is_no_longer_held_is_told_with_what_people_had_blocked_of_it() -> None:
    records = [
        record("a", finding(score=600), resolution="allow", category="false_positive", handled_s=1800),
        record("b", finding(score=650), resolution="block", category="true_positive", handled_s=1800),
        record("c", finding(score=660)),
        record("d", finding(score=900), resolution="redact_and_allow"),
        record("e", finding(score=450, verdict="passed")),
        record("f"),
    ]
    result = backtest(threshold(0.8), records)
    assert (result.before, result.after, result.looked_at, result.unknown) == (4, 1, 6, 1)
    assert result.no_longer == ["esc_a", "esc_b", "esc_c"]
    assert (result.missed, result.undecided) == (["esc_b"], ["esc_c"])
    assert result.saved_s == 3600
    assert result.rules["human-oversight.legal_opinions"].shown() == {
        "before": 4, "after": 1, "decided": 1, "precision": 1.0, "recall": 0.5,
    }  # fmt: skip
    lower = backtest(threshold(0.4), records)
    assert lower.newly_escalated == ["evt_e"]
    assert lower.missed == []


def test_content_that_is_there_is_tried_anew() -> None:
    said = {"choices": [{"message": {"role": "assistant", "content": "In our opinion you may lawfully terminate."}}]}
    asked = {"messages": [{"role": "user", "content": "Draft a final legal opinion on the contract."}]}
    kept = record("a", finding(), request=asked, answer=said, resolution="block")
    assert backtest(CONFIG, [kept]).no_longer == []
    narrower = changed(CONFIG, {"policy": {"human-oversight": {"require_human_for": ["hiring_actions"]}}})
    assert backtest(narrower, [kept]).missed == ["esc_a"]
    blocking = changed(CONFIG, {"policy": {"human-oversight": {"action": "block"}}})
    result = backtest(blocking, [kept])
    assert (result.no_longer, result.missed) == (["esc_a"], [])


def test_what_an_application_demanded_is_held_under_every_configuration() -> None:
    demanded = record("a", finding("financial_advice", detector="required-by-caller/1"))
    off = changed(CONFIG, {"policy": {"human-oversight": {"mode": "off"}}})
    assert backtest(off, [demanded]).after == 1


def test_what_a_shadow_saw_counts_once_it_is_enforced() -> None:
    seen = record("a", finding(verdict="passed", would="escalated", mode="shadow"))
    assert backtest(CONFIG, [seen]).newly_escalated == ["evt_a"]
    shadow = changed(CONFIG, {"policy": {"human-oversight": {"mode": "shadow"}}})
    assert backtest(shadow, [seen]).newly_escalated == []


def decisions(seed: int = 7) -> list[Record]:
    """200 decisions: legal opinions overruled below 0.8 and right above, hiring always overruled."""
    chance = random.Random(seed)
    records = []
    for number in range(200):
        if number % 4 == 0:
            one = finding("hiring_actions", chance.randint(500, 990))
            records.append(record(str(number), one, resolution="allow", category="false_positive", handled_s=60))
            continue
        score = chance.randint(500, 990)
        right = score >= 800
        resolution, category = ("block", "true_positive") if right else ("allow", "false_positive")
        one = finding("legal_opinions", score)
        records.append(record(str(number), one, resolution=resolution, category=category, handled_s=60))
    return records


def test_decisions_suggest_a_threshold_or_no_person_at_all_and_miss_nothing() -> None:
    records = decisions()
    found = {one.rule: one for one in suggest_changes(CONFIG, records)}
    assert found["human-oversight.hiring_actions"].change == {
        "policy": {"human-oversight": {"actions": {"hiring_actions": "log"}}}
    }
    legal = found["human-oversight.legal_opinions"]
    value = legal.change["policy"]["human-oversight"]["thresholds"]["legal_opinions"]
    assert 0.75 < value < 0.85
    for one in found.values():
        assert one.backtest.missed == []
        assert one.backtest.after < one.backtest.before
        assert "false_positive" in one.because
    assert CONFIG.policy.human_oversight is not None
    assert CONFIG.policy.human_oversight.thresholds == {}


def test_too_few_decisions_and_rules_that_are_right_suggest_nothing() -> None:
    assert suggest_changes(CONFIG, decisions()[:6]) == []
    right = [record(str(n), finding(score=600 + n), resolution="block", category="true_positive") for n in range(50)]
    assert suggest_changes(CONFIG, right) == []
    mixed = [
        *right,
        *(record(f"x{n}", finding(score=990), resolution="allow", category="false_positive") for n in range(60)),
    ]
    assert suggest_changes(CONFIG, mixed) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 1000), st.sampled_from(["allow", "block", "redact_and_allow", None])), max_size=40
    ),
    st.floats(0.01, 0.99),
)
def test_nothing_is_counted_twice_or_lost(cases: list[tuple[int, str | None]], value: float) -> None:
    records = [
        record(str(number), finding(score=score), resolution=resolution)
        for number, (score, resolution) in enumerate(cases)
    ]
    result = backtest(threshold(value), records)
    assert result.before == len(records)
    assert result.after + len(result.no_longer) == result.before
    assert set(result.missed) | set(result.undecided) <= set(result.no_longer)
    assert len(result.missed) == sum(
        resolution in ("block", "redact_and_allow") and score / 1000 < value for score, resolution in cases
    )
    for one in suggest_changes(CONFIG, records):
        assert one.backtest.missed == []


class Api:
    """The API with a few events and cases, and a policy of one version."""

    url = "http://api.example"

    def __init__(self, records: list[Record]) -> None:
        self.records = {one.event_id: one for one in records}
        self.read: list[str] = []
        self.posted: list[tuple[str, Any]] = []
        self.text = ""

    def post(self, path: str, body: Any) -> Any:
        self.posted.append((path, body))
        return {"stage": body["to"]}

    def get(self, path: str, **query: Any) -> Any:
        if path == "/v1/events":
            rows = [
                row
                for number, row in enumerate(map(self._event, self.records.values()), 1)
                if number > int(query["after"])
            ]
            page = rows[:60]
            return {"events": page, "next_cursor": int(query["after"]) + len(page) if page else query["after"]}
        if path == "/v1/settings":
            return {"settings": {"sla": {"medium": "10m"}}}
        if path.endswith("/versions/2"):
            return {"text": self.text}
        if path.startswith("/v1/policies/"):
            moves = [{"version": 2, "stage": "active", "at": "2026-01-02T00:00:00+00:00"}]
            return {"moves": moves}
        name = path.rpartition("/")[2].replace("esc_", "evt_")
        if name == "evt_3":
            raise Failure("not for these eyes", NOT_FOUND)
        self.read.append(str(query["include"]))
        one = self.records[name]
        return {
            "resolution": one.resolution,
            "category": one.category,
            "reviewer": "ana",
            "claimed_at": "2026-01-01T10:00:00+00:00",
            "ended_at": "2026-01-01T10:01:00+00:00",
        }

    @staticmethod
    def _event(one: Record) -> dict[str, Any]:
        shown = {"event_id": one.event_id, "verdict": one.verdict, "escalation_id": one.escalation_id}
        placed = {"at": "2026-01-01T09:00:00+00:00", "team": None, "consumer_group": None}
        return {**shown, **placed, "body": {"policies": list(one.findings)}}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api(decisions())
    monkeypatch.setattr(cli.policy_tuning, "connect", lambda _profile: made)
    monkeypatch.setattr(cli.policy_versions, "connect", lambda _profile: made)
    return made


def test_the_commands_read_every_page_and_say_what_they_found(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(starting_config("demo", None).replace("threshold: 0.5 ", "threshold: 0.9 "))
    run, before = CliRunner(), file.read_text()
    told = json.loads(run.invoke(cli.policy.app, ["backtest", str(file), "--json"]).stdout)
    assert told["looked_at"] == 200
    assert told["escalations"]["after"] < told["escalations"]["before"] == 200
    assert told["missed_blocks"]
    assert set(api.read) == {"context"}
    plain = run.invoke(cli.policy.app, ["backtest", str(file), "--scores-only", "--fail-if-missed-blocks", "0"])
    assert plain.exit_code == 1
    assert f"missed: {told['missed_blocks'][0]}  http://api.example/v1/escalations/esc_" in plain.output
    assert told["links"].keys() >= {*told["missed_blocks"], *told["no_longer_escalated"]}
    # All came at once, each takes a minute, and the target is ten.
    sla = told["sla"]
    assert (sla["reviewers"], sla["handling_seconds"], sla["before"]["cases"]) == (1, 60, 200)
    assert sla["after"]["breached"] < sla["before"]["breached"]
    assert "breaches by 1 reviewers: " in plain.output
    many = run.invoke(cli.policy.app, ["backtest", str(file), "--reviewers", "200", "--json"])
    assert json.loads(many.stdout)["sla"]["before"]["breached"] == 0
    suggested = json.loads(run.invoke(cli.policy.app, ["suggest", "--file", str(file), "--json"]).stdout)
    assert {one["rule"] for one in suggested["suggestions"]} >= {"human-oversight.hiring_actions"}
    assert "actions:\n" in run.invoke(cli.policy.app, ["suggest", "--file", str(file)]).output
    assert file.read_text() == before


def test_a_promotion_is_refused_when_more_than_so_many_blocks_would_be_missed(api: Api) -> None:
    api.text = starting_config("demo", None).replace("threshold: 0.5 ", "threshold: 0.95 ")
    promote = ["promote", "demo", "2", "--fail-if-missed-blocks", "0"]
    refused = CliRunner().invoke(cli.policy.app, promote)
    assert isinstance(refused.exception, Failure)
    assert refused.exception.code == "missed_blocks"
    assert "http://api.example/v1/escalations/esc_" in str(refused.exception)
    assert api.posted == []
    api.text = starting_config("demo", None)
    assert CliRunner().invoke(cli.policy.app, promote).exit_code == 0
    assert api.posted == [("/v1/policies/demo/promote", {"version": 2, "to": "active"})]


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def test_what_no_content_shows_is_judged_by_what_was_recorded() -> None:
    config = PolicyConfig.model_validate(
        {
            "policies": {"chain": ["pii-detector", "rate-anomaly", "own"]},
            "policy": {"pii-detector": {"action": "escalate"}},
            "detectors": {"own": {"url": "http://localhost/look"}},
        }
    )

    def found(policy: str, **more: Any) -> dict[str, Any]:
        return {"policy": policy, "reason_code": "x", "verdict": "escalated", "score": 900, "severity": "high", **more}

    records = [
        record("own", found("own"), request={}, answer=said("fine")),
        record("rate", found("rate-anomaly"), request={}, answer=said("fine")),
        record("stars", found("pii-detector"), request={}, answer=said("****@***.*******"), masked=True),
        record("plain", found("pii-detector"), request={}, answer=said("nothing is left in it")),
    ]
    result = backtest(config, records)
    assert result.no_longer == ["esc_plain"]
    assert {held.severity for held in result.held_after} == {Severity.HIGH}


def test_fewer_cases_breach_less_by_the_clocks_of_the_settings() -> None:
    start = datetime(2026, 5, 7, 10, tzinfo=UTC)
    records = [
        record(
            str(number), finding(score=600 if number % 2 else 900, severity="high"), at=start, handled_s=600,
            resolution="allow", reviewer="ana" if number % 4 else "ben",
        )
        for number in range(24)
    ]  # fmt: skip
    result = backtest(threshold(0.8), records)
    told = predict(result, EscalationSettings.model_validate({"sla": {"high": "1h"}}))
    # Two people decide six each within the hour, twelve in all.
    assert (told.reviewers, told.before.cases, len(told.before.breached)) == (2, 24, 12)
    assert (told.after.cases, len(told.after.breached)) == (12, 0)
    shorter = predict(result, EscalationSettings.model_validate({"sla": {"high": "30m"}}), reviewers=2)
    assert shorter.shown()["after"]["by_severity"] == {"high": {"cases": 12, "breached": 6}}


def test_volume_before_and_after_a_version(api: Api) -> None:
    told = json.loads(CliRunner().invoke(cli.policy.app, ["recheck", "demo", "2", "--json"]).stdout)
    assert told["before"]["requests"] == told["after"]["requests"] == 200
    assert told["before"]["share"] == 1.0
    failed = CliRunner().invoke(cli.policy.app, ["recheck", "demo", "1"])
    assert "was never active" in str(failed.exception)
