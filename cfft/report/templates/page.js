"use strict";

const charts = JSON.parse(document.getElementById("charts").textContent);
const views = {};

/* Turn rows of arrays into the objects that Vega reads. */
function objects({ fields, rows }) {
  return rows.map((row) => Object.fromEntries(fields.map((name, i) => [name, row[i]])));
}

async function draw(name) {
  const options = { renderer: "svg", actions: false, tooltip: { theme: "page" } };
  const drawn = await vegaEmbed(`#chart-${name}`, charts[name].spec, options);
  views[name] = drawn.view;
  await choose(name, document.getElementById(`choose-${name}`).value);
}

async function choose(name, number) {
  for (const panel of document.querySelectorAll(`[data-panel^="${name}-"]`)) {
    panel.hidden = panel.dataset.panel !== `${name}-${number}`;
  }
  if (!views[name]) return;
  const panel = charts[name].panels[number];
  document.getElementById(`chart-${name}`).closest("figure").hidden = !panel;
  for (const [data, rows] of Object.entries(panel ?? {})) views[name].data(data, objects(rows));
  await views[name].resize().runAsync();
}

/* Numbers by size, words by the alphabet; cells without a value come last either way. */
function compare(a, b, isNumeric) {
  return isNumeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true });
}

function sort(heading) {
  const index = heading.cellIndex;
  const body = heading.closest("table").tBodies[0];
  const isNumeric = heading.classList.contains("figure");
  const first = isNumeric ? "descending" : "ascending";
  const other = isNumeric ? "ascending" : "descending";
  const order = heading.getAttribute("aria-sort") === first ? other : first;
  const sign = order === "ascending" ? 1 : -1;
  const value = (row) => row.cells[index].dataset.value;
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * compare(x, y, isNumeric);
  });
  for (const each of heading.parentElement.cells) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  body.append(...rows);
}

/* The browser may refuse to remember: the theme then holds for this page alone. */
function remembered(theme) {
  try {
    if (theme) localStorage.setItem("cfft-theme", theme);
    return localStorage.getItem("cfft-theme");
  } catch {
    return theme;
  }
}

function show(theme) {
  document.documentElement.dataset.theme = theme;
  document.querySelector(`input[name="theme"][value="${theme}"]`).checked = true;
}

function enlarge(image) {
  const dialog = document.getElementById("larger");
  Object.assign(dialog.querySelector("img"), { src: image.src, alt: image.alt });
  dialog.querySelector("p").textContent = image.alt;
  dialog.showModal();
}

function showDifferences(isOnly) {
  for (const row of document.getElementById("table-configuration").tBodies[0].rows) {
    const values = new Set([...row.cells].slice(1).map((cell) => cell.textContent));
    row.hidden = isOnly && values.size === 1;
  }
}

/* On paper nothing can be chosen: every panel of a chart stands there, each under its name. */
async function drawAll(name) {
  const select = document.getElementById(`choose-${name}`);
  const chosen = document.getElementById(`chart-${name}`);
  for (const [number, panel] of charts[name].panels.entries()) {
    if (!panel) continue;
    const place = document.createElement("div");
    const title = document.createElement("h4");
    place.className = "chart";
    title.textContent = select.options[number].textContent;
    const own = document.querySelector(`[data-panel="${name}-${number}"]`);
    if (own) own.prepend(place);
    else chosen.before(title, place);
    const options = { renderer: "svg", actions: false, tooltip: false };
    const { view } = await vegaEmbed(place, charts[name].spec, options);
    for (const [data, rows] of Object.entries(panel)) view.data(data, objects(rows));
    await view.resize().runAsync();
  }
  chosen.hidden = true;
}

/* A table that is wider than the paper becomes several, each with the first column. */
function splitTable(table, room) {
  const widths = [...table.tHead.rows[0].cells].map((cell) => cell.getBoundingClientRect().width);
  if (widths.reduce((sum, width) => sum + width, 0) <= room) return;
  const groups = [];
  let used = Infinity;
  for (const [index, width] of widths.entries()) {
    if (index === 0) continue;
    if (used + width > room) {
      groups.push(new Set());
      used = widths[0];
    }
    groups.at(-1).add(index);
    used += width;
  }
  for (const kept of groups) {
    const part = table.cloneNode(true);
    part.removeAttribute("id");
    part.classList.add("part");
    for (const row of part.rows) {
      for (let index = row.cells.length - 1; index > 0; index--) {
        if (!kept.has(index)) row.deleteCell(index);
      }
    }
    table.before(part);
  }
  table.hidden = true;
}

const ROOM_ON_PAPER = 1000;

function prepareForPaper() {
  for (const details of document.querySelectorAll("details")) {
    details.dataset.wasOpen = details.open;
    details.open = true;
  }
  for (const table of document.querySelectorAll("main table:not(.part, [hidden])")) {
    splitTable(table, ROOM_ON_PAPER);
  }
}

function afterPaper() {
  for (const part of document.querySelectorAll("table.part")) part.remove();
  for (const table of document.querySelectorAll("main table[hidden]")) table.hidden = false;
  for (const details of document.querySelectorAll("details")) {
    details.open = details.dataset.wasOpen === "true";
  }
}

async function printAll() {
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = false;
  for (const figure of document.querySelectorAll("figure[hidden]")) figure.hidden = false;
  for (const name of Object.keys(charts)) await drawAll(name);
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].filter((i) => i.src).map((i) => i.decode()));
  prepareForPaper();
  document.documentElement.dataset.printed = "yes";
}

for (const heading of document.querySelectorAll(".sortable thead th")) {
  heading.querySelector("button").addEventListener("click", () => sort(heading));
}
for (const select of document.querySelectorAll("select[data-chart]")) {
  select.addEventListener("change", () => choose(select.dataset.chart, select.value));
}
for (const radio of document.querySelectorAll("input[name=theme]")) {
  radio.addEventListener("change", () => show(remembered(radio.value) ?? radio.value));
}
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => enlarge(button.querySelector("img")));
}
document.getElementById("only-differences")?.addEventListener("change", (event) => {
  showDifferences(event.target.checked);
});
show(remembered() ?? "auto");
if (location.hash === "#print") {
  printAll();
} else {
  addEventListener("beforeprint", prepareForPaper);
  addEventListener("afterprint", afterPaper);
  Promise.all(Object.keys(charts).map(draw)).then(() => {
    document.documentElement.dataset.drawn = "yes";
  });
}
