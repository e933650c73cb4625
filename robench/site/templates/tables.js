// The tables: numbers get their names, rankings are sorted and filtered, arrow keys walk through.
"use strict";

const rankings = [...document.querySelectorAll("table.ranking")];
const whenArranged = [];

function standingOf(element) {
  return element.closest(".standing");
}

function rowsOf(table) {
  return [...table.tBodies[0].rows];
}

function shownRows(table) {
  return rowsOf(table).filter((row) => !row.hidden);
}

function element(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// What a number is asked for by stands in the head of its column, unless it has a name of its own.
function nameNumbers(table) {
  const heads = [...table.tHead.rows[0].cells];
  for (const row of table.tBodies[0].rows) {
    if (table.dataset.at) row.dataset.row = `${row.cells[0].textContent} ${table.dataset.at}`;
    for (const [place, cell] of [...row.cells].entries()) {
      const name = heads[place].dataset.n;
      const text = cell.textContent.trim();
      if (!name || cell.dataset.n || text === "-" || text === "") continue;
      cell.dataset.n = row.dataset.of ? `${name}_${row.dataset.of}` : name;
    }
  }
}

// What a cell is sorted by: its number, its words where it holds none, nothing where it is empty.
function keyOf(cell) {
  const text = cell.textContent.trim();
  if (text === "" || text === "-" || text === "n/a") return null;
  const number = parseFloat(text.replaceAll(",", "").replace("∞", "Infinity"));
  return Number.isNaN(number) ? text.toLowerCase() : number;
}

function compared(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function sort(table, column, descending) {
  const keyed = rowsOf(table).map((row, place) => [keyOf(row.cells[column]), place, row]);
  keyed.sort(([one, i], [other, j]) => {
    if (one === null || other === null) return (one === null) - (other === null) || i - j;
    return (descending ? -1 : 1) * compared(one, other) || i - j;
  });
  table.tBodies[0].append(...keyed.map(([, , row]) => row));
  for (const [place, head] of [...table.tHead.rows[0].cells].entries()) {
    if (place !== column) head.removeAttribute("aria-sort");
    else head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }
  for (const tell of whenArranged) tell(table);
}

// Numbers come largest first, as more is better of most; ranks and words begin at their start.
function startsDescending(table, column) {
  const first = rowsOf(table).map((row) => keyOf(row.cells[column])).find((key) => key !== null);
  return typeof first === "number" && !table.rows[1]?.cells[column].matches(".rank");
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const select = element("select", { ariaLabel: "Sort by" });
  heads.forEach((head, place) => {
    const title = head.textContent.trim();
    const button = element("button", { type: "button", className: "sort", textContent: title });
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const column = head.cellIndex;
      sort(table, column, now ? now === "ascending" : startsDescending(table, column));
    });
    head.replaceChildren(button);
    select.append(element("option", { value: place, textContent: title }));
    for (const row of rowsOf(table)) row.cells[place].dataset.label = title;
  });
  select.addEventListener("change", () => {
    const column = heads[Number(select.value)].cellIndex;
    sort(table, column, startsDescending(table, column));
  });
  const label = element("label", {}, ["Sort by ", select]);
  standingOf(table).querySelector(".scroll").before(element("p", { className: "sorter" }, [label]));
}

function filter() {
  const words = document.getElementById("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const at = document.getElementById("at").value;
  const verdict = document.getElementById("verdict").value;
  const ranked = document.getElementById("ranked").checked;
  let shownCount = 0;
  let count = 0;
  for (const table of rankings) {
    const standing = standingOf(table);
    let own = 0;
    for (const row of rowsOf(table)) {
      const name = row.querySelector("th").textContent.toLowerCase();
      const keep =
        words.every((word) => name.includes(word)) &&
        (!verdict || row.dataset.verdict === verdict) &&
        (!ranked || row.querySelector(".rank").textContent.trim() !== "-");
      row.hidden = !keep;
      own += keep;
      count += 1;
    }
    const here = !at || standing.dataset.at === at;
    standing.hidden = !here;
    standing.querySelector(".empty").hidden = own > 0;
    shownCount += here ? own : 0;
    for (const tell of whenArranged) tell(table);
  }
  document.getElementById("count").textContent = `${shownCount} of ${count} rows`;
}

// One cell of a table is on the way of the Tab key; arrows lead from it to the others.
function makeWalkable(table) {
  let current = null;
  const enter = (cell) => {
    if (current) current.tabIndex = -1;
    current = cell;
    current.tabIndex = 0;
  };
  const first = table.querySelector("td[data-n]");
  if (first) enter(first);
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td[data-n]");
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!cell || !step || event.target !== cell) return;
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const row = rows[rows.indexOf(cell.parentElement) + step[0]];
    let column = cell.cellIndex + step[1];
    while (row?.cells[column] && !row.cells[column].matches("td[data-n]")) column += step[1] || 1;
    const next = row?.cells[column];
    event.preventDefault();
    if (!next) return;
    enter(next);
    next.focus();
  });
}

// What stands in a noscript is text until it is wanted: the page opens at once however long it is.
function fill(details) {
  const held = details.querySelector(":scope > .inside > noscript");
  if (held) held.parentElement.innerHTML = held.textContent;
  return details;
}

// Tables are made ready when they are first seen: there may be a thousand of them.
function makeReady(holder) {
  for (const table of holder.querySelectorAll("table:not([data-ready])")) {
    if (table.closest("details:not([open])")) continue;
    table.dataset.ready = "";
    if (table.querySelector("thead th[data-n]")) nameNumbers(table);
    makeWalkable(table);
  }
}

(function startTables() {
  rankings.forEach(makeSortable);
  makeReady(document.body);
  document.addEventListener("toggle", (event) => event.target.open && makeReady(fill(event.target)), true);
  for (const id of ["find", "at", "verdict", "ranked"]) {
    document.getElementById(id)?.addEventListener("input", filter);
  }
  if (rankings.length) filter();
})();
