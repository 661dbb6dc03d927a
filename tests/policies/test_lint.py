"""The linter: each broken configuration has its rule, its line and what to do; nothing makes it fall over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from typer.testing import CliRunner

import cli.policy
from cli.policy_reports import as_github, as_sarif, as_text
from escalations.commands import Role
from escalations.directory import Directory, Person
from policies.config import POLICIES, PolicyConfig
from policies.documents import parse_document
from policies.fixing import fix
from policies.json_schema import json_schema
from policies.lint import lint, lint_document
from policies.lint_rules import RULES
from policies.loading import Complaint
from policies.starting import starting_config
from tests.policies import test_config
from tests.policies.broken import BASE, BROKEN, LAST, changed, routed


def complaints(text: str, directory: Directory | None = None) -> list[Complaint]:
    return lint_document(parse_document(text, "p.yaml"), directory)


def rules(text: str) -> list[str]:
    return [found.rule for found in complaints(text)]


@pytest.mark.parametrize(("text", "rule", "line", "suggestion"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_or_odd_has_its_rule_its_line_and_what_to_do(
    tmp_path: Path, text: str, rule: str, line: int, suggestion: str
) -> None:
    file = tmp_path / "policy-config.yaml"
    file.write_text(text)
    found = [complaint for complaint in lint(file) if complaint.rule == rule]
    assert found, [str(complaint) for complaint in lint(file)]
    assert found[0].line == line, str(found[0])
    assert suggestion in found[0].suggestion
    assert f"policy-config.yaml:{line}:" in str(found[0])


def test_the_base_of_the_broken_ones_is_fine() -> None:
    assert complaints(BASE) == []


def test_a_wrong_target_is_one_complaint() -> None:
    assert [(found.rule, found.line) for found in complaints("sla:\n  high:\n")] == [("KT103", 2)]


def test_every_rule_explains_itself_and_nearly_all_have_an_example() -> None:
    shown = {rule for _, rule, _, _ in BROKEN.values()}
    assert len(BROKEN) >= 60
    for number, rule in RULES.items():
        assert rule.meaning.endswith("."), number
        assert rule.fix, number
    assert len(shown) >= 40


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("# kt: ignore KT202", []),
        ("# kt: ignore[KT202]", []),
        ("# kt: ignore", []),
        ("# kt: ignore KT202, KT203", ["KT004"]),
        ("# kt: ignore KT999", ["KT004", "KT202"]),
        ("# an ordinary comment", ["KT202"]),
    ],
)
def test_a_comment_hides_a_warning_where_it_is_meant(comment: str, left: list[str]) -> None:
    text = changed("[prompt-injection, pii-detector, human-oversight, audit-logger]",
                   f"[prompt-injection, pii-detector, audit-logger, human-oversight]  {comment}")  # fmt: skip
    assert sorted(rules(text)) == left
    above = text.replace(f"  {comment}", "").replace("  chain:", f"  {comment}\n  chain:")
    assert sorted(rules(above)) == left


def test_a_comment_for_the_file_hides_everywhere_and_text_is_no_comment() -> None:
    text = changed("human-oversight, audit-logger", "audit-logger, human-oversight")
    assert rules("# kt: ignore-file KT202\n" + text) == []
    assert rules(text.replace("name: demo", "name: demo")) == ["KT202"]
    quoted = text.replace("team_id: legal", 'team_id: "x # kt: ignore KT202"')
    assert rules(quoted) == ["KT202"]


def test_an_error_is_never_hidden() -> None:
    assert rules(changed("action: escalate", "action: hold  # kt: ignore")) == ["KT103", "KT004"]


BLOCK = """\
# kept
policies:
  chain:
    - human-oversight   # high stakes
    - audit-logger      # the record
    - pii-detector
    - prompt-injection
policy:
  human-oversight:
    require_human_for: [legal_opinions, legal_opinions]
"""


def test_safe_corrections_keep_comments_and_change_only_what_they_say() -> None:
    fixed, done = fix(BLOCK, "p.yaml")
    assert (
        fixed
        == """\
# kept
policies:
  chain:
    - prompt-injection
    - pii-detector
    - human-oversight   # high stakes
    - audit-logger      # the record
policy:
  human-oversight:
    require_human_for: [legal_opinions]
