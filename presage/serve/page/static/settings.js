// How answers are drawn, the system message, the key; light or dark.
import { setKey } from "./api.js";
import { at } from "./dom.js";
import { asked, settings, state } from "./state.js";
import * as store from "./store.js";

const NUMBERS = ["temperature", "top_p", "max_tokens", "seed"];
let changed = () => {};

export function draw() {
  const now = settings();
  for (const name of NUMBERS) at(name).value = now[name] ?? "";
  at("stop-texts").value = now.stop.join("\n");
  at("who").value = now.who;
  at("system").value = state.talk.system;
  const chat = state.talk.mode === "chat";
  at("system").disabled = !chat;
  at("system-note").textContent = chat ? "" : "A text that is continued has none.";
  for (const one of document.querySelectorAll("input[name=mode]")) one.checked = one.value === state.talk.mode;
  at("for-votes").hidden = state.facts.models.length < 2 || !state.facts.votes;
  const most = Math.min(...asked().map((one) => one?.context_length || Infinity));
  if (Number.isFinite(most)) at("max_tokens").max = most;
}

function take() {
  const values = { ...settings() };
  for (const name of NUMBERS) {
    const place = at(name);
    if (place.checkValidity()) values[name] = place.value === "" ? null : Number(place.value);
  }
  values.stop = at("stop-texts").value.split("\n").filter(Boolean).slice(0, 4);
  values.who = at("who").value.trim();
  state.settings = values;
  store.keepSettings(values);
  state.talk.system = at("system").value;
  const mode = document.querySelector("input[name=mode]:checked")?.value ?? state.talk.mode;
  const other = mode !== state.talk.mode;
  state.talk.mode = mode;
  if (other) draw();
  changed(other);
}

export function show(focus = "done") {
  draw();
  at("settings").showModal();
  at(focus).focus();
}

export function needKey() {
  at("for-key").hidden = false;
}

function dark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const mark = () => at("theme").setAttribute("aria-pressed", String(dark()));

export function listen(onChange, onKey) {
  changed = onChange;
  at("tune").addEventListener("click", () => show());
  at("done").addEventListener("click", () => at("settings").close());
  at("settings").addEventListener("click", (event) => event.target === at("settings") && at("settings").close());
  at("settings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    at("settings").close();
  });
  at("settings-form").addEventListener("input", (event) => event.target === at("key") || take());
  at("settings-form").addEventListener("change", (event) => {
    if (event.target !== at("key")) return;
    setKey(at("key").value);
    onKey();
  });
  at("theme").addEventListener("click", () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("presage.chat/theme", theme);
    } catch {
      // not kept: for this once
    }
    mark();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", mark);
  mark();
}
