"""Responses over a model that speaks chat completions: the request there, the answer back, no text lost on the way.

What only a server with a memory or with tools of its own could do is refused, by the name of the parameter.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from gateway.surfaces.chat import arguments_of, texts_of
from gateway.surfaces.surface import count, dict_of, dicts_of, not_carried, object_of, objects_of

_SAME = (
    *("model", "temperature", "top_p", "user", "parallel_tool_calls", "service_tier", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention"),
)
_NEEDS_A_MEMORY = ("previous_response_id", "conversation", "prompt")
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}


def request_to_chat(body: dict[str, Any]) -> dict[str, Any]:
    """Raises GatewayError 400 for what cannot be carried over."""
    for name in _NEEDS_A_MEMORY:
        if body.get(name) is not None:
            raise not_carried(name)
    chat: dict[str, Any] = {name: body[name] for name in _SAME if body.get(name) is not None}
    chat["messages"] = _messages(body)
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    effort = object_of(body, "reasoning").get("effort")
    if effort is not None:
        chat["reasoning_effort"] = effort
    text = object_of(body, "text")
    if text.get("verbosity") is not None:
        chat["verbosity"] = text["verbosity"]
    wanted = object_of(text, "format", "text.format")
    if wanted.get("type") == "json_schema":
        schema = {name: value for name, value in wanted.items() if name != "type" and value is not None}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif wanted.get("type", "text") != "text":
        chat["response_format"] = wanted
    tools = objects_of(body, "tools")
    if tools:
        chat["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    if tools and body.get("tool_choice") is not None:
        chat["tool_choice"] = _tool_choice(body["tool_choice"])
    return chat


def _tool(tool: dict[str, Any], param: str) -> dict[str, Any]:
    kind = tool.get("type")
    rest = {name: value for name, value in tool.items() if name != "type" and value is not None}
    if kind == "custom":
        form = object_of(rest, "format", f"{param}.format")
        if form.get("type") == "grammar":
            rest["format"] = {"type": "grammar", "grammar": {k: v for k, v in form.items() if k != "type"}}
        return {"type": "custom", "custom": rest}
    if kind == "function":
        return {"type": "function", "function": rest}
    raise not_carried(param)


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in ("function", "custom"):
        return {"type": kind, kind: {"name": choice.get("name")}}
    if kind == "allowed_tools":
        allowed = [_tool_choice(tool) for tool in objects_of(choice, "tools", "tool_choice.tools")]
        return {"type": kind, kind: {"mode": choice.get("mode"), "tools": allowed}}
    raise not_carried("tool_choice")


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    asked = body.get("input")
    if isinstance(asked, str):
        return [*messages, {"role": "user", "content": asked}]
    for index, item in enumerate(asked or ()):
        _add_item(messages, item, f"input[{index}]")
    return messages


def _add_item(messages: list[dict[str, Any]], item: dict[str, Any], param: str) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        messages.append(_message(item, param))
    elif kind in ("function_call", "custom_tool_call"):
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": None})
        call = (
            {"type": "function", "function": {"name": item.get("name"), "arguments": item.get("arguments") or ""}}
            if kind == "function_call"
            else {"type": "custom", "custom": {"name": item.get("name"), "input": item.get("input") or ""}}
        )
        messages[-1].setdefault("tool_calls", []).append({"id": item.get("call_id"), **call})
    elif kind in ("function_call_output", "custom_tool_call_output"):
        output = item.get("output")
        content = output if isinstance(output, str) else _parts(output, f"{param}.output", texts_only=True)
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
    elif kind != "reasoning":
        raise not_carried(param)


def _message(item: dict[str, Any], param: str) -> dict[str, Any]:
    role, content = str(item.get("role")), item.get("content")
    if role == "assistant":
        return _assistant(content, param)
    told = "system" if role == "developer" else role
    return {
        "role": told,
        "content": content if isinstance(content, str) else _parts(content, f"{param}.content"),
    }


def _assistant(content: Any, param: str) -> dict[str, Any]:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    said, refused = [], []
    for index, part in enumerate(content):
        if part.get("type") == "refusal":
            refused.append(part.get("refusal") or "")
        elif isinstance(part.get("text"), str):
            said.append(part["text"])
        else:
            raise not_carried(f"{param}.content[{index}]")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(said) if said or not refused else None}
    if refused:
        message["refusal"] = "".join(refused)
    return message


def _parts(content: Any, param: str, *, texts_only: bool = False) -> list[dict[str, Any]]:
    parts = []
    for index, part in enumerate(content if isinstance(content, list) else ()):
        carried = _part(part) if isinstance(part, dict) else None
        if carried is None or (texts_only and carried["type"] != "text"):
            raise not_carried(f"{param}[{index}]")
        parts.append(carried)
    return parts


def _part(part: dict[str, Any]) -> dict[str, Any] | None:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": part.get("text") or ""}
    if kind == "input_image" and part.get("image_url"):
        image = {"url": part["image_url"], **({"detail": part["detail"]} if part.get("detail") else {})}
        return {"type": "image_url", "image_url": image}
    if kind == "input_file" and (part.get("file_data") or part.get("file_id")):
        names = ("filename", "file_data", "file_id")
        return {"type": "file", "file": {name: part[name] for name in names if part.get(name)}}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part.get("input_audio")}
    return None


def response_from_chat(completion: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The first choice: a response has no others."""
    own = str(completion.get("id") or uuid4().hex).removeprefix("chatcmpl-")
    choice = (dicts_of(completion.get("choices")) or [{}])[0]
    cut = _CUT_SHORT.get(str(choice.get("finish_reason")))
    response = {
        "id": f"resp_{own}",
        "object": "response",
        "created_at": completion.get("created") or int(time.time()),
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "model": completion.get("model") or body.get("model"),
        "output": _output(dict_of(choice.get("message")), own, "incomplete" if cut else "completed"),
        **{name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()},
        "usage": _usage(completion.get("usage")),
    }
    if completion.get("service_tier"):
        response["service_tier"] = completion["service_tier"]
    return response


