// Who wrote this, a person or a machine? One of five points, and Enter.
let said = null, scale = [];

function choose(value) { said = value; redraw(); }
const TABLE = () => ({ ...Object.fromEntries(state.task.scale.map(([value], n) => [value, [n ? "" : `to ${state.task.scale.length}: choose`, () => choose(value)]])), ...ALWAYS });

page.title = "Who wrote this?";
page.keys = TABLE;
page.answer = () => {
  if (said !== null) return { answer: said };
  say("Choose one of the five first.");
  return null;
};
page.draw = () => {
  said = state.earlier?.answer ?? null;
  scale = state.task.scale.map(([value, text]) => button(`${value}  ${text}`, () => choose(value)));
  queueMicrotask(redraw);
  const above = state.task.prompt ? make("section", "prompt", make("p", "label", "About"), words(state.task.prompt)) : null;
  return [...(above ? [above] : []), make("section", "text", words(state.task.text)), make("div", "scale", ...scale)];
};
function redraw() {
  scale.forEach((one, n) => one.setAttribute("aria-pressed", String(state.task.scale[n][0] === said)));
}
begin();
