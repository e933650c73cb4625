// The charts, drawn from the numbers in the page once they come into view.
"use strict";

const numbers = JSON.parse(document.getElementById("data").textContent);
const LINES = 9;
const BARS = 24;

function shownIds(standing) {
  const table = standing.querySelector("table.ranking");
  return shownRows(table).map((row) => row.dataset.id);
}

async function drawRanking(holder) {
  const data = numbers[holder.dataset.of];
  const shownNow = new Set(shownIds(standingOf(holder)));
  const places = data.ranking.filter((one) => shownNow.has(one.row)).slice(0, BARS);
  const values = places.map((one) => {
    const row = data.rows[one.row];
    const [value, low, high] = one.value;
    return {
      name: `${one.rank}  ${row.name}`, row: one.row, value, low, high,
      tooltip: { defense: row.name, rank: String(one.rank), rho_correct: one.text, "matched by": row.by.join("; "), run: row.runs.join(", ") },
      colour: colour(row.place), shape: SHAPES[row.place % SHAPES.length],
      said: `${row.name}: rank ${one.rank}, rho_correct ${one.text}`,
    };
  });
  if (!values.length) return clear(holder);
  const y = { field: "name", type: "nominal", sort: null, title: null, axis: { ticks: false, domain: false, labelLimit: Math.min(300, 0.45 * holder.clientWidth) } };
  const x = { type: "quantitative", scale: { zero: true }, title: "rho_correct of the envelope", axis: { tickCount: 6 } };
  const { view } = await embed(holder, {
    height: values.length * Math.max(26, Math.min(44, 300 / Math.max(1, values.length))),
    data: { values },
    description: "Ranked defenses by rho_correct of the envelope, with 95 % intervals",
    encoding: { y, color: { field: "colour", type: "nominal", scale: null }, tooltip: { field: "tooltip" } },
    layer: [
      { mark: { type: "rule", strokeWidth: 3, opacity: 0.55, aria: false }, encoding: { x: { ...x, field: "low" }, x2: { field: "high" } } },
      {
        mark: { type: "point", filled: true, size: 120, opacity: 1, cursor: "pointer" },
        encoding: { x: { ...x, field: "value" }, shape: { field: "shape", type: "nominal", scale: null }, description: { field: "said" } },
      },
    ],
  });
  view.addEventListener("click", (event, item) => item?.datum?.row && openRow(item.datum.row));
  makeReachable(holder, () => {});
}

function linesOf(data, panelData, ids) {
  const byRow = new Map(panelData.lines.map((line) => [line.row, line]));
  return ids.map((id) => byRow.get(id)).filter(Boolean).slice(0, LINES);
}

function normsSpec(data, panelData, lines, height) {
  const rows = lines.map((line) => data.rows[line.row]);
  const as = named(rows.map((row) => row.name), rows.map((row) => row.place));
  const values = lines.flatMap((line, place) =>
    panelData.norms.map((norm, at) => ({
      name: rows[place].name, norm, accuracy: line.accuracy[at] / 10000, low: line.low[at] / 1000, high: line.high[at] / 1000,
    })),
  );
  const x = { field: "norm", type: "quantitative", title: "L2 norm of the perturbation (images in [0, 1])", scale: { nice: false }, axis: { tickCount: 8 } };
  const legend = { orient: "bottom", columns: holderColumns(), title: null, symbolType: "stroke", symbolSize: 500 };
  const color = { field: "name", type: "nominal", scale: { domain: as.domain, range: as.colours }, legend };
  return {
    height,
    data: { values },
    params: [{ name: "at", value: 0 }],
    description: `Accuracy left against the norm of the perturbation, under ${panelData.title}`,
    layer: [
      {
        mark: { type: "area", opacity: 0.13, interpolate: "monotone", aria: false },
        encoding: { x, y: { field: "low", type: "quantitative", title: "accuracy" }, y2: { field: "high" }, color },
      },
      {
        mark: { type: "line", strokeWidth: 2, interpolate: "monotone" },
        encoding: {
          x, y: { field: "accuracy", type: "quantitative", title: "accuracy" }, color,
          strokeDash: { field: "name", type: "nominal", scale: { domain: as.domain, range: as.dashes }, legend },
        },
      },
      {
        data: { values: [{}] }, transform: [{ calculate: "at", as: "norm" }],
        mark: { type: "rule", strokeDash: [3, 3], aria: false }, encoding: { x },
      },
    ],
  };
}

function holderColumns() {
  return innerWidth < 700 ? 1 : 2;
}

async function drawNorms(holder) {
  const figure = holder.closest("figure");
  const data = numbers[holder.dataset.of];
  const select = figure.querySelector("[data-panel]");
  if (!select.options.length) {
    data.panels.forEach((one, place) => select.append(element("option", { value: place, textContent: one.title })));
    select.addEventListener("change", () => drawNorms(holder));
  }
  const panelData = data.panels[Number(select.value)];
  if (!panelData) return void (figure.hidden = true);
  const lines = linesOf(data, panelData, shownIds(standingOf(holder)));
  if (!lines.length) {
    clear(holder);
    return readOut(figure.parentElement.querySelector(".readout"), data, [], 0);
  }
  const { view } = await embed(holder, normsSpec(data, panelData, lines, 300));
  const slide = figure.querySelector("[data-norm]");
  slide.max = panelData.norms.length - 1;
  const show = (place) => {
    slide.value = place;
    figure.querySelector("output").textContent = panelData.norms[place].toFixed(3);
    view.signal("at", panelData.norms[place]).runAsync();
    readOut(figure.parentElement.querySelector(".readout"), data, lines, place);
  };
  slide.oninput = () => show(Number(slide.value));
  view.addEventListener("pointermove", (event) => {
    const [left] = view.origin();
    const svg = holder.querySelector("svg").getBoundingClientRect();
    const norm = view.scale("x").invert(event.clientX - svg.left - left);
    const last = panelData.norms.at(-1);
    show(Math.round((Math.max(0, Math.min(norm, last)) / last) * (panelData.norms.length - 1)));
  });
  show(Math.round((panelData.norms.length - 1) / 4));
}

