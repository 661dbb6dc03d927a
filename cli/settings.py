"""`kt settings`: SLA targets, routing rules, notification channels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.failures import ERROR, Failure
from cli.options import Json, Profile, connect
from cli.output import note, show_json, show_line, show_table, visible

if TYPE_CHECKING:
    from policies.documents import Document

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
    show_line(_yaml(found).rstrip())


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
    before: Annotated[int | None, typer.Argument(help="A version; else the one before.", metavar="FROM")] = None,
    after: Annotated[int | None, typer.Argument(help="A version; else the one in force.", metavar="TO")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """What changed between two versions, as lines of YAML."""
    import difflib

    client = connect(profile)
    new = client.get("/v1/settings", version=after)
    old = client.get("/v1/settings", version=max(0, new["version"] - 1) if before is None else before)
    names = (f"version {old['version']}", f"version {new['version']}")
    changed = list(
        difflib.unified_diff(_yaml(old).splitlines(), _yaml(new).splitlines(), names[0], names[1], lineterm="")
    )
    if json:
        show_json({"from": old["version"], "to": new["version"], "diff": changed})
        return
    for line in changed:
        show_line(visible(line))
    if not changed:
        note(f"{names[0]} and {names[1]} say the same")


def _yaml(found: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(found["settings"], sort_keys=False, allow_unicode=True))


@app.command()
def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML in the form that `get` prints.")],
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Replace the settings. Cases that are open keep the ones they were opened under."""
    from policies.fetching import fetch
    from policies.loading import BadConfig, read
    from policies.settings_files import settings_of

    try:
        document = read(file)
        settings = settings_of(document, fetch)
    except BadConfig as fault:
        raise Failure(str(fault), ERROR, code="invalid") from None
    body = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    try:
        done = connect(profile).put("/v1/settings", body)
    except Failure as refused:
        if refused.fields:
            refused.message = "\n".join(_placed(document, field, problem) for field, problem in refused.fields)
        raise
    if json:
        show_json(done)
    else:
        show_line(f"settings are now version {done['version']}")


def _placed(document: Document, field: str, problem: str) -> str:
    trail = tuple(int(part) if part.isdigit() else part for part in field.split("."))
    line, column = document.place(trail)
    return f"{document.name}:{line}:{column}: {field}: {problem}"


COMMANDS = {"settings": app}
