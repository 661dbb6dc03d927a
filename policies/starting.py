"""What `kt policy init` writes: a configuration that runs, with a comment for each choice."""

from __future__ import annotations

MODELINE = "# yaml-language-server: $schema={schema}\n"

TEMPLATE = """\
# What the gateway looks for, and which models it speaks to. `kt policy lint` checks this file, `kt policy test` its
# cases (NAME_test.yaml beside it).
pack:
  name: {name}
  version: 0.1.0                 # shown on every event and every case
  enabled: true                  # false: a gateway refuses to start

providers:
  targets:
    - id: openai
      provider: openai           # or anthropic, gemini, groq, mistral, ollama …; others need base_url
      secret_key_ref:
        env: OPENAI_API_KEY      # where the key is; never the key itself
      # escalation_routing:      # who reviews: exactly one of team_id and user_id (`kt team list`, `kt user list`)
      #   team_id: legal
      # models:                  # a model's own routing beats the target's
      #   - model: gpt-4o
      #     escalation_routing: {{user_id: senior@example.com}}

policies:
  chain:                         # in this order
    - prompt-injection
    - pii-detector
    - human-oversight
    - audit-logger

policy:
  prompt-injection:
    response:
      action: block              # block | escalate | log

  pii-detector:
    action: redact               # redact | block | escalate | log
    pci_mode: true               # cards through any separators and digits

  human-oversight:
    require_human_for:           # an answer that decides one of these for somebody waits for a person
      - legal_opinions
      - medical_decisions
      - hiring_actions
      # - financial_advice
      # - high_risk_transactions
    action: escalate             # escalate | block | log
    threshold: 0.5               # lower finds more, and holds more that need no person

  audit-logger:
    retention_days: 30
"""


def starting_config(name: str, schema: str | None) -> str:
    """The file's text. `schema` is where an editor finds the JSON Schema, None for no modeline."""
    modeline = MODELINE.format(schema=schema) if schema else ""
    return modeline + TEMPLATE.format(name=name)
