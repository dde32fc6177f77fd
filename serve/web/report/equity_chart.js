// Equity with buy and hold above, drawdown below, on one time axis.

import { percentFormat, points, priceFormat, timeChart } from "./chart.js";
import { choice, h, toggle, tone } from "./dom.js";
import { number, percent, signed, time } from "./format.js";
import { colour } from "./theme.js";

const { AreaSeries, LineSeries, LineStyle, PriceScaleMode } = window.LightweightCharts;

const SKETCH_POINTS = 3000;

/** Return the fall of equity from its running peak as a ratio of it, zero or below. */
function fallOf(equity, capital) {
  const fall = new Float64Array(equity.length);
  let peak = capital;
  for (let bar = 0; bar < equity.length; bar++) {
    peak = Math.max(peak, equity[bar]);
    fall[bar] = peak > 0 ? equity[bar] / peak - 1 : NaN;
  }
  return fall;
}

function heldOf(bars, capital) {
  return bars.close.map(close => capital * close / bars.open[0]);
}

/** Put the chart of a run's equity with its controls into `host`; `remove` ends it. */
export function equityChart(run, host) {
  const { capital, equity, bars } = run;
  const held = heldOf(bars, capital), fall = fallOf(equity, capital);
  const deepest = fall.reduce((low, value) => (value < low ? value : low), 0);
  const read = h("p", { class: "read", "aria-hidden": "true" });
  const canvas = h("div", {
    class: "plot equity", role: "img", "aria-label": summary(run, deepest),
  });
  const controls = h("div", { class: "controls" });
  // First into the page: a chart without a width cannot fit its bars.
  host.append(h("div", { class: "chart" }, controls, read, canvas));
  let worth, hold, depth;
  const { chart, remove } = timeChart(canvas, paint);
  worth = chart.addSeries(LineSeries, { lineWidth: 2, priceLineVisible: false });
  hold = chart.addSeries(LineSeries, {
    lineWidth: 1, lineStyle: LineStyle.Solid, priceLineVisible: false, lastValueVisible: false,
    crosshairMarkerVisible: false,
  });
  depth = chart.addSeries(AreaSeries, {
    lineWidth: 1, priceLineVisible: false, lastValueVisible: false,
    priceFormat: percentFormat(-deepest),
  }, 1);
  chart.panes()[0].setStretchFactor(3);
  chart.panes()[1].setStretchFactor(1);
  paint();
  function fill(step) {
    worth.setData(points(bars.time, equity, step));
    hold.setData(points(bars.time, held, step));
    depth.setData(points(bars.time, fall, step));
  }
  // A sketch is there at once; every bar follows when the page has come to rest.
  const step = Math.ceil(equity.length / SKETCH_POINTS);
  let shownStep = step;
  fill(step);
  chart.timeScale().fitContent();
  function refine() {
    if (step === 1) return;
    const seen = chart.timeScale().getVisibleRange();
    const { from, to } = chart.timeScale().getVisibleLogicalRange();
    const isWhole = from < 1 && to > equity.length / step - 2;
    shownStep = 1;
    fill(1);
    if (isWhole) chart.timeScale().fitContent();
    else chart.timeScale().setVisibleRange(seen);
  }

  const inQuote = value => number(value, 0);
  const inPercent = value => percent(value / capital - 1, 1);
  const showIn = form => [worth, hold].forEach(
    series => series.applyOptions({ priceFormat: priceFormat(form) }));
  showIn(inQuote);

  function paint() {
    worth?.applyOptions({ color: colour("accent") });
    hold?.applyOptions({ color: colour("dim") });
    depth?.applyOptions({
      lineColor: colour("loss"), topColor: colour("loss-soft"), bottomColor: colour("loss-soft"),
      invertFilledArea: true,
    });
  }
  function tell(bar) {
    const change = equity[bar] / capital - 1;
    read.replaceChildren(
      h("span", {}, `${time(bars.time[bar])} UTC`),
      h("span", {}, h("i", { class: "key accent" }), "Equity ", h("b", {}, number(equity[bar])),
        h("span", { class: tone(change) }, ` ${signed(percent(change), change)}`)),
      h("span", {}, h("i", { class: "key dim" }), "Buy & hold ", h("b", {}, number(held[bar]))),
      h("span", {}, h("i", { class: "key loss" }), "Drawdown ", h("b", {}, percent(-fall[bar]))));
  }
  const last = equity.length - 1;
  tell(last);
  chart.subscribeCrosshairMove(({ logical }) => {
    const bar = (Math.round(logical) + 1) * shownStep - 1;
    tell(logical === undefined || logical === null ? last : Math.min(last, Math.max(0, bar)));
  });
  // A logarithm needs equity above zero all the way.
  const canLog = equity.every(value => value > 0);
  controls.append(
    choice("Unit", [["Quote", inQuote], ["Percent", inPercent]], inQuote, showIn),
    toggle("Log scale", false, isOn => chart.priceScale("right", 0).applyOptions(
      { mode: isOn ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal }), {
      disabled: !canLog, title: canLog ? null : "Equity falls to zero or below",
    }),
    toggle("Buy & hold", true, isOn => hold.applyOptions({ visible: isOn })),
    h("button", { type: "button", onclick: () => chart.timeScale().fitContent() }, "Whole range"));
  return { remove, refine };
}

function summary(run, deepest) {
  const end = run.equity[run.equity.length - 1];
  return `Equity from ${number(run.capital)} to ${number(end)}, at most ${percent(-deepest)} `
    + "below its peak";
}
