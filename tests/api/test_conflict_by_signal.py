"""Nobody has a part in the review of what they asked for by way of Temporal's own signals either: every operation, as
`temporal workflow signal` sends it and as the API would sign it; each attempt is on the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from pydantic import TypeAdapter

from escalations.commands import Actor, Assign, Command, Role
from tests.escalations.test_conflict import OPERATIONS
from tests.support.ledger import ledger_entries
from tests.support.requesters import ROLES, Asked, having_asked
from tests.support.stack import Stack, wait_for
from tests.support.temporal import connect_to, operators_signal, signed
from workflows.handlers import Handlers
from workflows.messages import AnyCommand

_command: TypeAdapter[Any] = TypeAdapter(AnyCommand)
NOT_A_REVIEWER_S = {"withdraw", "comment", "recompute"}
UNVERIFIED_MAY = {"claim", "unclaim", "block", "escalate", "escalate to a team"}
"""What an unsigned signal may do at all, with the settings of `kt dev`."""
NAMED = {
    "by login": lambda command: command["actor"]["login"],
    "in a field": lambda command: {**command, "actor": command["actor"]["login"]},
    "as the API does": lambda command: command,
    "in other letters": lambda command: {**command, "actor": command["actor"]["login"].upper()},
    "with the signature taken off": lambda command: {"id": "taken-off", "command": command, "signature": ""},
}
"""How an unsigned signal may say who sends it."""
UNSAID = {"by login", "with the signature taken off"}
"""Then nothing else that is said in it counts."""


@pytest.fixture(scope="module", params=ROLES)
def asked(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Asked]:
    with having_asked(stack, request.param, "signals") as made:
        yield made


@pytest.fixture(scope="module", params=ROLES)
def signs(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Asked]:
    """Others, with cases of their own: a case writes down a hundred refused signals at most."""
    with having_asked(stack, request.param, "signs") as made:
        yield made


def command_of(asked: Asked, operation: str) -> Command:
    role = Role(asked.requester.login.rpartition("-")[2])
    return OPERATIONS[operation](Actor(asked.requester.login, roles=(role,)))


def untouched(stack: Stack, held: str) -> bool:
    case = stack.escalation(held)
    return (case["proposal"]["number"], case["assignee"], case["status"]) == (3, None, "open")


@pytest.mark.parametrize(("operation", "named"), list(product(OPERATIONS, NAMED)))
def test_an_unsigned_signal_is_refused_and_recorded(stack: Stack, asked: Asked, operation: str, named: str) -> None:
    command, login = command_of(asked, operation), asked.requester.login
    message = json.dumps(NAMED[named](_command.dump_python(command, mode="json")))
    # Where it does not say how, it would block.
    blocks = command.operation == "resolve" and named in UNSAID
    expected = {"conflict_of_interest"} if operation in UNVERIFIED_MAY or blocks else {"not_allowed", "invalid"}
    for held in asked.cases:
        with on_the_record(stack, held, command, login.upper() if named == "in other letters" else login) as codes:
            operators_signal(stack, held, command.operation, message)
        assert set(codes) <= expected


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_signed_signal_is_refused_and_recorded(stack: Stack, signs: Asked, operation: str) -> None:
    client, command = await connect_to(stack), command_of(signs, operation)
    for held in signs.cases:
        with on_the_record(stack, held, command, signs.requester.login) as codes:
            await client.get_workflow_handle(held).signal(command.operation, signed(stack, held, command))
        assert codes == [signs.requester.code]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_signature_for_another_s_word_is_refused_and_recorded(
    stack: Stack, signs: Asked, operation: str
) -> None:
    client, command, held = await connect_to(stack), command_of(signs, operation), signs.cases[0]
    another_s = signed(stack, held, replace(command, actor=Actor("reviewer2", roles=(Role.REVIEWER,))))
    with on_the_record(stack, held, command, signs.requester.login) as codes:
        await client.get_workflow_handle(held).signal(command.operation, replace(another_s, command=command))
    assert codes == ["not_allowed"]


async def test_nobody_else_gives_it_to_them(stack: Stack, signs: Asked) -> None:
    client, held, login = await connect_to(stack), signs.cases[0], signs.requester.login
    given = Assign(Actor("senior", roles=(Role.SENIOR,)), login)
    with on_the_record(stack, held, given, "senior") as codes:
        await client.get_workflow_handle(held).signal("assign", signed(stack, held, given))
    assert codes == ["conflict_of_interest"]
    with on_the_record(stack, held, given, "senior") as codes:
        operators_signal(stack, held, "assign", json.dumps({"actor": "senior", "assignee": login}))
    assert codes == ["not_allowed"]


def test_no_signal_is_left_out() -> None:
    signals = {name.removesuffix("_signal") for name in vars(Handlers) if name.endswith("_signal")}
    assert signals - NOT_A_REVIEWER_S == {make(Actor("ana")).operation for make in OPERATIONS.values()}


@contextmanager
def on_the_record(stack: Stack, held: str, command: Command, login: str) -> Iterator[list[str]]:
    """One signal is sent here, and refused: its code is given as soon as the ledger has it. Nothing else happens."""

    def codes() -> list[str]:
        return [
            entry["data"]["code"]
            for entry in ledger_entries(stack.data_dir / "ledger")
            if (entry["escalation_id"], entry["outcome"]) == (held, "refused")
            and (entry["actor"]["id"], entry["data"].get("operation")) == (login, command.operation)
        ]

    before, added = len(codes()), list[str]()
    yield added
    added += wait_for(lambda: codes()[before:], f"the refused {command.operation} on the record")
    case = stack.escalation(held)
    assert (case["proposal"]["number"], case["assignee"], case["status"]) == (3, None, "open")
