// The figures of a run: cards of the main ones, and all of them by side in one table.

import { h, section, tone } from "./dom.js";
import { UNDEFINED, figure, signed } from "./format.js";
import { hinted } from "./hint.js";

// Of these the sign is the message; of a drawdown or a cost it is not.
const SIGNED = /^(net_profit|cagr|return_ratio|expectancy|pnl|outperformance|buy_and_hold|funding)/;
const GAINS = /^(net_profit|cagr|return_ratio|expectancy|pnl|outperformance)/;

/** Return a metric's value as text with its sign, coloured where it is a result. */
export function shown(metric, value) {
  const text = figure(metric, value);
  if (text === UNDEFINED) return h("span", { class: "dim", title: "Undefined for this run" }, text);
  if (!SIGNED.test(metric.name)) return h("span", {}, text);
  return h("span", { class: GAINS.test(metric.name) ? tone(value) : null }, signed(text, value));
}

function meaning(metric) {
  return [metric.label, `= ${metric.formula}`, metric.source];
}

/** Return the cards of a run. */
export function cards(report, run) {
  const byName = new Map(report.metrics.map(metric => [metric.name, metric]));
  return h("ul", { class: "cards" }, ...report.cards.map(([title, first, more, second]) => {
    const main = byName.get(first), other = byName.get(second);
    const card = h("li", { class: "card" },
      h("span", { class: "card-label" }, title),
      h("strong", {}, shown(main, run.metrics[first])),
      h("span", { class: "card-more" }, shown(other, run.metrics[second]), ` ${more}`));
    return hinted(card, `${main.label} = ${main.formula}`, `${other.label} = ${other.formula}`);
  }));
}

/** Return metrics by group and label, then by side: the amount and the percentage of a cell. */
function rowsOf(metrics) {
  const groups = new Map();
  for (const metric of metrics) {
    if (!groups.has(metric.group)) groups.set(metric.group, new Map());
    const rows = groups.get(metric.group);
    if (!rows.has(metric.label)) rows.set(metric.label, { all: [], long: [], short: [] });
    rows.get(metric.label)[metric.side].push(metric);
  }
  return groups;
}

/** Return a cell of two places as in TradingView's report: an amount, and a percentage. */
function cell(metrics, run) {
  return h("td", {}, h("div", { class: "pair" }, ...metrics.map(metric => h("span", {
    class: metric.unit === "ratio" ? "share" : "amount",
  }, shown(metric, run.metrics[metric.name])))));
}

/** Return the table of all metrics. */
export function metricsSection(report, run) {
  const bodies = [...rowsOf(report.metrics)].map(([group, rows]) => h("tbody", {},
    h("tr", { class: "group" }, h("th", { colspan: "4", scope: "rowgroup" },
      group[0].toUpperCase() + group.slice(1))),
    ...[...rows].map(([label, sides]) => {
      const some = sides.all[0] ?? sides.long[0] ?? sides.short[0];
      const name = h("th", { scope: "row" },
        hinted(h("span", { class: "explained" }, label), ...meaning(some)));
      return h("tr", {}, name, ...["all", "long", "short"].map(side => cell(sides[side], run)));
    })));
  return section("metrics", "All metrics",
    `${report.metrics.length} figures; ${UNDEFINED} is undefined, an empty cell has no such side`,
    h("div", { class: "scroll" }, h("table", { class: "metrics" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Metric"),
        ...["All", "Long", "Short"].map(side => h("th", { scope: "col" }, side)))),
      ...bodies)));
}
