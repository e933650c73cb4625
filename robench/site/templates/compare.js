// Two rows of one table side by side. Rows of different tables cannot be compared.
"use strict";

let chosen = [];

function boxOf(row) {
  return row.querySelector("input[type=checkbox]");
}

function nameOf(row) {
  return row.querySelector("th a").textContent;
}

function choose(row, on) {
  chosen = chosen.filter((one) => one !== row);
  if (on) {
    if (chosen.length && standingOf(chosen[0]) !== standingOf(row)) clearChosen();
    if (chosen.length === 2) boxOf(chosen.shift()).checked = false;
    chosen.push(row);
  }
  const bar = document.getElementById("pair");
  bar.hidden = chosen.length === 0;
  bar.querySelector("p").textContent =
    chosen.length === 2 ? chosen.map(nameOf).join(" and ") : `${chosen.map(nameOf)}: choose a second row of its table`;
  bar.querySelector("[data-compare]").disabled = chosen.length < 2;
}

function clearChosen() {
  for (const row of chosen) boxOf(row).checked = false;
  chosen = [];
  document.getElementById("pair").hidden = true;
}

function headRow(first, ...rest) {
  const heads = [first, ...rest].map((text) => element("th", { scope: "col", textContent: text }));
  return element("thead", {}, [element("tr", {}, heads)]);
}

function side(cell) {
  const copy = element("td");
  copy.append(...[...(cell?.childNodes ?? [])].map((node) => node.cloneNode(true)));
  if (cell?.dataset.n) copy.dataset.n = questionOf(cell);
  return copy;
}

function sides(names, lines) {
  const body = element("tbody");
  for (const [title, ...cells] of lines) {
    body.append(element("tr", {}, [element("th", { scope: "row", textContent: title }), ...cells]));
  }
  const table = element("table", { className: "grid sides" }, [headRow("", ...names), body]);
  return element("div", { className: "scroll" }, [table]);
}

function summaries(rows) {
  const heads = [...rows[0].closest("table").tHead.rows[0].cells];
  return heads.flatMap((head, column) => {
    if (head.matches(".name, .pick")) return [];
    return [[head.textContent, ...rows.map((row) => side(row.cells[column]))]];
  });
}

// The lines of both in the tables of attacks and of facts, by what each line is called.
function detailed(rows, selector, listed) {
  const found = rows.map((row) => {
    const networks = fill(document.getElementById(row.dataset.id)).querySelectorAll(".network");
    return networks.length === 1 ? new Map(listed(networks[0], selector)) : new Map();
  });
  const names = [...new Set(found.flatMap((one) => [...one.keys()]))];
  return names.map((name) => [name, ...found.map((one) => side(one.get(name)))]);
}

function attackLines(network, selector) {
  const table = network.querySelector(selector);
  if (!table) return [];
  nameNumbers(table);
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
  return [...table.tBodies[0].rows].flatMap((row) =>
    [...row.cells].slice(1).flatMap((cell, place) =>
      cell.textContent === "-" ? [] : [[`${row.cells[0].textContent}: ${heads[place + 1]}`, cell]],
    ),
  );
}

function factLines(network, selector) {
  const wanted = ["settings", "matched by", "training", "audit", "trained by", "weights"];
  return [...network.querySelector(selector).children]
    .map((pair) => [pair.querySelector("dt").textContent, pair.querySelector("dd")])
    .filter(([name]) => wanted.includes(name));
}

// The paired difference of two rows, whichever stands first, as its table has it.
function difference(rows) {
  const [one, other] = rows.map(nameOf);
  const details = standingOf(rows[0]).querySelector("details.pairs");
  const filled = details && fill(details);
  const lines = filled ? [...filled.querySelectorAll("tbody tr")] : [];
  const pairs = [`${one} - ${other}`, `${other} - ${one}`];
  const line = lines.find((row) => pairs.includes(row.cells[0].textContent));
  if (!line) {
    const left = filled && filled.querySelector(".left-out");
    const textContent = left ? left.textContent : "No paired difference: one of them is not ranked.";
    return element("p", { textContent });
  }
  const table = line.closest("table").cloneNode(false);
  table.append(line.closest("table").tHead.cloneNode(true), element("tbody", {}, [line.cloneNode(true)]));
  return element("div", { className: "scroll" }, [table]);
}

function compareChosen() {
  const names = chosen.map(nameOf);
  const standing = standingOf(chosen[0]);
  const chart = element("div", { className: "chart" });
  const attacks = detailed(chosen, ".attacks", attackLines);
  const content = [
    element("h3", { textContent: "Paired difference in rho_correct of the envelope" }),
    difference(chosen),
    element("h3", { textContent: "Side by side" }),
    sides(names, summaries(chosen)),
    element("h3", { textContent: "Accuracy against the norm of the perturbation" }),
    chart,
    element("h3", { textContent: "Under each attack" }),
    attacks.length ? sides(names, attacks) : element("p", { textContent: "Of several training seeds: each seed's numbers stand behind its row." }),
    element("h3", { textContent: "Settings and provenance" }),
    sides(names, detailed(chosen, ".facts", factLines)),
  ];
  openPanel(`${names.join(" and ")}, matched at benign accuracy ${standing.dataset.at}`, ...content);
  drawPair(chart, standing.id, chosen.map((row) => row.dataset.id));
}

(function startCompare() {
  for (const table of rankings) {
    const head = element("th", { scope: "col", className: "pick", textContent: "compare" });
    table.tHead.rows[0].prepend(head);
    for (const row of rowsOf(table)) {
      const box = element("input", { type: "checkbox", ariaLabel: `Compare ${nameOf(row)}` });
      box.disabled = row.classList.contains("apart") && !row.querySelector("[data-n]");
      box.addEventListener("change", () => choose(row, box.checked));
      const cell = element("td", { className: "pick" }, [box]);
      cell.dataset.label = "compare";
      row.prepend(cell);
    }
  }
  const bar = document.getElementById("pair");
  bar.querySelector("[data-compare]").addEventListener("click", compareChosen);
  bar.querySelector("[data-clear]").addEventListener("click", clearChosen);
})();
