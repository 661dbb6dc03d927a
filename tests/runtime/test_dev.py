"""`kt dev`: its contract for scripts, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runtime.seed import CONSUMERS
from tests.support.model import FakeModel
from tests.support.stack import Stack, running_stack, wait_for
from tests.support.stores import Postgres


def kt(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    chosen = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"} | environment
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments], env=chosen, capture_output=True, text=True, timeout=120
    )


FREE = [flag for name in ("api", "gateway", "temporal", "ui") for flag in (f"--{name}-port", "0")]


def test_the_ready_file_holds_the_agreed_keys(stack: Stack) -> None:
    info = stack.info
    assert set(info) == {
        "api_url", "gateway_url", "console_url", "temporal_address", "temporal_ui_url", "data_dir", "pids", "tokens",
        "gateway_key", "gateway_key2",
    }  # fmt: skip
    assert set(info["pids"]) == {"temporal", "worker", "api", "gateway"}
    assert set(info["tokens"]) == {"admin", "reviewer", "reviewer2", "senior", "auditor", "other_team_reviewer"}
    for pid in info["pids"].values():
        os.kill(pid, 0)


def test_the_pids_are_the_serving_processes(stack: Stack) -> None:
    for part, words in (("worker", b"worker"), ("api", b"api"), ("gateway", b"gateway"), ("temporal", b"start-dev")):
        assert words in Path(f"/proc/{stack.pid(part)}/cmdline").read_bytes()


def test_the_seeded_people_belong_where_they_should(stack: Stack) -> None:
    users = {user["login"]: user for user in stack.api("admin").get("/v1/users").json()["users"]}
    for login in ("admin", "reviewer", "reviewer2", "senior"):
        assert {"legal", "medical", "hiring"} <= set(users[login]["teams"])
    assert not {"legal", "medical", "hiring"} & set(users["other_team_reviewer"]["teams"])
    teams = {team["team_id"] for team in stack.api("admin").get("/v1/teams").json()["teams"]}
    assert {"legal", "medical", "hiring", "compliance", "default-reviewers"} <= teams
    consumers = {one["consumer_id"]: one for one in stack.api("admin").get("/v1/consumers").json()["consumers"]}
    assert {consumers[consumer_id]["owner"] for consumer_id in CONSUMERS.values()} == {None}


def test_the_gateways_log_begins_with_the_two_documented_lines(stack: Stack) -> None:
    lines = (stack.data_dir / "logs" / "gateway.log").read_text().splitlines()
    assert lines[:2] == [
        "INFO keeptrusts::gateway Loaded declarative config oversight-demo@0.1.0",
        "INFO keeptrusts::gateway Gateway ready",
    ]


def test_a_demo_shows_the_main_job_and_ends_with_a_released_answer(tmp_path: Path) -> None:
    done = kt("dev", "--demo", "--data-dir", str(tmp_path / "data"), *FREE, CI="1")
    assert done.returncode == 0, done.stderr
    told = done.stderr
    assert "is held for a person" in told
    assert "receives exactly what was approved" in told
    assert told.count("[demo model] In our opinion") == 2


def test_a_port_in_use_is_one_line_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kt("dev", "--data-dir", str(tmp_path / "data"), *FREE[2:], "--api-port", str(port))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: port {port} is not free")
    assert "--api-port" in done.stderr
    assert not (tmp_path / "data" / "temporal.db").exists()


def test_an_unwritable_data_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = kt("dev", "--data-dir", str(tmp_path / "file" / "data"), *FREE)
    assert done.returncode == 1
    assert "cannot write the data directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("- human-oversight", "- human-oversigt"), "KT102 error: unknown policy 'human-oversigt' — did you mean"),
        (("enabled: true", "enabled: false"), "KT107"),
        (("pack:", "pack:\n  name: twice"), "KT002 error: duplicate key 'name'"),
    ],
)
def test_a_bad_configuration_is_one_line_and_nothing_is_started(
    tmp_path: Path, root: Path, change: tuple[str, str], told: str
) -> None:
    config = tmp_path / "policy-config.yaml"
    config.write_text((root / "runtime" / "defaults" / "policy-config.yaml").read_text().replace(*change, 1))
    gateway = kt("gateway", "run", "--policy-config", str(config), OPENAI_API_KEY="k")
    assert (gateway.returncode, gateway.stderr.count("\n")) == (1, 1)
    assert gateway.stderr.startswith(f"error: {config}:")
    assert told in gateway.stderr


def test_an_unset_secret_is_one_line(root: Path) -> None:
    done = kt("gateway", "run", "--policy-config", str(root / "runtime" / "defaults" / "policy-config.yaml"))
    assert done.returncode == 1
    assert "policy-config.yaml:14:9: KT206 error: variable OPENAI_API_KEY is not set" in done.stderr


def test_a_process_alone_refuses_to_start_without_a_keyring_or_a_store(tmp_path: Path) -> None:
    alone = kt("worker", "run", KT_DATA_DIR=str(tmp_path))
    assert (alone.returncode, "kt admin init" in alone.stderr) == (1, True)
    kt("admin", "init", KT_DATA_DIR=str(tmp_path), TEMPORAL_ADDRESS="127.0.0.1:1")
    (tmp_path / "keeptrusts.db").unlink()
    empty = kt("api", "run", KT_DATA_DIR=str(tmp_path))
    assert (empty.returncode, "run `kt admin init`" in empty.stderr) == (1, True)
    assert "Traceback" not in empty.stderr


def test_a_temporal_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    kt("admin", "init", KT_DATA_DIR=str(tmp_path), TEMPORAL_ADDRESS="127.0.0.1:1")
    done = kt("worker", "run", KT_DATA_DIR=str(tmp_path), TEMPORAL_ADDRESS="127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: Temporal does not answer at 127.0.0.1:1")


def test_processes_run_alone_on_an_installation_made_by_admin_init(
    stack: Stack, tmp_path: Path, model: FakeModel, root: Path
) -> None:
    """API, worker and gateway by hand, over the stack's Temporal: their pid files say when they serve."""
    environment = {
        "KT_DATA_DIR": str(tmp_path),
        "TEMPORAL_ADDRESS": stack.info["temporal_address"],
        "KT_REQUIRE_API_KEY": "true",
    }
    made = kt("admin", "init", "--json", **environment)
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["token"]
    assert "already" in kt("admin", "init", **environment).stdout
    processes = []
    config = root / "runtime" / "defaults" / "policy-config.yaml"
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
    try:
        for command in (
            ["api", "run", "--listen", f"127.0.0.1:{ports[0]}"],
            [
                "gateway",
                "run",
                "--listen",
                f"127.0.0.1:{ports[1]}",
                "--policy-config",
                str(config),
                "--upstream",
                model.url,
            ],
        ):
            pidfile = tmp_path / f"{command[0]}.pid"
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *command, "--pidfile", str(pidfile)],
                env={**os.environ, **environment},
            )
            processes.append((process, pidfile))
        for process, pidfile in processes:
            wait_for(pidfile.exists, f"{pidfile.name}")
            assert pidfile.read_text().strip() == str(process.pid)
        api = httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", headers={"authorization": f"Bearer {token}"})
        assert api.get("/v1/me").json()["roles"] == ["admin"]
        api.post("/v1/consumers", json={"consumer_id": "app"})
        key = api.post("/v1/tokens", json={"consumer_id": "app"}).json()["token"]
        asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
        url = f"http://127.0.0.1:{ports[1]}/v1/chat/completions"
        assert httpx.post(url, json=asked).status_code == 401
        assert httpx.post(url, json=asked, headers={"authorization": f"Bearer {key}"}).status_code == 200
        api.close()
    finally:
        for process, pidfile in processes:
            process.terminate()
            assert process.wait(20) == 0
            assert not pidfile.exists()


