// What stands behind a number, and behind a row: its question, and a panel with all of it.
"use strict";

const panel = document.getElementById("panel");

function questionOf(cell) {
  const row = cell.closest("[data-row]")?.dataset.row ?? "";
  return cell.dataset.n ? `${row} ${cell.dataset.n}`.trim() : "";
}

// What a column is: its own words, or those of the list at the end of the page.
function meaningOf(head) {
  const titles = [...document.querySelectorAll("#glossary dt")];
  return head.title || (titles.find((one) => one.textContent === head.textContent)?.nextElementSibling.textContent ?? "");
}

function ask(cell) {
  const box = document.getElementById("ask");
  const head = cell.closest("table").tHead?.rows[0].cells[cell.cellIndex];
  // As a shell reads it: within single quotes, where nothing but a single quote means anything.
  const question = `robench explain '${questionOf(cell).replaceAll("'", `'\\''`)}'`;
  box.querySelector("[data-what]").textContent = head ? meaningOf(head) : "";
  box.querySelector("code").textContent = question;
  const button = box.querySelector("button");
  button.textContent = "Copy";
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(question);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(box.querySelector("code"));
      button.textContent = "Selected: press Ctrl+C";
    }
  };
  (cell.closest("dialog") ?? document.body).append(box);
  box.showPopover();
  const place = cell.getBoundingClientRect();
  const size = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(place.left, innerWidth - size.width - 8))}px`;
  const below = place.bottom + 6;
  box.style.top = `${below + size.height < innerHeight ? below : Math.max(8, place.top - size.height - 6)}px`;
}

function openPanel(title, ...content) {
  document.getElementById("panel-title").textContent = title;
  panel.querySelector(".body").replaceChildren(...content);
  for (const table of panel.querySelectorAll("table")) {
    delete table.dataset.ready;
    for (const cell of table.querySelectorAll("td[tabindex]")) cell.removeAttribute("tabindex");
  }
  makeReady(panel);
  if (!panel.open) panel.showModal();
  panel.scrollTop = 0;
}

function openRow(id) {
  const row = document.getElementById(id);
  if (!row?.matches(".row")) return;
  const body = fill(row).querySelector(".inside").cloneNode(true);
  openPanel(`${row.dataset.name}, matched at benign accuracy ${row.dataset.at}`, body);
}

function openHash() {
  if (location.hash.startsWith("#row-")) openRow(location.hash.slice(1));
}

(function startRows() {
  const asks = (event) => event.target.closest?.("td[data-n]");
  document.addEventListener("click", (event) => {
    const cell = asks(event);
    if (cell && questionOf(cell) && !event.target.closest("a, button, input")) ask(cell);
  });
  document.addEventListener("keydown", (event) => {
    const cell = asks(event);
    if (cell && event.target === cell && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      ask(cell);
    }
  });
  panel.querySelector("[data-close]").addEventListener("click", () => panel.close());
  panel.addEventListener("click", (event) => event.target === panel && panel.close());
  panel.addEventListener("close", () => {
    if (location.hash.startsWith("#row-")) history.replaceState(null, "", location.pathname + location.search);
  });
  addEventListener("hashchange", openHash);
  openHash();
})();
