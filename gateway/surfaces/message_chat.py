"""Messages over a model that speaks chat completions: the request there, the answer back, no text lost on the way.

Thoughts are left behind, for only the model that signed them may read them; so are hints on caching and sampling that
chat completions have no word for. What would need a tool on the server's side is refused, by the parameter's name.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson

from gateway.surfaces.chat import arguments_of, texts_of
from gateway.surfaces.surface import count, dict_of, dicts_of, not_carried, object_of, objects_of

_SAME = ("model", "temperature", "top_p")
_NEEDS_A_SERVER = ("mcp_servers", "container")
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_STOPS = {"length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use", "content_filter": "refusal"}


def request_to_chat(body: dict[str, Any]) -> dict[str, Any]:
    """Raises GatewayError 400 for what cannot be carried over."""
    for name in _NEEDS_A_SERVER:
        if body.get(name):
            raise not_carried(name)
    chat: dict[str, Any] = {
        name: body[name] for name in ("model", "temperature", "top_p") if body.get(name) is not None
    }
    chat["messages"] = _messages(body)
    chat["max_completion_tokens"] = body.get("max_tokens")
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    user = object_of(body, "metadata").get("user_id")
    if user:
        chat["user"] = user
    wanted = object_of(object_of(body, "output_config"), "format", "output_config.format")
    if wanted.get("type") == "json_schema":
        schema = {"name": "answer", "schema": wanted.get("schema"), "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    tools = objects_of(body, "tools")
    if tools:
        chat["tools"] = [_tool(tool, f"tools.{index}") for index, tool in enumerate(tools)]
        chat.update(_tool_choice(object_of(body, "tool_choice")))
    return chat


def _tool(tool: dict[str, Any], param: str) -> dict[str, Any]:
    if tool.get("type", "custom") not in ("custom", None):
        raise not_carried(param)
    function = {"name": tool.get("name"), "description": tool.get("description"), "strict": tool.get("strict")}
    told = {name: value for name, value in function.items() if value is not None}
    return {"type": "function", "function": {**told, "parameters": tool.get("input_schema") or {"type": "object"}}}


def _tool_choice(choice: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    kind = choice.get("type")
    if kind == "tool":
        told["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif kind in _CHOICES:
        told["tool_choice"] = _CHOICES[kind]
    elif kind is not None:
        raise not_carried("tool_choice")
    if choice.get("disable_parallel_tool_use"):
        told["parallel_tool_calls"] = False
    return told


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    system = body.get("system")
    if system:
        texts = [system] if isinstance(system, str) else texts_of(system)
        messages.append({"role": "system", "content": "\n\n".join(texts)})
    for index, message in enumerate(body.get("messages") or ()):
        role, content = message["role"], message.get("content")
        if isinstance(content, str):
            messages.append({"role": role, "content": content})
        elif role == "assistant":
            messages.append(_assistant(content, f"messages.{index}.content"))
        else:
            messages.extend(_asked(role, content, f"messages.{index}.content"))
    return messages


def _assistant(blocks: list[dict[str, Any]], param: str) -> dict[str, Any]:
    said, calls = [], []
    for index, block in enumerate(blocks):
        kind = block.get("type")
        if kind == "text":
            said.append(block.get("text") or "")
        elif kind == "tool_use":
            arguments = orjson.dumps(block.get("input") or {}).decode()
            calls.append(
                {
                    "id": block.get("id"),
                    "type": "function",
                    "function": {"name": block.get("name"), "arguments": arguments},
                }
            )
        elif kind not in _THOUGHTS:
            raise not_carried(f"{param}.{index}")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(said) if said or not calls else None}
    if calls:
        message["tool_calls"] = calls
    return message


def _asked(role: str, blocks: list[dict[str, Any]], param: str) -> list[dict[str, Any]]:
    """What tools gave back comes first, as messages of its own; its images have to follow in the user's."""
    results, parts = [], []
    for index, block in enumerate(blocks):
        if block.get("type") != "tool_result":
            parts += _parts(block, f"{param}.{index}")
            continue
        given = block.get("content")
        if isinstance(given, str):
            content = given
        else:
            told = [
                part
                for number, inner in enumerate(objects_of(block, "content", f"{param}.{index}.content"))
                for part in _parts(inner, f"{param}.{index}.content.{number}")
            ]
            content = "\n".join(part["text"] for part in told if part["type"] == "text")
            parts += [part for part in told if part["type"] != "text"]
        results.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content})
    return [*results, {"role": role, "content": parts}] if parts else results


