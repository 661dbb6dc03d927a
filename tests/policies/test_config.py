"""Policy configuration: every documented example loads, every mistake is one line with a place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.config import PolicyConfig
from policies.documents import Unreadable, parse_document
from policies.lint import RULES, lint
from policies.loading import BadConfig, load_for_gateway, load_policy_config
from policies.settings_files import load_escalation_settings
from policies.targets import Target

STEP_2 = """\
pack:
  name: oversight-demo
  version: 0.1.0
  enabled: true
providers:
  targets:
    - id: openai-review
      provider: openai
      model: gpt-4o-mini
      base_url: https://api.openai.com
      secret_key_ref:
        env: OPENAI_API_KEY
policies:
  chain:
    - human-oversight
    - audit-logger
policy:
  human-oversight:
    require_human_for:
      - legal_opinions
      - medical_decisions
      - hiring_actions
    action: escalate
  audit-logger:
    retention_days: 30
"""
STEP_9 = """\
pack:
  name: escalation-workflows-cli-providers-2
  version: 1.0.0
  enabled: true
providers:
  targets:
    - id: openai-review
      provider: openai
      secret_key_ref:
        env: OPENAI_API_KEY
policies:
  chain:
    - audit-logger
policy:
  audit-logger:
    immutable: true
    retention_days: 365
    log_all_access: true
"""
STEP_10 = """\
policies:
  chain:
    - prompt-injection
    - pii-detector
    - human-oversight
    - audit-logger

policy:
  prompt-injection:
    response:
      action: block

  pii-detector:
    action: redact
    pci_mode: true

  human-oversight:
    require_human_for:
      - legal_opinions
      - medical_decisions
    action: escalate

  audit-logger:
    retention_days: 30
"""
REFERENCE = """\
pack:
  name: escalations-providers-1
  version: 1.0.0
  enabled: true
providers:
  targets:
    - id: openai-prod
      provider:
policies:
  chain:
    - audit-logger
policy:
  audit-logger:
    immutable: true
    retention_days: 365
    log_all_access: true
"""
ROUTING = """\
# Example routing configuration
escalation_routing:
  rules:
    - name: "Critical to senior compliance"
      match:
        severity: critical
      route_to: "compliance-senior@acme.com"
      notification_channel: "pagerduty"

    - name: "PHI violations to healthcare team"
      match:
        policy_rule: "phi-detection"
      route_to: "team:healthcare-compliance"
      notification_channel: "slack:#hipaa-escalations"

    - name: "Catch-all"
      match:
        any: true
      route_to: "team:default-reviewers"
      notification_channel: "email"
