// What a model wrote, as nodes: paragraphs, `code` within a line, and blocks between fences. Nothing is ever parsed as
// HTML, no address becomes a link, no image is loaded.
import { button, make, toast, visible } from "./dom.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`\n]*)$/;
// Small models write code without fences around it.
const CODE = /^(def |class |import |from \S+ import |>>> |\s{2,}\S)|\n {2,}\S/;
const INLINE = /`([^`\n]+)`/g;

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not let this page copy: select the text instead.");
  }
}

function line(text) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    parts.push(text.slice(from, found.index), make("code", "", found[1]));
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)];
}

function paragraphs(lines) {
  const texts = lines.join("\n").split(/\n{2,}/).map((one) => one.replace(/^\n+|\s+$/g, ""));
  return texts.filter(Boolean).map((one) => {
    const made = make("p", CODE.test(one) ? "lines" : "", ...(CODE.test(one) ? [one] : line(one)));
    made.dir = "auto";
    return made;
  });
}

function block(lines, language) {
  const code = lines.join("\n");
  const head = make("div", "head", make("span", "", language || "code"));
  head.append(button("Copy the code", () => copy(code), { sign: "copy", name: "quiet small" }));
  const pre = make("pre", "", make("code", "", code));
  pre.tabIndex = 0;
  return make("div", "code", head, pre);
}

export function formatted(text) {
  const made = document.createDocumentFragment();
  let lines = [], fence = "", language = "";
  const flush = () => {
    if (fence) made.append(block(lines, language));
    else made.append(...paragraphs(lines));
    lines = [];
  };
  for (const one of visible(text).split("\n")) {
    const [, marks = "", name = ""] = FENCE.exec(one) || [];
    if (!fence && marks) {
      flush();
      [fence, language] = [marks, name.trim().slice(0, 30)];
    } else if (fence && marks.startsWith(fence) && !name.trim()) {
      flush();
      fence = "";
    } else lines.push(one);
  }
  if (fence || lines.length) flush();
  return made;
}

// As it was written, every blank and line kept.
export function plain(text, before = "") {
  const made = make("pre", "raw", before ? make("span", "before", visible(before)) : null, visible(text));
  made.dir = "auto";
  return made;
}
