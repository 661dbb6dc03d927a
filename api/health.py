"""Is it alive, is it ready. `/livez` asks nobody, `/readyz` asks the store and Temporal."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import text
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError

from api.authentication import Using
from store.database import StoreUnavailable

router = APIRouter(tags=["operators"])

CHECK_TIMEOUT_S = 2.0


@router.get("/livez", summary="The process runs")
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="Requests can be served", response_model=None)
async def readyz(using: Using) -> JSONResponse:
    checks = {"store": "ok", "temporal": "ok"}
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S), using.database.read() as connection:
            await connection.execute(text("SELECT 1"))
    except (StoreUnavailable, TimeoutError):
        checks["store"] = "away"
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await using.temporal.service_client.check_health()
    except (RPCError, TemporalError, TimeoutError, RuntimeError, OSError):
        checks["temporal"] = "away"
    ready = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)
