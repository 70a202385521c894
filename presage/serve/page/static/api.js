// The server: what it knows of its models, answers as they are written, votes.
const LONG = 300;

export class Refused extends Error {
  constructor(text, status = 0, code = "") {
    super(text);
    [this.status, this.code] = [status, code];
  }
}

const KEY = "presage.chat/key";
let key = "";
try {
  key = sessionStorage.getItem(KEY) || "";
} catch {
  // no storage: asked for again after a reload
}
export const hasKey = () => Boolean(key);
export function setKey(text) {
  key = text.trim();
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // kept here alone
  }
}

async function ask(place, options = {}) {
  const headers = { Accept: "application/json, text/event-stream", ...(options.body ? { "Content-Type": "application/json" } : {}) };
  if (key) headers.Authorization = `Bearer ${key}`;
  let got;
  try {
    got = await fetch(place, { ...options, headers, credentials: "omit", referrerPolicy: "no-referrer" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Is presage serve still running?");
  }
  if (!got.ok) throw await refusal(got);
  return got;
}

async function refusal(got) {
  let error = {};
  try {
    error = (await got.json())?.error ?? {};
  } catch {
    // no JSON: the status alone
  }
  return new Refused(inWords(got, String(error.message ?? "").slice(0, LONG)), got.status, String(error.code ?? ""));
}

function inWords(got, said) {
  const wait = Number(got.headers.get("Retry-After"));
  if (got.status === 401) return hasKey() ? "The server does not know this API key." : "The server asks for an API key.";
  if (got.status === 429 || got.status === 503)
    return `The server is busy${said ? `: ${said}` : ""}.${wait ? ` Try again in ${wait} s.` : " Try again in a moment."}`;
  return said || `The server answered with an error (${got.status}).`;
}

export const facts = async () => (await ask("page/facts")).json();
export const vote = async (body) => (await ask("page/votes", { method: "POST", body: JSON.stringify(body) })).json();

// Server-sent events as they come in pieces: the data of each whole event.
export class Events {
  #rest = "";
  push(text) {
    const parts = (this.#rest + text).replace(/\r\n/g, "\n").split("\n\n");
    this.#rest = parts.pop();
    return parts.map((part) => part.split("\n").filter((one) => one.startsWith("data:")).map((one) => one.slice(5).replace(/^ /, "")).join("\n")).filter(Boolean);
  }
}

// {text, finish, usage} of one answer, piece by piece. Throws Refused where it breaks off.
export async function* answer(chat, body, signal) {
  const place = chat ? "v1/chat/completions" : "v1/completions";
  const sent = JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } });
  const got = await ask(place, { method: "POST", body: sent, signal });
  const reader = got.body.pipeThrough(new TextDecoderStream()).getReader();
  const events = new Events();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const data of events.push(value)) {
        if (data === "[DONE]") return;
        const piece = read(data);
        ended ||= Boolean(piece.finish);
        yield piece;
      }
    }
  } catch (error) {
    if (error instanceof Refused || error.name === "AbortError") throw error;
    throw new Refused("The answer broke off: the connection was lost.");
  } finally {
    reader.cancel().catch(() => {});
  }
  if (!ended) throw new Refused("The answer broke off: the server closed the connection.");
}

function read(data) {
  let said;
  try {
    said = JSON.parse(data);
  } catch {
    throw new Refused("The server sent something that is no answer.");
  }
  if (said.error) throw new Refused(`The answer broke off: ${String(said.error.message ?? said.error).slice(0, LONG)}`);
  const choice = said.choices?.[0];
  return { text: choice?.delta?.content ?? choice?.text ?? "", finish: choice?.finish_reason ?? null, usage: said.usage ?? null };
}
