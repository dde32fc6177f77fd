// How the results of closed trades spread: over size, exit reason, hour and weekday of the entry.

import { choice, h, section } from "./dom.js";
import { number, percent, signed, words } from "./format.js";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const BINS = 24;
const HOUR_MS = 3_600_000;

function niceStep(raw) {
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= raw * (1 - 1e-9));
}

/** Return upright bars around a zero line: [label, value, title, tone]. */
export function bars(label, entries, everyLabel = 1) {
  const high = Math.max(0, ...entries.map(entry => entry[1]));
  const low = Math.min(0, ...entries.map(entry => entry[1]));
  const span = high - low || 1;
  const limits = [high, low].filter(Boolean).map(value => h("span", {
    style: `bottom:${(value - low) / span * 100}%`,
  }, number(value, 0)));
  return h("div", { class: "bars", role: "img", "aria-label": label },
    h("div", { class: "limits" }, ...limits),
    ...entries.map(([name, value, title, side], place) => {
      const height = Math.abs(value) / span * 100;
      const bottom = (Math.min(0, value) - low) / span * 100;
      return h("div", { class: "bar", title },
        h("div", { class: "bar-room" },
          h("i", { class: side, style: `height:${height}%;bottom:${bottom}%` }),
          h("b", { style: `bottom:${-low / span * 100}%` })),
        h("span", {}, place % everyLabel ? "" : name));
    }));
}

function histogram(trades, rows) {
  const values = Float64Array.from(rows, row => trades.pnl_ratio[row]).sort();
  const at = share => values[Math.floor((values.length - 1) * share)];
  // The outermost two percent share the last bins, or a single trade would flatten the rest.
  const from = at(0.02), to = at(0.98);
  const step = niceStep(Math.max((to - from) / BINS, 1e-5));
  const first = Math.floor(from / step), last = Math.max(first, Math.ceil(to / step) - 1);
  const counts = new Array(last - first + 1).fill(0);
  for (const value of values) {
    counts[Math.min(last, Math.max(first, Math.floor(value / step))) - first]++;
  }
  const decimals = step < 0.001 ? 2 : 1;
  const edge = place => percent((first + place) * step, decimals);
  const entries = counts.map((count, place) => [
    percent((first + place) * step, decimals).replace(" %", ""), count,
    `${place ? edge(place) : "below"} to ${place < counts.length - 1 ? edge(place + 1) : "above"}: `
    + `${number(count, 0)} trades`,
    first + place < 0 ? "loss" : "gain"]);
  return bars(`Histogram of ${values.length} results`, entries, Math.ceil(counts.length / 8));
}

function sums(rows, trades, count, placeOf) {
  const totals = Array.from({ length: count }, () => ({ trades: 0, wins: 0, pnl: 0 }));
  for (const row of rows) {
    const total = totals[placeOf(row)];
    total.trades++;
    total.wins += trades.pnl[row] > 0;
    total.pnl += trades.pnl[row];
  }
  return totals;
}

function byTime(title, names, totals, everyLabel) {
  return bars(title, totals.map((total, place) => [names[place], total.pnl,
    `${names[place]}: ${signed(number(total.pnl), total.pnl)} in ${total.trades} trades`
    + (total.trades ? `, ${percent(total.wins / total.trades, 0)} won` : ""),
    total.pnl < 0 ? "loss" : "gain"]), everyLabel);
}

function byReason(rows, trades) {
  const reasons = [...new Set(rows.map(trades.reason))];
  const totals = sums(rows, trades, reasons.length, row => reasons.indexOf(trades.reason(row)));
  const order = [...reasons.keys()].sort((a, b) => totals[b].trades - totals[a].trades);
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ...["Exit reason", "Trades", "Won", "Net", "Each"].map(
      head => h("th", { scope: "col" }, head)))),
    h("tbody", {}, ...order.map(place => {
      const { trades: count, wins, pnl } = totals[place];
      const side = pnl > 0 ? "gain" : pnl < 0 ? "loss" : null;
      return h("tr", {}, h("th", { scope: "row" }, words(reasons[place])),
        h("td", {}, number(count, 0)), h("td", {}, percent(wins / count, 0)),
        h("td", { class: side }, signed(number(pnl), pnl)),
        h("td", { class: side }, signed(number(pnl / count), pnl)));
    }))));
}

function panels(run, side) {
  const { trades } = run, rows = [];
  for (let row = 0; row < trades.count; row++) {
    if (!trades.is_open[row] && (side === 0 || trades.side[row] === side)) rows.push(row);
  }
  if (!rows.length) return [h("p", { class: "dim" }, "No closed trade on this side.")];
  const hours = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, "0"));
  const entry = row => trades.entry_time[row];
  const panel = (title, body) => h("div", { class: "panel" }, h("h3", {}, title), body);
  return [
    panel("Result of a trade, percent", histogram(trades, rows)),
    panel("By exit reason", byReason(rows, trades)),
    panel("Net result by hour of entry, UTC", byTime("Net result by hour of entry", hours,
      sums(rows, trades, 24, row => Math.floor(entry(row) / HOUR_MS) % 24), 3)),
    // 1970-01-01 was a Thursday.
    panel("Net result by weekday of entry, UTC", byTime("Net result by weekday of entry", DAYS,
      sums(rows, trades, 7, row => (Math.floor(entry(row) / (24 * HOUR_MS)) + 3) % 7), 1)),
  ];
}

/** Return the charts of how results spread. */
export function distributionSection(run) {
  const body = h("div", { class: "two", id: "spread" }, ...panels(run, 0));
  return section("distribution", "Distribution of trades", null,
    h("div", { class: "controls" }, choice("Side", [["All", 0], ["Long", 1], ["Short", -1]], 0,
      side => body.replaceChildren(...panels(run, side)))), body);
}
