(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = (name) => (root.dataset.theme = name);
  if (location.hash === "#dark" || location.hash === "#light") show(location.hash.slice(1));
  document.getElementById("theme").addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    show(now === "dark" ? "light" : "dark");
  });
  const bar = document.getElementById("where");
  let chosen = null;
  document.addEventListener("click", (event) => {
    if (chosen) chosen.classList.remove("chosen");
    chosen = event.target.closest(".fact");
    bar.hidden = !chosen;
    if (!chosen) return;
    const d = chosen.dataset;
    chosen.classList.add("chosen");
    bar.textContent = `${d.run}/${d.file} · ${d.key} · ` + (d.digest ? `sha256 ${d.digest}…` : "no such file");
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") bar.hidden = true; });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));
})();
