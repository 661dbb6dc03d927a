"""A consumer gives up on a held answer: a signed instruction to its workflow, as the API sends them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError, RPCStatusCode

from escalations.commands import Withdraw
from gateway.errors import unavailable
from store.tokens import Principal
from vault.keyring import Keyring
from vault.signatures import Signer
from workflows.messages import Instruction, Outcome, bytes_to_sign

TIMEOUT_S = 5.0
_LIFE = timedelta(seconds=60)


class Withdrawer:
    def __init__(self, client: Client, keyring: Keyring) -> None:
        self._client = client
        self._signer = Signer(keyring)

    async def withdraw(self, caller: Principal, escalation_id: str) -> None:
        """The case is withdrawn, or has ended otherwise already. Raises GatewayError 503 when neither is known."""
        unsigned = Instruction(
            id=f"withdraw-{escalation_id}",
            escalation_id=escalation_id,
            command=Withdraw(caller.actor),
            payload_digest="",
            expires_at=datetime.now(UTC) + _LIFE,
            key_id=self._signer.key_id,
        )
        signed = replace(unsigned, signature=self._signer.sign(bytes_to_sign(unsigned)))
        handle = self._client.get_workflow_handle(escalation_id)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await handle.execute_update("withdraw", signed, id=signed.id, result_type=Outcome)
        except WorkflowUpdateFailedError:
            return
        except RPCError as fault:
            if fault.status is not RPCStatusCode.NOT_FOUND:
                raise unavailable() from None
        except (TimeoutError, TemporalError, OSError):
            raise unavailable() from None
