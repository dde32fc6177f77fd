// The trade list: sorted by any column, filtered, and only the rows in view are elements, so that
// 8,000 trades scroll like eight.

import { announce, choice, h, section, tone } from "./dom.js";
import { decimalsOf, number, percent, signed, time, words } from "./format.js";

const ROW_PIXELS = 28;
const ROWS_BEYOND = 8;

function columnsOf(run) {
  const { trades, market } = run, price = decimalsOf(market.tick_size);
  const money = (name, isResult) => row => {
    const value = trades[name][row];
    return [isResult ? signed(number(value), value) : number(value), isResult ? tone(value) : null];
  };
  const plain = (name, form) => row => [form(trades[name][row]), null];
  const by = name => row => trades[name][row];
  const priceText = value => number(value, price);
  const text = name => row => [trades[name](row), null];
  const held = row => trades.exit_bar[row] - trades.entry_bar[row] + 1;
  // Heading, width in pixels, cell, sort key, aligned left.
  return [
    ["#", 56, row => [String(row + 1), null], row => row],
    ["Side", 60, row => [trades.side[row] > 0 ? "long" : "short",
      trades.side[row] > 0 ? "long" : "short"], by("side"), true],
    ["Result", 92, money("pnl", true), by("pnl")],
    ["%", 76, row => [signed(percent(trades.pnl_ratio[row]).replace(" %", ""),
      trades.pnl_ratio[row]), tone(trades.pnl[row])], by("pnl_ratio")],
    ["Entry, UTC", 150, plain("entry_time", time), by("entry_time"), true],
    ["Price", 96, plain("entry_price", priceText), by("entry_price")],
    ["Exit, UTC", 150, plain("exit_time", time), by("exit_time"), true],
    ["Price", 96, plain("exit_price", priceText), by("exit_price")],
    ["Exit reason", 112, row => [trades.is_open[row] ? "still open"
      : words(trades.reason(row)), null], row => words(trades.reason(row)), true],
    ["Best", 84, money("mfe"), by("mfe")],
    ["Worst", 84, money("mae"), by("mae")],
    ["Bars", 64, row => [number(held(row), 0), null], held],
    ["Cumulative", 100, money("cumulative", true), by("cumulative")],
    ["Quantity", 92, row => [number(trades.qty[row], quantityDecimals(trades)), null], by("qty")],
    ["Commission", 98, money("fee"), by("fee")],
    ["Funding", 84, money("funding"), by("funding")],
    ["Slippage", 84, money("slippage"), by("slippage")],
    ["Entry name", 110, text("entry_name"), row => trades.entry_name(row), true],
    ["Exit name", 110, text("exit_name"), row => trades.exit_name(row), true],
  ];
}

const quantities = new WeakMap();

function quantityDecimals(trades) {
  if (!quantities.has(trades)) {
    let decimals = 0;
    for (const qty of trades.qty) decimals = Math.max(decimals, Math.min(8, decimalsOf(qty)));
    quantities.set(trades, decimals);
  }
  return quantities.get(trades);
}

/** A table of trades whose rows appear as they come into view. */
class TradeTable {
  constructor(run, choose) {
    this.run = run;
    this.choose = choose;
    this.columns = columnsOf(run);
    this.keep = { side: 0, result: 0, reason: "" };
    this.sorted = { column: 0, direction: 1 };
    this.active = -1;
    this.build();
    this.refresh();
  }

  build() {
    this.heads = this.columns.map(([title, , , , isLeft], column) => h("th", {
      scope: "col", class: isLeft ? "left" : null,
    }, h("button", { type: "button", onclick: () => this.sort(column) }, title)));
    this.body = h("tbody");
    const width = this.columns.reduce((sum, column) => sum + column[1], 0);
    const table = h("table", { class: "trades", style: `min-width:${width}px` },
      h("colgroup", {}, ...this.columns.map(column => h("col", { style: `width:${column[1]}px` }))),
      h("thead", {}, h("tr", {}, ...this.heads)), this.body);
    this.view = h("div", {
      class: "scroll trades-view", tabindex: "0", role: "region",
      "aria-label": "Trades: arrow keys move, Enter shows the trade on the chart",
    }, table);
    this.view.addEventListener("scroll", () => this.draw(), { passive: true });
    this.view.addEventListener("keydown", event => this.key(event));
    this.table = table;
    this.count = h("p", { class: "dim", id: "trades-count" });
  }

  filter(name, value) {
    this.keep[name] = value;
    this.refresh();
    announce(this.count.textContent);
  }

  sort(column) {
    const isSame = this.sorted.column === column;
    // Numbers are looked at from the largest down, texts and times from the first up.
    const first = this.columns[column][4] || column === 0 ? 1 : -1;
    this.sorted = { column, direction: isSame ? -this.sorted.direction : first };
    this.refresh();
  }

