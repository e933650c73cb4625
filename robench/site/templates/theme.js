// Which theme is shown, and who is told when it changes.
"use strict";

const shown = { dark: matchMedia("(prefers-color-scheme: dark)") };
const whenThemed = [];

function themed() {
  for (const tell of whenThemed) tell();
}

(function chooseTheme() {
  const select = document.getElementById("theme");
  select.value = document.documentElement.dataset.theme ?? "";
  select.addEventListener("change", () => {
    const root = document.documentElement;
    if (select.value) root.dataset.theme = select.value;
    else delete root.dataset.theme;
    try {
      localStorage.setItem("robench-theme", select.value);
    } catch {
      // It holds until the page is closed.
    }
    themed();
  });
  shown.dark.addEventListener("change", themed);
})();
