// Comparing completions: ranks, ratings of 1 to 7, flags; what was chosen is nowhere but here until it is saved.
let chosen = null, cards = [], current = 0;

const count = () => state.task.completions.length;
const pair = () => count() === 2;
const letters = () => state.task.flags.map((_, n) => String.fromCharCode(97 + n));

function better(place) { chosen.ranks = place === null ? [1, 1] : [0, 1].map((n) => (n === place ? 1 : 2)); redraw(); }
function rank(value) { chosen.ranks[current] = value; redraw(); move(1, chosen.ranks.indexOf(null)); }
function rate(value) { chosen.ratings[current] = chosen.ratings[current] === value ? null : value; redraw(); }
function flag(n) { const one = chosen.flags[current], name = state.task.flags[n][0]; one.has(name) ? one.delete(name) : one.add(name); redraw(); }
function move(step, to = null) { if (to !== -1) focus(((to ?? current + step) + count()) % count()); }
function enter(name) { mode = mode === name ? page.home() : name; redraw(); hint(); }

const numbers = (most, text, does) => Object.fromEntries(Array.from({ length: most }, (_, n) => [n + 1, [n ? "" : text, () => does(n + 1)]]));
const MOVES = { ArrowLeft: ["", () => move(-1)], ArrowRight: ["the next text", () => move(1)] };
const MODES = { r: ["rate", () => enter("rate")], f: ["flags", () => enter("flag")], Escape: ["", () => enter(page.home())] };
const TABLES = {
  pair: () => ({ 1: ["the first is better", () => better(0)], 2: ["the second is better", () => better(1)], 0: ["a tie", () => better(null)], ...MODES, ...MOVES, ...ALWAYS }),
  rank: () => ({ ...numbers(count(), `to ${count()}: rank, 1 the best, ties allowed`, rank), ...MODES, ...MOVES, ...ALWAYS }),
  rate: () => ({ ...numbers(7, "to 7: how good, 7 the best", rate), r: ["back", MODES.r[1]], f: MODES.f, Escape: MODES.Escape, ...MOVES, ...ALWAYS }),
  flag: () => ({ ...Object.fromEntries(letters().map((key, n) => [key, [n ? "" : `to ${letters().at(-1)}: flags`, () => flag(n)]])), Escape: ["back", MODES.Escape[1]], ...MOVES, Enter: ALWAYS.Enter }),
};

page.title = "Which is better?";
page.home = () => (state.task && !pair() ? "rank" : "pair");
page.keys = (name) => TABLES[name]();
page.answer = () => {
  const missing = chosen.ranks.indexOf(null);
  if (missing < 0) return { ranks: chosen.ranks, ratings: chosen.ratings, flags: chosen.flags.map((some) => [...some]) };
  say(pair() ? "Say first which one is better, or that it is a tie." : "Rank every text first.");
  focus(pair() ? current : missing);
  return null;
};
page.draw = () => {
  page.title = pair() ? "Which is better?" : "Rank these texts";
  at("title").textContent = page.title;
  const before = state.earlier;
  const none = () => Array(count()).fill(null);
  chosen = { ranks: before?.ranks ?? none(), ratings: before?.ratings ?? none(), flags: none().map((_, n) => new Set(before?.flags[n])) };
  current = 0;
  cards = state.task.completions.map(card);
  const tie = pair() ? make("div", "acts", button("a tie", () => better(null))) : null;
  queueMicrotask(redraw);
  return [prompt(state.task.prompt), make("div", "cards", ...cards.map((one) => one.box)), ...(tie ? [tie] : [])];
};
function card(text, place) {
  const said = make("span", "rank"), flagged = make("p", "flagged");
  const on = (does) => (value) => () => { focus(place); does(value); };
  const row = (name, most, does) => Array.from({ length: most }, (_, n) => button(String(n + 1), on(does)(n + 1)));
  const ranks = pair() ? [button("this one", () => better(place))] : row("rank", count(), rank);
  const rates = row("rate", 7, rate);
  const flags = state.task.flags.map(([, says], n) => button(`${letters()[n]}  ${says}`, on(flag)(n)));
  const list = make("div", "flags", ...flags);
  const more = button("flags", () => { focus(place); enter("flag"); });
  const box = make("section", "card", make("h2", "", String(place + 1), said), words(text),
    make("div", "row ranks", make("span", "label", pair() ? "choose" : "rank"), ...ranks),
    make("div", "row rates", make("span", "label", "rating"), ...rates, more), flagged, list);
  box.addEventListener("focusin", () => { if (current !== place) { current = place; redraw(); } });
  return { box, said, ranks, rates, flags, list, flagged };
}
function focus(place) {
  current = place;
  redraw();
  cards[place].box.querySelector("pre").focus({ preventScroll: true });
  cards[place].box.scrollIntoView({ block: "nearest" });
}
const press = (buttons, test) => buttons.forEach((one, n) => one.setAttribute("aria-pressed", String(test(n))));
function standing(place) {
  const own = chosen.ranks[place];
  if (own === null) return "";
  if (!pair()) return `rank ${own}`;
  return chosen.ranks[0] === chosen.ranks[1] ? "a tie" : own === 1 ? "better" : "";
}
function redraw() {
  cards.forEach((one, place) => {
    one.box.classList.toggle("current", place === current);
    one.said.textContent = standing(place);
    press(one.ranks, (n) => (pair() ? standing(place) === "better" : chosen.ranks[place] === n + 1));
    press(one.rates, (n) => chosen.ratings[place] === n + 1);
    press(one.flags, (n) => chosen.flags[place].has(state.task.flags[n][0]));
    one.list.hidden = mode !== "flag" || place !== current;
    one.flagged.textContent = state.task.flags.filter(([name]) => chosen.flags[place].has(name)).map(([, says]) => says).join(" · ");
  });
}
begin();