def test_given_settings_are_completed_by_those_of_kt_dev(tmp_path: Path, model: FakeModel) -> None:
    config = tmp_path / "escalations.yaml"
    config.write_text("sla:\n  critical: 15s\n")
    options = ("--upstream", model.url, "--escalation-config", str(config), "--no-demo-data")
    with running_stack(tmp_path, *options) as stack:
        settings = stack.api().get("/v1/settings").json()["settings"]
        assert settings["sla"]["critical"] == "15s"
        assert [rule["name"] for rule in settings["escalation_routing"]["rules"]][-1] == "Catch-all"
        assert stack.stop() == 0
        for pid in stack.info["pids"].values():
            wait_for(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "the children to end")


def test_given_settings_are_checked_against_the_people_that_there_are(tmp_path: Path) -> None:
    config = tmp_path / "escalations.yaml"
    config.write_text("decisions:\n  approvals:\n  - match: {any: true}\n    required: 2\n    approvers: [auditor]\n")
    done = kt("dev", "--data-dir", str(tmp_path / "data"), "--escalation-config", str(config), *FREE)
    assert done.returncode == 1
    assert f"{config}:5:" in done.stderr
    assert "decisions.approvals.0.approvers: 1 must confirm, and of these nobody may review" in done.stderr
    assert not (tmp_path / "data" / "run").exists()


