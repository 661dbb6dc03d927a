"""A stock Anthropic client, whatever model answers behind the gateway."""

import os
import sys

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("KT_GATEWAY_URL", "http://localhost:41002"),
    api_key=os.environ.get("KT_GATEWAY_KEY", "anything"),
)
question = " ".join(sys.argv[1:]) or "What is the capital of France?"
message = client.messages.create(model="gpt-4o-mini", max_tokens=500, messages=[{"role": "user", "content": question}])
print("".join(block.text for block in message.content if block.type == "text"))
