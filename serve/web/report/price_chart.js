// Price with the trades of a run: candles, entries and exits, stop and target of the one looked at.

import { SECOND_MS, priceFormat, timeChart } from "./chart.js";
import { announce, choice, h, tone, unchoose } from "./dom.js";
import { decimalsOf, number, percent, signed, time, words } from "./format.js";
import { colour } from "./theme.js";
import { TradeIndex, TradeLayer } from "./trade_layer.js";

const { CandlestickSeries } = window.LightweightCharts;
const DAY_MS = 86_400_000;
const BARS_AROUND = 30;
const PIXELS_NEAR = 40;

function candles(bars) {
  const out = new Array(bars.time.length);
  for (let bar = 0; bar < out.length; bar++) {
    out[bar] = {
      time: bars.time[bar] / SECOND_MS, open: bars.open[bar], high: bars.high[bar],
      low: bars.low[bar], close: bars.close[bar],
    };
  }
  return out;
}

/**
 * Put the chart of a run's price into `host`; `choose(row)` hears of picked trades.
 * Of what is returned, `focus(row)` zooms to a trade.
 */
export function priceChart(run, host, choose) {
  const { bars, trades } = run;
  const decimals = decimalsOf(run.market.tick_size);
  const read = h("p", { class: "read", "aria-hidden": "true" });
  const canvas = h("div", {
    class: "plot price", tabindex: "0", role: "img",
    "aria-label": `Price with ${trades.count} trades; arrow keys go from trade to trade`,
  });
  const controls = h("div", { class: "controls" });
  host.append(h("div", { class: "chart" }, controls, read, canvas));
  let series;
  const { chart, remove } = timeChart(canvas, paint, { logo: true });
  series = chart.addSeries(CandlestickSeries, {
    priceLineVisible: false, lastValueVisible: false,
    priceFormat: priceFormat(value => number(value, decimals), run.market.tick_size),
  });
  paint();
  series.setData(candles(bars));
  const index = new TradeIndex(trades), layer = new TradeLayer(run, index);
  series.attachPrimitive(layer);
  const last = bars.time.length - 1, scale = chart.timeScale();
  let selected = -1;

  function paint() {
    series?.applyOptions({
      upColor: colour("page"), downColor: colour("candle"), borderUpColor: colour("candle"),
      borderDownColor: colour("candle"), wickUpColor: colour("candle"),
      wickDownColor: colour("candle"),
    });
  }
  function tell(bar, row) {
    const price = name => h("span", {}, `${name[0].toUpperCase()} `,
      h("b", {}, number(bars[name][bar], decimals)));
    read.replaceChildren(h("span", {}, `${time(bars.time[bar])} UTC`),
      ...["open", "high", "low", "close"].map(price),
      ...(row >= 0 ? [tradeLine(trades, row, decimals)] : []));
  }
  function near(point, logical) {
    const at = Math.round(logical);
    let best = -1, distance = PIXELS_NEAR;
    for (const row of index.within(at, at)) {
      const { x1, x2, y1, y2 } = layer.corners(row);
      const share = x2 > x1 ? Math.min(1, Math.max(0, (point.x - x1) / (x2 - x1))) : 0;
      const away = Math.abs(y1 + share * (y2 - y1) - point.y);
      if (away < distance) [best, distance] = [row, away];
    }
    return best;
  }
  tell(last, -1);
  chart.subscribeCrosshairMove(({ logical, point }) => {
    if (logical === undefined || logical === null || !point) {
      layer.mark("hovered", -1);
      tell(last, selected);
      return;
    }
    const row = near(point, logical);
    layer.mark("hovered", row);
    tell(Math.min(last, Math.max(0, Math.round(logical))), row >= 0 ? row : selected);
  });
  chart.subscribeClick(({ logical, point }) => {
    const row = point ? near(point, logical) : -1;
    if (row < 0) return;
    select(row);
    choose(row);
  });

  function select(row) {
    selected = row;
    layer.mark("selected", row);
    tell(trades.exit_bar[row], row);
  }
  function focus(row) {
    const from = trades.entry_bar[row], to = trades.exit_bar[row];
    const around = Math.max(BARS_AROUND, to - from);
    select(row);
    unchoose(ranges);
    scale.setVisibleLogicalRange({ from: from - around, to: to + around });
    announce(`Trade ${row + 1}: ${tradeLine(trades, row, decimals).textContent}`);
  }
  function step(by) {
    const row = Math.min(trades.count - 1, Math.max(0, selected < 0 ? 0 : selected + by));
    if (!trades.count) return;
    focus(row);
    choose(row);
  }
  function showDays(days) {
    if (days === null) return scale.fitContent();
    const range = scale.getVisibleLogicalRange();
    const wide = days * DAY_MS / run.market.interval_ms;
    // The end of what is seen stays: zooming in looks closer at the same place.
    const to = Math.min(last, Math.max(wide, range.to));
    return scale.setVisibleLogicalRange({ from: to - wide, to });
  }
  canvas.addEventListener("keydown", event => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
    }
  });
  showDays(null);
  const spans = [["All", null], ["1 y", 365], ["3 m", 91], ["1 m", 30], ["1 w", 7], ["1 d", 1]]
    .filter(([, days]) => days === null || days * DAY_MS < bars.time[last] - bars.time[0]);
  const ranges = choice("Range", spans, null, showDays);
  canvas.addEventListener("wheel", () => unchoose(ranges), { passive: true });
  controls.append(ranges,
    h("button", { type: "button", disabled: !trades.count, onclick: () => step(-1) }, "‹ Trade"),
    h("button", { type: "button", disabled: !trades.count, onclick: () => step(1) }, "Trade ›"),
    h("p", { class: "legend dim" },
      h("i", { class: "mark long" }, "▲"), "long", h("i", { class: "mark short" }, "▼"), "short",
      h("i", { class: "mark gain" }, "■"), "exit with a gain",
      h("i", { class: "mark loss" }, "■"), "with a loss"));
  return { remove, focus, layer, range: () => scale.getVisibleLogicalRange() };
}

function tradeLine(trades, row, decimals) {
  const pnl = trades.pnl[row];
  return h("span", {}, `#${row + 1} ${trades.side[row] > 0 ? "long" : "short"} `,
    `${number(trades.entry_price[row], decimals)} → ${number(trades.exit_price[row], decimals)} `,
    h("b", { class: tone(pnl) }, `${signed(number(pnl), pnl)} `,
      `(${signed(percent(trades.pnl_ratio[row]), pnl)})`),
    ` ${words(trades.reason(row))}`);
}
