// The page: what is done with what. Texts are in text.js, turns in turns.js, requests in api.js.
import * as api from "./api.js";
import { alarm, at, icon, make, say, toast } from "./dom.js";
import * as empty from "./empty.js";
import * as images from "./images.js";
import * as panel from "./settings.js";
import * as side from "./side.js";
import { BLIND, NAMED, answered, asked, blind, fresh, models, sees, settings, state } from "./state.js";
import * as store from "./store.js";
import * as turns from "./turns.js";
import { drawn, write } from "./writing.js";

const wide = matchMedia("(min-width: 56rem)");
const nearEnd = () => at("main").scrollHeight - at("main").scrollTop - at("main").clientHeight < 80;
const toEnd = () => (at("main").scrollTop = at("main").scrollHeight);

// ---- drawing --------------------------------------------------------------------------------------------------------

function redraw() {
  const { talk } = state;
  const last = talk.messages.length - 1;
  const drawOne = { user: turns.asked, assistant: turns.answer, pair: turns.pair };
  at("log").replaceChildren(...talk.messages.map((turn, place) => (turn.role === "user" ? turns.asked(turn, place, does) : drawOne[turn.role](turn, place, place === last && !state.writing, does))));
  at("empty").hidden = talk.messages.length > 0 || !models().length;
  at("empty").replaceChildren(...(at("empty").hidden ? [] : empty.draw(asked(), asked().length > 1 && blind(), run)));
  at("title").textContent = side.title(talk);
  const going = talk.mode === "continue";
  at("box-name").textContent = going ? "Text to be continued" : "Message";
  at("box").placeholder = going ? "Write the beginning of a text" : "Write a message";
  at("box").classList.toggle("raw", going);
  at("attach").hidden = !sees();
  if (!sees()) images.clear();
  busy();
  hint();
}

function busy() {
  const writing = Boolean(state.writing);
  at("stop").hidden = !writing;
  at("send").hidden = writing;
  at("log").setAttribute("aria-busy", String(writing));
  document.body.classList.toggle("writing", writing);
}

function hint() {
  const one = asked()[0];
  const last = state.talk.messages.at(-1);
  const stats = last && last.role !== "user" ? answered(last).stats : null;
  const used = stats?.read ? `${stats.read + (stats.tokens ?? 0)} of ${one?.context_length ?? "?"} tokens of context` : "";
  at("hint").textContent = used || (one && state.talk.mode === "continue" ? "The model goes on with your text." : "");
}

function pick() {
  const two = models().length > 1;
  const options = models().map((one) => [one.id, one.name]);
  if (two) options.push([BLIND, "Compare, names hidden"], [NAMED, "Compare, named"]);
  at("model").replaceChildren(...options.map(([value, text]) => Object.assign(make("option", "", text), { value })));
  at("model").hidden = !two;
}

// ---- asking ---------------------------------------------------------------------------------------------------------

const blank = (model) => ({ text: "", model, stats: null, wrong: "" });

async function ask(more = false) {
  const { talk } = state;
  const end = more ? talk.messages.length - 1 : talk.messages.length;
  const two = asked();
  if (!more) talk.messages.push(two.length > 1 ? turns.begun(two.map((one) => blank(one.id))) : { role: "assistant", ...blank(two[0].id) });
  const turn = talk.messages[end];
  const controller = new AbortController();
  state.writing = controller;
  alarm("");
  redraw();
  side.draw();
  toEnd();
  say("The model is writing.");
  const seed = drawn(settings().seed);
  const parts = turn.role === "pair" ? turn.answers : [turn];
  await Promise.all(parts.map((one) => write(talk, end, one, seed, controller.signal, () => paint(talk, turn, end))));
  if (state.writing === controller) state.writing = null;
  if (!state.talks.includes(talk)) return; // deleted meanwhile
  side.kept(talk, true);
  finished(talk, parts);
}

function finished(talk, parts) {
  const wrong = parts.find((one) => one.wrong);
  if (wrong?.status === 401) {
    panel.needKey();
    panel.show("key");
  }
  if (talk !== state.talk) return;
  const end = nearEnd();
  redraw();
  side.draw();
  if (end) toEnd();
  const heard = parts.length > 1 ? "Both answers are there. Which is better?" : parts[0].text.slice(0, 500);
  say(wrong ? wrong.wrong : parts[0].stats.finish === "stopped" ? "Stopped." : heard || "The model said nothing.");
}

let painting = 0;
function paint(talk, turn, place) {
  if (painting || talk !== state.talk) return;
  painting = requestAnimationFrame(() => {
    painting = 0;
    const shown = at("log").children[place];
    if (!shown || talk !== state.talk || !state.writing) return;
    const end = nearEnd();
    const order = turn.role === "pair" ? (turn.swapped ? [1, 0] : [0, 1]).map((which) => turn.answers[which]) : [turn];
    shown.querySelectorAll(".text").forEach((text, n) => turns.fill(text, order[n], talk.mode, turns.before(place)));
    if (end) toEnd();
  });
}

function send(text, pictures, own = null) {
  if (state.writing || !models().length || (!text.trim() && !pictures.length)) return false;
  const { talk } = state;
  talk.messages.push({ role: "user", text, images: [...pictures], drawn: own });
  if (!talk.title) talk.title = text.trim().replace(/\s+/g, " ").slice(0, 60) || "An image";
  side.kept(talk, true);
  ask();
  return true;
}

// A prompt that is known to work, asked as it worked.
function run(one) {
  state.talk.mode = one.mode;
  send(one.text, sees() ? one.images ?? [] : [], { temperature: 0, max_tokens: one.max_tokens, stop: one.stop ?? [] });
  at("box").focus();
}

