"""The codec endpoint of the Temporal UI and CLI: shows operators what histories hold. Signed in, and on the record.

Wire shape: POST {payloads: [{metadata: {name: base64}, data: base64}]}, the same back. Source: Temporal's codec server
protocol, https://docs.temporal.io/production-deployment/data-encryption.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads

from api.authentication import Using, only
from api.problems import Problem
from api.records import note_read
from escalations.commands import Role
from store.tokens import Principal
from vault.envelopes import VaultError

router = APIRouter(prefix="/codec", tags=["operators"])

Operators = Annotated[Principal, Depends(only(Role.ADMIN, Role.AUDITOR))]


@router.post("/decode", summary="Decrypt Temporal payloads")
async def decode(caller: Operators, using: Using, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    payloads = _parse(body)
    workflow = request.headers.get("x-namespace", "default")
    await note_read(using, caller, None, "temporal payloads", count=len(payloads), namespace=workflow[:200])
    try:
        return _write(await using.codec.decode(payloads))
    except VaultError as fault:
        raise Problem(422, "undecodable", str(fault)) from None


@router.post("/encode", summary="Encrypt Temporal payloads")
async def encode(caller: Operators, using: Using, body: dict[str, Any]) -> dict[str, Any]:
    del caller
    return _write(await using.codec.encode(_parse(body)))


def _parse(body: dict[str, Any]) -> list[Payload]:
    message = Payloads()
    try:
        json_format.ParseDict(body, message)
    except json_format.ParseError:
        raise Problem(422, "invalid", "payloads: not a list of Temporal payloads", field="payloads") from None
    return list(message.payloads)


def _write(payloads: list[Payload]) -> dict[str, Any]:
    written: dict[str, Any] = json_format.MessageToDict(Payloads(payloads=payloads))
    return written
