"""The events of a streamed response, told anew from the whole of it, in the order that its clients insist on.

Every item is added empty, filled, and done; only the last event carries the response as it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.surfaces.surface import dicts_of, pieces

Event = dict[str, Any]
_ENDS = {"completed": "response.completed", "failed": "response.failed"}


def events(response: dict[str, Any]) -> Iterator[Event]:
    """Everything but the sequence numbers."""
    begun = {
        **response,
        "status": "in_progress",
        "output": [],
        "usage": None,
        "error": None,
        "incomplete_details": None,
    }
    begun.pop("output_text", None)
    if "completed_at" in begun:
        begun["completed_at"] = None
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response.get("output") or ()):
        tell = _TELLERS.get(str(item.get("type")), _as_it_is)
        yield from tell(item, index, {"item_id": item.get("id") or "", "output_index": index})
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": _ENDS.get(str(response.get("status")), "response.incomplete"), "response": response}


def _added(item: dict[str, Any], index: int, **empty: Any) -> Event:
    told = {**item, **empty}
    if "status" in told:
        told["status"] = "in_progress"
    return {"type": "response.output_item.added", "output_index": index, "item": told}


def _as_it_is(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:  # noqa: ARG001
    yield _added(item, index)


def _message(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:
    yield _added(item, index, content=[])
    yield from _parts(item, at)


def _reasoning(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:
    empty: dict[str, Any] = {"summary": []}
    if item.get("content"):
        empty["content"] = []
    yield _added(item, index, **empty)
    for number, part in enumerate(dicts_of(item.get("summary"))):
        where = {**at, "summary_index": number}
        text = part.get("text") or ""
        yield {"type": "response.reasoning_summary_part.added", **where, "part": {**part, "text": ""}}
        yield from _written("response.reasoning_summary_text", where, "text", text)
        yield {"type": "response.reasoning_summary_part.done", **where, "part": part}
    yield from _parts(item, at)


def _parts(item: dict[str, Any], at: Event) -> Iterator[Event]:
    for number, part in enumerate(dicts_of(item.get("content"))):
        where = {**at, "content_index": number}
        kind = part.get("type")
        if kind == "output_text":
            yield from _text_part(part, where)
            continue
        field = {"refusal": "refusal", "reasoning_text": "text"}.get(str(kind))
        empty = part if field is None else {**part, field: ""}
        yield {"type": "response.content_part.added", **where, "part": empty}
        if field is not None:
            yield from _written(f"response.{kind}", where, field, part.get(field) or "")
        yield {"type": "response.content_part.done", **where, "part": part}


def _text_part(part: dict[str, Any], where: Event) -> Iterator[Event]:
    empty = {**part, "text": "", "annotations": []}
    if "logprobs" in empty:
        empty["logprobs"] = []
    yield {"type": "response.content_part.added", **where, "part": empty}
    yield from _written("response.output_text", where, "text", part.get("text") or "", logprobs=[])
    for number, annotation in enumerate(dicts_of(part.get("annotations"))):
        told = {"annotation_index": number, "annotation": annotation}
        yield {"type": "response.output_text.annotation.added", **where, **told}
    yield {"type": "response.content_part.done", **where, "part": part}


def _written(kind: str, where: Event, field: str, text: Any, **more: Any) -> Iterator[Event]:
    for piece in pieces(text):
        yield {"type": f"{kind}.delta", **where, "delta": piece, **more}
    yield {"type": f"{kind}.done", **where, field: text, **more}


def _function_call(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:
    yield _added(item, index, arguments="")
    arguments, name = item.get("arguments") or "", item.get("name")
    for piece in pieces(arguments):
        yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **at, "name": name, "arguments": arguments}


def _custom_call(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:
    yield _added(item, index, input="")
    yield from _written("response.custom_tool_call_input", at, "input", item.get("input") or "")


def _mcp_call(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:
    yield _added(item, index, arguments="", output=None, error=None)
    yield {"type": "response.mcp_call.in_progress", **at}
    yield from _written("response.mcp_call_arguments", at, "arguments", item.get("arguments") or "")
    yield {"type": "response.mcp_call.failed" if item.get("error") else "response.mcp_call.completed", **at}


def _interpreter_call(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:
    yield _added(item, index, code="", outputs=None)
    yield {"type": "response.code_interpreter_call.in_progress", **at}
    yield from _written("response.code_interpreter_call_code", at, "code", item.get("code") or "")
    yield {"type": "response.code_interpreter_call.interpreting", **at}
    yield {"type": "response.code_interpreter_call.completed", **at}


def _steps(kind: str, working: str, **empty: Any) -> Callable[[dict[str, Any], int, Event], Iterator[Event]]:
    def tell(item: dict[str, Any], index: int, at: Event) -> Iterator[Event]:
        yield _added(item, index, **empty)
        for step in ("in_progress", working, "completed"):
            yield {"type": f"response.{kind}.{step}", **at}

    return tell


_TELLERS: dict[str, Callable[[dict[str, Any], int, Event], Iterator[Event]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
    "mcp_call": _mcp_call,
    "code_interpreter_call": _interpreter_call,
    "web_search_call": _steps("web_search_call", "searching"),
    "file_search_call": _steps("file_search_call", "searching", results=None),
    "image_generation_call": _steps("image_generation_call", "generating", result=None),
}
