"""How sure a policy was, on the case and in the routing rules of the running product."""

from __future__ import annotations

from tests.support.stack import LEGAL, Stack

RULES = [
    {"name": "sure", "match": {"score": ">=0.9"}, "route_to": "team:compliance"},
    {"name": "else", "match": {"any": True}, "route_to": "team:legal"},
]


def test_a_rule_may_ask_how_sure_the_policy_was(stack: Stack) -> None:
    with stack.settings(escalation_routing={"rules": RULES}):
        found = [stack.create(**given) for given in ({"score": 0.95}, {"score": 0.9}, {"score": 0.899}, {})]
    assert [(case["team"], case["score"]) for case in found] == [
        ("compliance", 0.95),
        ("compliance", 0.9),
        ("legal", 0.899),
        ("legal", None),
    ]
    told = stack.kt("escalation", "explain", found[2]["escalation_id"], who="admin")
    assert "sure: score is 0.899" in told


def test_what_the_gateway_holds_brings_its_score(stack: Stack) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"scored {LEGAL} ANSWER: You may."}]}
    with stack.settings(escalation_routing={"rules": RULES}):
        answer = stack.gateway().post("/v1/chat/completions", json=body, headers={"prefer": "respond-async"})
        assert answer.status_code == 202, answer.text
        case = stack.escalation(answer.headers["x-escalation-id"])
    explained = stack.api("admin").get(f"/v1/escalations/{case['escalation_id']}/explain").json()
    held_for = [one["score"] for one in explained["policy"]["findings"] if one["reason_code"] == case["reason_code"]]
    assert case["score"] == max(held_for) / 1000
    assert case["team"] == ("compliance" if case["score"] >= 0.9 else "legal")
    stack.must(case["escalation_id"], "withdraw", who="admin")
