"""`kt policy test` and `kt policy explain`: what a configuration makes of given texts, with nothing sent anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from cli.failures import ERROR, USAGE, Failure
from cli.options import Json, Profile, connect
from cli.output import show_json, show_line, show_table, visible

if TYPE_CHECKING:
    from policies.cases import Outcome
    from policies.config import PolicyConfig


def add_to(app: typer.Typer) -> None:
    """Make these commands part of `kt policy`."""
    app.command("test")(try_cases)
    app.command()(explain)


def try_cases(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files of cases, or directories; left out: this directory.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write a JUnit report here.")] = None,
    json: Json = False,
) -> None:
    """Try the cases of every *_test.yaml; one that comes out otherwise ends with exit code 1."""
    from policies.cases import junit as as_junit
    from policies.cases import run_cases
    from policies.loading import BadConfig

    outcomes: list[Outcome] = []
    for file in _files(paths or [Path()]):
        try:
            outcomes += run_cases(file)
        except BadConfig as fault:
            raise Failure(str(fault), ERROR, code="invalid") from None
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if junit is not None:
        junit.write_text(as_junit(outcomes), encoding="utf-8")
    if json:
        shown = [{"file": o.file, "line": o.line, "name": o.name, "faults": list(o.faults)} for o in outcomes]
        show_json({"ok": not failed, "cases": shown})
    else:
        for outcome in failed:
            for told in outcome.faults:
                show_line(visible(f"{outcome.file}:{outcome.line}: {outcome.name}: {told}"))
        show_line(f"{len(outcomes) - len(failed)} of {len(outcomes)} cases are as expected")
    if failed:
        raise typer.Exit(1)


def _files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted([*path.rglob("*_test.yaml"), *path.rglob("*_test.yml")])
        else:
            found.append(path)
    if not found:
        raise Failure("there is no *_test.yaml here", USAGE, code="usage", hint="name a file, or a directory")
    return found


def explain(
    text: Annotated[str | None, typer.Option(help="An answer; a request with --request alone.")] = None,
    request: Annotated[str | None, typer.Option(help="The request that it answers.")] = None,
    event: Annotated[str | None, typer.Option(help="A recorded event, by its id, instead of a text.")] = None,
    file: Annotated[Path, typer.Option("--file", "-f", help="The configuration.")] = Path("policy-config.yaml"),
    group: Annotated[str | None, typer.Option(help="As it holds for this consumer group.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Why a text is held, or not: each policy, category and layer with its score, and the words that it stands on."""
    if event is not None:
        _explain_event(event, profile, json)
        return
    if text is None and request is None:
        raise Failure("say what to explain: --text, --request or --event", USAGE, code="usage")
    from policies.loading import BadConfig, load_policy_config

    try:
        config = load_policy_config(file).config.for_group(group)
    except BadConfig as fault:
        raise Failure(str(fault), ERROR, code="invalid") from None
    told = _explained(config, request, text)
    if json:
        show_json(told)
        return
    _show(told)


def _explained(config: PolicyConfig, request: str | None, text: str | None) -> dict[str, Any]:
    from policies.chain import Chain
    from policies.detectors.encoder import NotInstalled
    from policies.trying import as_answer, as_request, found_texts, oversight_scores, try_out

    asked, said = as_request(request or ""), None if text is None else as_answer(text)
    trial = try_out(Chain(config), asked, said)
    options = config.policy.human_oversight
    try:
        scores = oversight_scores(config, trial.request, said) if said is not None else []
    except NotInstalled as fault:
        raise Failure(f"the semantic layer cannot be run here: {fault}", ERROR, code="not_installed") from None
    return {
        "verdict": trial.verdict.value,
        "cause": trial.cause and f"{trial.cause.policy}.{trial.cause.reason_code}",
        "findings": [{**one.summary(), "found": list(found_texts(one, asked, said))[:20]} for one in trial.findings],
        "scores": [
            {
                "category": score.category,
                "score": score.score,
                "threshold": options.threshold_of(score.category),
                "action": options.action_of(score.category, score.score) or "nothing",
                "layers": score.layers,
            }
            for score in scores
            if options is not None
        ],
    }


def _explain_event(event_id: str, profile: str | None, json: bool) -> None:
    found = connect(profile).get(f"/v1/events/{quote(event_id, safe='')}")
    body = found.get("body") or {}
    told = {
        "event_id": event_id,
        "verdict": found["verdict"],
        "cause": ".".join(word for word in (found["policy_rule"], found["reason_code"]) if word) or None,
        "config_version": found["config_version"],
        "config_digest": found["config_digest"],
        "findings": body.get("policies", []),
        "scores": [],
    }
    if json:
        show_json(told)
    else:
        _show(told)


def _show(told: dict[str, Any]) -> None:
    by = f", by {told['cause']}" if told["cause"] else ""
    show_line(f"{told['verdict']}{by}")
    rows = [
        (
            f"{one['policy']}.{one['reason_code']}",
            one.get("would", one["verdict"]) + (" (shadow)" if one.get("would") else ""),
            f"{one['score'] / 1000:.2f}",
            one["detector"],
            _layers({name: value / 1000 for name, value in (one.get("layers") or {}).items()}),
            " · ".join(one.get("found", one.get("patterns", []))),
        )
        for one in told["findings"]
    ]
    if rows:
        show_table(("FOUND", "VERDICT", "SCORE", "DETECTOR", "LAYERS", "ON"), rows, "")
    scored = [
        (one["category"], f"{one['score']:.2f}", f"{one['threshold']:.2f}", one["action"], _layers(one["layers"]))
        for one in told["scores"]
    ]
    if scored:
        show_table(("CATEGORY", "SCORE", "THRESHOLD", "ACTION", "LAYERS"), scored, "")


def _layers(layers: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.2f}" for name, value in layers.items() if value)
