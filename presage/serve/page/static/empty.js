// Before anything was said: what this model is, what it has read, and what it can really do.
import { button, make } from "./dom.js";
import { picture } from "./images.js";

const short = (text) => (text.length > 160 ? `${text.slice(0, 160).trimEnd()} …` : text.trimEnd());

function prompt(one, run) {
  const made = button("", () => run(one), { name: "prompt" });
  const image = one.images?.length ? picture(one.images[0], "") : null;
  made.replaceChildren(...[image, make("span", one.mode === "continue" ? "said raw" : "said", short(one.text)), make("span", "note", one.about)].filter(Boolean));
  return made;
}

function about(model) {
  const list = make("dl", "facts", ...model.facts.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
  return make("section", "about", make("h2", "", model.name), model.note ? make("p", "lead", model.note) : null, list);
}

export function draw(models, hidden, run) {
  const same = (one, other) => one.text === other.text && one.images?.[0] === other.images?.[0];
  const prompts = models.flatMap((model) => model.prompts).filter((one, n, all) => all.findIndex((other) => same(one, other)) === n);
  const tried = prompts.length ? make("section", "try", make("h2", "", "What it can do"), make("div", "prompts", ...prompts.slice(0, 6).map((one) => prompt(one, run)))) : null;
  const lead = hidden ? make("p", "lead", "Each prompt is answered by both models. Which is which is shown once you have voted.") : null;
  return [lead, make("div", models.length > 1 ? "abouts" : "", ...models.map(about)), tried].filter(Boolean);
}
