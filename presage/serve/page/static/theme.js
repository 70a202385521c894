// Before anything is drawn: the colours that were chosen here, else the system's.
(() => {
  try {
    const chosen = localStorage.getItem("presage.chat/theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // no storage: the system's colours
  }
})();
