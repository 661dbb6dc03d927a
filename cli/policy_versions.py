"""`kt policy push|versions|diff|promote|rollback`: the versions that the store keeps, and which of them acts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.failures import ERROR, USAGE, Failure
from cli.options import Json, Profile, connect
from cli.output import ago, note, show_json, show_line, show_table, visible

Name = Annotated[str, typer.Argument(metavar="NAME", help="The policy: the name of its pack.")]
File = Annotated[Path, typer.Option("--file", "-f", help="The configuration.")]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of `kt policy`."""
    for command in (push, versions, diff, promote, rollback):
        app.command()(command)


def push(file: File, profile: Profile = None, json: Json = False) -> None:
    """Keep a configuration as a new version, a draft. The same text again is the same version."""
    from policies.lint import lint

    found = lint(file)
    errors = [complaint for complaint in found if not complaint.warning]
    if errors:
        raise Failure("\n".join(str(complaint) for complaint in errors), ERROR, code="invalid")
    for complaint in found:
        note(str(complaint))
    pushed = connect(profile).post("/v1/policies", {"text": file.read_text("utf-8-sig")})
    if json:
        show_json(pushed)
        return
    what = "is now" if pushed["new"] else "was already"
    show_line(f"{pushed['name']}@{pushed['pack_version']} {what} version {pushed['version']} ({pushed['stage']})")


def versions(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A policy; left out: all of them.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """The versions of a policy, newest first, with the one that acts."""
    client = connect(profile)
    if name is None:
        found = client.get("/v1/policies")
        if json:
            show_json(found)
            return
        rows = [(one["name"], one["active"], one["shadow"], one["proposed"]) for one in found["policies"]]
        show_table(("POLICY", "ACTIVE", "SHADOW", "PROPOSED"), rows, "no policies; push one with `kt policy push`")
        return
    found = client.get(_path(name))
    if json:
        show_json(found)
        return
    shown = [
        (
            one["version"],
            one["pack_version"],
            one["stage"],
            one["created_by"],
            ago(one["created_at"]),
            one["digest"][:12],
        )
        for one in found["versions"]
    ]
    show_table(("VERSION", "PACK", "STAGE", "PUSHED BY", "PUSHED", "DIGEST"), shown, "no versions")


def diff(
    name: Name,
    before: Annotated[int | None, typer.Argument(metavar="[BEFORE]", help="Left out: the active one.")] = None,
    after: Annotated[int | None, typer.Argument(metavar="[AFTER]", help="Left out: the newest.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file instead of AFTER.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """What differs between two versions, or between a version and a file."""
    client = connect(profile)
    found = client.get(_path(name))
    old = before or found["active"] or found["versions"][0]["version"]
    if file is not None:
        told: Any = {"name": name, "before": old, "after": str(file), "diff": _against(client, name, old, file)}
    else:
        told = client.get(f"{_path(name)}/diff", before=old, after=after or found["versions"][0]["version"])
    if json:
        show_json(told)
    elif told["diff"]:
        show_line(visible(told["diff"]))
    else:
        note("they are the same")


def _against(client: Any, name: str, version: int, file: Path) -> str:
    import difflib

    try:
        new = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Failure(f"{file} cannot be read", ERROR, code="unreadable") from None
    old = client.get(f"{_path(name)}/versions/{version}")["text"].splitlines()
    return "\n".join(difflib.unified_diff(old, new, f"{name} version {version}", str(file), lineterm=""))


def promote(
    name: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Which version.")],
    to: Annotated[str, typer.Option(help="active, shadow, or draft: out of shadow again.")] = "active",
    fail_if_missed_blocks: Annotated[
        int | None,
        typer.Option(help="Backtest it first; refuse when more than so many blocked answers would leave.", min=0),
    ] = None,
    since: Annotated[str, typer.Option(help="What that backtest looks back on.")] = "30d",
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Let a version look on (shadow), or act (active). Where two people are asked for, the second one decides."""
    if to not in ("active", "shadow", "draft"):
        raise Failure("--to is active, shadow or draft", USAGE, code="usage")
    client = connect(profile)
    if fail_if_missed_blocks is not None:
        from cli.policy_tuning import check_missed_blocks

        text = client.get(f"{_path(name)}/versions/{version}")["text"]
        check_missed_blocks(client, text, f"{name} version {version}", since, fail_if_missed_blocks)
    moved = client.post(f"{_path(name)}/promote", {"version": version, "to": to})
    if json:
        show_json(moved)
    elif moved["stage"] == "proposed":
        show_line(f"{name} version {version} is proposed; somebody else has to promote it too")
    else:
        show_line(f"{name} version {version} is now {moved['stage']}")


def rollback(name: Name, profile: Profile = None, json: Json = False) -> None:
    """Let the version that was active before act again, at once."""
    moved = connect(profile).post(f"{_path(name)}/rollback", {})
    if json:
        show_json(moved)
    else:
        show_line(f"{name} version {moved['version']} is active again")


def _path(name: str) -> str:
    return f"/v1/policies/{quote(name, safe='')}"
