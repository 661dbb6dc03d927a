"""How evenly cases are given out, and how long they wait: a thousand arrivals, people who come on shift and go.

    python -m bench.assigning [--arrivals N] [--seeds N]

The store is a real one (SQLite, synchronous=FULL), and cases are given out by what it knows; only the clock is
simulated. Everybody decides a case in one to five minutes, and one arrival in fifty comes with a change of shift. With
few cases there is room for all, with many there is not, and nobody holds more than four.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from bench.load import quantile
from escalations.assignment import Strategy
from escalations.case import Case
from escalations.commands import SYSTEM, Actor, Assign, Role, Withdraw
from escalations.operations_settings import TeamAssignment
from escalations.step import open_case, step
from escalations.views import view_of
from store.assigning import Duty, release, reserve
from store.database import Database, sqlite_url
from store.directory import Team, User, create_team, create_user, set_on_shift
from store.escalations import put_view
from store.migrating import migrate
from tests.escalations.cases import opening

START = datetime(2026, 6, 1, 8, tzinfo=UTC)
TENANT, TEAM = "default", "legal"
PEOPLE = ("ana", "ben", "cara", "dan", "eve", "finn")
LIMIT = 4
SECONDS_APART = {"room for all": 60, "too much work": 12}
"""Between two arrivals, on average. Six people with four cases of three minutes each decide one in seven seconds, three
of them one in fifteen."""
_ADMIN = Actor("admin", roles=(Role.ADMIN,))


@dataclass
class Day:
    """A run. `fair` is what everybody would have had, had each case been shared by whoever was there."""

    present: set[str] = field(default_factory=lambda: set(PEOPLE))
    cases: dict[str, Case] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    dealt: Counter[str] = field(default_factory=Counter)
    fair: Counter[str] = field(default_factory=Counter)
    waited: list[float] = field(default_factory=list)
    most_held: int = 0
    shifts: int = 0


async def simulate(database: Database, strategy: Strategy, seconds_apart: float, arrivals: int, seed: int) -> Day:
    # Arrivals, shifts and what each case takes are the same for every strategy.
    chance, day = random.Random(seed), Day()
    duty = Duty(TEAM, TeamAssignment(strategy=strategy, max_open_per_reviewer=LIMIT))
    happenings = list(_arrivals(chance, seconds_apart, arrivals))
    while happenings:
        now, what = heappop(happenings)
        async with database.write() as connection:
            if what in day.held:
                day.held.pop(what)
                case, _ = step(day.cases.pop(what), Withdraw(_ADMIN), now)
                await put_view(connection, view_of(case))
            else:
                day.cases[what], _ = open_case(opening(escalation_id=what), now)
                await put_view(connection, view_of(day.cases[what]))
                if chance.random() < 0.02:
                    await _change_shift(connection, day, chance.choice(PEOPLE), now)
            for given in await reserve(connection, TENANT, duty, now):
                case, _ = step(day.cases[given.escalation_id], Assign(SYSTEM, given.login), now)
                await put_view(connection, view_of(case))
                await release(connection, TENANT, [given.escalation_id])
                day.cases[given.escalation_id] = case
                day.held[given.escalation_id] = given.login
                day.dealt[given.login] += 1
                day.waited.append((now - case.created_at).total_seconds())
                day.fair.update(dict.fromkeys(day.present, 1 / len(day.present)))  # type: ignore[arg-type]
                takes = random.Random(f"{seed}/{given.escalation_id}").uniform(60, 300)
                heappush(happenings, (now + timedelta(seconds=takes), given.escalation_id))
        day.most_held = max(day.most_held, *Counter(day.held.values()).values(), 0)
    return day


def _arrivals(chance: random.Random, seconds_apart: float, arrivals: int) -> Iterator[tuple[datetime, str]]:
    at = START
    for number in range(arrivals):
        at += timedelta(seconds=chance.expovariate(1 / seconds_apart))
        yield at, f"esc_{number:04}"


async def _change_shift(connection: Any, day: Day, login: str, now: datetime) -> None:
    """Somebody goes, or comes back; the last one stays."""
    if day.present == {login}:
        return
    day.present ^= {login}
    day.shifts += 1
    await set_on_shift(connection, TENANT, login, login in day.present, now)


async def run(strategy: Strategy, seconds_apart: float, arrivals: int, seed: int) -> Day:
    with tempfile.TemporaryDirectory() as directory:
        database = Database(sqlite_url(Path(directory) / "keeptrusts.db"))
        try:
            await migrate(database)
            async with database.write() as connection:
                await create_team(connection, TENANT, Team(TEAM, TEAM, START))
                for login in PEOPLE:
                    person = User(login, None, login, (Role.REVIEWER,), (TEAM,), True, START)
                    await create_user(connection, TENANT, person)
            return await simulate(database, strategy, seconds_apart, arrivals, seed)
        finally:
            await database.close()


def measure(arrivals: int, seeds: int) -> list[dict[str, Any]]:
    """One row for each strategy and load, over all seeds. Ages are in seconds of the simulated clock."""
    rows = []
    for load, seconds_apart in SECONDS_APART.items():
        for strategy in (Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED):
            days = [asyncio.run(run(strategy, seconds_apart, arrivals, seed)) for seed in range(seeds)]
            waited = [seconds for day in days for seconds in day.waited]
            spread = [abs(day.dealt[login] / day.fair[login] - 1) for day in days for login in day.fair]
            rows.append(
                {
                    "load": load,
                    "strategy": strategy.value,
                    "given_out": sum(day.dealt.total() for day in days),
                    "arrivals": arrivals * seeds,
                    "shifts": sum(day.shifts for day in days),
                    "worst_off_fair_share": max(spread),
                    "most_held": max(day.most_held for day in days),
                    "waited_p50": quantile(waited, 0.5),
                    "waited_p99": quantile(waited, 0.99),
                    "oldest": max(waited),
                }
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrivals", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    chosen = parser.parse_args()
    rows = measure(chosen.arrivals, chosen.seeds)
    print(
        "| load | strategy | given out | shifts | farthest from a fair share | most held | waited p50 / p99 | oldest |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row['load']} | {row['strategy']} | {row['given_out']} of {row['arrivals']} | {row['shifts']}"
            f" | {row['worst_off_fair_share']:.1%} | {row['most_held']}"
            f" | {row['waited_p50']:.0f} / {row['waited_p99']:.0f} s | {row['oldest']:.0f} s |"
        )
    kept = all(row["given_out"] == row["arrivals"] and row["most_held"] <= LIMIT for row in rows)
    print("every case was given out once, nobody held too many" if kept else "MISSED")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
