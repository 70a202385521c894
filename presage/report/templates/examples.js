(() => {
  "use strict";
  const PAGE = 25, TAIL = 220;
  const at = (id) => document.getElementById(id);
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = (name) => (root.dataset.theme = name);
  if (location.hash === "#dark" || location.hash === "#light") show(location.hash.slice(1));
  at("theme").addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    show(now === "dark" ? "light" : "dark");
  });

  // Everything that comes from data goes in as a text node.
  const make = (tag, name, ...parts) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...parts.filter((part) => part !== null && part !== undefined));
    return made;
  };
  const number = (value) => (Number.isInteger(value) ? String(value) : value.toPrecision(3));

  let data = null, found = [], page = 0, names = [];

  async function read() {
    const text = atob(at("data").textContent.trim());
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // ---- verdicts

  const quoted = (row) => data.metrics[row.task] || { metric: Object.keys(row.answers[0].scores)[0], better: "higher" };
  const score = (row, side) => row.answers[side].scores[quoted(row).metric];
  function verdict(row, side) {
    const value = score(row, side);
    if (quoted(row).better !== "higher" || value === undefined || value < 0 || value > 1) return "scored";
    return value === 1 ? "right" : value === 0 ? "wrong" : "partly";
  }
  const ONE = { "": "any", right: "right", wrong: "wrong", partly: "partly", scored: "neither", invalid: "invalid answer", truncated: "prompt cut" };
  const TWO = { "": "any", differ: "scores differ", gained: "B better", lost: "B worse", same: "scores alike", both: "both right", neither: "both wrong", prompts: "prompts differ", invalid: "invalid answer", truncated: "prompt cut" };
  const WORTH = { higher: (value) => value, lower: (value) => -value, "nearer 0": (value) => -Math.abs(value) };
  const worth = (row, model) => (WORTH[quoted(row).better] || WORTH.higher)(score(row, model));
  const apart = (row) => worth(row, 1) - worth(row, 0);
  const TESTS = {
    invalid: (row) => row.answers.some((one) => one.invalid),
    truncated: (row) => row.answers.some((one) => one.truncated),
    differ: (row) => apart(row) !== 0,
    gained: (row) => apart(row) > 0,
    lost: (row) => apart(row) < 0,
    same: (row) => apart(row) === 0,
    both: (row) => verdict(row, 0) === "right" && verdict(row, 1) === "right",
    neither: (row) => verdict(row, 0) === "wrong" && verdict(row, 1) === "wrong",
    prompts: (row) => row.other_prompt !== undefined,
  };
  const surest = (row, side = 0) => Math.max(...(row.answers[side].probabilities || [0]));
  const ORDERS = {
    asked: ["as asked", null],
    sure: ["surest first", (a, b) => surest(b) - surest(a)],
    unsure: ["least sure first", (a, b) => surest(a) - surest(b)],
    low: ["lowest score", (a, b) => score(a, 0) - score(b, 0)],
    apart: ["differ most", (a, b) => Math.abs(apart(b)) - Math.abs(apart(a))],
  };

  // ---- filters

  function fill(id, entries) {
    for (const [value, name] of entries) {
      const option = make("option", "", name);
      option.value = value;
      at(id).append(option);
    }
  }
  function categories() {
    const task = at("task").value;
    const known = new Set(data.rows.filter((row) => !task || row.task === task).map((row) => row.category).filter(Boolean));
    at("category").replaceChildren();
    fill("category", [["", "all"], ...[...known].sort().map((name) => [name, name])]);
    at("category").disabled = !known.size;
  }
  function matcher(text) {
    const wanted = text.trim();
    if (!wanted) return () => true;
    const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "iu");
    return (row) => pattern.test(row.prompt || "") || pattern.test(row.id) || row.answers.some((one) => pattern.test(one.answer || "") || (one.written || []).some((text) => pattern.test(text)));
  }
  function filter() {
    const [task, category, wanted, flag] = ["task", "category", "verdict", "flag"].map((id) => at(id).value);
    const matches = matcher(at("search").value);
    const test = TESTS[wanted] || ((row) => !wanted || verdict(row, 0) === wanted);
    found = data.rows.filter((row) =>
      (!task || row.task === task) && (!category || row.category === category) && test(row) &&
      (!flag || (row.flag || "none") === flag) && matches(row));
    const order = ORDERS[at("order").value][1];
    if (order) found.sort(order);
    page = 0;
    draw();
  }

  // ---- one example

  function mark(row, side) {
    const name = verdict(row, side);
    const value = score(row, side);
    return make("span", `verdict ${name}`, name === "scored" ? number(value ?? 0) : name);
  }
  function marks(row) {
    const all = [];
    if (row.flag) all.push(make("span", row.flag === "flagged" ? "mark bad" : "mark", row.flag === "flagged" ? "contaminated" : row.flag));
    for (const [i, one] of row.answers.entries()) {
      const of = names.length > 1 ? ` (${names[i]})` : "";
      if (one.invalid) all.push(make("span", "mark bad", `invalid answer${of}`));
      if (one.truncated) all.push(make("span", "mark", `prompt cut from the left${of}`));
    }
    if (row.other_prompt !== undefined) all.push(make("span", "mark bad", "prompts differ"));
    return all.length ? make("p", "marks", ...all) : null;
  }
  function options(row, one) {
    const list = make("dl", "options");
    one.probabilities.forEach((p, i) => {
      const gold = i === row.gold, picked = i === one.picked;
      const said = [gold ? "right" : "", picked ? "picked" : ""].filter(Boolean).join(", ");
      const fill = make("i", gold ? "is-gold" : "");
      fill.style.width = `${100 * p}%`;
      list.append(make("dt", gold ? "gold" : "", (one.options || [])[i] || String(i + 1), said ? ` — ${said}` : ""),
        make("dd", "bar", fill), make("dd", "number", `${(100 * p).toFixed(1)} %`));
    });
    return list;
  }
  function side(row, i) {
    const one = row.answers[i];
    const box = make("section", "side", names.length > 1 ? make("h2", "", names[i], " ", mark(row, i)) : null);
    if (one.probabilities) box.append(make("h2", "", "Probability of each option"), options(row, one));
    box.append(make("h2", "", "Answer"), make("pre", "", one.answer || "(empty)"));
    for (const text of one.written || []) box.append(make("h2", "", "Written"), make("pre", "", text));
    const facts = make("dl", "facts");
    for (const [name, value] of Object.entries(one.scores)) facts.append(make("dt", "", name), make("dd", "", number(value)));
    if (one.kinds) facts.append(make("dt", "", "asked by"), make("dd", "", one.kinds));
    if (one.prompt_sha256) facts.append(make("dt", "", "prompt sha256"), make("dd", "", make("code", "", `${one.prompt_sha256}…`)));
    box.append(facts);
    return box;
  }
  function body(row) {
    const box = make("div", "body", marks(row), make("h2", "", "Prompt"), make("pre", "", row.prompt || "(empty)"));
    if (row.other_prompt !== undefined) box.append(make("h2", "", `Prompt of ${names[1]}`), make("pre", "", row.other_prompt || "(empty)"));
    box.append(make("div", "sides", ...row.answers.map((_, i) => side(row, i))));
    const prompt = box.querySelector("pre");
    requestAnimationFrame(() => (prompt.scrollTop = prompt.scrollHeight));
    return box;
  }
  function example(row) {
    const tail = (row.prompt || "").slice(-TAIL).replace(/\s+/g, " ").trim();
    const value = row.answers.map((_, i) => { const s = score(row, i); return s === undefined ? "–" : number(s); }).join(" → ");
    const box = make("details", "", make("summary", "",
      make("span", "", ...row.answers.map((_, i) => mark(row, i))),
      make("span", "id", make("b", "", row.task), ` ${row.id}`, row.category ? ` · ${row.category}` : ""),
      make("span", "tail", tail),
      make("span", "score", row.flag === "flagged" ? "contaminated · " : "", value)));
    box.addEventListener("toggle", () => { if (box.open && box.children.length === 1) box.append(body(row)); });
    return box;
  }

  // ---- the list

  function draw() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(0, page), pages - 1);
    at("list").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(example));
    at("pages").hidden = pages === 1;
    at("place").textContent = `page ${page + 1} of ${pages}`;
    at("previous").disabled = page === 0;
    at("next").disabled = page === pages - 1;
    const all = data.rows.length.toLocaleString("en");
    at("count").textContent = found.length === data.rows.length ? `${all} examples` : `${found.length.toLocaleString("en")} of ${all} examples`;
  }
  function turn(step) {
    page += step;
    draw();
    at("count").scrollIntoView({ block: "nearest" });
  }
  function move(step) {
    const rows = [...at("list").querySelectorAll("summary")];
    const now = rows.indexOf(document.activeElement);
    const next = rows[now < 0 ? 0 : Math.min(Math.max(0, now + step), rows.length - 1)];
    if (next) next.focus();
  }
  // page.html#TASK/ID opens that example.
  function wanted() {
    const hash = location.hash.slice(1);
    try { return decodeURIComponent(hash); } catch { return hash; } // a lone % is itself
  }
  function goto() {
    const name = wanted();
    const place = found.findIndex((row) => `${row.task}/${row.id}` === name);
    if (place < 0) return;
    page = Math.floor(place / PAGE);
    draw();
    const one = at("list").children[place % PAGE];
    one.open = true;
    one.scrollIntoView();
    one.firstChild.focus();
  }
  const KEYS = { j: () => move(1), k: () => move(-1), n: () => turn(1), p: () => turn(-1), "/": () => at("search").focus() };

  function begin(read) {
    data = read;
    const two = data.runs.length > 1;
    names = data.runs.map((run, i) => (two ? `${"AB"[i]}: ${run.name}` : run.name));
    document.body.classList.toggle("two", two);
    data.runs.forEach((run, i) => at("runs").append(i ? " · " : "", make("b", "", names[i]), " ", make("code", "", run.digest.slice(0, 16))));
    data.alone.forEach((n, i) => n && at("runs").append(` · ${n.toLocaleString("en")} examples only in ${"AB"[i]}, left out`));
    fill("task", [...new Set(data.rows.map((row) => row.task))].map((name) => [name, name]));
    fill("verdict", Object.entries(two ? TWO : ONE));
    fill("order", Object.entries(ORDERS).filter(([name]) => two || name !== "apart").map(([name, [said]]) => [name, said]));
    if (two) at("order").value = "apart";
    categories();
    let waiting = 0;
    at("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 200); });
    at("task").addEventListener("change", () => { categories(); filter(); });
    for (const id of ["category", "verdict", "flag", "order"]) at(id).addEventListener("change", filter);
    at("filters").addEventListener("submit", (event) => event.preventDefault());
    at("previous").addEventListener("click", () => turn(-1));
    at("next").addEventListener("click", () => turn(1));
    addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
      if (typing && event.key === "Escape") event.target.blur();
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      event.preventDefault();
      KEYS[event.key]();
    });
    filter();
    goto();
    addEventListener("hashchange", goto);
  }
  read().then(begin).catch((error) => {
    at("count").className = "alarm";
    at("count").textContent = `The examples could not be read: ${error.message}. A browser from 2023 or later is needed.`;
  });
})();
