// A study unpacked: its metrics, axes, cells and single sets, as the parts of the page ask for
// them.

import { figure, number, percent, words } from "../report/format.js";
import { unpacked } from "../report/packed.js";

const QUANTILES = 5;

/** Return a metric's value in few characters, for places with little room. */
export function brief(metric, value) {
  if (!Number.isFinite(value)) return "–";
  if (metric.unit === "ratio") return percent(value, Math.abs(value) < 0.0995 ? 1 : 0);
  const size = Math.abs(value);
  if (size >= 1e6) return `${number(value / 1e6, 1)}M`;
  if (size >= 1e4) return `${number(value / 1e3, size >= 1e5 ? 0 : 1)}k`;
  return number(value, size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

/** Return a name such as exits.stop_loss_ratio as a person reads it. */
export function axisLabel(name) {
  return words(name.replace(/^(exits|entry)\./, "").replaceAll(".", " "));
}

function axisOf(packed, index, metrics) {
  const quantiles = unpacked(packed.quantiles);
  return {
    ...packed, index, label: axisLabel(packed.name),
    /** The quantiles 10, 25, 50, 75 and 90 % of a metric at a place; NaN where there is no set. */
    spread(metric, place) {
      const start = (place * metrics + metric) * QUANTILES;
      return quantiles.subarray(start, start + QUANTILES);
    },
  };
}

function viewOf(packed, axes, metrics) {
  const best = unpacked(packed.best), mean = unpacked(packed.mean), sets = unpacked(packed.sets);
  const columns = packed.axes.length > 1 ? axes[packed.axes[1]].texts.length : 1;
  const cells = sets.length;
  return {
    axes: packed.axes, columns, cells,
    /** One cell: its place on the first axis and on the second. */
    cell: (first, second, metric) => {
      const at = first * columns + second;
      return {
        best: best[metric * cells + at], mean: mean[metric * cells + at], sets: sets[at],
      };
    },
  };
}

/** Return the model of what a study's page was given. */
export function modelOf(payload) {
  const metrics = payload.metrics.map((metric, index) => ({ ...metric, index }));
  const axes = payload.axes.map((axis, index) => axisOf(axis, index, metrics.length));
  const views = new Map(payload.views.map(view =>
    [view.axes.join(), viewOf(view, axes, metrics.length)]));
  const { count } = payload.lines;
  const values = unpacked(payload.lines.values);
  return {
    ...payload, metrics, axes,
    direction: payload.objective.is_larger_better ? "largest" : "smallest",
    objective: metrics.find(metric => metric.name === payload.objective.name),
    metric: name => metrics.find(metric => metric.name === name),
    single: axis => views.get(String(axis)),
    /** The cells of two axes in either order: cell(place on `one`, place on `other`, metric). */
    pair(one, other) {
      const isTurned = one > other;
      const view = views.get(isTurned ? `${other},${one}` : `${one},${other}`);
      return (first, second, metric) => (isTurned ? view.cell(second, first, metric)
        : view.cell(first, second, metric));
    },
    lines: {
      count, best: payload.lines.best,
      scores: unpacked(payload.lines.scores),
      places: payload.lines.places.map(unpacked),
      values: metric => values.subarray(metric * count, (metric + 1) * count),
    },
  };
}

/** Return a metric's value as text with its unit, as the tables write it. */
export function full(metric, value) {
  return figure(metric, Number.isFinite(value) ? value : null);
}
