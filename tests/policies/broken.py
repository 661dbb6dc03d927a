"""Broken and odd configurations: name → (text, rule, line, a part of the suggestion)."""

from __future__ import annotations

BASE = """\
pack: {name: demo, version: 0.1.0}
providers:
  targets:
    - id: first
      provider: openai
      model: gpt-4o-mini
      escalation_routing: {team_id: legal}
policies:
  chain: [prompt-injection, pii-detector, human-oversight, audit-logger]
policy:
  human-oversight:
    require_human_for: [legal_opinions, medical_decisions]
    action: escalate
"""
RULES = """\
escalation_routing:
  rules:
    - {name: a, match: {severity: critical}, route_to: "team:a", notification_channel: log}
    - {name: rest, match: {any: true}, route_to: "team:b", notification_channel: log}
"""

OFFICE = 'calendars:\n  office: {hours: {mon-fri: "09:00-17:00"}}\n'
CHAINED = RULES.replace("team:b", "chain:c")


def changed(old: str, new: str, text: str = BASE) -> str:
    assert old in text, old
    return text.replace(old, new)


def routed(*rules: str, more: str = "") -> str:
    lines = "".join(f"    - {{{rule}}}\n" for rule in rules)
    return f"escalation_routing:\n  rules:\n{lines}{more}"


def own_rules(rules: str) -> str:
    chained = changed("prompt-injection,", "content-rules, prompt-injection,")
    return f"{chained}  content-rules:\n    rules: [{rules}]\n"


CHAIN = "[prompt-injection, pii-detector, human-oversight, audit-logger]"
LAST = 'name: rest, match: {any: true}, route_to: "team:b"'

