// What the page knows: the server's models, the conversations, the one that is shown, and what is being written.
import * as store from "./store.js";

export const BLIND = "compare-blind";
export const NAMED = "compare-named";

export const state = {
  facts: { models: [], votes: false },
  talks: [],
  talk: null,
  settings: {},
  writing: null, // the AbortController of the answer that is being written
};

export const models = () => state.facts.models;
const compares = () => models().length > 1 && [BLIND, NAMED].includes(state.talk?.model);
export const blind = () => state.talk.model === BLIND;
// One model, or the two that are compared.
export const asked = () => (compares() ? models().slice(0, 2) : [models().find((one) => one.id === state.talk?.model) ?? models()[0]]);
export const sees = () => models().length > 0 && state.talk?.mode === "chat" && asked().every((one) => one.sees);

const tokens = () => Math.max(1, Math.min(256, Math.floor(Math.min(...models().map((one) => one.context_length || 512)) / 2)));
export const standard = () => ({ temperature: 0.7, top_p: 1, max_tokens: tokens(), seed: null, stop: [], who: "" });
export const settings = () => ({ ...standard(), ...state.settings });

// By default as the model was trained: a conversation, or a text that is gone on with.
export function fresh() {
  const [first] = models();
  return store.fresh(first && !first.chat ? "continue" : "chat", state.talk?.model ?? first?.id ?? "");
}

// Kept once there is something to keep. Whether it could be.
export function keep(talk, changed = true) {
  if (changed) talk.changed = Date.now();
  if (!state.talks.includes(talk)) state.talks.unshift(talk);
  state.talks.sort((a, b) => b.changed - a.changed);
  return store.keep(talk);
}

// What a model is told of a turn: of two answers the preferred one, else the one that was shown first.
export const answered = (turn) => (turn.role === "pair" ? turn.answers[Number.isInteger(turn.verdict) ? turn.verdict : Number(turn.swapped)] : turn);

function content(turn) {
  if (!turn.images.length) return turn.text;
  const images = turn.images.map((url) => ({ type: "image_url", image_url: { url } }));
  return turn.text ? [...images, { type: "text", text: turn.text }] : images;
}

// Messages of a conversation up to a turn, in OpenAI's form.
export function messages(talk, end) {
  const said = talk.messages.slice(0, end).map((turn) => (turn.role === "user" ? { role: "user", content: content(turn) } : { role: "assistant", content: answered(turn).text }));
  return talk.system.trim() ? [{ role: "system", content: talk.system.trim() }, ...said] : said;
}