def _parts(block: dict[str, Any], param: str) -> list[dict[str, Any]]:
    kind = block.get("type")
    if kind == "text":
        return [_text(block.get("text"))]
    if kind == "image":
        return [{"type": "image_url", "image_url": {"url": _address(object_of(block, "source", param), param)}}]
    if kind == "search_result":
        return [_text("\n".join([*_titles(block, "title", "source"), *texts_of(block.get("content"))]))]
    if kind == "document":
        return _document(block, object_of(block, "source", param), param)
    raise not_carried(param)


def _document(block: dict[str, Any], source: dict[str, Any], param: str) -> list[dict[str, Any]]:
    titles, kind = _titles(block, "title", "context"), source.get("type")
    if kind == "text":
        return [_text("\n".join([*titles, source.get("data") or ""]))]
    if kind == "content":
        inner = source.get("content")
        if isinstance(inner, str):
            return [_text("\n".join([*titles, inner]))]
        parts = [part for each in objects_of(source, "content", param) for part in _parts(each, param)]
        return [_text("\n".join(titles)), *parts] if titles else parts
    if kind == "base64":
        file = {"filename": block.get("title") or "document.pdf", "file_data": _address(source, param)}
        told = [_text(block["context"])] if block.get("context") else []
        return [*told, {"type": "file", "file": file}]
    raise not_carried(param)


def _titles(block: dict[str, Any], *names: str) -> list[str]:
    return [block[name] for name in names if isinstance(block.get(name), str) and block[name]]


def _text(text: Any) -> dict[str, Any]:
    return {"type": "text", "text": text or ""}


def _address(source: dict[str, Any], param: str) -> str:
    if source.get("type") == "url" and isinstance(source.get("url"), str):
        return str(source["url"])
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    raise not_carried(param)


def message_from_chat(completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The first choice: a message has no others."""
    own = str(completion.get("id") or uuid4().hex).removeprefix("chatcmpl-")
    choice = (dicts_of(completion.get("choices")) or [{}])[0]
    message = dict_of(choice.get("message"))
    content: list[dict[str, Any]] = [_said(text) for text in texts_of(message.get("content"))]
    if message.get("refusal"):
        content.append(_said(message["refusal"]))
    calls = dicts_of(message.get("tool_calls"))
    if dict_of(message.get("function_call")):
        calls.append({"function": message["function_call"]})
    content += [_tool_use(call, f"toolu_{own}_{number}") for number, call in enumerate(calls)]
    stop, sequence = _stop(choice, message, called=bool(calls), asked=body.get("stop_sequences") or [])
    return {
        "id": f"msg_{own}",
        "type": "message",
        "role": "assistant",
        "model": completion.get("model") or body.get("model"),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": sequence,
        "stop_details": None,
        "container": None,
        "usage": _usage(completion.get("usage")),
    }


def _stop(choice: dict[str, Any], message: dict[str, Any], *, called: bool, asked: list[Any]) -> tuple[str, str | None]:
    reason, sequence = str(choice.get("finish_reason")), choice.get("stop_reason")
    if reason not in _STOPS and message.get("refusal"):
        return "refusal", None
    if reason not in _STOPS and called:
        return "tool_use", None
    if reason == "stop" and isinstance(sequence, str) and sequence in asked:
        return "stop_sequence", sequence
    return _STOPS.get(reason, "end_turn"), None


def _tool_use(call: dict[str, Any], own: str) -> dict[str, Any]:
    custom = call.get("custom")
    called = custom if isinstance(custom, dict) else dict_of(call.get("function"))
    given: Any
    if isinstance(custom, dict):
        given = {"input": custom.get("input")}
    else:
        text = arguments_of(called)
        try:
            given = orjson.loads(text or "{}")
        except orjson.JSONDecodeError:
            given = None
        if not isinstance(given, dict):
            given = {"arguments": text}
    block = {"type": "tool_use", "id": call.get("id") or own, "name": called.get("name"), "input": given}
    return {**block, "caller": {"type": "direct"}}


def _said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "citations": None}


def _usage(usage: Any) -> dict[str, Any]:
    told = dict_of(usage)
    read = count(dict_of(told.get("prompt_tokens_details")).get("cached_tokens"))
    return {
        "input_tokens": max(0, count(told.get("prompt_tokens")) - read),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": read,
        "output_tokens": count(told.get("completion_tokens")),
        "cache_creation": None,
        "server_tool_use": None,
        "service_tier": None,
        "inference_geo": None,
        "output_tokens_details": None,
    }