BROKEN: dict[str, tuple[str, str, int, str]] = {
    "nothing": ("", "KT103", 1, "of the kind"),
    "a bare word": ("hello\n", "KT103", 1, "of the kind"),
    "a list": ("- pack\n", "KT103", 1, "of the kind"),
    "an open bracket": (changed("legal_opinions, medical_decisions]", "legal_opinions"), "KT001", 13, "correct what"),
    "a tab for indentation": (changed("  chain:", "\tchain:"), "KT001", 9, "correct what"),
    "a key twice": (BASE + "pack: {}\n", "KT002", 14, "keep one"),
    "a key twice, deep": (changed("    action: escalate", "    action: log\n    action: escalate"), "KT002", 14, "one"),
    "an alias": ("pack: &a {name: x}\npolicies: *a\n", "KT003", 2, "write it out"),
    "too deep": ("x: " + "[" * 40 + "]" * 40 + "\n", "KT003", 1, "write it out"),
    "a merge key": ("pack: {<<: {name: x}, version: 1.0.0}\n", "KT001", 1, "correct what"),
    "an ignore that hides nothing": (changed("chain: " + CHAIN, f"chain: {CHAIN}  # kt: ignore KT201"), "KT004", 9, ""),
    "an ignore of an error": (changed("action: escalate", "action: hold  # kt: ignore KT103"), "KT103", 13, "of the"),
    "an unknown key at the top": (BASE + "polices: {}\n", "KT101", 14, "did you mean 'policies'?"),
    "an unknown key in a target": (changed("provider: openai", "providr: openai"), "KT101", 5, "'provider'"),
    "an unknown key in a policy": (
        changed("require_human_for", "require_humans_for"),
        "KT101",
        12,
        "require_human_for",
    ),
    "an unknown key in a hold": (BASE + "    hold: {max_wai: 5s}\n", "KT101", 14, "did you mean 'max_wait'?"),
    "an unknown key like nothing": (BASE + "qqqq: 1\n", "KT101", 14, "kt policy schema"),
    "an unknown policy in the chain": (
        changed("human-oversight,", "human-oversigt,"),
        "KT102",
        9,
        "'human-oversight'?",
    ),
    "an unknown policy with options": (BASE + "  pii-detektor: {}\n", "KT102", 14, "did you mean 'pii-detector'?"),
    "an unknown policy in a group": (
        BASE + "consumer_groups:\n  vip: {chain: [audit-loger]}\n",
        "KT102",
        15,
        "did you mean 'audit-logger'?",
    ),
    "an action that is none": (changed("action: escalate", "action: escalat"), "KT103", 13, "did you mean 'escalate'?"),
    "a list that is a word": (changed(CHAIN, "audit-logger"), "KT103", 9, "of the kind"),
    "days that are a word": (BASE + "  audit-logger: {retention_days: soon}\n", "KT103", 14, "of the kind"),
    "a switch that is a word": (changed("version: 0.1.0", "version: 0.1.0, enabled: maybe"), "KT103", 1, "of the kind"),
    "a version that is none": (changed("0.1.0", "latest"), "KT103", 1, "of the kind"),
    "an address that is none": (
        changed("model: gpt", "base_url: ftp://x\n      model: gpt"),
        "KT103",
        6,
        "of the kind",
    ),
    "a provider without an address": (changed("provider: openai", "provider: acme"), "KT103", 4, "of the kind"),
    "a secret from two places": (
        changed("model: gpt", "secret_key_ref: {env: A, file: B}\n      model: gpt"),
        "KT103",
        6,
        "of the kind",
    ),
    "both team and user": (changed("team_id: legal", "team_id: legal, user_id: ana"), "KT104", 7, "exactly one"),
    "neither team nor user": (changed("{team_id: legal}", "{}"), "KT105", 7, "remove the block"),
    "both on a model": (
        changed("model: gpt-4o-mini", "models: [{model: m, escalation_routing: {team_id: a, user_id: b}}]"),
        "KT104",
        6,
        "exactly one",
    ),
    "a target without an id": (changed("id: first\n      ", ""), "KT106", 4, "add what"),
    "oversight without categories": (
        changed("    require_human_for: [legal_opinions, medical_decisions]\n", ""),
        "KT106",
        11,
        "add what",
    ),
    "oversight without options": (
        BASE[: BASE.index("policy:\n")],
        "KT106",
        9,
        "add what",
    ),
    "a pack without a version": (changed(", version: 0.1.0", ""), "KT106", 1, "add what"),
    "a pack that is off": (changed("0.1.0", "0.1.0, enabled: false"), "KT107", 1, "pack.enabled: true"),
    "a threshold of two": (changed("action: escalate", "threshold: 2"), "KT108", 13, "within the range"),
    "a threshold of nothing": (changed("action: escalate", "threshold: 0"), "KT108", 13, "within the range"),
    "a threshold that is no number": (changed("action: escalate", "threshold: .nan"), "KT108", 13, "within the range"),
    "days below one": (BASE + "  audit-logger: {retention_days: 0}\n", "KT108", 14, "within the range"),
    "a wait of nothing": (BASE + "    hold: {max_wait: 0s}\n", "KT108", 14, "within the range"),
    "a wait of a century": (BASE + "    hold: {max_wait: 36500d}\n", "KT108", 14, "within the range"),
    "a limit below nothing": (BASE + "limits: {held: -1}\n", "KT108", 14, "within the range"),
    "too many retries": (changed("model: gpt", "retries: 9\n      model: gpt"), "KT108", 6, "within the range"),
    "a group's threshold": (
        BASE + "consumer_groups:\n  vip: {policy: {human-oversight: {threshold: 7}}}\n",
        "KT108",
        15,
        "within the range",
    ),
    "an unknown category": (changed("legal_opinions", "legal_opinion"), "KT109", 12, "did you mean 'legal_opinions'?"),
    "an unknown entity": (BASE + "  pii-detector: {entities: [EMAIL]}\n", "KT109", 14, "did you mean 'EMAIL_ADDRESS'?"),
    "a severity of an unknown category": (
        BASE + "    severity: {legal_opnions: high}\n",
        "KT109",
        14,
        "did you mean 'legal_opinions'?",
    ),
    "a policy twice": (changed("pii-detector,", "audit-logger,"), "KT111", 9, "rename or remove"),
    "two targets of one id": (changed("policies:", "    - id: first\npolicies:"), "KT111", 3, "rename or remove"),
    "two rules of one name": (routed(LAST, LAST), "KT111", 2, "rename or remove"),
    "no category": (changed("[legal_opinions, medical_decisions]", "[]"), "KT112", 12, "at least one"),
    "options outside the chain": (changed("human-oversight, ", ""), "KT201", 11, "add it to policies.chain"),
    "the logger in the middle": (
        changed("human-oversight, audit-logger", "audit-logger, human-oversight"),
        "KT202",
        9,
        "to the end",
    ),
    "redaction after review": (
        changed("pii-detector, human-oversight", "human-oversight, pii-detector"),
        "KT203",
        9,
        "before human-oversight",
    ),
    "a route that nothing takes": (
        changed(CHAIN, "[audit-logger]"),
        "KT204",
        7,
        "add human-oversight to policies.chain",
    ),
    "an empty chain": (changed(CHAIN, "[]"), "KT205", 9, "at least audit-logger"),
    "no logger": (changed(", audit-logger", ""), "KT207", 9, "as the last of the chain"),
    "injection after redaction": (
        changed("prompt-injection, pii-detector", "pii-detector, prompt-injection"),
        "KT208",
        9,
        "the first",
    ),
    "a severity that is never used": (
        BASE + "    severity: {hiring_actions: high}\n",
        "KT209",
        14,
        "require_human_for",
    ),
    "a target that says nothing": (
        changed("policies:", "    - {id: second, model: other}\npolicies:"),
        "KT210",
        8,
        "exactly one of team_id",
    ),
    "a model that falls to its target": (
        changed("model: gpt-4o-mini", "models: [{model: a, escalation_routing: {team_id: x}}, b]"),
        "KT211",
        6,
        "its own escalation_routing",
    ),
    "two reviewers of one model": (
        changed("policies:", "    - {id: b, model: gpt-4o-mini, escalation_routing: {team_id: x}}\npolicies:"),
        "KT212",
        8,
        "the same escalation_routing",
    ),
    "a window that is none": (BASE + "streaming: window\n", "KT213", 14, "remove `streaming: window`"),
    "a wait shorter than its grace": (BASE + "    hold: {max_wait: 1s}\n", "KT214", 14, "longer than hold.grace"),
    "a sign of life after the end": (BASE + "    hold: {max_wait: 5s}\n", "KT214", 14, "hold.keepalive shorter"),
    "a model twice": (changed("model: gpt-4o-mini", "models: [a, b, a]"), "KT215", 6, "remove one"),
    "a group of nothing": (BASE + "consumer_groups:\n  vip: {}\n", "KT216", 15, "or remove it"),
    "a category twice": (changed("medical_decisions", "legal_opinions"), "KT217", 12, "remove the repetition"),
    "a secret for its name": (
        changed("model: gpt", "secret_key_ref: {env: sk-abcdef0123456789}\n      model: gpt"),
        "KT220",
        6,
        "revoke",
    ),
    "a secret in clear": (
        changed("model: gpt", "secret_key_ref: {env: K}\n      base_url: http://models.example.com\n      model: gpt"),
        "KT221",
        7,
        "use https",
    ),
    "a threshold that holds all": (BASE + "    threshold: 0.05\n", "KT222", 14, "kt policy backtest"),
    "a threshold of injection that holds words": (
        BASE + "  prompt-injection: {threshold: 0.1}\n",
        "KT222",
        14,
        "kt policy backtest",
    ),
    "a threshold of injection over one": (BASE + "  prompt-injection: {threshold: 1.5}\n", "KT108", 14, ""),
    "a target of nothing": ("sla:\n  high:\n", "KT103", 2, ""),
    "a target without an end": ("sla: {high: .inf}\n", "KT108", 1, ""),
    "a rate that fails open": (
        changed("prompt-injection,", "prompt-injection, rate-anomaly,") + "  rate-anomaly:\n    on_unknown: log\n",
        "KT227",
        15,
        "leave on_unknown out",
    ),
    "a baseline as short as its window": (
        BASE + "  rate-anomaly:\n    window: 1d\n    baseline: 1d\n",
        "KT108",
        16,
        "",
    ),
    "a window of seconds": (BASE + "  rate-anomaly: {window: 10s}\n", "KT108", 14, ""),
    "a factor of one": (BASE + "  rate-anomaly: {factor: 1}\n", "KT108", 14, ""),
    "cards in shadow": (BASE + "  pii-detector: {pci_mode: true, mode: shadow}\n", "KT226", 14, "enforce pii-detector"),
    "cards of some": (
        BASE + "  pii-detector:\n    pci_mode: true\n    rollout: {percent: 50}\n",
        "KT226",
        15,
        "enforce pii-detector",
    ),
    "an action for personal data that is none": (BASE + "  pii-detector: {action: encrypt}\n", "KT103", 14, ""),
    "a threshold that holds none": (BASE + "    threshold: 0.99\n", "KT222", 14, "kt policy backtest"),
    "oversight that only counts": (changed("action: escalate", "action: log"), "KT223", 13, "action: escalate"),
    "a group without oversight": (
        BASE + "consumer_groups:\n  vip: {chain: [audit-logger]}\n",
        "KT224",
        15,
        "add human-oversight",
    ),
    "a rule behind a catch-all": (
        routed(LAST, "name: z, match: {severity: low}, route_to: a"),
        "KT301",
        4,
        "move it up",
    ),
    "a rule behind a wider one": (
        routed(
            "name: a, match: {severity: [critical, high]}, route_to: a",
            "name: b, match: {severity: high, team: x}, route_to: b",
            LAST,
        ),
        "KT301",
        4,
        "move it up",
    ),
    "no catch-all": (routed("name: a, match: {severity: low}, route_to: a"), "KT302", 3, "any: true"),
    "a channel that is not there": (
        routed(f"{LAST}, notification_channel: pagerduty"),
        "KT303",
        3,
        "set the channel up",
    ),
    "a channel with a typo": (
        routed(
            f"{LAST}, notification_channel: oncal",
            more="notification_channels:\n  oncall: {type: pagerduty, routing_key_ref: {env: K}}\n",
        ),
        "KT303",
        3,
        "did you mean 'oncall'?",
    ),
    "a default channel that is not there": (
        RULES + 'notification_defaults: {teams: {legal: "slack:#legal"}}\n',
        "KT303",
        5,
        "set the channel up",
    ),
    "a lease longer than a target": (
        RULES + "sla: {claim_lease: 1h, critical: 15m}\n",
        "KT304",
        5,
        "claim_lease shorter",
    ),
    "targets in the wrong order": (RULES + "sla: {critical: 2h}\n", "KT305", 5, "critical ≤ high"),
    "cases that expire first": (RULES + "sla: {expire_after: 12h}\n", "KT306", 5, "expire_after longer"),
    "targets of some in the wrong order": (
        RULES + "sla:\n  overrides:\n  - match: {team: a}\n    high: 5h\n",
        "KT305",
        8,
        "critical ≤ high",
    ),
    "cases that expire over a weekend": (
        RULES + OFFICE + "sla:\n  calendar: office\n  expire_after: 4d\n",
        "KT306",
        9,
        "target lasts",
    ),
    "cases of some that expire first": (
        RULES + "sla:\n  overrides:\n  - match: {team: a}\n    low: 200h\n",
        "KT306",
        8,
        "expire_after longer",
    ),
    "cases of some that expire over a weekend": (
        RULES
        + OFFICE
        + "sla:\n  expire_after: 2d\n  low: 9h\n  overrides:\n  - {match: {team: a}, calendar: office}\n",
        "KT306",
        11,
        "expire_after longer",
    ),
    "critical cases that wait for the morning": (
        RULES + OFFICE + "sla:\n  calendar: office\n  calendar_for_critical: true\n",
        "KT316",
        9,
        "leave calendar_for_critical out",
    ),
    "critical cases of some that wait for the morning": (
        RULES
        + OFFICE
        + "sla:\n  calendar: office\n  overrides:\n  - {match: {team: a}, calendar_for_critical: true}\n",
        "KT316",
        10,
        "leave calendar_for_critical out",
    ),
    "a day of open time": (RULES + OFFICE + "sla:\n  calendar: office\n  targets: {low: 1d}\n", "KT317", 9, "in hours"),
    "a week of open time for some": (
        RULES + OFFICE + "sla:\n  overrides:\n  - {match: {team: a}, calendar: office, low: P1W}\n",
        "KT317",
        9,
        "in hours",
    ),
    "days of open time to claim in": (
        RULES + OFFICE + "sla:\n  calendar: office\n  claim_targets: {low: 1d2h}\n",
        "KT317",
        9,
        "in hours",
    ),
    "targets without a channel": (RULES + "sla: {critical: 10m}\n", "KT307", 5, "set up a channel"),
    "no working day": (RULES + "business_hours: {days: []}\n", "KT308", 5, "at least one day"),
    "a stretch without length": (
        routed('name: a, match: {time_of_day: "09:00-09:00"}, route_to: a', LAST),
        "KT308",
        3,
        "give it a length",
    ),
    "nights that nobody has": (
        routed("name: a, match: {time_of_day: inside_business_hours}, route_to: a"),
        "KT309",
        3,
        "the other hours",
    ),
    "a rule with a typo": (
        routed("name: a, match: {policy_rule: legal_opinion}, route_to: a", LAST),
        "KT310",
        3,
        "'legal_opinions'?",
    ),
    "other targets for a typo": (
        RULES + "sla: {overrides: [{match: {policy: legal_opinion}, high: 30m}]}\n",
        "KT310",
        5,
        "'legal_opinions'?",
    ),
    "approvals for a typo": (
        RULES + "decisions: {approvals: [{match: {policy_rule: legal_opinion}}]}\n",
        "KT310",
        5,
        "'legal_opinions'?",
    ),
    "decisions in Slack for a typo": (
        RULES + "decisions: {slack_decisions: [legal_opinion]}\n",
        "KT310",
        5,
        "'legal_opinions'?",
    ),
    "second looks for a typo": (
        RULES + "decisions: {second_review: {share: 5%, policy_rule: human-oversight.legal_opinion}}\n",
        "KT310",
        5,
        "'legal_opinions'?",
    ),
    "a channel that no rule names": (
        RULES + "notification_channels:\n  oncall: {type: pagerduty, routing_key_ref: {env: K}}\n",
        "KT311",
        6,
        "name it",
    ),
    "a webhook in clear": (
        RULES
        + 'notification_channels:\n  hook: {type: webhook, url: "http://x.example.com", secret_key_ref: {env: K}}\n',
        "KT312",
        6,
        "use https",
    ),
    "a calendar that is not there": (
        RULES + "schedules:\n  legal:\n    zone: UTC\n    ical: {file: gone.ics}\n",
        "KT001",
        8,
        "correct what stands",
    ),
    "a calendar that is none": (
        RULES + "schedules:\n  legal:\n    zone: UTC\n    ical: hello\n",
        "KT103",
        6,
        "of the kind",
    ),
    "a chain that releases what nobody took": (
        CHAINED + "chains:\n  c: {legs: [{to: ana}], on_exhausted: allow}\n",
        "KT313",
        6,
        "expire_block",
    ),
    "a chain in a circle": (
        CHAINED + 'chains:\n  c: {legs: [{to: ana}, {to: "chain:c"}], on_exhausted: hold}\n',
        "KT314",
        6,
        "correct what is named",
    ),
    "a leg to a chain that is not there": (
        CHAINED + 'chains:\n  c:\n    legs:\n    - to: "chain:d"\n    on_exhausted: hold\n',
        "KT314",
        8,
        "correct what is named",
    ),
    "a chain that no rule names": (
        RULES + "chains:\n  c: {legs: [{to: ana}], on_exhausted: hold}\n",
        "KT315",
        6,
        "name it",
    ),
    "a chain without an end": (CHAINED + "chains:\n  c: {legs: [{to: ana}]}\n", "KT106", 6, "add what is named"),
    "a destination that is none": (
        routed('name: a, match: {any: true}, route_to: "group:x"'),
        "KT103",
        3,
        "of the kind",
    ),
    "a match of nothing": (routed("name: a, match: {}, route_to: a"), "KT103", 3, "of the kind"),
    "a severity that is none": (
        routed("name: a, match: {severity: sever}, route_to: a", LAST),
        "KT103",
        3,
        "of the kind",
    ),
    "a zone that is none": (RULES + "business_hours: {zone: Europe/Berln}\n", "KT103", 5, "of the kind"),
    "no other category": (RULES + "decisions: {categories: [a]}\n", "KT103", 5, "of the kind"),
    "a pattern that does not compile": (own_rules("{name: a, patterns: ['(']}"), "KT110", 15, "correct the pattern"),
    "a pattern that looks around": (own_rules("{name: a, patterns: ['(?=x)y']}"), "KT110", 15, "look-around"),
    "a pattern that refers back": (own_rules("{name: a, patterns: ['(a)\\1']}"), "KT110", 15, "of your own"),
    "a pattern that repeats without end": (
        own_rules("{name: a, patterns: ['((a{1000}){1000}){1000}']}"),
        "KT110",
        15,
        "",
    ),
    "a pattern of nothing": (own_rules("{name: a, patterns: ['x*']}"), "KT110", 15, "correct the pattern"),
    "a rule without words": (own_rules("{name: a}"), "KT112", 15, "at least one phrase"),
    "a phrase of spaces": (own_rules("{name: a, phrases: ['  ']}"), "KT112", 15, "at least one phrase"),
    "two own rules of one name": (own_rules("{name: a, phrases: [x]}, {name: a, phrases: [y]}"), "KT111", 15, "rename"),
    "rules without options": (changed(CHAIN, "[content-rules, audit-logger]"), "KT106", 9, "add what"),
    "a category without examples": (BASE + "    categories: {refunds: {}}\n", "KT112", 14, "at least one phrase"),
    "a category of the product's name": (
        BASE + "    categories: {legal_opinions: {words: [x]}}\n",
        "KT111",
        14,
        "rename",
    ),
    "a grey band that falls": (BASE + "    ambiguous: [0.5, 0.3]\n", "KT108", 14, "within the range"),
    "a grey band apart": (BASE + "    ambiguous: [0.2, 0.3]\n", "KT225", 14, "end at the threshold"),
    "a second look without time": (
        BASE + "    semantic: {enabled: true, timeout: 0s}\n",
        "KT108",
        14,
        "within the range",
    ),
    "a second look without end": (BASE + "    semantic: {timeout: 2m}\n", "KT108", 14, "within the range"),
    "an encoder that is passed over": (
        BASE + "    semantic: {enabled: true, on_error: ignore}\n",
        "KT230",
        14,
        "set it to escalate",
    ),
    "a judge without a model": (BASE + "    judge: {base_url: https://j.example/v1}\n", "KT106", 14, "add what is"),
    "a judge that is nowhere": (
        BASE + "    judge: {base_url: j.example, model: m}\n",
        "KT113",
        14,
        "in the form that is named",
    ),
    "a judge of falling scores": (
        BASE + "    judge: {base_url: https://j.example/v1, model: m, between: [0.8, 0.2]}\n",
        "KT108",
        14,
        "within the range",
    ),
    "a judge over plain http": (BASE + "    judge: {base_url: http://j.example/v1, model: m}\n", "KT221", 14, "https"),
    "a judge with its secret in the file": (
        BASE + "    judge: {base_url: https://j.example/v1, model: m, secret_key_ref: {env: sk-abcdefgh12345678}}\n",
        "KT220",
        14,
        "revoke",
    ),
    "errors of no judge": (BASE + "    on_judge_error: block\n", "KT229", 14, "set judge.base_url"),
    "a judge that is passed over": (
        BASE + "    judge: {base_url: https://j.example/v1, model: m}\n    on_judge_error: ignore\n",
        "KT230",
        15,
        "set it to escalate",
    ),
    "an injection judge that nobody asks": (BASE + "  prompt-injection: {ask: always}\n", "KT229", 14, "set judge."),
    "a mode that is none": (BASE + "    mode: shadows\n", "KT103", 14, "did you mean 'shadow'?"),
    "a rollout above all": (BASE + "    rollout: {percent: 101}\n", "KT108", 14, "within the range"),
    "a rollout to nobody": (BASE + "    rollout: {percent: 0}\n", "KT218", 14, "set mode or rollout"),
    "a policy that is off": (BASE + "    mode: off\n", "KT218", 14, "set mode or rollout"),
    "only a shadow escalates": (BASE + "    mode: shadow\n", "KT219", 14, "mode: enforce"),
    "an unknown kind of secret": (BASE + "  data-loss: {kinds: [AWS_KEY]}\n", "KT109", 14, "'AWS_SECRET_KEY'?"),
    "a detector that is nowhere": (BASE + "detectors:\n  mine: {}\n", "KT113", 15, "exactly one"),
    "a detector in two places": (
        BASE + "detectors:\n  mine: {detector: 'a:b', url: 'http://x'}\n",
        "KT113",
        15,
        "exactly one",
    ),
    "a detector without a function": (BASE + "detectors:\n  mine: {detector: a.b}\n", "KT113", 15, "in the form"),
    "a detector at no address": (BASE + "detectors:\n  mine: {url: 'ftp://x'}\n", "KT113", 15, "in the form"),
    "a detector that may take a day": (
        BASE + "detectors:\n  mine: {detector: 'a:b', timeout: 1d}\n",
        "KT108",
        15,
        "within the range",
    ),
    "a detector of a policy's name": (BASE + "detectors:\n  audit-logger: {detector: 'a:b'}\n", "KT111", 15, "rename"),
    "a detector outside the chain": (BASE + "detectors:\n  mine: {detector: 'a:b'}\n", "KT201", 15, "policies.chain"),
    "a detector's secret in clear": (
        changed("[prompt-injection,", "[mine, prompt-injection,")
        + "detectors:\n  mine: {url: 'http://x.example.com', secret_key_ref: {env: K}}\n",
        "KT221",
        15,
        "use https",
    ),
}
