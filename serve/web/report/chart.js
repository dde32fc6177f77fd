// What all time charts share: lightweight-charts with our colours, type and scales.

import { percent, time } from "./format.js";
import { colour, followColours } from "./theme.js";

const { createChart, CrosshairMode, LineStyle } = window.LightweightCharts;

export const SECOND_MS = 1000;

/** Return a chart in `element`; `paint(chart)` sets the colours of its series. */
export function timeChart(element, paint, { logo = false } = {}) {
  const chart = createChart(element, {
    autoSize: true,
    layout: {
      attributionLogo: logo,
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 12,
      panes: { enableResize: false },
    },
    rightPriceScale: {
      borderVisible: false, minimumWidth: 76, entireTextOnly: true,
      scaleMargins: { top: 0.06, bottom: 0.06 },
    },
    timeScale: {
      borderVisible: false,
      timeVisible: true,
      secondsVisible: false,
      fixLeftEdge: true,
      fixRightEdge: true,
      // Two years of 15-minute bars fit a phone; bars that share a pixel are drawn as one.
      minBarSpacing: 0.001,
      enableConflation: true,
    },
    crosshair: { mode: CrosshairMode.Normal },
    localization: { timeFormatter: seconds => `${time(seconds * SECOND_MS)} UTC` },
    handleScroll: { vertTouchDrag: false },
  });
  const stop = followColours(() => {
    const line = {
      color: colour("dim"), style: LineStyle.Dashed, labelBackgroundColor: colour("label"),
    };
    chart.applyOptions({
      layout: {
        background: { color: colour("page") }, textColor: colour("dim"),
        panes: { separatorColor: colour("edge"), separatorHoverColor: colour("edge") },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("grid") } },
      crosshair: { vertLine: line, horzLine: line },
    });
    paint(chart);
  });
  return {
    chart,
    remove: () => {
      stop();
      chart.remove();
    },
  };
}

/** Return the points of a line, every `step`-th and the last; what is not finite is a gap. */
export function points(times, values, step = 1) {
  const out = [], last = values.length - 1;
  for (let from = 0; from <= last; from += step) {
    const at = Math.min(last, from + step - 1);
    const time = times[at] / SECOND_MS, value = values[at];
    out.push(Number.isFinite(value) ? { time, value } : { time });
  }
  return out;
}

/** Return a price format of our own. */
export function priceFormat(formatter, step = 0.01) {
  return { type: "custom", formatter, minMove: step };
}

/** Return the price format of ratios that lie in a range so wide, shown as percent. */
export function percentFormat(span) {
  const decimals = span > 0.02 ? 1 : 2;
  return priceFormat(value => percent(value, decimals), 1e-4);
}
