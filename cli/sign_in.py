"""`kt login`, `kt logout`, `kt auth status`: which server, as whom."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.client import Client
from cli.failures import SIGN_IN, USAGE, Failure
from cli.options import Json, Profile
from cli.output import note, show_json, show_line
from cli.profiles import DEFAULT_PROFILE, Access, find_access, forget, store

login_app = typer.Typer(rich_markup_mode=None)
logout_app = typer.Typer(rich_markup_mode=None)
auth_app = typer.Typer(help="Who you are signed in as.", no_args_is_help=True, rich_markup_mode=None)


@login_app.command()
def login(
    with_token: Annotated[bool, typer.Option("--with-token", help="Read the token from standard input.")] = False,
    api_url: Annotated[str | None, typer.Option(help="The API; else KT_API_URL, the profile, or this machine.")] = None,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Sign in: the token is read from standard input, checked, and kept in a file that only you can read."""
    if not with_token:
        raise Failure("pipe a token in: `kt login --with-token < token.txt`", USAGE, code="usage")
    token = sys.stdin.readline().strip()
    if not token:
        raise Failure("there is no token on standard input", USAGE, code="usage")
    found = find_access(profile=profile)
    url = (api_url or found.url).rstrip("/")
    me = Client(Access(url, "--api-url" if api_url else found.url_from, token, "stdin", found.profile)).get("/v1/me")
    file = store(found.profile, url, token)
    if json:
        show_json({**me, "api_url": url, "profile": found.profile})
        return
    show_line(f"signed in to {url} as {me['login']} ({', '.join(me['roles'])})")
    note(f"the token is in {file}, readable by you alone")


@logout_app.command()
def logout(profile: Profile = None, json: Json = False) -> None:
    """Forget the stored token. It stays valid until it is revoked."""
    name = profile or DEFAULT_PROFILE
    there = forget(name)
    if json:
        show_json({"profile": name, "forgotten": there})
    else:
        show_line(f"signed out of profile {name}" if there else f"profile {name} was not signed in")


@auth_app.callback()
def auth() -> None:
    """Who you are signed in as."""


@auth_app.command()
def status(profile: Profile = None, json: Json = False) -> None:
    """The server, the person, and where each was found."""
    access = find_access(profile=profile)
    if access.token is None:
        raise Failure(
            f"not signed in to {access.url}", SIGN_IN, code="unauthenticated", hint="run `kt login --with-token`"
        )
    me = Client(access).get("/v1/me")
    if json:
        show_json({**me, "api_url": access.url, "api_url_from": access.url_from, "token_from": access.token_from})
        return
    show_line(f"{access.url} (from {access.url_from})")
    show_line(f"{me['login']}, {', '.join(me['roles'])}; teams {', '.join(me['teams']) or 'none'}")
    show_line(f"token {me['token_id']} (from {access.token_from})")


COMMANDS = {"login": login_app, "logout": logout_app, "auth": auth_app}
