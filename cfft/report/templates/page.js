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
Promise.all(Object.keys(charts).map(draw)).then(() => {
  document.documentElement.dataset.drawn = "yes";
});
