// Asking for an answer and drawing it as it comes; stopping it; what it took.
import { answer } from "./api.js";
import { messages, models, settings } from "./state.js";

const SEEDS = 2 ** 31;
export const drawn = (value) => value ?? Math.floor(Math.random() * SEEDS);

// The body of a request for the turn at `end`; `own`: how this one prompt is to be asked, `so far`: what is gone on with.
function request(talk, model, end, seed, own, sofar) {
  const { temperature, top_p, max_tokens, stop } = { ...settings(), ...own };
  const body = { model, temperature, top_p, max_tokens, seed };
  if (stop.length) body.stop = stop;
  if (talk.mode === "continue") return { ...body, prompt: talk.messages[end - 1].text + sofar };
  return { ...body, messages: messages(talk, end) };
}

const SPEAKER = 16; // about as much as the template writes around a turn
const length = (content) => (typeof content === "string" ? content.length : content.reduce((sum, part) => sum + (part.text?.length ?? 0), 0));
const told = (all) => all.reduce((sum, one) => sum + SPEAKER + length(one.content), 0);

// How many tokens a character is here, by the last answer that said so.
function share(talk, end) {
  const known = talk.messages.slice(0, end).flatMap((turn) => turn.answers ?? [turn]).findLast((one) => one.stats?.read && one.stats.chars);
  return known ? known.stats.read / known.stats.chars : 0.4;
}

// Leave the oldest question and its answer out; whether there was one besides the last.
function shorten(body, stats) {
  const first = body.messages?.findIndex((one) => one.role !== "system") ?? -1;
  if (first < 0 || body.messages.length - first < 3) return false;
  body.messages.splice(first, 2);
  stats.dropped = (stats.dropped ?? 0) + 1;
  return true;
}

// So that an answer has room, half a context at most: what is read is not more than the rest.
function makeRoom(talk, end, body, stats) {
  const context = models().find((one) => one.id === body.model)?.context_length;
  if (!context || !body.messages) return;
  const rate = share(talk, end), most = context - Math.min(body.max_tokens, context / 2);
  while (told(body.messages) * rate > most && shorten(body, stats));
  stats.chars = told(body.messages);
}

// An answer; where a conversation has outgrown the context, without its oldest turns, which `stats` then counts.
async function* fitted(chat, body, signal, stats) {
  for (;;) {
    try {
      return yield* answer(chat, body, signal);
    } catch (error) {
      if (error.code !== "context_length_exceeded" || !shorten(body, stats)) throw error;
      stats.chars = told(body.messages);
    }
  }
}

// Writes into `into` (its text, stats, wrong) until it is whole, stopped or broken off; `draw` is called with each piece.
export async function write(talk, end, into, seed, signal, draw) {
  const own = talk.messages[end - 1].drawn ?? {};
  const body = request(talk, into.model, end, seed, own, into.text);
  const stats = { ...(body.temperature > 0 ? { seed } : {}), tokens: 0, most: body.max_tokens };
  makeRoom(talk, end, body, stats);
  const start = performance.now();
  let first = 0, last = 0, pieces = 0;
  into.wrong = "";
  try {
    for await (const piece of fitted(talk.mode === "chat", body, signal, stats)) {
      if (piece.text) {
        last = performance.now();
        first ||= last;
        pieces += 1;
        into.text += piece.text;
        stats.tokens = pieces;
        draw();
      }
      if (piece.finish) stats.finish = piece.finish;
      if (piece.usage) [stats.tokens, stats.read] = [piece.usage.completion_tokens, piece.usage.prompt_tokens];
    }
  } catch (error) {
    if (error.name === "AbortError") stats.finish = "stopped";
    else [into.wrong, into.status] = [error.message, error.status];
  }
  if (first) stats.first = (first - start) / 1000;
  if (last > first && stats.tokens > 1) stats.rate = ((stats.tokens - 1) / (last - first)) * 1000;
  into.stats = stats;
  draw();
}
