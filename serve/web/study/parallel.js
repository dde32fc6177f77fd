// Parallel coordinates: one line a set, through its value on every axis; dragging along an axis
// keeps the lines that pass there.

import { announce, choice, h, section } from "../report/dom.js";
import { number } from "../report/format.js";
import { colour } from "../report/theme.js";
import { css, everyLabel, mixed, picture, placeOf } from "./canvas.js";
import { brief, full } from "./study_model.js";

const HEIGHT = 380, HEAD = 40, FOOT = 26, SIDE = 54, AXIS_WIDTH_MIN = 92;
const BESIDE = ["drawdown_ratio_max", "trades", "net_profit_quote"];
const FEW = 25;

function columnsOf(model) {
  const places = model.axes.map(axis => {
    const last = Math.max(1, axis.texts.length - 1), codes = model.lines.places[axis.index];
    return {
      label: axis.label, ends: null, texts: axis.texts, at: row => codes[row] / last,
      text: row => axis.texts[codes[row]],
    };
  });
  const names = [...BESIDE.filter(name => name !== model.objective.name), model.objective.name];
  const figures = names.map(name => {
    const metric = model.metric(name), values = model.lines.values(metric.index);
    const known = [...values].filter(Number.isFinite);
    const low = Math.min(...known), span = Math.max(...known) - low || 1;
    return {
      label: metric.label, texts: null,
      ends: known.length ? [brief(metric, low), brief(metric, low + span)] : ["–", "–"],
      at: row => (Number.isFinite(values[row]) ? (values[row] - low) / span : NaN),
      text: row => full(metric, values[row]),
    };
  });
  return [...places, ...figures];
}

/** Return the share of the other lines that each line is better than, 0 to 1. */
function ranksOf(scores) {
  const order = [...scores.keys()].sort((a, b) => scores[a] - scores[b]);
  const ranks = new Float32Array(scores.length);
  order.forEach((row, place) => { ranks[row] = place / Math.max(1, order.length - 1); });
  return { order, ranks };
}

function drawAxes(context, columns, x, y, brushes) {
  context.textAlign = "center";
  columns.forEach((column, at) => {
    const across = x(at);
    context.fillStyle = colour("ink");
    const first = column.label.length > 15 ? column.label.lastIndexOf(" ", 15) : -1;
    const lines = first > 0 ? [column.label.slice(0, first), column.label.slice(first + 1)]
      : [column.label];
    lines.forEach((line, row) => context.fillText(line, across,
      (lines.length > 1 ? 9 : 16) + row * 14, AXIS_WIDTH_MIN - 6));
    context.strokeStyle = colour("edge");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(across, y(0));
    context.lineTo(across, y(1));
    context.stroke();
    const texts = column.texts ?? column.ends, last = Math.max(1, texts.length - 1);
    const every = everyLabel(8, (y(0) - y(1)) / last);
    texts.forEach((text, place) => {
      if (place % every && place !== last) return;
      const wide = context.measureText(text).width + 6, down = y(place / last);
      context.fillStyle = css(mixed("page", "page", 0), 0.8);
      context.fillRect(across - wide / 2, down - 7, wide, 14);
      context.fillStyle = colour("dim");
      context.fillText(text, across, down);
    });
    if (brushes[at]) {
      const [low, high] = brushes[at];
      context.fillStyle = css(mixed("page", "accent", 1), 0.22);
      context.fillRect(across - 9, y(high), 18, y(low) - y(high));
      context.strokeStyle = colour("accent");
      context.strokeRect(across - 9, y(high), 18, y(low) - y(high));
    }
  });
}

