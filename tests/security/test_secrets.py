"""What must never be written down where it does not belong."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.model import FakeModel
from tests.support.stack import LEGAL, running_stack, wait_for

PROMPT, ANSWER, NOTE, COMMENT, LABEL = (
    f"canary-{name}-7391" for name in ("prompt", "answer", "note", "comment", "label")
)


def everywhere(directory: Path) -> dict[str, bytes]:
    """Every file that the product wrote, by its name."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_content_secrets_and_notes_are_in_no_file_in_clear(tmp_path: Path, model: FakeModel) -> None:
    with running_stack(tmp_path, "--upstream", model.url) as stack:
        secrets = [*stack.info["tokens"].values(), stack.info["gateway_key"], stack.info["gateway_key2"]]
        with ThreadPoolExecutor(1) as pool:
            text = f"{PROMPT} {LEGAL} ANSWER: In our opinion {ANSWER} may sue."
            asking = pool.submit(
                lambda: stack.openai().chat.completions.create(
                    model="gpt-4o-mini", messages=[{"role": "user", "content": text}]
                )
            )
            held = stack.case_about(PROMPT)["escalation_id"]
            stack.must(held, "claim")
            stack.must(held, "comment", {"text": COMMENT})
            redaction = {"path": "/choices/0/message/content", "start": 0, "end": 2, "label": LABEL}
            stack.must(
                held,
                "resolve",
                {"resolution": "redact_and_allow", "redactions": [redaction], "note": f"{NOTE} is long enough"},
            )
            assert ANSWER in asking.result(30).choices[0].message.content
        stack.openai().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": PROMPT}])
        stack.kt("escalation", "get", held, "--include-context")
        stack.history(held)
        wait_for(lambda: "resolved" in stack.logs(), "the notification")
        data = stack.data_dir
        files = everywhere(data)
        assert files.keys() >= {"keeptrusts.db", "temporal.db", "keyring.json", "ledger/api.ledger", "logs/gateway.log"}
        for name, content in files.items():
            for canary in (PROMPT, ANSWER, NOTE, COMMENT, LABEL):
                assert canary.encode() not in content, f"{canary} is in {name}"
            if name != "dev-tokens.json":
                for secret in secrets:
                    assert secret.encode() not in content, f"a token is in {name}"
        for part in ("temporal", "worker", "api", "gateway"):
            command = Path(f"/proc/{stack.pid(part)}/cmdline").read_bytes()
            assert not any(secret.encode() in command for secret in secrets)
        for name in ("keyring.json", "dev-tokens.json"):
            assert oct((data / name).stat().st_mode & 0o777) == "0o600"
        assert oct(stack.ready_file.stat().st_mode & 0o777) == "0o600"
        assert os.stat(data).st_mode & 0o077 == 0
