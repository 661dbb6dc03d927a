"""What is needed to judge a case, on a terminal: everything in it that others wrote is made visible, never obeyed."""

from __future__ import annotations

from typing import Any

from cli.output import show_line, visible


def show_context(context: dict[str, Any]) -> None:
    """The match, the request, the held answer and earlier cases."""
    match = context.get("policy_match") or {}
    show_line("\n── policy match " + "─" * 40)
    for finding in match.get("findings", []):
        show_line(f"{finding['policy']} ({finding['stage']}): {finding['reason_code']}, score {finding['score']}/1000")
    for title, texts in (("request", context.get("asked") or ()), ("held answer", context.get("texts") or ())):
        show_line(f"\n── {title} " + "─" * (52 - len(title)))
        for text in texts:
            if len(texts) > 1:
                show_line(f"{text['path']}:")
            show_line(visible(text["text"]))
    earlier = context.get("earlier") or []
    if earlier:
        show_line("\n── earlier cases " + "─" * 39)
        for item in earlier:
            show_line(
                f"{item['escalation_id']}  {item['status']}  {item['resolution'] or '-'}  {item['category'] or '-'}"
            )
