"""`kt`: review, operate and run. Every group is a module of its own, loaded only when it is used."""

from __future__ import annotations

import difflib
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

import typer

from cli.failures import USAGE, Failure
from cli.output import fail, show_line

GROUPS = {
    "escalation": "Review: next, list, get, claim, resolve, watch",
    "events": "Governed requests: tail, get",
    "policy": "Policy configuration: lint, test, versions, backtest",
    "settings": "SLA targets, routing rules, channels: get, apply, history, diff",
    "sla": "Clocks: report, recompute",
    "second-review": "Blind second reviews: next, resolve, report",
    "golden": "Known answers among the cases: add, list, retire, report",
    "schedule": "On call: show, who",
    "notify": "Notifications: log, replay, test",
    "shift": "Who is given cases: start, end, list",
    "team": "Teams: list, create",
    "user": "Users: list, create",
    "consumer": "Consumers of the gateway: list, create, set-group",
    "token": "Tokens: create, list, revoke",
    "audit": "The ledger: verify",
    "login": "Sign in with a token from standard input",
    "logout": "Forget the stored token",
    "auth": "Who you are signed in as: status",
    "dev": "Everything on this machine: Temporal, worker, API, gateway",
    "gateway": "A gateway: run",
    "worker": "A worker: run",
    "api": "An API: run",
    "admin": "Set up an installation: init",
    "help": "Exit codes, environment variables",
}
_MODULES = {
    **dict.fromkeys(("login", "logout", "auth"), "cli.sign_in"),
    **dict.fromkeys(("dev", "gateway", "worker", "api"), "cli.processes"),
    "second-review": "cli.second_review",
}


def main() -> None:
    arguments = sys.argv[1:]
    signal.signal(signal.SIGINT, _interrupted)
    if not arguments or arguments[0] in ("-h", "--help"):
        _overview()
        raise SystemExit(0)
    if arguments[0] == "--version":
        from importlib.metadata import version

        show_line(f"kt {version('keeptrusts')}")
        raise SystemExit(0)
    try:
        _group(arguments[0])(arguments[1:], prog_name=f"kt {arguments[0]}")
    except Failure as failure:
        fail(failure, as_json="--json" in arguments)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None


def _group(name: str) -> typer.Typer:
    if name not in GROUPS:
        near = difflib.get_close_matches(name, GROUPS, n=1)
        hint = f"did you mean `kt {near[0]}`?" if near else "`kt --help` shows the commands"
        raise Failure(f"there is no command {name!r}", USAGE, code="usage", hint=hint)
    module = import_module(_MODULES.get(name, f"cli.{name}"))
    group: typer.Typer = module.COMMANDS[name]
    return group


def _overview() -> None:
    show_line("kt: human review for AI answers\n")
    show_line("`kt dev` starts everything on this machine; `kt escalation list` shows what waits for a person.\n")
    for name, told in GROUPS.items():
        show_line(f"  kt {name:<13} {told}")
    show_line("\n`kt COMMAND --help` says more; every command that shows something takes --json.")


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(130)


if __name__ == "__main__":
    main()
