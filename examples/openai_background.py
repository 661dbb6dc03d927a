"""An answer that nobody waits for: asked in the background, looked at later. Arguments: the question."""

import os
import sys
import time

import openai

client = openai.OpenAI(
    base_url=os.environ.get("KT_GATEWAY_URL", "http://localhost:41002") + "/v1",
    api_key=os.environ.get("KT_GATEWAY_KEY", "anything"),
)
question = " ".join(sys.argv[1:]) or "What is the capital of France?"
response = client.responses.create(model="gpt-4o-mini", input=question, background=True)
print(f"{response.id}: {response.status}", flush=True)
while response.status in ("queued", "in_progress"):
    time.sleep(0.5)
    response = client.responses.retrieve(response.id)
print(f"{response.status}: {response.output_text}")
