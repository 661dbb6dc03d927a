"""The full Temporal server on SQLite, with server-side time skipping, which the dev server of the CLI does not have."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import RPCError

from runtime.installing import register_search_attributes
from runtime.settings import SettingsError
from runtime.temporal_binary import find_server, usual_sources

PATIENCE_S = 60.0


@asynccontextmanager
async def running_full_server(directory: Path, converter: DataConverter) -> AsyncIterator[Client]:
    """A client of a fresh server, its namespace and search attributes registered."""
    ports = _free_ports(9)
    (directory / "config").mkdir()
    (directory / "dynamic.yaml").write_text(yaml.safe_dump(_DYNAMIC))
    (directory / "config" / "test.yaml").write_text(yaml.safe_dump(_config(directory, ports)))
    command = [str(find_server(usual_sources())), "--root", str(directory), "--env", "test", "--allow-no-auth", "start"]
    with open(directory / "server.log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
    try:
        yield await _connect(f"127.0.0.1:{ports[0]}", converter)
    finally:
        server.terminate()
        server.wait(20)


_DYNAMIC = {
    "frontend.WorkflowTimeSkippingEnabled": [{"value": True}],
    "system.forceSearchAttributesCacheRefreshOnRead": [{"value": True}],
}


async def _connect(address: str, converter: DataConverter) -> Client:
    """As soon as the server takes a namespace and the search attributes."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                client = await Client.connect(address, data_converter=converter)
                await _register_namespace(client)
                await register_search_attributes(client)
            except (RPCError, RuntimeError, SettingsError):
                await asyncio.sleep(0.2)
            else:
                return client


async def _register_namespace(client: Client) -> None:
    kept = Duration()
    kept.FromTimedelta(timedelta(days=1))
    request = RegisterNamespaceRequest(namespace="default", workflow_execution_retention_period=kept)
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as fault:
        if "already exists" not in str(fault):
            raise


def _config(directory: Path, ports: list[int]) -> dict[str, Any]:
    store = {
        "sql": {
            "pluginName": "sqlite",
            "databaseName": str(directory / "temporal.db"),
            "connectAddr": "localhost",
            "connectProtocol": "tcp",
            "connectAttributes": {"cache": "private", "setup": True, "journal_mode": "wal", "synchronous": 2},
            "maxConns": 1,
            "maxIdleConns": 1,
            "maxConnLifetime": "1h",
        }
    }
    names = ("frontend", "matching", "history", "worker")
    services = {
        name: {"rpc": {"grpcPort": ports[2 * i], "membershipPort": ports[2 * i + 1], "bindOnLocalHost": True}}
        for i, name in enumerate(names)
    }
    return {
        "log": {"stdout": True, "level": "warn"},
        "persistence": {
            "defaultStore": "main",
            "visibilityStore": "visibility",
            "numHistoryShards": 1,
            "datastores": {"main": store, "visibility": store},
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": "127.0.0.1"}},
        "services": services,
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {
                "active": {
                    "enabled": True,
                    "initialFailoverVersion": 1,
                    "rpcName": "frontend",
                    "rpcAddress": f"localhost:{ports[0]}",
                }
            },
        },
        "dcRedirectionPolicy": {"policy": "noop"},
        "dynamicConfigClient": {"filepath": str(directory / "dynamic.yaml"), "pollInterval": "10s"},
    }


def _free_ports(count: int) -> list[int]:
    """Ports in the low range: the server derives nothing from them, but they must differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        with closing(found):
            pass
    return ports
