"""The stock Python SDKs, driven over a pipe: a line of JSON says what to ask, a line of JSON says what came of it.

python sdk.py CLIENT BASE_URL    the key is in KT_KEY
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

MODEL = "gpt-4o-mini"
Told = dict[str, Any]


def openai_chat(url: str, key: str) -> Callable[[str, bool], Told]:
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key)

    def ask(text: str, stream: bool) -> Told:
        asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
        if not stream:
            return of_choice(client.chat.completions.create(**asked).choices[0])
        return of_chunks(list(client.chat.completions.create(**asked, stream=True)))

    return ask


def openai_async_chat(url: str, key: str) -> Callable[[str, bool], Told]:
    import openai

    async def ask(text: str, stream: bool) -> Told:
        asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key) as client:
            if not stream:
                return of_choice((await client.chat.completions.create(**asked)).choices[0])
            return of_chunks([chunk async for chunk in await client.chat.completions.create(**asked, stream=True)])

    return lambda text, stream: asyncio.run(ask(text, stream))


def openai_responses(url: str, key: str) -> Callable[[str, bool], Told]:
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key)

    def ask(text: str, stream: bool) -> Told:
        if not stream:
            return of_response(client.responses.create(model=MODEL, input=text))
        events = list(client.responses.create(model=MODEL, input=text, stream=True))
        last: Any = events[-1]
        told = of_response(last.response)
        told["text"] = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        return told

    return ask


def openai_completions(url: str, key: str) -> Callable[[str, bool], Told]:
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key)

    def ask(text: str, stream: bool) -> Told:
        if not stream:
            [choice] = client.completions.create(model=MODEL, prompt=text).choices
            return {"text": choice.text, "stopped": choice.finish_reason}
        chunks = list(client.completions.create(model=MODEL, prompt=text, stream=True))
        choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
        return {"text": "".join(choice.text for choice in choices), "stopped": choices[-1].finish_reason}

    return ask


def anthropic_messages(url: str, key: str) -> Callable[[str, bool], Told]:
    import anthropic

    client = anthropic.Anthropic(base_url=url, api_key=key)

    def ask(text: str, stream: bool) -> Told:
        asked: Any = {"model": MODEL, "max_tokens": 500, "messages": [{"role": "user", "content": text}]}
        if not stream:
            message = client.messages.create(**asked)
        else:
            with client.messages.stream(**asked) as running:
                message = running.get_final_message()
        told = "".join(block.text for block in message.content if block.type == "text")
        refused = message.stop_reason == "refusal"
        return {"text": "" if refused else told, "refusal": told if refused else None, "stopped": message.stop_reason}

    return ask


def of_choice(choice: Any) -> Told:
    message = choice.message
    return {"text": message.content or "", "refusal": message.refusal, "stopped": choice.finish_reason}


def of_chunks(chunks: list[Any]) -> Told:
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    refusal = "".join(choice.delta.refusal or "" for choice in choices)
    text = "".join(choice.delta.content or "" for choice in choices)
    return {"text": text, "refusal": refusal or None, "stopped": choices[-1].finish_reason}


def of_response(response: Any) -> Told:
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    refusal = "".join(part.refusal for part in parts if part.type == "refusal")
    return {"text": response.output_text, "refusal": refusal or None, "stopped": response.status}


CLIENTS = {
    "openai chat": openai_chat,
    "openai async chat": openai_async_chat,
    "openai responses": openai_responses,
    "openai completions": openai_completions,
    "anthropic messages": anthropic_messages,
}


def answer_lines(ask: Callable[[str, bool], Told]) -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        try:
            told = ask(wanted["text"], wanted["stream"])
        except Exception as fault:
            status, code = getattr(fault, "status_code", None), getattr(fault, "code", None)
            body = getattr(fault, "body", None)
            if code is None and isinstance(body, dict):
                code = (body.get("error") or body).get("code")
            told = {
                "error": {"type": type(fault).__name__, "status": status, "code": code, "message": str(fault)[:300]}
            }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    answer_lines(CLIENTS[sys.argv[1]](sys.argv[2], os.environ["KT_KEY"]))