  refresh() {
    const { trades } = this.run, { side, result, reason } = this.keep;
    const rows = [];
    for (let row = 0; row < trades.count; row++) {
      if (side && trades.side[row] !== side) continue;
      if (result && Math.sign(trades.pnl[row]) !== result) continue;
      if (reason && trades.reason(row) !== reason) continue;
      rows.push(row);
    }
    const { column, direction } = this.sorted, key = this.columns[column][3];
    const keys = new Map(rows.map(row => [row, key(row)]));
    rows.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return (x < y ? -direction : x > y ? direction : 0) || a - b;
    });
    this.rows = rows;
    this.heads.forEach((head, place) => head.setAttribute("aria-sort",
      place !== column ? "none" : direction > 0 ? "ascending" : "descending"));
    const total = rows.reduce((sum, row) => sum + trades.pnl[row], 0);
    this.count.textContent = `${number(rows.length, 0)} of ${number(trades.count, 0)} trades, `
      + `together ${signed(number(total), total)}`;
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.view.scrollTop = 0;
    this.draw();
  }

  draw() {
    const height = this.view.clientHeight || 480;
    const from = Math.max(0, Math.floor(this.view.scrollTop / ROW_PIXELS) - ROWS_BEYOND);
    const to = Math.min(this.rows.length,
      from + Math.ceil(height / ROW_PIXELS) + 2 * ROWS_BEYOND);
    const space = rows => (rows > 0 ? [h("tr", { class: "space", "aria-hidden": "true" },
      h("td", { colspan: this.columns.length, style: `height:${rows * ROW_PIXELS}px` }))] : []);
    const shown = [];
    for (let place = from; place < to; place++) shown.push(this.line(place));
    this.body.replaceChildren(...space(from), ...shown, ...space(this.rows.length - to));
  }

  line(place) {
    const row = this.rows[place];
    return h("tr", {
      "aria-rowindex": place + 2, "data-row": row, class: row === this.active ? "active" : null,
      onclick: () => this.pick(row),
    }, ...this.columns.map(([, , cell, , isLeft]) => {
      const [text, side] = cell(row);
      return h("td", { class: [isLeft ? "left" : "", side ?? ""].join(" ").trim() || null,
        title: isLeft ? text : null }, text);
    }));
  }

  pick(row) {
    this.active = row;
    this.draw();
    this.choose(row);
  }

  /** Mark a trade that was chosen elsewhere and bring its row into view. */
  show(row) {
    this.active = row;
    const place = this.rows.indexOf(row);
    if (place >= 0) this.reveal(place);
    this.draw();
  }

  reveal(place) {
    const top = place * ROW_PIXELS, height = this.view.clientHeight - 2 * ROW_PIXELS;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    else if (top > this.view.scrollTop + height) this.view.scrollTop = top - height;
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
    if (event.target !== this.view || !this.rows.length) return;
    if (steps) {
      event.preventDefault();
      const place = this.rows.indexOf(this.active);
      const next = Math.min(this.rows.length - 1, Math.max(0, place < 0 ? 0 : place + steps));
      this.show(this.rows[next]);
      announce(this.columns.slice(0, 9).map(column => column[2](this.active)[0]).join(", "));
    } else if (event.key === "Enter" && this.active >= 0) {
      this.pick(this.active);
    }
  }
}

/** Return the trade list; `choose(row)` hears of a picked trade, `show(row)` marks one. */
export function tradesSection(run, choose) {
  if (!run.trades.count) {
    return { element: section("trades", "Trades", null, h("p", {}, "No trade was made.")),
      show: () => {} };
  }
  const table = new TradeTable(run, choose);
  const reasons = [...new Set(Array.from({ length: run.trades.count }, (_, row) =>
    run.trades.reason(row)))].sort();
  const select = h("select", { onchange: event => table.filter("reason", event.target.value) },
    h("option", { value: "" }, "any"),
    ...reasons.map(reason => h("option", { value: reason }, words(reason))));
  const element = section("trades", "Trades",
    "A row shows its trade on the chart; best and worst are the open result's extremes. All of "
    + "them, with every column: trades.csv beside this page",
    h("div", { class: "controls" },
      choice("Side", [["All", 0], ["Long", 1], ["Short", -1]], 0,
        side => table.filter("side", side)),
      choice("Result", [["All", 0], ["Gains", 1], ["Losses", -1]], 0,
        result => table.filter("result", result)),
      h("label", {}, "Exit reason ", select), table.count),
    table.view);
  return { element, show: row => table.show(row) };
}
