"""What reviewers see of an answer in which one of them changed something: its personal data is found anew."""

from __future__ import annotations

import json

from api.masking import masked_anew

MAIL = "jane@roe.example"


def test_personal_data_is_starred_in_tool_arguments_however_they_write_it() -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in MAIL)
    arguments = f'{{"to": "{escaped}", "cc": "{MAIL}"}}'
    assert json.loads(arguments)["to"] == MAIL
    call = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": arguments}}
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": MAIL, "tool_calls": [call]}}]}
    message = masked_anew(answer)["choices"][0]["message"]
    assert message["content"] == "****@***.*******"
    shown = message["tool_calls"][0]["function"]["arguments"]
    assert "u00" not in shown
    assert "roe" not in shown
    assert len(shown) == len(arguments)
