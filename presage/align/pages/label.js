// What both pages share: texts as text nodes, keys by a table, one question to the server at a time.
"use strict";
const at = (id) => document.getElementById(id);
const make = (tag, name, ...parts) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...parts.filter((part) => part !== null && part !== undefined));
  return made;
};
const button = (text, act, name = "") => {
  const made = make("button", name, text);
  made.type = "button";
  made.addEventListener("click", (event) => {
    if (event.detail) made.blur(); // by a mouse: Enter is to save, and not to click it again
    say("");
    act();
  });
  return made;
};
// Signs that show nothing are shown as their pictures; all else is as it was written, in its own direction.
const visible = (text) => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (one) => String.fromCharCode(0x2400 + one.charCodeAt(0))).replace(/\u007f/g, "\u2421");
const words = (text) => {
  const made = make("pre", "", visible(text));
  made.dir = "auto";
  made.tabIndex = 0;
  return made;
};
const ROLES = { system: "System", user: "Prompt", assistant: "Assistant, before" };
const prompt = (turns) => make("section", "prompt", ...turns.flatMap((turn) => [make("p", "label", ROLES[turn.role] || turn.role), words(turn.content)]));

// A page says what its title is, draws a state, and has a table of keys: KEYS[mode][key] = [what it says, what it does].
const page = { title: "", draw: () => {}, answer: () => null, keys: () => ({}), home: () => "" };
let state = null, mode = "", busy = true;

const say = (text) => (at("said").textContent = text);
function show(next) {
  state = next;
  mode = page.home();
  at("who").textContent = state.who;
  at("title").textContent = state.task ? page.title : "Nothing is left to label";
  at("bar").max = Math.max(1, state.total);
  at("bar").value = state.done + state.skipped;
  at("count").textContent = `${state.done} of ${state.total} labelled` + (state.skipped ? `, ${state.skipped} skipped` : "");
  at("main").replaceChildren(...(state.task ? page.draw() : [make("p", "done", "All of it is on disk. Press Ctrl-C where presage label runs, and close this page.")]));
  at("main").append(acts());
  hint();
  scrollTo(0, 0);
}
function acts() {
  const undo = button("undo", () => act("undo"));
  undo.disabled = !state.undo;
  return make("div", "acts", state.task ? button("save", () => act("save"), "main") : null, state.task ? button("skip", () => act("skip")) : null, undo);
}
function hint() {
  const said = Object.entries(KEYS()).filter(([, [text]]) => text);
  at("main").dataset.mode = mode;
  at("keys").replaceChildren(...said.map(([key, [text]]) => make("span", "", make("kbd", "", NAMES[key] || key), ` ${text}`)));
}
const NAMES = { ArrowLeft: "←", ArrowRight: "→", Enter: "Enter ⏎", Escape: "Esc" };
const ALWAYS = {
  Enter: ["save", () => act("save")],
  s: ["skip", () => act("skip")],
  u: ["undo the last", () => act("undo")],
};
const KEYS = () => (state && state.task ? page.keys(mode) : { u: ALWAYS.u });

async function ask(place, body) {
  const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const got = await fetch(place, sent || {});
  const said = await got.json();
  if (said.state) show(said.state);
  if (!got.ok) throw new Error(said.error);
  return said;
}
async function act(verb) {
  if (busy) return;
  const body = { turn: state.turn };
  if (verb === "save") {
    body.answer = page.answer();
    if (!body.answer) return;
  }
  busy = true;
  say("");
  try {
    show(await ask(verb, body));
  } catch (error) {
    say(error instanceof TypeError ? "Nobody answers: is presage label still running? What you chose here is not saved." : error.message);
  }
  busy = false;
}
// The letter or digit of a key; where its sign is neither, as on a Cyrillic or French keyboard, what it is elsewhere.
const named = (event) => {
  if (event.key.length > 1) return event.key;
  return /[a-z0-9]/i.test(event.key) ? event.key.toLowerCase() : event.code.replace(/^(Key|Digit)/, "").toLowerCase();
};
addEventListener("keydown", (event) => {
  const known = KEYS()[named(event)];
  const clicks = event.key === "Enter" && event.target.tagName === "BUTTON";
  if (!known || clicks || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  say("");
  known[1]();
});
const root = document.documentElement;
if (location.hash === "#dark" || location.hash === "#light") root.dataset.theme = location.hash.slice(1);
at("theme").addEventListener("click", () => {
  const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});
async function begin() {
  try {
    show(await ask("state"));
    busy = false;
  } catch (error) {
    say(error.message);
  }
}
