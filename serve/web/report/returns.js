// What equity did: month by month, and its deepest falls and highest rises.

import { h, section, tone } from "./dom.js";
import { UNDEFINED, day, duration, number, percent, signed } from "./format.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SHADE_MAX = 45;

function returnCell(value, scale, attributes = {}) {
  if (value === undefined) return h("td", attributes);
  if (value === null) return h("td", { ...attributes, class: "dim" }, UNDEFINED);
  const share = Math.round(Math.min(1, Math.abs(value) / scale) * SHADE_MAX);
  const side = value < 0 ? "loss" : "gain";
  const style = `background:color-mix(in srgb,var(--${side}) ${share}%,var(--page))`;
  return h("td", { style, ...attributes }, signed(percent(value, 1).replace(" %", ""), value));
}

/** Return the heat map of monthly returns, a row a year. */
export function monthsSection(run) {
  const years = new Map();
  for (const [year, month, value] of run.months) {
    if (!years.has(year)) years.set(year, new Array(12).fill(undefined));
    years.get(year)[month - 1] = value;
  }
  const sizes = run.months.map(([, , value]) => Math.abs(value ?? 0)).sort((a, b) => a - b);
  // One extreme month must not bleach the others.
  const scale = sizes[Math.floor((sizes.length - 1) * 0.9)] || sizes[sizes.length - 1] || 1;
  const rows = [...years].map(([year, months]) => {
    const known = months.filter(value => value !== undefined);
    const total = known.includes(null) ? null
      : known.reduce((product, value) => product * (1 + value), 1) - 1;
    return h("tr", {}, h("th", { scope: "row" }, String(year)),
      ...months.map(value => returnCell(value, scale)),
      returnCell(total, scale * 3, { class: "total" }));
  });
  return section("months", "Monthly returns",
    "Percent, of equity at bar closes; months in UTC, the year compounded",
    h("div", { class: "scroll" }, h("table", { class: "heat" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Year"),
        ...MONTHS.map(month => h("th", { scope: "col" }, month)),
        h("th", { scope: "col", class: "total" }, "Year"))),
      h("tbody", {}, ...rows))));
}

function periodTable(run, title, turn, periods, isFall) {
  if (!periods.length) {
    return h("div", {}, h("h3", {}, title), h("p", { class: "dim" },
      isFall ? "Equity never fell below an earlier peak." : "Equity never rose above a low."));
  }
  const { time } = run.bars, last = time[time.length - 1];
  const at = bar => time[Math.max(0, bar)];
  const rows = periods.map(([from, turned, end, quote, ratio], row) => h("tr", {},
    h("td", {}, String(row + 1)),
    h("td", { class: tone(isFall ? -1 : 1) }, 
      ratio === null ? UNDEFINED : `${isFall ? "−" : "+"}${percent(ratio)}`),
    h("td", {}, number(quote)),
    h("td", {}, day(at(from))), h("td", {}, day(at(turned))),
    h("td", {}, end === null ? "not yet" : day(at(end))),
    h("td", {}, duration(at(turned) - at(from))),
    h("td", {}, duration((end === null ? last : at(end)) - at(from)))));
  const heads = ["", isFall ? "Depth" : "Height", "In quote", "Start", turn,
    isFall ? "Recovered" : "Given back", `To ${turn.toLowerCase()}`, "In all"];
  const table = h("table", { class: "tight" },
    h("thead", {}, h("tr", {}, ...heads.map(head => h("th", { scope: "col" }, head)))),
    h("tbody", {}, ...rows));
  return h("div", {}, h("h3", {}, title), h("div", { class: "scroll" }, table));
}

/** Return the tables of the largest drawdowns and run-ups. */
export function periodsSection(run) {
  return section("periods", "Drawdowns and run-ups",
    "Of equity at bar closes: from a peak until it is reached again, from a low until it is "
    + "reached again",
    h("div", { class: "two" },
      periodTable(run, "Deepest drawdowns", "Trough", run.drawdowns, true),
      periodTable(run, "Highest run-ups", "Peak", run.run_ups, false)));
}
