// The server as the page sees it: JSON in, JSON or events out. Nothing else is ever asked.
// SPDX-License-Identifier: MIT
const kKey = "januspro.key";

export class Failure extends Error {
  constructor(message, code, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function setKey(key) {
  localStorage.setItem(kKey, key);
}

function headers(more) {
  const key = localStorage.getItem(kKey);
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

async function failureOf(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Said by its status alone.
  }
  return new Failure(error.message ?? `the server answered ${response.status}`, error.code, response.status);
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server cannot be reached. Is it still running?", "unreachable", 0);
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

export async function get(path) {
  return (await ask(path, { headers: headers({}) })).json();
}

// Calls `tell(json)` with the data of every event; ends with the stream.
export async function stream(path, body, signal, tell) {
  const response = await ask(path, {
    method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body), signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const data = text.slice(0, end).split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      text = text.slice(end + 2);
      if (data === "" || data === "[DONE]") continue;
      const json = JSON.parse(data);
      if (json.error) throw new Failure(json.error.message, json.error.code, 500);
      tell(json);
    }
  }
}
