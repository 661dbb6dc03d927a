"""`kt settings`: SLA targets, routing rules, notification channels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.failures import ERROR, Failure
from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_line, show_table, visible

if TYPE_CHECKING:
    from cli.client import Client
    from escalations.settings import EscalationSettings
    from policies.documents import Document, Trail
    from policies.loading import Complaint

app = typer.Typer(
    help="SLA targets, routing rules, channels: get, apply, history, diff.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def get(
    version: Annotated[int | None, typer.Option(help="An earlier version.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """The settings in force, as YAML that `apply` takes."""
    found = connect(profile).get("/v1/settings", version=version)
    if json:
        show_json(found)
        return
    show_line(f"# version {found['version']}, by {found['created_by'] or 'default'}")
    show_line(_yaml(found["settings"]).rstrip())


@app.command()
def history(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20, profile: Profile = None, json: Json = False
) -> None:
    """Who changed the settings, and when; the newest first."""
    found = connect(profile).get("/v1/settings/history", limit=limit)
    if json:
        show_json(found)
        return
    rows = [
        (one["version"], one["created_at"][:19], one["created_by"], one["digest"][:12]) for one in found["versions"]
    ]
    show_table(("VERSION", "AT", "BY", "DIGEST"), rows, "nobody has changed the settings; the defaults are in force")


@app.command()
def diff(
    before: Annotated[
        str | None, typer.Argument(help="A version, or a file; else the version before.", metavar="FROM")
    ] = None,
    after: Annotated[
        str | None, typer.Argument(help="A version, or a file; else the one in force.", metavar="TO")
    ] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """What changed between two versions, or would by a file, as lines of YAML. A FILE alone is compared with what is in
    force."""
    client = connect(profile)
    if before is not None and after is None and not before.isdigit():
        before, after = None, before
        old = _side(client, None)
        new = _side(client, after)
    else:
        new = _side(client, after)
        first = str(max(0, new[0] - 1)) if before is None and isinstance(new[0], int) else before
        old = _side(client, first)
    names = (_name(old[0]), _name(new[0]))
    changed = _changed(old[1], new[1], names)
    if json:
        show_json({"from": old[0], "to": new[0], "diff": changed})
        return
    for line in changed:
        show_line(visible(line))
    if not changed:
        note(f"{names[0]} and {names[1]} say the same")


def _side(client: Client, named: str | None) -> tuple[int | str, dict[str, Any]]:
    """One side of a comparison: the number of a version or the name of a file, and the settings."""
    if named is None or named.isdigit():
        found = client.get("/v1/settings", version=named)
        return int(found["version"]), found["settings"]
    settings = _read(Path(named))[1]
    return named, settings.model_dump(mode="json", by_alias=True, exclude_none=True)


def _name(side: int | str) -> str:
    return f"version {side}" if isinstance(side, int) else side


def _changed(old: dict[str, Any], new: dict[str, Any], names: tuple[str, str]) -> list[str]:
    import difflib

    lines = (_yaml(old).splitlines(), _yaml(new).splitlines())
    return list(difflib.unified_diff(*lines, *names, lineterm=""))


def _yaml(settings: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


@app.command()
def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML in the form that `get` prints.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, show what it would change, and stop.")] = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Replace the settings. Cases that are open keep the ones they were opened under. What `kt policy lint` warns of is
    told, and taken all the same."""
    document, settings = _read(file)
    # What the file leaves out is for the API to fill in: it warns of what was written, not of defaults.
    body = settings.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    if "sla" in body:
        # As it was written: whether a length stands in days or in hours is what may be odd about it.
        body["sla"] = document.data["sla"]
    client = connect(profile)
    try:
        done = client.put("/v1/settings", body, dry_run=dry_run)
    except Failure as refused:
        if refused.fields:
            refused.message = "\n".join(_placed(document, field, problem) for field, problem in refused.fields)
        raise
    from cli.policy_reports import as_json, as_text

    warnings = _warnings(document, done["warnings"])
    changed: list[str] = []
    if dry_run:
        now = client.get("/v1/settings")
        changed = _changed(now["settings"], done["settings"], (_name(now["version"]), str(file)))
    if json:
        show_json(done | {"warnings": [as_json(one) for one in warnings]} | ({"diff": changed} if dry_run else {}))
        return
    for warning in warnings:
        note(as_text(warning, excerpt=False))
    for line in changed:
        show_line(visible(line))
    if dry_run:
        note(f"nothing was applied; version {done['version']} stays in force")
    else:
        show_line(f"settings are now version {done['version']}")


def _read(file: Path) -> tuple[Document, EscalationSettings]:
    """Raises Failure for a file that says nothing that could be applied."""
    from policies.fetching import fetch
    from policies.loading import BadConfig, read
    from policies.settings_files import settings_of

    try:
        document = read(file)
        return document, settings_of(document, fetch)
    except BadConfig as fault:
        raise Failure(str(fault), ERROR, code="invalid") from None


def _placed(document: Document, field: str, problem: str) -> str:
    line, column = document.place(_trail(document, field))
    return f"{document.name}:{line}:{column}: {field}: {problem}"


def _trail(document: Document, field: str) -> Trail:
    """The way to a field, or to what it stands in. A key may have dots in it, and targets may stand under `targets`."""
    ways = {".".join(str(part) for part in trail if part != "targets"): trail for trail in document.places}
    ways |= {".".join(map(str, trail)): trail for trail in document.places}
    while field and field not in ways:
        field = field.rpartition(".")[0]
    return ways.get(field, ())


def _warnings(document: Document, told: list[dict[str, str]]) -> list[Complaint]:
    """The API's warnings where they stand in the file, without those that a comment there hides."""
    from policies.ignoring import apply_ignores
    from policies.loading import Complaint

    found = []
    for one in told:
        trail = _trail(document, one["field"])
        line, column = document.place(trail)
        hint = one["suggestion"]
        found.append(Complaint(one["rule"], one["problem"], document.name, line, column, True, hint, trail))
    found = apply_ignores(document.text, document.name, found)
    return sorted(found, key=lambda one: (one.line, one.column, one.rule))


COMMANDS = {"settings": app}
