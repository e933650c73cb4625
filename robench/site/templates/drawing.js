// How charts look, and how Vega is told to draw one.
"use strict";

const SHAPES = [
  "circle", "square", "triangle-up", "diamond", "triangle-down", "cross",
  "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z",
  "M0,-1L.25,-.35L1,-.3L.4,.15L.6,.9L0,.45L-.6,.9L-.4,.15L-1,-.3L-.25,-.35Z",
  "triangle-left", "triangle-right",
];
const DASHES = [[1, 0], [8, 3], [2, 2], [9, 3, 2, 3], [5, 2], [6, 2, 2, 2, 2, 2], [14, 3], [3, 5], [11, 3, 5, 3]];
const COLOURS = 9;
const drawn = new Map();

function variable(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function colour(place) {
  return variable(`--v${place % COLOURS}`);
}

function config() {
  const [text, soft, line] = ["--text", "--soft", "--line"].map(variable);
  return {
    background: null,
    font: 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
    view: { stroke: line },
    axis: {
      labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400, labelLimit: 190, gridOpacity: 0.7,
    },
    legend: {
      labelColor: text, titleColor: soft, labelFontSize: 12, labelLimit: Math.min(300, innerWidth - 150), rowPadding: 4, columnPadding: 18,
      symbolSize: 110, symbolStrokeWidth: 2, symbolOpacity: 1,
    },
    text: { color: text },
    rule: { color: soft },
  };
}

function tip(handler, event, item, value) {
  const box = document.getElementById("tip");
  box.hidden = !value;
  if (!value) return;
  const pairs = Object.entries(value).flatMap(([name, text]) => [
    element("dt", { textContent: name }),
    element("dd", { textContent: text }),
  ]);
  box.replaceChildren(element("dl", {}, pairs));
  const size = box.getBoundingClientRect();
  box.style.left = `${Math.max(6, Math.min(event.clientX + 14, innerWidth - size.width - 6))}px`;
  box.style.top = `${Math.max(6, Math.min(event.clientY + 14, innerHeight - size.height - 6))}px`;
}

function clear(holder) {
  drawn.get(holder)?.finalize();
  drawn.delete(holder);
  holder.replaceChildren();
}

async function embed(holder, spec) {
  drawn.get(holder)?.finalize();
  const options = {
    actions: false, renderer: "svg", ast: true, defaultStyle: false, tooltip: tip, config: config(), mode: "vega-lite",
  };
  const result = await window.vegaEmbed(holder, { width: "container", autosize: { type: "fit-x", contains: "padding" }, ...spec }, options);
  drawn.set(holder, result);
  return result;
}

// Marks that tell something can be reached by Tab, and say it as the pointer would.
function makeReachable(holder, say) {
  for (const mark of holder.querySelectorAll("path[aria-label]")) {
    mark.tabIndex = 0;
    mark.addEventListener("focus", () => say(mark.getAttribute("aria-label")));
  }
}

function named(names, places) {
  return {
    domain: names,
    colours: names.map((name, place) => colour(places[place])),
    shapes: names.map((name, place) => SHAPES[places[place] % SHAPES.length]),
    dashes: names.map((name, place) => DASHES[(places[place] + places.slice(0, place).filter((one) => one % COLOURS === places[place] % COLOURS).length) % DASHES.length]),
  };
}