function drawLines(context, columns, x, y, rows, ranks) {
  context.lineWidth = 1;
  for (const row of rows) {
    const rank = ranks[row];
    context.strokeStyle = css(mixed(rank > 0.5 ? "dim" : "edge", rank > 0.5 ? "gain" : "dim",
      rank > 0.5 ? rank * 2 - 1 : rank * 2), rank > 0.9 ? 0.55 : 0.3);
    context.beginPath();
    columns.forEach((column, at) => {
      const height = column.at(row);
      if (Number.isFinite(height)) context.lineTo(x(at), y(height));
    });
    context.stroke();
  }
}

/** Return the section of parallel coordinates. */
export function parallelSection(model) {
  const { lines } = model;
  if (!lines.count) return null;
  const columns = columnsOf(model), { order, ranks } = ranksOf(lines.scores);
  const brushes = columns.map(() => null);
  const read = h("div", { class: "read", id: "parallel-read" });
  const wide = h("div", { style: `min-width:${columns.length * AXIS_WIDTH_MIN}px` });
  let pool = order, width = 0, drag = null;
  const x = at => SIDE + at * (width - 2 * SIDE) / Math.max(1, columns.length - 1);
  const y = share => HEIGHT - FOOT - share * (HEIGHT - FOOT - HEAD);
  const passes = row => columns.every((column, at) => !brushes[at]
    || (column.at(row) >= brushes[at][0] && column.at(row) <= brushes[at][1]));
  let shown = pool;

  function say(isSaid) {
    const best = shown[shown.length - 1];
    const count = `${number(shown.length, 0)} of ${number(lines.count, 0)} sets`;
    read.replaceChildren(h("span", {}, count),
      ...(best === undefined ? [] : [h("span", {}, `best ${model.objective.label} of them `,
        h("b", {}, columns[columns.length - 1].text(best)))]));
    if (isSaid) announce(read.textContent);
  }
  const drawn = picture(wide, {
    label: "Parallel coordinates of single sets", height: HEIGHT,
    draw: (context, wideNow) => {
      width = wideNow;
      drawLines(context, columns, x, y, shown, ranks);
      drawAxes(context, columns, x, y, brushes);
    },
  });
  function refresh(isSaid) {
    shown = pool.filter(passes);
    say(isSaid);
    drawn.redraw();
  }
  function shareAt(event) {
    const { y: down } = placeOf(event);
    return Math.min(1.02, Math.max(-0.02, (HEIGHT - FOOT - down) / (HEIGHT - FOOT - HEAD)));
  }
  drawn.canvas.addEventListener("pointerdown", event => {
    const { x: across } = placeOf(event);
    const at = columns.findIndex((_, place) => Math.abs(x(place) - across) < 24);
    if (at < 0) return;
    drag = { at, from: shareAt(event) };
    drawn.canvas.setPointerCapture(event.pointerId);
  });
  drawn.canvas.addEventListener("pointermove", event => {
    if (!drag) return;
    const to = shareAt(event);
    brushes[drag.at] = [Math.min(drag.from, to), Math.max(drag.from, to)];
    refresh(false);
  });
  const finish = event => {
    if (!drag) return;
    // A click without a drag lets go of the axis.
    if (Math.abs(shareAt(event) - drag.from) < 0.01) brushes[drag.at] = null;
    drag = null;
    refresh(true);
  };
  drawn.canvas.addEventListener("pointerup", finish);
  drawn.canvas.addEventListener("pointercancel", finish);
  refresh(false);
  const clear = h("button", { type: "button", onclick: () => {
    brushes.fill(null);
    refresh(true);
  } }, "Clear");
  const pools = [["All", order], [`Best ${lines.best}`, order.slice(-lines.best)],
    [`Best ${FEW}`, order.slice(-FEW)]];
  return section("parallel", "Parallel coordinates",
    `The best ${number(lines.best, 0)} sets and a sample of the others, better ones greener; drag `
    + "along an axis to keep what passes there, click it to let go",
    h("div", { class: "controls" }, choice("Sets", pools, order, chosen => {
      pool = chosen;
      refresh(true);
    }), clear), read, h("div", { class: "scroll" }, wide));
}