const does = {
  edit(place) {
    if (state.writing) return;
    const [made, box] = turns.editing(state.talk.messages[place], place, does);
    at("log").children[place].replaceWith(made);
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  },
  cancel(place) {
    redraw();
    (at("log").children[place].querySelector(".edit:not([hidden] *)") ?? at("box")).focus();
  },
  send(place, text) {
    const turn = state.talk.messages[place];
    if (!text.trim() && !turn.images.length) return;
    state.talk.messages.length = place;
    send(text, turn.images, turn.drawn);
    at("box").focus();
  },
  again() {
    if (state.writing) return;
    state.talk.messages.pop();
    ask();
    at("box").focus();
  },
  on() {
    if (!state.writing) ask(true);
  },
  async vote(place, verdict) {
    const { talk } = state;
    const turn = talk.messages[place];
    if (turn.verdict !== null) return;
    try {
      turn.kept = await voted(talk, turn, place, verdict);
    } catch (error) {
      return alarm(`${error.message} The vote is not saved.`);
    }
    turn.verdict = verdict;
    side.kept(talk, true);
    redraw();
    say("Saved. The names are shown now.");
    at("box").focus();
  },
};

async function voted(talk, turn, place, verdict) {
  if (!state.facts.votes) return false;
  const { who } = settings();
  if (!who) {
    panel.show("who");
    throw new Error("Votes carry a name: write yours in the settings.");
  }
  const before = talk.messages.slice(0, place).map((one) => (one.role === "user" ? { role: "user", content: one.text } : { role: "assistant", content: answered(one).text }));
  if (talk.messages.slice(0, place).some((one) => one.images?.length)) throw new Error("Votes are records of text: with images there are none.");
  const system = talk.mode === "chat" && talk.system.trim() ? [{ role: "system", content: talk.system.trim() }] : [];
  const ranks = verdict === "tie" ? [1, 1] : [0, 1].map((which) => (which === verdict ? 1 : 2));
  await api.vote({ who, prompt: talk.mode === "continue" ? before.slice(-1) : [...system, ...before], completions: turn.answers.map((one) => one.text),
    sources: turn.answers.map((one) => one.model), ranks, shown: turn.swapped ? [1, 0] : [0, 1], blind: turn.blind });
  return true;
}

// ---- beginning ------------------------------------------------------------------------------------------------------

function open(talk) {
  early = null;
  if (state.writing) state.writing.abort();
  state.writing = null;
  state.talk = talk ?? fresh();
  const known = [...models().map((one) => one.id), ...(models().length > 1 ? [BLIND, NAMED] : [])];
  if (!known.includes(state.talk.model)) state.talk.model = models()[0]?.id ?? "";
  at("model").value = state.talk.model;
  alarm("");
  images.clear();
  side.menu(false);
  redraw();
  side.draw();
  if (state.talk.messages.length) toEnd();
  else at("main").scrollTop = 0;
  if (wide.matches || !talk) at("box").focus();
}

async function begin() {
  try {
    state.facts = await api.facts();
  } catch (error) {
    if (error.status === 401) {
      panel.needKey();
      at("key").value = "";
    }
    early = null;
    alarm(error.message);
    if (error.status === 401) panel.show("key");
    return;
  }
  if (api.hasKey()) panel.needKey();
  alarm("");
  pick();
  const sent = early;
  open(state.talk.messages.length ? state.talk : null);
  if (sent !== null && at("box").value === sent) submit();
}

function grow() {
  const box = at("box");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

let early = null; // what was sent before the server has said what it serves: it goes as soon as it has
function submit(event) {
  event?.preventDefault();
  early = models().length ? null : at("box").value;
  if (!send(at("box").value, images.chosen)) return;
  at("box").value = "";
  images.clear();
  grow();
}

function stop() {
  state.writing?.abort();
  at("box").focus();
}

const SIGNS = { menu: "menu", unmenu: "close", tune: "tune", theme: "theme", attach: "attach", stop: "stop", send: "send", done: "close" };
for (const [id, sign] of Object.entries(SIGNS)) at(id).append(icon(sign));

at("composer").addEventListener("submit", submit);
at("stop").addEventListener("click", stop);
at("box").addEventListener("input", grow);
at("box").addEventListener("keydown", (event) => {
  const lastOwn = state.talk.messages.findLastIndex((turn) => turn.role === "user");
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  else if (event.key === "ArrowUp" && !at("box").value && lastOwn >= 0) {
    event.preventDefault();
    does.edit(lastOwn);
  }
});
addEventListener("keydown", (event) => {
  if (at("settings").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && state.writing) stop();
  const typing = /^(TEXTAREA|INPUT|SELECT)$/.test(event.target.tagName) && event.target.value !== "";
  if (!typing && event.target.tagName !== "SELECT") {
    const choice = at("log").querySelector(`.turn:last-child [data-vote="${CSS.escape(event.key)}"]`);
    if (choice) {
      event.preventDefault();
      choice.click();
    }
  }
});
at("model").addEventListener("change", () => {
  if (state.writing) stop();
  state.talk.model = at("model").value;
  if (!state.talk.messages.length && [BLIND, NAMED].includes(state.talk.model)) state.talk.mode = models().some((one) => one.chat) ? "chat" : "continue";
  else if (!state.talk.messages.length) state.talk.mode = asked()[0].chat ? "chat" : "continue";
  if (state.talk.messages.length) side.kept(state.talk);
  redraw();
});

state.talks = store.all();
state.settings = store.settings();
state.talk = fresh();
side.listen(open);
panel.listen((redrawn) => {
  if (state.talk.messages.length) side.kept(state.talk);
  if (redrawn && !state.writing) redraw();
}, () => begin().then(() => models().length && toast("The key fits.")));
images.listen(() => sees() && !state.writing);
side.draw();
begin();
