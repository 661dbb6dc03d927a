"""What goes with an answer that is held: who is to review it, and what was found in it."""

from __future__ import annotations

from typing import Any

from escalations.routes import Chooser
from escalations.routing import Preset
from gateway.calls import Call
from policies.applying import Looking
from policies.detectors import Span
from policies.findings import Screened
from policies.targets import Target

MOST_SPANS = 50
"""Of one finding; what reviewers see as stars has no such bound."""


def presets(target: Target, model: str) -> tuple[Preset, ...]:
    """The configured routes of this request: the model's before the target's."""
    presets = []
    entry = target.model_entry(model)
    for chosen_by, name, routing in (
        (Chooser.MODEL, f"model {model} of {target.id}", entry.escalation_routing if entry else None),
        (Chooser.TARGET, f"provider target {target.id}", target.escalation_routing),
    ):
        if routing is not None:
            presets.append(Preset(chosen_by, name, routing.team_id, routing.user_id))
    return tuple(presets)


def finding(call: Call, both: Screened, request: dict[str, Any]) -> dict[str, Any]:
    """What fired and on which words, and which of them reviewers see as stars: for the vault, because it is content."""
    answer = both.document
    hidden, who = call.rules.chain.hidden, call.who
    return {
        "findings": [
            {**found.summary(), "spans": [_told(span) for span in found.spans[:MOST_SPANS]]} for found in both.findings
        ],
        "hidden": {
            "request": [_told(span) for span in hidden(request, Looking("input", request), who)],
            "answer": [_told(span) for span in hidden(answer, Looking("output", request), who)],
        },
        "request_model": request.get("model"),
        "answer_model": answer.get("model"),
    }


def _told(span: Span) -> dict[str, Any]:
    return {"path": span.path, "start": span.start, "end": span.end, "label": span.label, "pattern": span.pattern}
