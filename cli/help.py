"""`kt help`: what does not belong to one command."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failures import NOT_FOUND, Failure
from cli.output import show_line

app = typer.Typer(rich_markup_mode=None)

TOPICS = {
    "exit-codes": """0    ok
1    error, or findings (lint)
2    usage: the command or its values are wrong
4    sign in: no valid token
5    not found, or not for your eyes
6    conflict: held by another, already decided
7    timeout: the outcome is not known; the same command is safe to repeat
130  interrupted""",
    "environment": """KT_API_URL             the API (else the profile, else http://127.0.0.1:41001)
KEEPTRUSTS_API_TOKEN   your token (else the profile's)
KT_PROFILE             the profile to use
KT_CONFIG_DIR          where profiles are kept
NO_COLOR               no colours
KT_DATA_DIR, KT_DATABASE_URL, KT_KEYRING_FILE, KT_LEDGER_DIR, TEMPORAL_ADDRESS
                       for the processes: see `kt dev --help` and docs/running.md""",
}


@app.command()
def help_(topic: Annotated[str | None, typer.Argument(metavar="TOPIC")] = None) -> None:
    """Exit codes, environment variables."""
    if topic is None:
        show_line("topics: " + ", ".join(TOPICS))
        return
    if topic not in TOPICS:
        raise Failure(f"there is no topic {topic!r}; there are {', '.join(TOPICS)}", NOT_FOUND, code="not_found")
    show_line(TOPICS[topic])


COMMANDS = {"help": app}