"""


def write(path: Path, text: str) -> Path:
    file = path / "policy-config.yaml"
    file.write_text(text)
    return file


def first_line(path: Path, text: str) -> str:
    with pytest.raises(BadConfig) as fault:
        load_for_gateway(write(path, text), {"OPENAI_API_KEY": "k"})
    return str(fault.value).splitlines()[0]


@pytest.mark.parametrize("text", [STEP_2, STEP_9, STEP_10, REFERENCE], ids=["step 2", "step 9", "step 10", "reference"])
def test_every_documented_example_loads_whole_or_as_a_fragment(tmp_path: Path, text: str) -> None:
    load_policy_config(write(tmp_path, text))
    assert [found for found in lint(tmp_path / "policy-config.yaml") if not found.warning] == []


@pytest.mark.parametrize("text", [STEP_2, STEP_9, REFERENCE], ids=["step 2", "step 9", "reference"])
def test_every_whole_example_can_run_a_gateway(tmp_path: Path, text: str) -> None:
    loaded = load_for_gateway(write(tmp_path, text), {"OPENAI_API_KEY": "k"})
    assert loaded.config.name.count("@") == 1


def test_the_documented_routing_example_loads(tmp_path: Path) -> None:
    settings = load_escalation_settings(write(tmp_path, ROUTING))
    assert [rule.name for rule in settings.escalation_routing.rules][-1] == "Catch-all"
    assert [found.rule for found in lint(tmp_path / "policy-config.yaml")] == ["KT303"] * 3


def test_a_fragment_cannot_run_a_gateway(tmp_path: Path) -> None:
    assert "KT106 error: there is no pack" in first_line(tmp_path, STEP_10)


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8000/openai", "http://127.0.0.1:8000/openai/v1"),
        ("https://generativelanguage.example/v1beta", "https://generativelanguage.example/v1beta"),
        (None, "https://api.openai.com/v1"),
    ],
)
def test_a_base_url_is_taken_with_and_without_v1(url: str | None, called: str) -> None:
    assert Target(id="t", base_url=url).url == called


def test_routing_is_read_on_targets_and_on_models(tmp_path: Path) -> None:
    text = STEP_2.replace(
        "      model: gpt-4o-mini\n",
        "      escalation_routing:\n        team_id: legal\n      models:\n        - model: gpt-4o\n"
        "          escalation_routing: {user_id: ana@acme.com}\n        - id: gpt-4o-mini\n",
    )
    [target] = load_policy_config(write(tmp_path, text)).config.providers.targets
    assert target.escalation_routing is not None
    assert target.escalation_routing.team_id == "legal"
    assert target.names == ("gpt-4o", "gpt-4o-mini")
    entry = target.model_entry("gpt-4o")
    assert entry is not None
    assert entry.escalation_routing is not None
    assert entry.escalation_routing.user_id == "ana@acme.com"


MISTAKES = {
    "typo in a key": (STEP_2.replace("require_human_for", "require_humans_for"), 19, 5, "KT101", "require_human_for"),
    "typo in a policy of the chain": (
        STEP_2.replace("    - human-oversight", "    - human-oversigt"),
        15,
        7,
        "KT102",
        "did you mean 'human-oversight'?",
    ),
    "options of an unknown policy": (STEP_2 + "  pii-detektor: {}\n", 26, 3, "KT102", "did you mean 'pii-detector'?"),
    "duplicate key": (STEP_2 + "pack:\n  name: b\n", 26, 1, "KT002", "first written in line 1"),
    "both team and user": (
        STEP_2.replace("      model: gpt-4o-mini\n", "      escalation_routing: {team_id: a, user_id: b}\n"),
        9,
        7,
        "KT104",
        "both team_id and user_id",
    ),
    "neither team nor user": (
        STEP_2.replace("      model: gpt-4o-mini\n", "      escalation_routing: {}\n"),
        9,
        7,
        "KT105",
        "neither team_id nor user_id",
    ),
    "unknown category": (STEP_2.replace("- legal_opinions", "- legal_opinion"), 20, 9, "KT109", "unknown category"),
    "unknown action": (STEP_2.replace("action: escalate", "action: escalat"), 23, 5, "KT103", "'escalate'"),
    "wrong type": (STEP_2.replace("retention_days: 30", "retention_days: soon"), 25, 5, "KT103", "valid integer"),
    "not enabled": (STEP_2.replace("enabled: true", "enabled: false"), 4, 3, "KT107", "set pack.enabled: true"),
    "no targets": (
        STEP_2.replace(STEP_2[STEP_2.index("providers") : STEP_2.index("policies")], ""),
        1,
        1,
        "KT106",
        "no providers.targets",
    ),
    "not YAML": (STEP_2.replace("pack:", "pack: ["), 3, 10, "KT001", "not YAML"),
    "an alias": ("pack: &a {name: x}\npolicies: *a\n", 2, 11, "KT003", "aliases"),
    "a tag that makes objects": ("pack: !!python/object/apply:os.system ['x']\n", 1, 1, "KT103", ""),
    "nothing": ("", 1, 1, "KT103", "holds no settings"),
    "a bare word": ("hello\n", 1, 1, "KT103", "holds no settings"),
    "a category without a list": (
        STEP_2[: STEP_2.index("    require")] + "    action: escalate\n",
        18,
        3,
        "KT106",
        "require_human_for is missing",
    ),
    "two targets of one id": (
        STEP_2.replace("policies:", "    - id: openai-review\npolicies:", 1),
        6,
        3,
        "KT111",
        "two targets have the id",
    ),
    "a policy twice in the chain": (
        STEP_2.replace("    - audit-logger", "    - audit-logger\n    - audit-logger"),
        17,
        7,
        "KT111",
        "stands twice",
    ),
    "an unknown provider URL": (STEP_2.replace("https://api.openai.com", "ftp://api"), 10, 7, "KT103", "base_url"),
    "a version that is none": (STEP_2.replace("0.1.0", "latest"), 3, 3, "KT103", "version"),
}


@pytest.mark.parametrize(("text", "line", "column", "rule", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_with_file_line_column_and_what_to_do(
    tmp_path: Path, text: str, line: int, column: int, rule: str, told: str
) -> None:
    said = first_line(tmp_path, text)
    assert said.startswith(f"{tmp_path}/policy-config.yaml:{line}:{column}: {rule}"), said
    assert told in said


def test_an_unset_secret_is_named_with_its_place_and_never_its_value(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as fault:
        load_for_gateway(write(tmp_path, STEP_2), {})
    assert "policy-config.yaml:12:9: KT206" in str(fault.value)
    assert "OPENAI_API_KEY is not set" in str(fault.value)


def test_a_file_that_is_not_there_or_too_large_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="No such file"):
        load_policy_config(tmp_path / "nowhere.yaml")
    with pytest.raises(BadConfig, match="larger than 256 KiB"):
        load_policy_config(write(tmp_path, "#" * 300_000))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (STEP_10.replace("    - pii-detector\n", ""), "KT201"),
        (
            STEP_2.replace("    - human-oversight\n    - audit-logger", "    - audit-logger\n    - human-oversight"),
            "KT202",
        ),
        (
            STEP_10.replace("    - pii-detector\n    - human-oversight", "    - human-oversight\n    - pii-detector"),
            "KT203",
        ),
        (STEP_2.replace("enabled: true", "enabled: false"), "KT107"),
        (
            ROUTING.replace(
                '    - name: "Catch-all"',
                "    - {name: late, match: {policy_rule: phi-detection, severity: low}, route_to: a}\n"
                '    - name: "Catch-all"',
            ),
            "KT301",
        ),
        (ROUTING, "KT303"),
    ],
)
def test_what_is_odd_is_a_warning_with_a_rule(tmp_path: Path, text: str, rule: str) -> None:
    found = lint(write(tmp_path, text))
    assert rule in [complaint.rule for complaint in found if complaint.warning]
    assert rule in RULES


@given(st.text(max_size=200))
def test_no_text_crashes_the_reader(text: str) -> None:
    place, rule = (1, 1), "KT001"
    try:
        place = parse_document(text).place(())
    except Unreadable as fault:
        place, rule = (fault.line, fault.column), fault.rule
    assert place >= (1, 1)
    assert rule in RULES


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["pack", "policies", "chain", "policy", "providers", "targets", "id", "name"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_document_crashes_the_linter(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    import yaml

    file = tmp_path_factory.getbasetemp() / "generated.yaml"
    file.write_text(yaml.safe_dump(data))
    for complaint in lint(file):
        assert complaint.rule in RULES
        assert complaint.line >= 1


def test_the_json_schema_of_the_configuration_can_be_written() -> None:
    assert "human-oversight" in str(PolicyConfig.model_json_schema())
