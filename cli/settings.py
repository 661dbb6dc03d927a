"""`kt settings`: SLA targets, routing rules, notification channels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.failures import ERROR, Failure
from cli.options import Json, Profile, connect
from cli.output import show_json, show_line

app = typer.Typer(
    help="SLA targets, routing rules and channels: get, apply.", no_args_is_help=True, rich_markup_mode=None
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
    import yaml

    show_line(f"# version {found['version']}, by {found['created_by'] or 'default'}")
    show_line(yaml.safe_dump(found["settings"], sort_keys=False, allow_unicode=True).rstrip())


@app.command()
def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML in the form that `get` prints.")],
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Replace the settings. Cases that are open keep the ones they were opened under."""
    from escalations.settings import EscalationSettings
    from policies.loading import BadConfig, read, validate

    try:
        document = read(file)
        settings = validate(document, EscalationSettings)
    except BadConfig as fault:
        raise Failure(str(fault), ERROR, code="invalid") from None
    body = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    try:
        done = connect(profile).put("/v1/settings", body)
    except Failure as refused:
        if refused.field:
            trail = tuple(int(part) if part.isdigit() else part for part in refused.field.split("."))
            line, column = document.place(trail)
            refused.message = f"{file}:{line}:{column}: {refused.message}"
        raise
    if json:
        show_json(done)
    else:
        show_line(f"settings are now version {done['version']}")


COMMANDS = {"settings": app}