function readOut(table, data, lines, place) {
  table.tBodies[0].replaceChildren(
    ...lines.map((line) => {
      const row = data.rows[line.row];
      const interval = `[${(line.low[place] / 1000).toFixed(3)}, ${(line.high[place] / 1000).toFixed(3)}]`;
      return element("tr", {}, [
        element("th", { scope: "row" }, [element("span", { className: `dot v${row.place % COLOURS}`, ariaHidden: "true" }), row.name]),
        element("td", {}, [`${(line.accuracy[place] / 10000).toFixed(4)} `, element("small", { textContent: interval })]),
        element("td", { textContent: row.by.join("; ") }),
        element("td", {}, row.runs.map((run) => element("div", {}, [element("code", { textContent: run })]))),
      ]);
    }),
  );
}

async function drawRobustness(holder) {
  const figure = holder.closest("figure");
  const tracks = numbers[holder.dataset.of];
  const select = figure.querySelector("[data-track]");
  if (!select.options.length) {
    tracks.forEach((one, place) => select.append(element("option", { value: place, textContent: one.title })));
    select.addEventListener("change", () => drawRobustness(holder));
  }
  const track = tracks[Number(select.value)];
  const points = track.points.filter((one) => one.rho[0] !== null && one.benign[0] !== null);
  const values = points.map((one, order) => ({
    order, name: one.name, rho: one.rho[0], left: one.rho[1], right: one.rho[2],
    benign: one.benign[0], low: one.benign[1], high: one.benign[2],
    tooltip: { defense: one.name, settings: one.settings, "benign accuracy": one.at, rho: one.far, run: one.runs },
    said: `${one.label}: benign accuracy ${one.at}, rho ${one.far}, run ${one.runs}`,
  }));
  const placed = new Map([...points, ...track.published].map((one) => [one.name, one.place]));
  const as = named([...placed.keys()], [...placed.values()]);
  const legend = { orient: "bottom", columns: holderColumns(), title: null };
  const color = { field: "name", type: "nominal", scale: { domain: as.domain, range: as.colours }, legend };
  const shape = { field: "name", type: "nominal", scale: { domain: as.domain, range: as.shapes }, legend };
  const x = { field: "rho", type: "quantitative", title: "rho: mean L2 norm (images in [0, 1])", scale: { zero: false, padding: 16 }, axis: { tickCount: 10 } };
  const y = { field: "benign", type: "quantitative", title: "benign accuracy", scale: { zero: false, padding: 12 }, axis: { tickCount: 8 } };
  const silent = { aria: false, tooltip: null };
  const layer = [
    { mark: { type: "rule", opacity: 0.45, ...silent }, encoding: { x: { ...x, field: "left" }, x2: { field: "right" }, y, color } },
    { mark: { type: "rule", opacity: 0.45, ...silent }, encoding: { y: { ...y, field: "low" }, y2: { field: "high" }, x, color } },
    { mark: { type: "line", strokeWidth: 2, ...silent }, encoding: { x, y, color, order: { field: "order" } } },
    {
      mark: { type: "point", filled: true, size: 130, opacity: 1 },
      encoding: { x, y, color, shape, tooltip: { field: "tooltip" }, description: { field: "said" } },
    },
  ];
  if (track.published.length) {
    const published = track.published.map((one) => ({ ...one, tooltip: { defense: one.name, from: "the paper's plot", "benign accuracy": String(one.benign), rho: String(one.rho) } }));
    layer.push(
      { data: { values: published }, mark: { type: "line", strokeDash: [2, 3], ...silent }, encoding: { x, y, color } },
      { data: { values: published }, mark: { type: "point", filled: false, size: 90 }, encoding: { x, y, color, shape, tooltip: { field: "tooltip" } } },
    );
  }
  await embed(holder, { height: 380, data: { values }, layer, description: `Robustness curves under ${track.title}: benign accuracy against rho` });
  makeReachable(holder, (said) => (figure.querySelector(".spoken").textContent = said));
}

// The envelopes of two rows, for the panel that compares them.
function drawPair(holder, table, ids) {
  const data = numbers[table];
  const panelData = data.panels[0];
  if (!window.vegaEmbed || !panelData) return holder.remove();
  const lines = linesOf(data, panelData, ids);
  const spec = normsSpec(data, panelData, lines, 260);
  spec.layer.pop(); // the rule at the norm that is read out
  embed(holder, spec);
}

const DRAW = { ranking: drawRanking, norms: drawNorms, robustness: drawRobustness };

(function startCharts() {
  const draw = (holder) => DRAW[holder.dataset.chart](holder);
  const seen = new Set();
  addEventListener("load", () => {
    if (!window.vegaEmbed) return;
    const watch = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (!entry.isIntersecting || seen.has(entry.target)) continue;
          seen.add(entry.target);
          draw(entry.target);
        }
      },
      { rootMargin: "300px" },
    );
    for (const holder of document.querySelectorAll(".chart[data-chart]")) watch.observe(holder);
  });
  whenThemed.push(() => seen.forEach(draw));
  const waiting = new Map();
  whenArranged.push((table) => {
    clearTimeout(waiting.get(table));
    const holders = [...standingOf(table).querySelectorAll(".chart[data-chart]")];
    waiting.set(table, setTimeout(() => holders.filter((one) => seen.has(one)).forEach(draw), 150));
  });
})();
