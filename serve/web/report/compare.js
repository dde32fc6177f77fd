// Several runs side by side: one row each with the best value of a column marked, and their
// equities from a common start.

import { percentFormat, points, timeChart } from "./chart.js";
import { h, section } from "./dom.js";
import { percent, signed } from "./format.js";
import { shown } from "./metrics.js";
import { colour } from "./theme.js";

const { LineSeries, LineStyle } = window.LightweightCharts;
const POINTS_MAX = 1500;
const HUES = 8;

/** Return colour name and line style of a run: eight hues, then the same ones dashed. */
function lineOf(index) {
  const styles = [LineStyle.Solid, LineStyle.Dashed, LineStyle.Dotted, LineStyle.LargeDashed];
  return {
    hue: `line-${index % HUES + 1}`,
    lineStyle: styles[Math.floor(index / HUES) % styles.length],
  };
}

/** Return the values that are best in each column: the places of runs, or none. */
function bestOf(report) {
  return report.compared.map(([name, , best]) => {
    const values = report.runs.map(run => run.metrics[name]);
    const known = values.filter(value => value !== null);
    if (best === "none" || known.length < 2) return new Set();
    const top = best === "high" ? Math.max(...known) : Math.min(...known);
    // Where all are alike, none is better.
    if (known.every(value => value === top)) return new Set();
    return new Set(values.flatMap((value, place) => (value === top ? [place] : [])));
  });
}

function comparisonTable(report, runs, choose) {
  const metrics = new Map(report.metrics.map(metric => [metric.name, metric]));
  const best = bestOf(report);
  const rows = runs.map((run, place) => h("tr", { "data-run": place, onclick: () => choose(place) },
    h("th", { scope: "row" }, h("i", { class: `swatch ${lineOf(place).hue}`,
      "data-style": lineOf(place).lineStyle }),
      h("button", { type: "button", class: "plain" }, run.label)),
    ...report.compared.map(([name], column) => h("td", {
      class: best[column].has(place) ? "best" : null,
      title: best[column].has(place) ? "Best of this column" : null,
    }, shown(metrics.get(name), run.metrics[name])))));
  const body = h("tbody", {}, ...rows);
  let sorted = { column: -1, direction: 1 };
  function sort(column, isText, worstFirst) {
    const direction = sorted.column === column ? -sorted.direction : isText || worstFirst ? 1 : -1;
    sorted = { column, direction };
    const key = place => (isText ? runs[place].label : runs[place].metrics[
      report.compared[column][0]]);
    const order = runs.map((_, place) => place).sort((a, b) => {
      const x = key(a), y = key(b);
      // What is undefined stays below, whichever way one sorts.
      if (x === null || y === null) return (x === null) - (y === null);
      return (x < y ? -direction : x > y ? direction : 0) || a - b;
    });
    body.replaceChildren(...order.map(place => rows[place]));
    heads.forEach((head, at) => head.setAttribute("aria-sort",
      at - 1 !== column ? "none" : direction > 0 ? "ascending" : "descending"));
  }
  const heads = [
    h("th", { scope: "col", class: "left" }, h("button", { type: "button",
      onclick: () => sort(-1, true) }, "Run")),
    ...report.compared.map(([name, heading, is], column) => h("th", { scope: "col",
      title: metrics.get(name).formula }, h("button", { type: "button",
      onclick: () => sort(column, false, is === "low") }, heading))),
  ];
  const table = h("table", { class: "compare" }, h("thead", {}, h("tr", {}, ...heads)), body);
  return { element: h("div", { class: "scroll" }, table), rows };
}

function thinned({ equity, capital, bars }) {
  const returns = equity.map(value => value / capital - 1);
  return points(bars.time, returns, Math.ceil(equity.length / POINTS_MAX));
}

function comparisonChart(runs, host) {
  const canvas = h("div", { class: "plot compare", role: "img",
    "aria-label": "Return of each run over time" });
  host.append(canvas);
  const lines = [], drawn = runs.map(thinned);
  const values = drawn.flat().map(point => point.value);
  const span = values.reduce((top, value) => Math.max(top, value), -Infinity)
    - values.reduce((low, value) => Math.min(low, value), Infinity);
  const paint = () => lines.forEach((line, place) => line.applyOptions(
    { color: colour(lineOf(place).hue) }));
  const { chart } = timeChart(canvas, paint);
  for (const place of runs.keys()) {
    const line = chart.addSeries(LineSeries, {
      lineWidth: 2, lineStyle: lineOf(place).lineStyle, priceLineVisible: false,
      lastValueVisible: false, priceFormat: percentFormat(span),
    });
    line.setData(drawn[place]);
    lines.push(line);
  }
  paint();
  chart.timeScale().fitContent();
  return chosen => lines.forEach((line, place) => line.applyOptions(
    { lineWidth: place === chosen ? 3 : chosen === null ? 2 : 1 }));
}

/** Put the comparison of all runs into `host`; `choose(place)` shows one of them. */
export function addComparison(report, runs, host, choose) {
  const { element, rows } = comparisonTable(report, runs, choose);
  const ends = runs.map(run => run.equity[run.equity.length - 1] / run.capital - 1);
  const top = ends.indexOf(Math.max(...ends));
  const part = section("compare", "Comparison",
    `${runs.length} runs; ahead at the end: ${runs[top].label} `
    + `(${signed(percent(ends[top]), ends[top])})`,
    element, h("h3", {}, "Return of equity, percent of capital"));
  host.append(part);
  const emphasise = comparisonChart(runs, part);
  rows.forEach((row, place) => {
    row.addEventListener("pointerenter", () => emphasise(place));
    row.addEventListener("pointerleave", () => emphasise(null));
  });
}
