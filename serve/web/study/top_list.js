// The best sets: their values, their figures, and whether the reference engine gave the same
// trades.

import { h, section } from "../report/dom.js";
import { hinted } from "../report/hint.js";
import { shown } from "../report/metrics.js";
import { axisLabel } from "./study_model.js";

// Name and heading of the figures beside the objective.
const FIGURES = [["return_ratio", "Return"], ["cagr_ratio", "CAGR"],
  ["drawdown_ratio_max", "Drawdown"], ["sharpe", "Sharpe"], ["calmar", "Calmar"],
  ["profit_factor", "Profit factor"], ["win_ratio", "Win rate"], ["trades", "Trades"],
  ["exposure_ratio", "Exposure"], ["fees_quote", "Commission"]];
const VERDICTS = new Map([[true, "verified"], ["reference", "reference"], [false, "differs"],
  [null, "not checked"]]);

function figuresOf(model) {
  const heading = new Map(FIGURES).get(model.objective.name) ?? model.objective.label;
  const others = FIGURES.filter(([name]) => name !== model.objective.name);
  return [[model.objective, heading], ...others.map(([name, text]) => [model.metric(name), text])];
}

function columnsOf(model) {
  const hasMarkets = model.axes.some(axis => axis.name === "market");
  const names = Object.keys(model.winners[0].values);
  return [
    ...(hasMarkets
      ? [{ text: "Market", key: winner => winner.market, cell: winner => winner.market }] : []),
    ...names.map(name => ({
      text: axisLabel(name), key: winner => winner.values[name][1],
      cell: winner => winner.values[name][0],
    })),
    ...figuresOf(model).map(([metric, text]) => ({
      text, metric, key: winner => winner.metrics[metric.index],
      cell: winner => shown(metric, winner.metrics[metric.index]),
    })),
  ];
}

function verdict(winner, page) {
  const text = VERDICTS.get(winner.verified);
  const mark = h("span", { class: `verdict ${text.replace(" ", "-")}` },
    winner.verified === true ? "✓ " : "", text);
  return page ? [mark, " · ", h("a", { href: page }, "report")] : [mark];
}

/** Return the section with the list of the best. */
export function topSection(model) {
  const { winners } = model;
  if (!winners.length) {
    return section("top", "Best sets", null, h("p", { class: "notice" },
      "No set fulfils the constraints with a defined objective."));
  }
  const columns = columnsOf(model);
  const rows = winners.map((winner, place) => h("tr", { "data-set": winner.set_id },
    h("th", { scope: "row" }, String(place + 1)), h("td", { class: "left" },
      ...verdict(winner, place === 0 ? model.best_page : null)),
    ...columns.map(column => h("td", {
      class: column.metric === model.objective ? "objective" : null,
    }, column.cell(winner)))));
  const body = h("tbody", {}, ...rows);
  let sorted = { column: null, direction: 1 };
  function sort(column) {
    const isSame = sorted.column === column;
    const first = column.metric?.is_larger_better ? -1 : 1;
    sorted = { column, direction: isSame ? -sorted.direction : first };
    const order = [...winners.keys()].sort((a, b) => {
      const x = column.key(winners[a]), y = column.key(winners[b]);
      // What is undefined stays below, whichever way one sorts.
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return (x < y ? -sorted.direction : x > y ? sorted.direction : 0) || a - b;
    });
    body.replaceChildren(...order.map(place => rows[place]));
    heads.forEach((head, at) => head.setAttribute("aria-sort", columns[at] !== column ? "none"
      : sorted.direction > 0 ? "ascending" : "descending"));
  }
  const heads = columns.map(column => {
    const button = h("button", { type: "button", onclick: () => sort(column) }, column.text);
    if (column.metric) hinted(button, column.metric.label, `= ${column.metric.formula}`);
    return h("th", { scope: "col", "aria-sort": "none" }, button);
  });
  const isAll = winners.every(winner => winner.verified === true);
  return section("top", "Best sets", isAll
    ? "Each was run again on the reference engine, which gave the same trades"
    : "Verified: run again on the reference engine, which gave the same trades. Reference: made "
      + "by that engine itself, since no faster one runs such a set",
  h("div", { class: "scroll" }, h("table", { class: "top" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "#"),
      h("th", { scope: "col", class: "left" }, "Checked"), ...heads)), body)));
}
