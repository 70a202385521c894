// The list of conversations: open, rename, export, delete, take back; and the file of them.
import { alarm, at, button, make, say, toast } from "./dom.js";
import { keep, state } from "./state.js";
import * as store from "./store.js";

let open = () => {};
export const title = (talk) => talk.title || "New conversation";

export function draw() {
  const rows = state.talks.map((talk) => row(talk));
  at("list").replaceChildren(...(rows.length ? rows : [make("li", "note none", "Nothing yet.")]));
}

function row(talk) {
  const name = button(title(talk), () => open(talk), { name: "talk" });
  name.dir = "auto";
  name.title = title(talk);
  if (talk === state.talk) name.setAttribute("aria-current", "true");
  const made = make("li", talk === state.talk ? "current" : "", name,
    button(`Rename “${title(talk)}”`, () => rename(talk, made), { sign: "edit", name: "quiet small" }),
    button(`Export “${title(talk)}”`, () => save([talk], title(talk)), { sign: "down", name: "quiet small" }),
    button(`Delete “${title(talk)}”`, () => remove(talk), { sign: "trash", name: "quiet small" }));
  return made;
}

function rename(talk, place) {
  const box = make("input");
  box.value = talk.title;
  box.maxLength = 200;
  box.setAttribute("aria-label", "Name of the conversation");
  let over = false;
  const end = (take) => {
    if (over) return;
    over = true;
    if (take && box.value.trim()) {
      [talk.title, talk.named] = [box.value.trim(), true];
      kept(talk);
      say(`Renamed: ${talk.title}`);
      if (talk === state.talk) at("title").textContent = talk.title;
    }
    draw();
    at("list").children[state.talks.indexOf(talk)]?.querySelector("button").focus();
  };
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) end(true);
    if (event.key === "Escape") { event.stopPropagation(); end(false); }
  });
  box.addEventListener("blur", () => end(true));
  place.replaceChildren(box);
  box.select();
}

export const kept = (talk, changed = false) => keep(talk, changed) || alarm(store.FULL);

function remove(talk) {
  if (talk === state.talk && state.writing) state.writing.abort();
  store.remove(talk);
  state.talks.splice(state.talks.indexOf(talk), 1);
  if (talk === state.talk) open(null);
  else draw();
  at("new").focus();
  toast("Deleted.", () => {
    kept(talk);
    open(talk);
  });
}

function save(talks, name) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([store.exported(talks)], { type: "application/json" }));
  link.download = `${name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "conversation"}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function load(file) {
  try {
    const found = store.imported(await file.text());
    found.forEach((talk) => kept(talk));
    draw();
    alarm("");
    toast(`${found.length} ${found.length === 1 ? "conversation" : "conversations"} imported.`);
  } catch (error) {
    alarm(error.message);
  }
}

// On a narrow screen the list lies over the page; what is behind it is out of reach until it is closed.
export function menu(shown) {
  document.body.classList.toggle("menu", shown);
  at("menu").setAttribute("aria-expanded", String(shown));
  at("veil").hidden = !shown;
  at("stage").inert = shown;
  if (shown) at("new").focus();
}

export function listen(opens) {
  open = opens;
  at("new").addEventListener("click", () => open(null));
  at("export").addEventListener("click", () => (state.talks.length ? save(state.talks, "presage-conversations") : toast("Nothing to export yet.")));
  at("import").addEventListener("click", () => at("import-file").click());
  at("import-file").addEventListener("change", () => {
    const [file] = at("import-file").files;
    if (file) load(file).then(() => (at("import-file").value = ""));
  });
  at("menu").addEventListener("click", () => menu(true));
  at("unmenu").addEventListener("click", () => { menu(false); at("menu").focus(); });
  at("veil").addEventListener("click", () => menu(false));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("menu")) { menu(false); at("menu").focus(); }
  });
  matchMedia("(min-width: 56rem)").addEventListener("change", () => menu(false));
}
