// Conversations and settings, in this browser alone; and as a file. What a file holds is checked before it is taken.
const PREFIX = "presage.chat/";
const FORM = 1;
export const FULL = "The browser has no room for more: this conversation is lost when the page is closed. Delete others, or export it.";

const read = (name) => {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
};

// Whether it could be kept.
const write = (name, value) => {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
};

export const id = () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (one) => one.toString(36).padStart(2, "0")).join("");

export function fresh(mode, model) {
  const now = Date.now();
  return { id: id(), title: "", named: false, made: now, changed: now, system: "", mode, model, messages: [] };
}

// The names of what is kept; none where the browser keeps nothing for this page.
function names() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

export function all() {
  const found = names().filter((name) => name.startsWith(`${PREFIX}talk/`)).map((name) => talk(read(name.slice(PREFIX.length))));
  return found.filter(Boolean).sort((a, b) => b.changed - a.changed);
}

export const keep = (one) => write(`talk/${one.id}`, one);
export function remove(one) {
  try {
    localStorage.removeItem(`${PREFIX}talk/${one.id}`);
  } catch {
    // nothing was kept
  }
}
export const settings = () => read("settings") || {};
export const keepSettings = (values) => write("settings", values);

// ---- as a file ------------------------------------------------------------------------------------------------------

export const exported = (talks) => JSON.stringify({ presage_chat: FORM, conversations: talks }, null, 1);

// The conversations of a file's text. Throws an Error in words.
export function imported(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error("This file is no JSON: nothing was imported.");
  }
  if (data?.presage_chat !== FORM || !Array.isArray(data.conversations))
    throw new Error("This file holds no conversations exported from here: nothing was imported.");
  const found = data.conversations.map(talk);
  if (found.includes(null)) throw new Error(`Conversation ${found.indexOf(null) + 1} of this file is damaged: nothing was imported.`);
  return found.map((one) => ({ ...one, id: id() }));
}

const string = (value, most = Infinity) => (typeof value === "string" ? value.slice(0, most) : "");
const number = (value) => (Number.isFinite(value) ? value : 0);
const IMAGE = /^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+$/;

function talk(value) {
  if (typeof value !== "object" || value === null || !Array.isArray(value.messages)) return null;
  const messages = value.messages.map(message);
  if (messages.includes(null) || !/^[a-z0-9]{4,40}$/.test(value.id)) return null;
  const mode = value.mode === "continue" ? "continue" : "chat";
  return { id: value.id, title: string(value.title, 200), named: value.named === true, made: number(value.made), changed: number(value.changed),
    system: string(value.system), mode, model: string(value.model, 400), messages };
}

function message(value) {
  if (value?.role === "user") {
    const images = Array.isArray(value.images) ? value.images.filter((one) => typeof one === "string" && IMAGE.test(one)) : [];
    return typeof value.text === "string" ? { role: "user", text: value.text, images, drawn: drawn(value.drawn) } : null;
  }
  if (value?.role === "assistant") return said(value) && { role: "assistant", ...said(value) };
  if (value?.role !== "pair" || !Array.isArray(value.answers) || value.answers.length !== 2) return null;
  const answers = value.answers.map(said);
  const verdict = [0, 1, "tie"].includes(value.verdict) ? value.verdict : null;
  return answers.includes(null) ? null : { role: "pair", answers, swapped: value.swapped === true, blind: value.blind === true, verdict, kept: value.kept === true };
}

function said(value) {
  if (typeof value?.text !== "string") return null;
  const stats = value.stats && typeof value.stats === "object" ? Object.fromEntries(Object.entries(value.stats).filter(([name, one]) => typeof one === (name === "finish" ? "string" : "number"))) : null;
  return { text: value.text, model: string(value.model, 400), stats, wrong: string(value.wrong, 600) };
}

function drawn(value) {
  if (typeof value !== "object" || value === null) return null;
  const stop = Array.isArray(value.stop) ? value.stop.filter((one) => typeof one === "string").slice(0, 4) : [];
  return { temperature: number(value.temperature), max_tokens: number(value.max_tokens), stop };
}
