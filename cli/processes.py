"""`kt dev`, `kt gateway run`, `kt worker run`, `kt api run`: the only commands that start processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

dev_app = typer.Typer(rich_markup_mode=None)
gateway_app = typer.Typer(help="Run a gateway.", no_args_is_help=True, rich_markup_mode=None)
worker_app = typer.Typer(help="Run a worker.", no_args_is_help=True, rich_markup_mode=None)
api_app = typer.Typer(help="Run an API.", no_args_is_help=True, rich_markup_mode=None)

PidFile = Annotated[Path | None, typer.Option("--pidfile", help="Written when the process serves.")]


def _only_group() -> None:
    """Keeps `run` a sub-command."""


for _group in (gateway_app, worker_app, api_app):
    _group.callback()(_only_group)


@dev_app.command()
def dev(
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept; a restart finds it again.")] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="JSON with addresses, pids and tokens, once all answer.")
    ] = None,
    api_port: Annotated[int, typer.Option(envvar="KT_API_PORT", help="API and console; 0 for any.")] = 41001,
    gateway_port: Annotated[int, typer.Option(envvar="KT_GATEWAY_PORT", help="Gateway; 0 for any.")] = 41002,
    temporal_port: Annotated[int, typer.Option(envvar="KT_TEMPORAL_PORT", help="Temporal; 0 for any.")] = 7233,
    ui_port: Annotated[int, typer.Option(envvar="KT_UI_PORT", help="Temporal UI; 0 for any.")] = 8233,
    policy_config: Annotated[Path | None, typer.Option(help="Instead of the built-in one.")] = None,
    escalation_config: Annotated[Path | None, typer.Option(help="SLA targets, routing rules, channels.")] = None,
    upstream: Annotated[str | None, typer.Option(help="Replaces the base URL of every target; without /v1.")] = None,
    no_demo_data: Annotated[
        bool, typer.Option("--no-demo-data", help="No example cases (this release has none).")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Drive one escalation through the main job, and show it.")
    ] = False,
) -> None:
    """Everything on this machine: Temporal, worker, API, gateway, and a demo model without OPENAI_API_KEY."""
    del no_demo_data
    from runtime.dev import DevOptions
    from runtime.dev_session import run_dev
    from runtime.settings import read_settings

    environment = dict(os.environ)
    options = DevOptions(
        data_dir=(data_dir or read_settings(environment).data_dir).resolve(),
        ready_file=ready_file,
        api_port=api_port,
        gateway_port=gateway_port,
        temporal_port=temporal_port,
        ui_port=ui_port,
        policy_config=policy_config,
        escalation_config=escalation_config,
        upstream=upstream,
    )
    _run(lambda stopped: run_dev(options, environment, stopped, demo=demo), quiet=True)


@gateway_app.command("run")
def gateway_run(
    policy_config: Annotated[Path, typer.Option("--policy-config", help="policy-config.yaml")],
    listen: Annotated[str, typer.Option(help="HOST:PORT")] = "127.0.0.1:41002",
    upstream: Annotated[str | None, typer.Option(help="Replaces the base URL of every target; without /v1.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port.")] = 1,
    pidfile: PidFile = None,
) -> None:
    """The OpenAI-compatible endpoint that can hold an answer for a person."""
    from runtime.gateway_process import GatewayOptions, run_gateway
    from runtime.gateway_workers import run_workers

    environment = dict(os.environ)
    options = GatewayOptions(listen, policy_config, pidfile, upstream)
    if workers == 1:
        _run(lambda stopped: run_gateway(environment, options, stopped))
    else:
        _run(lambda stopped: run_workers(environment, options, workers, stopped))


@worker_app.command("run")
def worker_run(pidfile: PidFile = None) -> None:
    """Runs the escalation workflows and what they ask of the outside world."""
    from runtime.worker_process import run_worker

    environment = dict(os.environ)
    _run(lambda stopped: run_worker(environment, pidfile, stopped))


@api_app.command("run")
def api_run(
    listen: Annotated[str, typer.Option(help="HOST:PORT")] = "127.0.0.1:41001", pidfile: PidFile = None
) -> None:
    """The HTTP API for reviewers, auditors and integrations."""
    from runtime.api_process import run_api

    environment = dict(os.environ)
    _run(lambda stopped: run_api(environment, listen, pidfile, stopped))


def _run(main: Callable[[asyncio.Event], Awaitable[None]], *, quiet: bool = False) -> None:
    from runtime import logs
    from runtime.serving import leave, run_process

    logs.set_up({"KT_LOG_LEVEL": "WARNING", **os.environ} if quiet else os.environ)
    leave(run_process(main))


COMMANDS = {
    "dev": dev_app,
    "gateway": gateway_app,
    "worker": worker_app,
    "api": api_app,
}
