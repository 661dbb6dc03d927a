"""The other tables: directory, tokens, settings, holds, releases, contents, events, changes, migrations."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

import store.assignment_tables
import store.migrating
import store.notification_tables
import store.policy_tables
from escalations.commands import Claim, Role
from escalations.decisions import Resolution
from escalations.settings import EscalationSettings
from escalations.step import step
from store.changes import ChangeFeed, note_change
from store.consumers import Consumer, create_consumer, find_consumer, list_consumers, list_owners
from store.contents import ANSWER, Contents, released_field
from store.database import Database, StoreUnavailable, normal_url
from store.directory import Team, User, create_team, create_user, find_user, list_users, read_directory
from store.events import EventFilter, GovernedEvent, find_event, list_events, put_events
from store.holds import HeldRequest, HoldState, attach_retry, find_by_key, find_hold, left_opening, register, set_state
from store.ledger import Receipt
from store.releases import Release, find_releases, open_release, put_release, release_of
from store.schema import contents as contents_table
from store.schema import metadata
from store.settings import current_settings, put_settings, settings_at
from store.tokens import find_principal, issue_token, list_tokens, revoke_token
from tests.escalations.cases import ANA, CONTENT, opened, resolve
from vault.envelopes import Envelopes, VaultError
from vault.keyring import ensure_keyring
from vault.tokens import token_hash

NOW = datetime(2026, 5, 7, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def person(login: str, *teams: str, role: Role = Role.REVIEWER, active: bool = True) -> User:
    return User(login, f"{login.upper()}@Example.com", login, (role,), teams, active, NOW)


async def test_a_user_is_found_by_login_and_by_e_mail(database: Database) -> None:
    async with database.write() as connection:
        await create_team(connection, "default", Team("legal", "Legal", NOW))
        assert await create_user(connection, "default", person("ana", "legal"))
        assert not await create_user(connection, "default", person("ana"))
        for name in ("ana", "ana@example.com", "ANA@EXAMPLE.COM"):
            found = await find_user(connection, "default", name)
            assert found is not None
            assert (found.login, found.teams) == ("ana", ("legal",))
        assert await find_user(connection, "elsewhere", "ana") is None
        assert [user.login for user in await list_users(connection, "default")] == ["ana"]


async def test_the_directory_knows_whom_a_route_may_name(database: Database) -> None:
    async with database.write() as connection:
        await create_team(connection, "default", Team("legal", "Legal", NOW))
        await create_user(connection, "default", person("Ana"))
        await create_user(connection, "default", person("left", active=False))
        directory = await read_directory(connection, "default")
    assert directory.teams == {"legal"}
    assert [directory.user(name) for name in ("ana", "ANA@example.com", "left")] == ["Ana", "Ana", None]


async def test_a_token_speaks_for_its_owner_until_it_is_revoked_or_expires(database: Database) -> None:
    async with database.write() as connection:
        await create_user(connection, "default", person("ana", role=Role.SENIOR))
        token_id, token = await issue_token(connection, "default", "user", "ana", label="", now=NOW, life=DAY)
        principal = await find_principal(connection, token_hash(token), NOW)
        assert principal is not None
        assert (principal.login, principal.roles) == ("ana", {Role.SENIOR})
        assert await find_principal(connection, token_hash(token), NOW + DAY) is None
        assert await find_principal(connection, token_hash(token + "x"), NOW) is None
        assert await revoke_token(connection, "default", token_id, NOW)
        assert not await revoke_token(connection, "default", token_id, NOW)
        assert await find_principal(connection, token_hash(token), NOW) is None


async def test_a_token_of_somebody_who_left_speaks_for_nobody(database: Database) -> None:
    async with database.write() as connection:
        await create_user(connection, "default", person("left", active=False))
        _, token = await issue_token(connection, "default", "user", "left", label="", now=NOW, life=DAY)
        assert await find_principal(connection, token_hash(token), NOW) is None


async def test_a_gateway_key_speaks_for_a_consumer_and_no_token_is_kept_in_clear(database: Database) -> None:
    async with database.write() as connection:
        await create_consumer(connection, "default", Consumer("app", "App", "sales", "external", None, NOW))
        _, token = await issue_token(connection, "default", "gateway", "app", label="", now=NOW, life=DAY)
        principal = await find_principal(connection, token_hash(token), NOW)
        rows = (await connection.execute(text("SELECT * FROM tokens"))).all()
        assert [row.label for row in await list_tokens(connection, "default")] == [""]
    assert principal is not None
    assert principal.consumer is not None
    assert (principal.consumer.consumer_group, principal.roles) == ("external", {Role.GATEWAY})
    assert token not in str(rows)


async def test_an_owner_whose_address_was_kept_is_whose_address_that_is(database: Database) -> None:
    async with database.write() as connection:
        await create_consumer(connection, "default", Consumer("app", "App", None, None, "ANA@example.com", NOW))
        _, token = await issue_token(connection, "default", "gateway", "app", label="", now=NOW, life=DAY)
        before = await find_consumer(connection, "default", "app")
        await create_user(connection, "elsewhere", person("stranger"))
        await create_user(connection, "default", person("ana", active=False))
        principal = await find_principal(connection, token_hash(token), NOW)
        listed = await list_consumers(connection, "default")
        await create_user(connection, "default", User("ANA@example.com", None, "by name", (), (), True, NOW))
        by_name = await find_consumer(connection, "default", "app")
    assert before is not None
    assert before.owner == "ANA@example.com"
    assert principal is not None
    assert principal.consumer is not None
    assert (principal.consumer.owner, [one.owner for one in listed]) == ("ana", ["ana"])
    assert by_name is not None
    assert by_name.owner == "ANA@example.com", "a login that is written just so comes first"


async def test_owners_of_consumers_that_can_ask_for_nothing_any_more_are_none(database: Database) -> None:
    async with database.write() as connection:
        for login in ("revoked", "expired", "new", "two-keys", "address"):
            owner = f"{login}@example.com" if login == "address" else login
            await create_user(connection, "default", person(login))
            await create_consumer(connection, "default", Consumer(f"{login}-app", "App", None, None, owner, NOW))
        for login in ("revoked", "two-keys", "two-keys", "expired", "address"):
            life = DAY / 2 if login == "expired" else 2 * DAY
            token_id, _ = await issue_token(
                connection, "default", "gateway", f"{login}-app", label="", now=NOW, life=life
            )
            if login == "revoked":
                await revoke_token(connection, "default", token_id, NOW)
        await create_consumer(connection, "default", Consumer("nobodys", "App", None, None, None, NOW))
        assert await list_owners(connection, "default", NOW + DAY) == {"new", "two-keys", "address"}
        assert await list_owners(connection, "elsewhere", NOW + DAY) == frozenset()


async def test_every_change_of_settings_is_a_version_and_no_change_is_none(database: Database) -> None:
    first = EscalationSettings.model_validate({"sla": {"critical": "1m"}})
    async with database.write() as connection:
        assert (await current_settings(connection, "default")).version == 0
        assert (await put_settings(connection, "default", first, "ana", NOW)).version == 1
        assert (await put_settings(connection, "default", first, "ben", NOW)).version == 1
        assert (await put_settings(connection, "default", EscalationSettings(), "ben", NOW)).version == 2
        old = await settings_at(connection, "default", 1)
        assert old is not None
        assert (old.settings, old.created_by) == (first, "ana")
        assert await settings_at(connection, "default", 9) is None


def hold(number: int, *, key: str | None = None, digest: str = "d", minutes: int = 0) -> HeldRequest:
    return HeldRequest(
        f"esc_{number}", "app", digest, key, "chatcmpl-1", HoldState.OPENING, NOW + timedelta(minutes=minutes), b"s"
    )


async def test_two_first_attempts_are_two_holds_however_alike(database: Database) -> None:
    async with database.write() as connection:
        first, second = hold(1), hold(2)
        assert await register(connection, "default", first) is first
        assert await register(connection, "default", second) is second


async def test_an_idempotency_key_gives_its_hold_back_for_a_day(database: Database) -> None:
    async with database.write() as connection:
        await register(connection, "default", hold(1, key="k"))
        assert (await register(connection, "default", hold(2, key="k", minutes=60))).escalation_id == "esc_1"
        assert (await register(connection, "default", hold(3, key="k", minutes=25 * 60))).escalation_id == "esc_3"
        found = await find_by_key(connection, "default", "app", "k", NOW + timedelta(hours=25))
        assert found is not None
        assert found.escalation_id == "esc_3"
        assert await find_by_key(connection, "default", "other", "k", NOW) is None


async def test_concurrent_attempts_with_one_key_make_one_hold(database: Database) -> None:
    async def attempt(number: int) -> str:
        async with database.write() as connection:
            return (await register(connection, "default", hold(number, key="k"))).escalation_id

    assert len(set(await asyncio.gather(*(attempt(n) for n in range(8))))) == 1


async def test_retries_spread_over_the_holds_of_equal_requests(database: Database) -> None:
    async with database.write() as connection:
        for number in (1, 2):
            await register(connection, "default", hold(number))
        attached = [await attach_retry(connection, "default", "app", "d", NOW) for _ in range(2)]
        assert sorted(found.escalation_id for found in attached if found) == ["esc_1", "esc_2"]
        assert await attach_retry(connection, "default", "app", "other", NOW) is None
        assert await attach_retry(connection, "default", "someone", "d", NOW) is None


async def test_a_withdrawn_hold_attaches_nobody(database: Database) -> None:
    async with database.write() as connection:
        await register(connection, "default", hold(1))
        assert [item.escalation_id for _, item in await left_opening(connection, NOW + DAY)] == ["esc_1"]
        await set_state(connection, "default", "esc_1", HoldState.WITHDRAWN)
        assert await left_opening(connection, NOW + DAY) == []
        assert await attach_retry(connection, "default", "app", "d", NOW) is None


async def test_a_hold_is_found_by_its_consumer_alone(database: Database) -> None:
    async with database.write() as connection:
        await register(connection, "default", hold(1))
        await register(connection, "default", hold(2, minutes=1))
        newest = await find_hold(connection, "default", "app", completion_id="chatcmpl-1")
        assert newest is not None
        assert newest.escalation_id == "esc_2"
        assert await find_hold(connection, "default", "other", escalation_id="esc_1") is None


def ending(resolution: Resolution) -> Release:
    case, _ = step(opened(), Claim(ANA), NOW)
    _, events = step(case, resolve(ANA, resolution), NOW)
    release = release_of("esc_1", events[0])
    assert release is not None
    return release


async def test_a_case_ends_once(database: Database) -> None:
    async with database.write() as connection:
        await put_release(connection, "default", ending(Resolution.BLOCK), Receipt("api", 4))
        await put_release(connection, "default", ending(Resolution.ALLOW), Receipt("api", 5))
        found = await find_releases(connection, "default", ["esc_1", "esc_2"])
    assert [(key, release.outcome) for key, release in found.items()] == [("esc_1", "block")]


async def test_only_what_was_approved_is_given_out(database: Database, tmp_path: Path) -> None:
    vault = Contents(Envelopes(ensure_keyring(tmp_path / "keyring.json")))
    key, wrapped = vault.new_key("default", "esc_1")
    release = Release("esc_1", "allow", None, key.digest(b"held"), key.digest(b"held"), NOW)
    async with database.write() as connection:
        await vault.create(connection, "default", "esc_1", wrapped, key, {ANSWER: b"held"}, NOW)
        assert await open_release(connection, vault, "default", "esc_1") == (None, None)
        await put_release(connection, "default", release, Receipt("api", 4))
        assert await open_release(connection, vault, "default", "esc_1") == (release, b"held")
        await vault.put(connection, "default", "esc_1", key, {ANSWER: b"other"}, NOW)
        with pytest.raises(VaultError, match="not what was approved"):
            await open_release(connection, vault, "default", "esc_1")


async def test_a_redacted_answer_is_found_by_its_own_digest(database: Database, tmp_path: Path) -> None:
    vault = Contents(Envelopes(ensure_keyring(tmp_path / "keyring.json")))
    key, wrapped = vault.new_key("default", "esc_1")
    digest = key.digest(b"stripped")
    release = Release("esc_1", "redact_and_allow", None, CONTENT, digest, NOW)
    async with database.write() as connection:
        fields = {ANSWER: b"held", released_field(digest): b"stripped", released_field("0" * 64): b"another attempt"}
        await vault.create(connection, "default", "esc_1", wrapped, key, fields, NOW)
        await put_release(connection, "default", release, Receipt("api", 4))
        assert (await open_release(connection, vault, "default", "esc_1"))[1] == b"stripped"


async def test_content_is_kept_sealed_and_bound_to_its_place(database: Database, tmp_path: Path) -> None:
    vault = Contents(Envelopes(ensure_keyring(tmp_path / "keyring.json")))
    key, wrapped = vault.new_key("default", "esc_1")
    async with database.write() as connection:
        await vault.create(connection, "default", "esc_1", wrapped, key, {"answer": b"secret words"}, NOW)
        again, wrapped_again = vault.new_key("default", "esc_1")
        await vault.create(connection, "default", "esc_1", wrapped_again, again, {"answer": b"overwritten"}, NOW)
        assert await vault.read(connection, "default", "esc_1") == {"answer": b"secret words"}
        sealed = (await connection.scalars(select(contents_table.c.sealed))).all()
        assert b"secret" not in b"".join(sealed)
        await connection.execute(text("UPDATE contents SET field = 'request'"))
        with pytest.raises(VaultError, match="altered"):
            await vault.read(connection, "default", "esc_1")
        await connection.execute(text("DELETE FROM content_keys"))
        with pytest.raises(VaultError, match="erased"):
            await vault.read(connection, "default", "esc_1")


def governed(number: int, **changes: object) -> GovernedEvent:
    plain: dict[str, object] = {
        "event_id": f"evt_{number}",
        "at": NOW + timedelta(minutes=number),
        "verdict": "passed",
        "request_id": "req",
        "consumer": "app",
        "gateway": "gateway",
        "config_version": "p@1",
        "config_digest": "0" * 64,
        "body": {"policies": [{"score": 1}]},
    }
    return GovernedEvent(**{**plain, **changes})  # type: ignore[arg-type]


async def test_events_are_tailed_with_filters_and_a_cursor(database: Database) -> None:
    escalated = governed(
        7, verdict="escalated", team="sales", reason_code="legal_opinions", policy_rule="human-oversight"
    )
    async with database.write() as connection:
        await put_events(connection, [*(governed(n) for n in range(3)), escalated])
    async with database.read() as connection:
        everything = await list_events(connection, "default", EventFilter())
        assert [event.verdict for _, event in everything] == ["passed"] * 3 + ["escalated"]
        for wanted in (
            EventFilter(verdict=("escalated",)),
            EventFilter(team="sales"),
            EventFilter(reason_code="legal_opinions"),
            EventFilter(policy="human-oversight"),
            EventFilter(since=NOW + timedelta(minutes=5)),
            EventFilter(after=everything[2][0]),
        ):
            assert [event.event_id for _, event in await list_events(connection, "default", wanted)] == ["evt_7"]
        assert await list_events(connection, "default", EventFilter(config_version="p@2")) == []
        assert await find_event(connection, "default", "evt_1") == governed(1)


async def test_the_change_feed_tells_every_listener_once_of_what_comes(database: Database) -> None:
    feed = ChangeFeed(database)
    async with database.write() as connection:
        await note_change(connection, "default", "escalation", "before", 1, NOW)
    following = asyncio.create_task(feed.run())
    await feed.following.wait()

    async def first_three() -> list[str]:
        found = []
        async with aclosing(feed.listen()) as changes:
            async for change in changes:
                found.append(change.ref)
                if len(found) == 3:
                    break
        return found

    listeners = [asyncio.create_task(first_three()) for _ in range(2)]
    await asyncio.sleep(0)
    for number in range(3):
        async with database.write() as connection:
            await note_change(connection, "default", "escalation", f"esc_{number}", 1, NOW)
    async with asyncio.timeout(10):
        for listener in listeners:
            assert await listener == ["esc_0", "esc_1", "esc_2"]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_the_migrations_lead_exactly_to_the_schema(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [found for found in compare_metadata(context, metadata) if "ledger" not in str(found)]

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    await store.migrating.check_schema(database)
    await store.migrating.migrate(database)


def test_the_constant_of_the_newest_migration_is_true() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(store.migrating.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == store.migrating.HEAD


async def test_writers_of_one_process_take_turns(database: Database) -> None:
    async def add(number: int) -> None:
        async with database.write() as connection:
            await create_team(connection, "default", Team(f"t{number}", "", NOW))

    await asyncio.gather(*(add(n) for n in range(40)))
    async with database.read() as connection:
        assert len((await read_directory(connection, "default")).teams) == 40


async def test_an_error_of_the_store_tells_no_values(database: Database) -> None:
    with pytest.raises(StoreUnavailable) as fault:
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO nowhere VALUES ('secret words')"))
    assert "secret" not in str(fault.value)
    assert fault.value.__cause__ is None


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgres://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite:////tmp/x.db"),
    ],
)
def test_a_url_needs_no_driver(given: str, driver: str) -> None:
    assert normal_url(given) == driver


async def test_sqlite_promises_durability(tmp_path: Path) -> None:
    made = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    async with made.read() as connection:
        assert await connection.scalar(text("PRAGMA synchronous")) == 2
        assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
    await made.close()
