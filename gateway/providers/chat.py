"""Reading a chat completion request for a provider that speaks something else, each member as what it has to be.

Left out in silence is only what asks for no other answer: hints of effort, cost, caching and storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.providers.provider import Untranslatable

_DATA_URL = re.compile(r"data:([A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+)(?:;[^;,]*)*;base64,(.*)", re.DOTALL)
_AUDIO = {"wav": "audio/wav", "mp3": "audio/mp3"}
NOT_CARRIED = {
    "logprobs": "leave it out",
    "top_logprobs": "leave it out",
    "logit_bias": "leave it out",
    "functions": "use tools",
    "function_call": "use tool_choice",
    "audio": "ask for text",
    "web_search_options": "leave it out",
}
"""Members that would change the answer and have no counterpart anywhere else, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Media:
    """A file in a message: bytes as base64 text of a type, or an address where they are."""

    type: str = ""
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`extra` is what else the client's copy of the call has: a provider's own members come back in it."""

    id: str
    name: str
    arguments: dict[str, Any]
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `role` is system, user, assistant or tool; a tool's result names its call in `call_id`."""

    role: str
    parts: tuple[str | Media, ...]
    calls: tuple[ToolCall, ...]
    call_id: str
    where: str


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`mode` is auto, required, none or named; `name` is set for the last."""

    mode: str
    name: str = ""


def refuse(body: dict[str, Any], provider: str, not_carried: Mapping[str, str] = NOT_CARRIED) -> None:
    """Raises Untranslatable for the first member that is asked for and cannot be carried."""
    for name, advice in not_carried.items():
        if body.get(name):
            raise Untranslatable(f"{provider} has no {name}; {advice}", name)
    wanted = body.get("modalities")
    if wanted is not None and wanted != ["text"]:
        raise Untranslatable(f"{provider} answers in text here; leave modalities out", "modalities")


def turns(body: dict[str, Any]) -> Iterator[Turn]:
    """The messages, in their order."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise Untranslatable("messages must be a list", "messages")
    for index, message in enumerate(messages):
        yield _turn(_object(message, f"messages[{index}]"), f"messages[{index}]")


def _turn(message: dict[str, Any], where: str) -> Turn:
    role = "system" if message.get("role") == "developer" else message.get("role")
    if role not in ("system", "user", "assistant", "tool"):
        raise Untranslatable("the role is system, developer, user, assistant or tool", f"{where}.role")
    if message.get("function_call"):
        raise Untranslatable("function_call is not carried over; use tool_calls", f"{where}.function_call")
    parts = list(_parts(message.get("content"), f"{where}.content"))
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        parts.append(message["refusal"])
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise Untranslatable("tool_calls must be a list", f"{where}.tool_calls")
    call_id = message.get("tool_call_id")
    if role == "tool" and not (isinstance(call_id, str) and call_id):
        raise Untranslatable("a tool's result names its call", f"{where}.tool_call_id")
    return Turn(
        role=role,
        parts=tuple(parts),
        calls=tuple(_call(call, f"{where}.tool_calls[{number}]") for number, call in enumerate(calls)),
        call_id=call_id if isinstance(call_id, str) else "",
        where=where,
    )


