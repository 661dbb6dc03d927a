"""A stock OpenAI client whose answer a person may have to see first. KT_GATEWAY_URL and KT_GATEWAY_KEY say where."""

import os
import sys

import openai

client = openai.OpenAI(
    base_url=os.environ.get("KT_GATEWAY_URL", "http://localhost:41002") + "/v1",
    api_key=os.environ.get("KT_GATEWAY_KEY", "anything"),
)
question = " ".join(sys.argv[1:]) or "What is the capital of France?"
try:
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
except openai.PermissionDeniedError as withheld:
    print(f"withheld: {withheld.code}")
    raise SystemExit(1) from None
choice = answer.choices[0]
if choice.finish_reason == "content_filter":
    print(f"withheld: {choice.message.refusal}")
    raise SystemExit(1)
print(choice.message.content)
