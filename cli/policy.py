"""`kt policy`: write, check and explain a configuration, offline on files; the versions of the store with an API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import policy_tests, policy_tuning, policy_versions
from cli.failures import ERROR, NOT_FOUND, USAGE, Failure
from cli.options import Json, Profile, connect
from cli.output import is_terminal, note, show_json, show_line

if TYPE_CHECKING:
    from escalations.directory import Directory
    from policies.loading import Complaint

app = typer.Typer(
    help="Policies: write and check them, test and tune them, push versions and let them act.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def init(
    file: Annotated[Path, typer.Option("--file", "-f", help="Where to write it.")] = Path("policy-config.yaml"),
    name: Annotated[str | None, typer.Option(help="The pack's name; the directory's without it.")] = None,
    schema: Annotated[
        Path | None, typer.Option(help="Also write the JSON Schema here, and name it for the editor.")
    ] = None,
) -> None:
    """Write a configuration to start from, with a comment for each choice. Never overwrites one."""
    import json as encoder
    import os
    import re

    from policies.json_schema import json_schema
    from policies.starting import starting_config

    pack = name or re.sub(r"[^A-Za-z0-9._-]+", "-", file.resolve().parent.name).strip("-._") or "my-policy"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", pack):
        raise Failure(f"{pack!r} is no name of a pack: letters, digits, dots, dashes", USAGE, code="usage")
    beside = schema or file.with_name("policy-config.schema.json")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(starting_config(pack, Path(os.path.relpath(beside, file.parent)).as_posix()))
        beside.write_text(encoder.dumps(json_schema("07"), indent=2) + "\n", encoding="utf-8")
    except FileExistsError:
        raise Failure(f"{file} is there already", ERROR, code="exists", hint="name another with --file") from None
    except OSError as fault:
        raise Failure(f"{fault.filename} cannot be written: {fault.strerror}", ERROR, code="unwritable") from None
    show_line(f"wrote {file} and {beside}; next: kt policy lint --file {file}")


@app.command()
def lint(
    files: Annotated[list[Path] | None, typer.Argument(help="Files, as a pre-commit hook gives them.")] = None,
    file: Annotated[
        list[Path] | None, typer.Option("--file", "-f", help="policy-config.yaml, or escalation settings.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="text, json, github or sarif.")] = "text",
    fix: Annotated[bool, typer.Option("--fix", help="Make the corrections that are safe.")] = False,
    online: Annotated[bool, typer.Option(help="Ask the installation whether teams and users are there.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the line with each finding.")] = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Check configurations: errors make one unusable and end with exit code 1, warnings do not."""
    from cli.policy_reports import FORMATS
    from policies.lint import lint as check

    named = [*(files or ()), *(file or ())]
    if not named:
        raise Failure("name a file, for example --file policy-config.yaml", USAGE, code="usage")
    if output not in FORMATS:
        raise Failure(f"--output is one of {', '.join(FORMATS)}", USAGE, code="usage")
    for path in named if fix else ():
        _fix(path)
    directory = _directory(profile) if online else None
    found = {path: check(path, directory) for path in named}
    _report(found, "json" if json else output, verbose=verbose or is_terminal())
    if any(not complaint.warning for complaints in found.values() for complaint in complaints):
        raise typer.Exit(1)


def _fix(path: Path) -> None:
    from policies.fixing import fix

    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return  # the linter says why
    corrected, done = fix(text, str(path))
    if corrected != text:
        path.write_bytes(corrected.encode())
    for complaint in done:
        note(f"{complaint.file}: corrected {complaint.rule}: {complaint.message}")


def _directory(profile: str | None) -> Directory:
    from escalations.commands import Role
    from escalations.directory import Directory, Person

    client = connect(profile)
    users = [user for user in client.get("/v1/users")["users"] if user["active"]]
    people = {
        user["login"]: Person(frozenset(Role(role) for role in user["roles"]), frozenset(user["teams"]))
        for user in users
    }
    names = {str(user[key]).lower(): user["login"] for user in users for key in ("login", "email") if user[key]}
    teams = frozenset(team["team_id"] for team in client.get("/v1/teams")["teams"])
    theirs = frozenset(one["team"] for one in client.get("/v1/consumers")["consumers"] if one["team"])
    return Directory(teams, names, people, consumer_teams=theirs)


def _report(found: dict[Path, list[Complaint]], output: str, *, verbose: bool) -> None:
    from cli.policy_reports import as_github, as_json, as_sarif, as_text

    everything = [complaint for complaints in found.values() for complaint in complaints]
    errors = sum(not complaint.warning for complaint in everything)
    match output:
        case "json":
            shown = {"ok": not errors, "findings": [as_json(complaint) for complaint in everything]}
            show_json({"file": str(next(iter(found))), **shown} if len(found) == 1 else shown)
        case "sarif":
            show_json(as_sarif(everything))
        case "github":
            for complaint in everything:
                show_line(as_github(complaint))
        case _:
            for path, complaints in found.items():
                for complaint in complaints:
                    show_line(as_text(complaint, excerpt=verbose))
                if all(complaint.warning for complaint in complaints):
                    show_line(f"{path}: ok" + (f", {len(complaints)} warnings" if complaints else ""))


@app.command()
def rule(number: Annotated[str, typer.Argument(metavar="KT204", help="The rule's number.")]) -> None:
    """What a rule of the linter means, and what to do."""
    from policies.lint_rules import RULES

    told = RULES.get(number.upper())
    if told is None:
        raise Failure(f"there is no rule {number}; the rules are {', '.join(RULES)}", NOT_FOUND, code="not_found")
    show_line(f"{number.upper()}: {told}")


@app.command()
def schema(
    draft: Annotated[str, typer.Option(help="2020-12, or 07 for editors that know no later one.")] = "2020-12",
) -> None:
    """The JSON Schema of policy-config.yaml."""
    from policies.json_schema import DRAFTS, json_schema

    if draft not in DRAFTS:
        raise Failure(f"--draft is one of {', '.join(DRAFTS)}", USAGE, code="usage")
    show_json(json_schema(draft))


policy_tests.add_to(app)
policy_tuning.add_to(app)
policy_versions.add_to(app)

COMMANDS = {"policy": app}
