// What each axis alone does to a metric: how the sets spread at each of its values.

import { h, section } from "../report/dom.js";
import { number, percent } from "../report/format.js";
import { colour } from "../report/theme.js";
import { css, everyLabel, mixed, picture, placeOf, ticks } from "./canvas.js";
import { metricChooser } from "./controls.js";
import { brief, full } from "./study_model.js";

const HEIGHT = 230, FOOT = 24, HEAD = 10, RIGHT = 50;

function boxesOf(model, axis, metric) {
  const single = model.single(axis.index);
  return axis.texts.map((text, place) => ({
    text, place, spread: axis.spread(metric.index, place), ...single.cell(place, 0, metric.index),
  }));
}

function rangeOf(boxes) {
  const known = boxes.flatMap(box => [...box.spread, box.best]).filter(Number.isFinite);
  if (!known.length) return null;
  const low = Math.min(...known), high = Math.max(...known), room = (high - low || 1) * 0.05;
  return { low: low - room, high: high + room };
}

function drawBoxes(context, width, height, boxes, metric, chosen) {
  const range = rangeOf(boxes);
  context.fillStyle = colour("dim");
  if (!range) {
    context.fillText("undefined for every set", 10, height / 2);
    return;
  }
  const inner = width - RIGHT, step = inner / boxes.length;
  const tall = (height - HEAD - FOOT) / (range.high - range.low);
  const y = value => HEAD + (range.high - value) * tall;
  context.strokeStyle = colour("grid");
  context.lineWidth = 1;
  for (const tick of ticks(range.low, range.high, 4)) {
    const at = Math.round(y(tick)) + 0.5;
    context.beginPath();
    context.moveTo(0, at);
    context.lineTo(inner, at);
    context.stroke();
    context.textAlign = "left";
    context.fillText(brief(metric, tick), inner + 6, at);
  }
  const thick = Math.min(26, step * 0.62);
  for (const box of boxes) {
    const middle = (box.place + 0.5) * step;
    if (box.place === chosen) {
      context.fillStyle = colour("raised");
      context.fillRect(box.place * step, HEAD, step, height - HEAD - FOOT);
    }
    const [p10, p25, p50, p75, p90] = box.spread;
    if (Number.isFinite(p50)) {
      context.fillStyle = css(mixed("page", "accent", 0.22));
      context.fillRect(middle - thick / 2, y(p90), thick, Math.max(1, y(p10) - y(p90)));
      context.fillStyle = css(mixed("page", "accent", 0.5));
      context.fillRect(middle - thick / 2, y(p75), thick, Math.max(1, y(p25) - y(p75)));
      context.fillStyle = colour("ink");
      context.fillRect(middle - thick / 2, y(p50) - 1, thick, 2);
    }
    if (Number.isFinite(box.best)) {
      context.fillStyle = colour("gain");
      context.beginPath();
      context.arc(middle, y(box.best), 3, 0, 7);
      context.fill();
    }
  }
  context.fillStyle = colour("dim");
  context.textAlign = "center";
  const widest = Math.max(...boxes.map(box => context.measureText(box.text).width));
  const every = everyLabel(widest, step);
  for (const box of boxes) {
    if (box.place % every) continue;
    context.fillText(box.text, (box.place + 0.5) * step, height - FOOT / 2);
  }
}

function sentence(metric, box) {
  const [p10, , p50, , p90] = box.spread;
  return [h("span", {}, `${box.text}: best `, h("b", {}, full(metric, box.best))),
    h("span", {}, "median ", h("b", {}, full(metric, p50))),
    h("span", {}, `10–90 %: ${full(metric, p10)} to ${full(metric, p90)}`),
    h("span", {}, `${number(box.sets, 0)} sets`)];
}

function panel(model, axis, metric) {
  const explained = axis.explained[metric.index];
  const read = h("div", { class: "read" });
  const element = h("div", { class: "panel", "data-axis": axis.name }, h("h3", {}, axis.label,
    h("span", { class: "dim explains" }, explained === null ? ""
      : ` explains ${percent(explained, 1)} of the variance`)), read);
  const boxes = boxesOf(model, axis, metric);
  const sign = metric.is_larger_better ? 1 : -1;
  const known = boxes.filter(box => Number.isFinite(box.spread[2]));
  const steady = known.reduce((top, box) =>
    (!top || box.spread[2] * sign > top.spread[2] * sign ? box : top), null);
  let chosen = null;
  const drawn = picture(element, {
    label: `${metric.label} at each value of ${axis.label}`, height: HEIGHT,
    draw: (context, width, height) => drawBoxes(context, width, height, boxes, metric, chosen),
  });
  const point = place => {
    chosen = place;
    const box = place === null ? steady : boxes[place];
    read.replaceChildren(...(box ? sentence(metric, box) : []));
    drawn.redraw();
  };
  const pointed = event => {
    const inner = drawn.canvas.clientWidth - RIGHT;
    const place = Math.floor(placeOf(event).x / inner * boxes.length);
    point(place >= 0 && place < boxes.length ? place : null);
  };
  drawn.canvas.addEventListener("pointermove", pointed);
  drawn.canvas.addEventListener("pointerdown", pointed);
  drawn.canvas.addEventListener("pointerleave", () => point(null));
  point(null);
  return { element, remove: drawn.remove };
}

/** Return the section with a panel for each axis, the one that matters most first. */
export function sensitivitySection(model) {
  if (!model.axes.length) return null;
  const host = h("div", { class: "two" });
  let panels = [];
  function show(metric) {
    for (const one of panels) one.remove();
    const order = [...model.axes].sort((a, b) =>
      (b.explained[metric.index] ?? -1) - (a.explained[metric.index] ?? -1));
    panels = order.map(axis => panel(model, axis, metric));
    host.replaceChildren(...panels.map(one => one.element));
  }
  const element = section("sensitivity", "Sensitivity",
    "At each value: the middle half and 10 to 90 % of the sets, their median, and the best set "
    + "as a dot. A good value is good at the median too",
    h("div", { class: "controls" }, metricChooser(model, model.objective, show)), host);
  show(model.objective);
  return element;
}