def test_a_restart_keeps_the_settings_that_were_applied_and_a_file_for_elsewhere_is_told_of(
    tmp_path: Path, model: FakeModel
) -> None:
    config = tmp_path / "escalations.yaml"
    rule = '{name: rest, match: {any: true}, route_to: "team:nowhere", notification_channel: pagerduty}'
    config.write_text(f"sla: {{high: 44m}}\nescalation_routing:\n  rules:\n  - {rule}\n")
    with running_stack(tmp_path, "--upstream", model.url, "--escalation-config", str(config)) as stack:
        told = stack.output.read_text()
        assert f"{config}:4:38: KT320 warning: escalation_routing.rules.0.route_to" in told
        assert f"{config}:4:64: KT303 warning: escalation_routing.rules.0.notification_channel" in told
        before = stack.api().get("/v1/settings").json()
        assert before["settings"]["sla"]["high"] == "44m"
        assert before["created_by"] == "kt dev"
    with running_stack(tmp_path, "--upstream", model.url) as stack:
        assert stack.api().get("/v1/settings").json() == before


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, model: FakeModel, postgres: Postgres) -> Iterator[Stack]:
    import asyncio

    url = asyncio.run(postgres.new_database())
    environment = {"KT_DATABASE_URL": url}
    with running_stack(tmp_path_factory.mktemp("pg"), "--upstream", model.url, environment=environment) as running:
        yield running


def test_the_main_job_on_postgresql_needs_only_a_url(on_postgres: Stack) -> None:
    held = on_postgres.create("You may terminate.")["escalation_id"]
    on_postgres.must(held, "comment", {"text": "on PostgreSQL"})
    on_postgres.decide(
        held, "redact_and_allow", redactions=[{"start": 0, "end": 3, "label": "X"}], note="Approved on PostgreSQL."
    )
    released = on_postgres.api("admin").get(f"/v1/escalations/{held}/response", params={"wait": 10})
    assert released.json()["choices"][0]["message"]["content"] == "[X] may terminate."
    assert on_postgres.events(held) == ["opened", "commented", "claimed", "resolved"]
    answer = on_postgres.openai().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
    )
    assert answer.choices[0].message.content == "Paris."


def test_a_held_answer_is_released_on_postgresql(on_postgres: Stack) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from tests.support.stack import LEGAL

    with ThreadPoolExecutor(1) as pool:
        text = f"postgres {LEGAL} ANSWER: You may terminate."
        asking = pool.submit(
            lambda: on_postgres.openai().chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": text}]
            )
        )
        on_postgres.decide(on_postgres.case_about("postgres")["escalation_id"], "allow")
        assert asking.result(30).choices[0].message.content == "You may terminate."
