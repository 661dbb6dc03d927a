"""One answer of every surface with every kind of text in it, and how a client reads a stream of bytes."""

from __future__ import annotations

from typing import Any

import orjson

LONG = "Patient Jane Roe, MRN 12345, should stop taking it at once. " * 5
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def chat(**message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": LONG, **message},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": USAGE,
    }


def tool_call(arguments: str = '{"to": "Jane Roe"}', name: str = "reject") -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def response(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": "Advise.",
        "model": "m",
        "output": list(items) or [said()],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 13,
        },
        **more,
    }


def said(text: str = LONG, **part: Any) -> dict[str, Any]:
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **part}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [content]}


CITED = {"type": "url_citation", "url": "https://example.org/a", "title": "A source", "start_index": 0, "end_index": 4}
EVERY_ITEM: tuple[dict[str, Any], ...] = (
    {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "A summary."}],
        "content": [{"type": "reasoning_text", "text": "A thought."}],
        "encrypted_content": "c2VhbGVk",
    },
    said(annotations=[CITED]),
    {
        "id": "msg_2",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "refusal", "refusal": "I will not."}],
    },
    {
        "id": "fc_1",
        "type": "function_call",
        "call_id": "call_1",
        "name": "reject",
        "arguments": '{"to": "Jane Roe"}',
        "status": "completed",
    },
    {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "rm records"},
    {
        "id": "mcp_1",
        "type": "mcp_call",
        "server_label": "crm",
        "name": "find",
        "arguments": '{"name": "Roe"}',
        "output": "One Jane Roe.",
    },
    {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "Jane Roe"},
    },
    {
        "id": "ci_1",
        "type": "code_interpreter_call",
        "status": "completed",
        "code": "print('Roe')",
        "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "Roe"}],
    },
    {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "iVBORw0KGgo" * 20},
    {
        "id": "lsh_1",
        "type": "local_shell_call",
        "call_id": "call_3",
        "status": "completed",
        "action": {"type": "exec", "command": ["cat", "roe.txt"], "env": {}},
    },
)

EVERY_BLOCK: tuple[dict[str, Any], ...] = (
    {"type": "thinking", "thinking": "A thought.", "signature": "c2lnbmVk"},
    {"type": "redacted_thinking", "data": "c2VhbGVk" * 20},
    {
        "type": "text",
        "text": LONG,
        "citations": [
            {
                "type": "char_location",
                "cited_text": "Roe has gout.",
                "document_index": 0,
                "document_title": "Chart",
                "file_id": None,
                "start_char_index": 0,
                "end_char_index": 4,
            }
        ],
    },
    {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "reject",
        "input": {"to": "Jane Roe", "why/how": [{"a~b": "too old"}], "card": 4111111111111111, "urgent": True},
    },
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "gout"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [
            {
                "type": "web_search_result",
                "title": "Gout",
                "url": "https://example.org/gout",
                "encrypted_content": "c2VhbGVk",
                "page_age": None,
            }
        ],
    },
)


def message(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(blocks) or [{"type": "text", "text": LONG}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 4},
        **more,
    }


def read(stream: bytes) -> list[tuple[str | None, Any]]:
    """(name, body) of every event."""
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        body = fields["data"]
        found.append((fields.get("event"), body if body == "[DONE]" else orjson.loads(body)))
    return found
