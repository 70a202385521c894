// Elements, built and never parsed: whatever a model or a person wrote goes in as text.
export const at = (id) => document.getElementById(id);

export function make(tag, name, ...parts) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...parts.filter((part) => part !== null && part !== undefined && part !== ""));
  return made;
}

const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h10",
  close: "M6 6l12 12M18 6L6 18",
  tune: "M4 8h9M17 8h3M4 16h3M11 16h9M13 8a2 2 0 1 0 4 0a2 2 0 1 0-4 0M7 16a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
  theme: "M12 4a8 8 0 1 0 8 8a6 6 0 0 1-8-8z",
  send: "M12 19V5M6 11l6-6l6 6",
  stop: "M8 8h8v8H8z",
  attach: "M4 6h16v12H4zM4 16l5-5l4 4l3-3l4 4M15 9.5h.01",
  copy: "M9 9h10v11H9zM5 15V4h10",
  again: "M19 12a7 7 0 1 1-2-5M19 4v4h-4",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  on: "M5 12h14M13 6l6 6l-6 6",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  down: "M12 4v12M7 11l5 5l5-5M5 20h14",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// A button of an icon with a name, or of words alone.
export function button(text, act, { sign = "", name = "", words = false } = {}) {
  const made = make("button", name, sign ? icon(sign) : null, words || !sign ? make("span", "", text) : null);
  made.type = "button";
  if (sign && !words) made.setAttribute("aria-label", made.title = text);
  made.addEventListener("click", () => act(made));
  return made;
}

// Signs that show nothing are shown as their pictures.
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g;
export const visible = (text) =>
  text.replace(/\r\n/g, "\n").replace(HIDDEN, (one) => String.fromCharCode(0x2400 + one.charCodeAt(0))).replace(/\u007f/g, "\u2421");

export const say = (text) => (at("said").textContent = text);

// What went wrong, in words, until something else is done.
export function alarm(text) {
  at("alarm").textContent = text;
  at("alarm").hidden = !text;
}

let fading = 0;
// What was done, for some seconds, and maybe a way back.
export function toast(text, undo = null) {
  const place = at("toast");
  clearTimeout(fading);
  place.replaceChildren(make("span", "", text));
  if (undo) place.append(button("Undo", () => { place.hidden = true; undo(); }, { name: "plain" }));
  place.hidden = false;
  fading = setTimeout(() => (place.hidden = true), undo ? 10000 : 3000);
}