def _output(message: dict[str, Any], own: str, status: str) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    thoughts = texts_of(message.get("reasoning_content") or message.get("reasoning"))
    if thoughts:
        parts = [{"type": "reasoning_text", "text": text} for text in thoughts]
        output.append({"id": f"rs_{own}", "type": "reasoning", "summary": [], "content": parts})
    said: list[dict[str, Any]] = [
        {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        for text in texts_of(message.get("content"))
    ]
    if said:
        said[0]["annotations"] = [
            {"type": "url_citation", **cited["url_citation"]}
            for cited in dicts_of(message.get("annotations"))
            if isinstance(cited.get("url_citation"), dict)
        ]
    if message.get("refusal"):
        said.append({"type": "refusal", "refusal": message["refusal"]})
    calls = dicts_of(message.get("tool_calls"))
    if dict_of(message.get("function_call")):
        calls.append({"id": f"call_{own}", "function": message["function_call"]})
    if said:
        output.append({"id": f"msg_{own}", "type": "message", "role": "assistant", "status": status, "content": said})
    for number, call in enumerate(calls):
        output.append(_call(call, f"{own}_{number}", status))
    return output


def _call(call: dict[str, Any], own: str, status: str) -> dict[str, Any]:
    call_id = call.get("id") or f"call_{own}"
    custom = call.get("custom")
    if isinstance(custom, dict):
        told = {"name": custom.get("name"), "input": custom.get("input") or ""}
        return {"id": f"ctc_{own}", "type": "custom_tool_call", "call_id": call_id, **told}
    called = dict_of(call.get("function"))
    told = {"name": called.get("name"), "arguments": arguments_of(called), "status": status}
    return {"id": f"fc_{own}", "type": "function_call", "call_id": call_id, **told}


def _usage(usage: Any) -> dict[str, Any] | None:
    if not isinstance(usage, dict):
        return None
    read = count(dict_of(usage.get("prompt_tokens_details")).get("cached_tokens"))
    thought = count(dict_of(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    asked, said = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": count(usage.get("total_tokens")) or asked + said,
    }