def _parts(content: Any, where: str) -> Iterator[str | Media]:
    """Texts that are not empty, and files."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    elif content is None:
        content = []
    if not isinstance(content, list):
        raise Untranslatable("content is a text or a list of parts", where)
    for number, part in enumerate(content):
        here = f"{where}[{number}]"
        found = _part(_object(part, here), here)
        if found:
            yield found


def _part(part: dict[str, Any], where: str) -> str | Media:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return _text(part.get(kind), f"{where}.{kind}")
    if kind == "image_url":
        image = part.get("image_url")
        return _linked(image if isinstance(image, str) else _object(image, where).get("url"), f"{where}.image_url")
    if kind == "input_audio":
        audio = _object(part.get("input_audio"), f"{where}.input_audio")
        format_ = audio.get("format")
        if not isinstance(format_, str) or format_ not in _AUDIO:
            raise Untranslatable("the format of audio is wav or mp3", f"{where}.input_audio.format")
        return Media(_AUDIO[format_], _text(audio.get("data"), f"{where}.input_audio.data"))
    if kind == "file":
        data = _object(part.get("file"), f"{where}.file").get("file_data")
        if not isinstance(data, str):
            raise Untranslatable("files that were uploaded elsewhere cannot be read; send file_data", f"{where}.file")
        return _linked(data, f"{where}.file.file_data")
    raise Untranslatable("parts of this type cannot be carried; use text or image_url", f"{where}.type")


def _linked(url: Any, where: str) -> Media:
    url = _text(url, where)
    if url.startswith("https://"):
        return Media(url=url)
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise Untranslatable("give it as an https address or as a data URL in base64", where)
    return Media(found[1].lower(), found[2])


def _call(call: Any, where: str) -> ToolCall:
    call = _object(call, where)
    if call.get("type", "function") != "function":
        raise Untranslatable("only calls of functions can be carried", f"{where}.type")
    function = _object(call.get("function"), f"{where}.function")
    return ToolCall(
        id=_text(call.get("id"), f"{where}.id"),
        name=_text(function.get("name"), f"{where}.function.name"),
        arguments=_arguments(function.get("arguments"), f"{where}.function.arguments"),
        extra={name: value for name, value in call.items() if name not in ("id", "type", "function")},
    )


def _arguments(written: Any, where: str) -> dict[str, Any]:
    if not written:
        return {}
    try:
        return _object(orjson.loads(_text(written, where)), where)
    except orjson.JSONDecodeError:
        raise Untranslatable("the arguments of a call are a JSON object", where) from None


def tools(body: dict[str, Any]) -> list[Tool]:
    """The functions that the model may call."""
    listed = body.get("tools") or []
    if not isinstance(listed, list):
        raise Untranslatable("tools must be a list", "tools")
    return [_tool(_object(tool, f"tools[{number}]"), f"tools[{number}]") for number, tool in enumerate(listed)]


def _tool(tool: dict[str, Any], where: str) -> Tool:
    if tool.get("type") != "function":
        raise Untranslatable("only tools of type function can be carried", f"{where}.type")
    function = _object(tool.get("function"), f"{where}.function")
    description, parameters = function.get("description"), function.get("parameters")
    return Tool(
        name=_text(function.get("name"), f"{where}.function.name"),
        description=None if description is None else _text(description, f"{where}.function.description"),
        parameters=None if parameters is None else _object(parameters, f"{where}.function.parameters"),
        strict=function.get("strict") is True,
    )


def tool_choice(body: dict[str, Any]) -> ToolChoice | None:
    """Whether a function has to be called, and which; None where the request leaves it to the provider."""
    choice = body.get("tool_choice")
    if choice is None:
        return None
    if choice in ("auto", "required", "none"):
        return ToolChoice(choice)
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = _object(choice.get("function"), "tool_choice.function")
        return ToolChoice("named", _text(function.get("name"), "tool_choice.function.name"))
    raise Untranslatable("tool_choice is auto, required, none or one function", "tool_choice")


def response_schema(body: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """The kind of response_format, text where there is none, and the schema that a json_schema brings."""
    wanted = body.get("response_format")
    kind = "text" if wanted is None else _object(wanted, "response_format").get("type")
    if kind in ("text", "json_object"):
        return kind, None
    if wanted is None or kind != "json_schema":
        raise Untranslatable("response_format is text, json_object or json_schema", "response_format.type")
    described = _object(wanted.get("json_schema"), "response_format.json_schema")
    return kind, _object(described.get("schema"), "response_format.json_schema.schema")


def stops(body: dict[str, Any]) -> Any:
    """The texts that end an answer, as a list; None where there are none."""
    stop = body.get("stop")
    return [stop] if isinstance(stop, str) else stop or None


def longest(body: dict[str, Any]) -> Any:
    """How many tokens the answer may have; None where the request does not say."""
    limit = body.get("max_completion_tokens")
    return body.get("max_tokens") if limit is None else limit


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Untranslatable("this has to be an object", where)
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Untranslatable("this has to be a text", where)
    return value
