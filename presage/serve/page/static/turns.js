// A conversation as it is drawn: what was asked, what was answered, and what can be done with each.
import { button, make, visible } from "./dom.js";
import { picture } from "./images.js";
import { blind, models, state } from "./state.js";
import { copy, formatted, plain } from "./text.js";

const named = (id) => models().find((one) => one.id === id)?.name ?? id;

export function words(stats) {
  if (!stats) return [];
  const round = (value) => (value < 10 ? value.toFixed(1) : Math.round(value).toString());
  return [
    stats.tokens === undefined ? "" : `${stats.tokens} ${stats.tokens === 1 ? "token" : "tokens"}`,
    stats.rate ? `${round(stats.rate)} tokens/s` : "",
    stats.first === undefined ? "" : `first after ${stats.first < 1 ? `${Math.round(stats.first * 1000)} ms` : `${stats.first.toFixed(1)} s`}`,
    { length: stats.tokens < stats.most ? "the context was full" : "cut at the most tokens", stopped: "stopped" }[stats.finish] ?? "",
    stats.dropped ? `without the first ${stats.dropped === 1 ? "question" : `${stats.dropped} questions`}, for which the context has no room` : "",
    stats.seed === undefined ? "" : `seed ${stats.seed}`,
  ].filter(Boolean);
}

const counter = (stats) => make("p", "stats", ...words(stats).map((one) => make("span", "", one)));

// The text of an answer, which is redrawn while it is written.
export function fill(place, answer, mode, before = "") {
  place.replaceChildren(mode === "continue" ? plain(answer.text, before) : formatted(answer.text));
  if (!answer.text && !answer.wrong && answer.stats) place.append(make("p", "nothing", "(nothing: the model ended at once)"));
}

export function asked(turn, place, does) {
  const mode = state.talk.mode;
  const images = turn.images.map((url, n) => picture(url, `Image ${n + 1} of this message`));
  const text = mode === "continue" ? plain(turn.text) : make("p", "written", visible(turn.text));
  text.dir = "auto";
  const acts = make("div", "acts", button("Edit", () => does.edit(place), { sign: "edit", name: "quiet small edit" }),
    button("Copy", () => copy(turn.text), { sign: "copy", name: "quiet small" }));
  const made = make("article", "turn user", make("h2", "unseen", mode === "continue" ? "Your text" : "You"),
    images.length ? make("div", "images", ...images) : null, turn.text ? text : null, acts);
  made.dataset.place = place;
  made.hidden = mode === "continue" && state.talk.messages[place + 1]?.role === "assistant"; // it is shown with what goes on
  return made;
}

// What stands before an answer that goes on with it.
export function before(place) {
  const { messages, mode } = state.talk;
  return mode === "continue" && messages[place]?.role === "assistant" ? messages[place - 1].text : "";
}

// A message that is being changed, in its place.
export function editing(turn, place, does) {
  const box = make("textarea");
  box.value = turn.text;
  box.rows = Math.min(12, turn.text.split("\n").length + 1);
  box.setAttribute("aria-label", "The message, to be changed");
  const save = button("Send again", () => does.send(place, box.value), { name: "main" });
  const made = make("article", "turn user editing", box, make("p", "note", "What follows it is answered anew."),
    make("div", "acts", save, button("Cancel", () => does.cancel(place))));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") does.cancel(place);
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) save.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return [made, box];
}

export function answer(turn, place, last, does) {
  const text = make("div", "text");
  fill(text, turn, state.talk.mode, before(place));
  const acts = make("div", "acts", button("Copy", () => copy(turn.text), { sign: "copy", name: "quiet small" }));
  if (state.talk.mode === "continue") acts.append(button("Edit your text", () => does.edit(place - 1), { sign: "edit", name: "quiet small edit" }));
  if (last) acts.append(button("Another answer", () => does.again(), { sign: "again", name: "quiet small again" }));
  if (last && state.talk.mode === "continue") acts.append(button("Go on", () => does.on(), { sign: "on", name: "quiet small on" }));
  const name = make("h2", "name", named(turn.model));
  const made = make("article", "turn model", name, text, wrong(turn), counter(turn.stats), acts);
  made.dataset.place = place;
  return made;
}

const wrong = (turn) => (turn.wrong ? make("p", "wrong", turn.wrong) : null);

// ---- two answers side by side ---------------------------------------------------------------------------------------

const LETTERS = ["A", "B"];

export function pair(turn, place, last, does) {
  const order = turn.swapped ? [1, 0] : [0, 1];
  const hidden = turn.blind && turn.verdict === null;
  const columns = order.map((which, shown) => {
    const one = turn.answers[which];
    const text = make("div", "text");
    fill(text, one, state.talk.mode);
    const won = turn.verdict === which ? make("span", "won", "preferred") : null;
    const head = make("h2", "name", hidden ? `Answer ${LETTERS[shown]}` : `${LETTERS[shown]} · ${named(one.model)}`, won);
    const acts = make("div", "acts", button(`Copy answer ${LETTERS[shown]}`, () => copy(one.text), { sign: "copy", name: "quiet small" }));
    const made = make("section", "column", head, text, wrong(one), hidden ? null : counter(one.stats), acts);
    made.setAttribute("aria-label", hidden ? `Answer ${LETTERS[shown]}` : `Answer ${LETTERS[shown]}, of ${named(one.model)}`);
    return made;
  });
  const made = make("article", "turn two", make("div", "columns", ...columns), verdict(turn, place, last, order, does));
  made.dataset.place = place;
  return made;
}

function verdict(turn, place, last, order, does) {
  const again = last ? button("Other answers", () => does.again(), { sign: "again", name: "quiet small again" }) : null;
  if (turn.verdict !== null) return make("div", "verdict", make("span", "note", said(turn)), again);
  const finished = turn.answers.every((one) => one.stats && !one.wrong);
  if (!finished) return make("div", "verdict", again);
  const choices = [[order[0], "A is better", "1"], ["tie", "A tie", "0"], [order[1], "B is better", "2"]].map(([which, text, key]) => {
    const made = button(text, () => does.vote(place, which), { name: "choice" });
    made.append(make("kbd", "", key));
    made.dataset.vote = key;
    return made;
  });
  const group = make("div", "votes", ...choices);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Which answer is better?");
  return make("div", "verdict", group, again);
}

function said(turn) {
  const what = turn.verdict === "tie" ? "A tie." : `${named(turn.answers[turn.verdict].model)} was preferred; it goes on from there.`;
  return `${what} ${turn.kept ? "The vote is saved on the server." : "The server keeps no votes: this one is only here."}`;
}

export const begun = (seeds) => ({ role: "pair", answers: seeds, swapped: blind() && Math.random() < 0.5, blind: blind(), verdict: null, kept: false });