"""
    )
    assert complaints(fixed) == []
    assert {complaint.rule for complaint in done} <= {number for number, rule in RULES.items() if rule.safe}
    assert fix(fixed, "p.yaml") == (fixed, [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("policies: {chain: [audit-logger, prompt-injection]}", "policies: {chain: [prompt-injection, audit-logger]}"),
        ("policies: {chain: [prompt-injection]}", "policies: {chain: [prompt-injection, audit-logger]}"),
        ("policies:\n  chain:\n  - prompt-injection\n\n# end\n", "  - audit-logger"),
        ("policies:\n  chain:\n    - prompt-injection", "    - audit-logger"),
        (routed("name: a, match: {severity: low}, route_to: a"), '    - {name: "Catch-all", match: {any: true}, '),
        ("policies: {chain: [audit-logger]}  # kt: ignore KT201", "policies: {chain: [audit-logger]}"),
    ],
)
def test_each_correction_leaves_nothing_to_complain_of(text: str, line: str) -> None:
    fixed, done = fix(text, "p.yaml")
    assert done
    assert any(line in written for written in fixed.splitlines()), fixed
    assert complaints(fixed) == []


def test_what_cannot_be_corrected_safely_stays_as_it_is() -> None:
    for name in ("an unknown policy in the chain", "both team and user", "not there"):
        text = BROKEN.get(name, ("policies: [",))[0]
        assert fix(text, "p.yaml") == (text, [])


def test_people_are_asked_for_where_the_installation_is_at_hand() -> None:
    ana = Person(frozenset({Role.REVIEWER}), frozenset({"legal"}))
    known = Directory(frozenset({"legal"}), {"ana": "ana", "ana@example.com": "ana"}, {"ana": ana})
    assert complaints(BASE, known) == []
    found = complaints(changed("team_id: legal", "team_id: legl"), known)
    assert [(c.rule, c.line, c.suggestion) for c in found] == [("KT320", 7, "did you mean 'legal'?")]
    rule = routed(LAST.replace("team:b", "ana@example.org"))
    assert [c.rule for c in complaints(rule, known)] == ["KT320"]


STAFF = Directory(
    frozenset({"legal", "audit", "new"}),
    {"ana": "ana", "eve": "eve"},
    {
        "ana": Person(frozenset({Role.REVIEWER}), frozenset({"legal"})),
        "eve": Person(frozenset({Role.AUDITOR}), frozenset({"audit"})),
    },
    consumer_teams=frozenset({"trading"}),
)


@pytest.mark.parametrize(
    ("text", "rule", "line", "told"),
    [
        (
            routed("name: a, match: {team: [trading, legl]}, route_to: ana"),
            "KT310",
            3,
            "'legl', and no consumer has it",
        ),
        ("sla: {overrides: [{match: {team: legl}, high: 1h}]}\n", "KT310", 1, "did you mean 'legal'?"),
        (routed('name: a, match: {any: true}, route_to: "team:audit"'), "KT346", 3, "nobody in the team 'audit'"),
        (
            "chains:\n  c:\n    legs:\n    - to: ana\n    - to: new\n    on_exhausted: hold\n",
            "KT346",
            5,
            "nobody in the team 'new'",
        ),
        ("assignment: {teams: {new: {strategy: round_robin}}}\n", "KT346", 1, "nobody in the team 'new'"),
        (
            "schedules:\n  s:\n    layers:\n    - {name: a, members: [ana, eve], start: 2026-01-05}\n",
            "KT346",
            4,
            "eve may not review",
        ),
        (
            'schedules:\n  s:\n    ical: "BEGIN:VCALENDAR\\nVERSION:2.0\\nPRODID:x\\nBEGIN:VEVENT\\nUID:1'
            '\\nDTSTART:20260105T090000Z\\nDTEND:20260112T090000Z\\nRRULE:FREQ=WEEKLY\\nSUMMARY:eve\\nEND:VEVENT\\nEND:VCALENDAR\\n"\n',
            "KT346",
            3,
            "eve may not review",
        ),
    ],
)
def test_routes_on_which_nobody_is_are_warned_of(text: str, rule: str, line: int, told: str) -> None:
    found = [one for one in complaints(text, STAFF) if one.rule == rule]
    assert [(one.line, one.warning) for one in found] == [(line, True)], complaints(text, STAFF)
    assert told in str(found[0])


@pytest.mark.parametrize("routing", ["team_id: audit", "team_id: team:new", "user_id: eve"])
def test_a_policy_that_routes_to_nobody_who_reviews_is_warned_of(routing: str) -> None:
    found = complaints(changed("team_id: legal", routing), STAFF)
    assert [(one.rule, one.line, one.warning) for one in found] == [("KT346", 7, True)]
    assert complaints(changed("team_id: legal", "user_id: ana"), STAFF) == []


def test_teams_that_are_there_and_have_reviewers_are_not_warned_of() -> None:
    rule = 'name: a, match: {any: true}, route_to: "team:legal"'
    text = routed("name: t, match: {team: [trading, legal]}, route_to: ana", rule)
    text += "assignment: {teams: {legal: {strategy: round_robin}, new: {strategy: queue}}}\n"
    assert complaints(text, STAFF) == []


# What can stand anywhere in a document, and the words that lead into the checks.
_WORDS = st.sampled_from(
    [
        *PolicyConfig.model_fields,
        *POLICIES,
        "chain",
        "targets",
        "id",
        "model",
        "models",
        "escalation_routing",
        "team_id",
        "user_id",
        "require_human_for",
        "legal_opinions",
        "action",
        "escalate",
        "log",
        "hold",
        "max_wait",
        "1s",
        "severity",
        "rules",
        "match",
        "any",
        "route_to",
        "notification_channel",
        "sla",
        "critical",
        "targets",
        "business_hours",
        "days",
        "notification_channels",
        "name",
        "version",
        "1.0.0",
        "type",
        "email",
        "high",
        "base_url",
        "http://x",
        "entities",
    ]
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | _WORDS
_DATA = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=5), max_leaves=25
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(_WORDS, _DATA, max_size=5))
def test_no_document_crashes_linter_or_corrections(data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    for found in complaints(text):
        assert found.rule in RULES
        assert found.line >= 1
        assert found.suggestion
    fix(text, "p.yaml")


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_change_of_a_good_configuration_crashes_linter_or_corrections(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from([BASE, BLOCK, test_config.STEP_10, test_config.ROUTING]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    broken = text[:start] + data.draw(st.text(max_size=8) | _WORDS) + text[end:]
    file = tmp_path_factory.getbasetemp() / "changed.yaml"
    file.write_bytes(broken.encode("utf-8", "surrogatepass"))
    for found in lint(file):
        assert found.rule in RULES
        assert as_text(found, excerpt=True)
    fix(broken, "p.yaml")


SEEDS = [test_config.STEP_2, test_config.STEP_9, test_config.STEP_10, test_config.REFERENCE, BASE]
VALIDATORS = {"2020-12": Draft202012Validator, "07": Draft7Validator}


@pytest.mark.parametrize("draft", VALIDATORS)
def test_the_schema_takes_every_documented_example_and_refuses_a_typo(draft: str) -> None:
    validator = VALIDATORS[draft]
    schema = json_schema(draft)
    validator.check_schema(schema)
    for text in SEEDS:
        assert list(validator(schema).iter_errors(yaml.safe_load(text))) == []
    for name in ("an unknown key at the top", "an action that is none", "a threshold of two", "no category"):
        assert list(validator(schema).iter_errors(yaml.safe_load(BROKEN[name][0]))), name
    assert list(validator(schema).iter_errors(yaml.safe_load(BROKEN["an unknown key in a hold"][0])))
    assert "$defs" not in json_schema("07")


@pytest.mark.parametrize("draft", VALIDATORS)
@pytest.mark.parametrize(
    ("overlay", "fine"),
    [
        ("human-oversight: {threshold: 0.7}", True),  # what the common block requires need not be said again
        ("human-oversight: {hold: {mode: deferred}}", True),
        ("prompt-injection: {response: {action: log}}", True),
        ("pii-detector: {rollout: {by: request}}", True),
        ("content-rules: {rules: [{name: a, phrases: [x]}]}", True),
        ("human-oversight: {treshold: 0.7}", False),
        ("human-oversight: {hold: {mode: later}}", False),
        ("human-oversigt: {threshold: 0.7}", False),
        ("pii-detector: {action: encrypt}", False),
        ("content-rules: {rules: [{phrases: [x]}]}", False),  # a list is replaced whole
        ("audit-logger: 7", False),
    ],
)
def test_a_groups_overlay_is_typed_in_the_schema(draft: str, overlay: str, fine: bool) -> None:
    document = yaml.safe_load(f"{BASE}consumer_groups:\n  vip:\n    policy:\n      {overlay}\n")
    found = list(VALIDATORS[draft](json_schema(draft)).iter_errors(document))
    assert (found == []) is fine, [error.message for error in found]


def test_the_starting_configuration_is_fine_and_names_its_schema() -> None:
    text = starting_config("demo", "policy-config.schema.json")
    assert text.startswith("# yaml-language-server: $schema=policy-config.schema.json\n")
    assert complaints(text) == []


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.policy.app, list(arguments))


def test_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "policy-config.yaml"
    made = run("init", "--file", str(file))
    assert made.exit_code == 0, made.output
    assert run("lint", str(file)).output.endswith("ok\n")
    assert json.loads((tmp_path / "policy-config.schema.json").read_text()) == json_schema("07")
    assert "is there already" in str(run("init", "--file", str(file)).exception)
    assert json.loads(run("schema", "--draft", "07").stdout) == json_schema("07")
    file.write_text(file.read_text().replace("    - prompt-injection\n", "").replace("Detector", "") + "    hod: {}\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text("policies: {chain: [audit-logger, pii-detector]}\n")
    shown = run("lint", str(file), str(bad), "-v")
    assert shown.exit_code == 1
    assert "  1 | policies: {chain: [audit-logger, pii-detector]}\n    |                    ^" in shown.output
    assert run("lint", str(bad), "--fix").exit_code == 0
    assert bad.read_text() == "policies: {chain: [pii-detector, audit-logger]}\n"


def test_reports_for_machines() -> None:
    [found] = complaints(changed("human-oversight,", "human-oversigt,"))
    assert as_github(found).startswith(
        "::error file=p.yaml,line=9,col=43,title=KT102::unknown policy 'human-oversigt' — did"
    )
    report = as_sarif([found])
    assert report["version"] == "2.1.0"
    [result] = report["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("KT102", "error")
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 9, "startColumn": 43}
    assert report["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "KT102"


def test_the_hook_for_pre_commit_calls_a_command_that_is_there(root: Path) -> None:
    [hook] = yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"].split()[:3] == ["kt", "policy", "lint"]


OFFICE = 'calendars:\n  office: {hours: {mon-fri: "09:00-17:00"}}\n  all: {hours: {mon-sun: "00:00-24:00"}}\n'


@pytest.mark.parametrize(
    "sla",
    [
        "{low: 1d}",
        "{low: 24h, calendar: office}",
        "{low: 1d, calendar: all}",
        "{critical: 1d, high: 1d, medium: 1d, calendar: office, overrides: [{match: {team: a}, calendar: all}]}",
        "{low: 20h, expire_after: 5d, calendar: office}",
        "{overrides: [{match: {team: a}, critical: 10m}]}",
        "{calendar_for_critical: true}",
    ],
)
def test_clocks_that_mean_what_they_say_are_not_warned_of(sla: str) -> None:
    odd = [one.trail for one in complaints(f"sla: {sla}\n{OFFICE}") if one.rule in {"KT305", "KT306", "KT316", "KT317"}]
    assert odd == ([("sla", "high"), ("sla", "medium")] if "high: 1d" in sla else [])


def test_a_warning_of_open_time_says_how_long_it_lasts() -> None:
    told = {
        one.rule: one.message for one in complaints(f"sla: {{low: 1d, expire_after: 4d, calendar: office}}\n{OFFICE}")
    }
    assert told["KT317"] == "1d is 24 hours of open time, about 3.0 working days of 'office'"
    assert told["KT306"].startswith(
        "cases expire after 4d, before the target of low is up in the open time of 'office': one"
    )


TURNS = """\
schedules:
  s:
    layers:
    - {name: now, members: [ana], start: 2026-01-05}
    - name: later
      members: [ben]
      start: START
    overrides:
    - from: FROM
      to: TO
      people: [ben]
"""


@pytest.mark.parametrize(
    ("start", "begins", "ends", "line"),
    [
        ("2026-01-12", "2026-01-06", "2026-01-07", None),
        ("2526-01-12", "2026-01-06", "2026-01-07", 7),
        ("2026-01-12", "2526-01-06", "2526-01-07", 9),
        ("2026-01-12", "2026-01-06", "2062-01-07", 10),
    ],
)
def test_rotations_and_overrides_years_away_are_warned_of(start: str, begins: str, ends: str, line: int | None) -> None:
    text = TURNS.replace("START", start).replace("FROM", begins).replace("TO", ends)
    # A layer that starts with the first and lies on top of it would hide it.
    text = text.replace("members: [ben]\n", 'members: [ben]\n      restrictions: {sat-sun: "09:00-17:00"}\n')
    found = [(one.rule, one.line, one.warning) for one in complaints(text)]
    assert found == ([] if line is None else [("KT345", line + 1, True)])


def test_rotations_none_of_which_begins_within_a_year_are_refused() -> None:
    text = "schedules:\n  s:\n    layers:\n    - {name: a, members: [ana], start: 2526-01-05}\n"
    assert [(one.rule, one.line, one.warning) for one in complaints(text)] == [("KT345", 3, False)]
