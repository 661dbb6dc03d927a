// The stock Node SDKs, driven over a pipe: a line of JSON says what to ask, a line of JSON says what came of it.
//     node ask.mjs CLIENT BASE_URL    the key is in KT_KEY
import readline from "node:readline";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [client, url] = process.argv.slice(2);
const apiKey = process.env.KT_KEY;
const model = "gpt-4o-mini";

async function chat(text, stream) {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey });
  const asked = { model, messages: [{ role: "user", content: text }] };
  if (!stream) {
    const [choice] = (await openai.chat.completions.create(asked)).choices;
    return { text: choice.message.content ?? "", refusal: choice.message.refusal, stopped: choice.finish_reason };
  }
  const told = { text: "", refusal: "", stopped: null };
  for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true })) {
    for (const choice of chunk.choices) {
      told.text += choice.delta.content ?? "";
      told.refusal += choice.delta.refusal ?? "";
      told.stopped = choice.finish_reason ?? told.stopped;
    }
  }
  return told;
}

async function responses(text, stream) {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey });
  const asked = { model, input: text };
  let response, streamed;
  if (stream) {
    streamed = "";
    for await (const event of await openai.responses.create({ ...asked, stream: true })) {
      if (event.type === "response.output_text.delta") streamed += event.delta;
      if (event.response) response = event.response;
    }
  } else {
    response = await openai.responses.create(asked);
  }
  const parts = response.output.filter((item) => item.type === "message").flatMap((item) => item.content);
  const refusal = parts.filter((part) => part.type === "refusal").map((part) => part.refusal).join("");
  const whole = parts.filter((part) => part.type === "output_text").map((part) => part.text).join("");
  return { text: streamed ?? whole, refusal, stopped: response.status };
}

async function messages(text, stream) {
  const anthropic = new Anthropic({ baseURL: url, apiKey });
  const asked = { model, max_tokens: 500, messages: [{ role: "user", content: text }] };
  const message = stream
    ? await anthropic.messages.stream(asked).finalMessage()
    : await anthropic.messages.create(asked);
  const told = message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  const refused = message.stop_reason === "refusal";
  return { text: refused ? "" : told, refusal: refused ? told : null, stopped: message.stop_reason };
}

const ask = { "openai chat": chat, "openai responses": responses, "anthropic messages": messages }[client];
console.log(JSON.stringify({ ready: true }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  let told;
  try {
    told = await ask(wanted.text, wanted.stream);
  } catch (fault) {
    const code = fault.code ?? fault.error?.error?.code ?? fault.error?.code ?? null;
    told = { error: { type: fault.constructor.name, status: fault.status ?? null, code, message: String(fault.message).slice(0, 300) } };
  }
  console.log(JSON.stringify(told));
}
