"""LangChain's and LlamaIndex's OpenAI classes, driven over a pipe, in the environment of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from sdk import MODEL, Told, answer_lines


def langchain(url: str, key: str) -> Callable[[str, bool], Told]:
    from langchain_openai import ChatOpenAI

    model: Any = ChatOpenAI(model=MODEL, base_url=f"{url}/v1", api_key=key)

    def ask(text: str, stream: bool) -> Told:
        if not stream:
            message = model.invoke(text)
        else:
            pieces = list(model.stream(text))
            message = pieces[0]
            for piece in pieces[1:]:
                message = message + piece
        refusal = message.additional_kwargs.get("refusal")
        return {"text": message.content, "refusal": refusal, "stopped": message.response_metadata.get("finish_reason")}

    return ask


def llamaindex(url: str, key: str) -> Callable[[str, bool], Told]:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai import OpenAI

    model: Any = OpenAI(model=MODEL, api_base=f"{url}/v1", api_key=key)

    def ask(text: str, stream: bool) -> Told:
        messages = [ChatMessage(role="user", content=text)]
        if not stream:
            answer = model.chat(messages)
            return {"text": answer.message.content or "", "stopped": answer.raw.choices[0].finish_reason}
        last = list(model.stream_chat(messages))[-1]
        return {"text": last.message.content or "", "stopped": last.raw.choices[0].finish_reason}

    return ask


CLIENTS = {"langchain": langchain, "llamaindex": llamaindex}

if __name__ == "__main__":
    answer_lines(CLIENTS[sys.argv[1]](sys.argv[2], os.environ["KT_KEY"]))
