// The heat map: any metric over any two axes, the best or the mean over all others.

import { announce, choice, h, section } from "../report/dom.js";
import { number } from "../report/format.js";
import { colour } from "../report/theme.js";
import { css, everyLabel, inkOn, mixed, picture, placeOf } from "./canvas.js";
import { chooser, metricChooser } from "./controls.js";
import { brief, full } from "./study_model.js";

const CELL_HEIGHT = 26, HEIGHT_MIN = 220, HEIGHT_MAX = 560;
const FOOT = 44, HEAD = 8;
// One extreme cell must not bleach the others.
const TAIL = 0.02;
const STRONGEST = 0.85;

/** Return the limits of the colours: of the values without their tails. */
function limitsOf(values) {
  const known = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (!known.length) return { low: 0, high: 0 };
  const at = share => known[Math.round((known.length - 1) * share)];
  return { low: at(TAIL), high: at(1 - TAIL) };
}

/** Return a function that paints a value: from loss to gain around zero, else by its size. */
function painter({ low, high }) {
  if (low < 0 && high > 0) {
    const most = Math.max(-low, high);
    return value => mixed("page", value < 0 ? "loss" : "gain",
      Math.min(1, Math.abs(value) / most) * STRONGEST);
  }
  const span = high - low || 1;
  return value => mixed("page", "accent",
    0.06 + Math.min(1, Math.max(0, (value - low) / span)) * (STRONGEST - 0.06));
}

/** The two axes that together explain most of the objective. */
function firstAxes(model) {
  const { index } = model.objective;
  const weight = axis => axis.explained[index] ?? 0;
  const order = [...model.axes].sort((a, b) => weight(b) - weight(a));
  return order.slice(0, 2).map(axis => axis.index).sort((a, b) => a - b);
}

function cellsOf(model, state) {
  const columns = model.axes[state.x].texts.length, rows = model.axes[state.y].texts.length;
  const cell = model.pair(state.x, state.y), cells = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const found = cell(column, row, state.metric.index);
      cells.push({ ...found, column, row, value: found[state.by] });
    }
  }
  return { columns, rows, cells };
}

function bestCell(cells, metric) {
  const known = cells.filter(cell => Number.isFinite(cell.value));
  const sign = metric.is_larger_better ? 1 : -1;
  return known.reduce((top, cell) => (!top || cell.value * sign > top.value * sign ? cell : top),
    null);
}

function legend(limits, paint, metric) {
  const { low, high } = limits;
  const stops = Array.from({ length: 9 }, (_, at) => css(paint(low + (high - low) * at / 8)));
  return [brief(metric, low), h("i", { class: "ramp",
    style: `background:linear-gradient(90deg,${stops.join(",")})` }), brief(metric, high)];
}

function sentence(model, state, cell) {
  const axis = (index, place) => `${model.axes[index].label} ${model.axes[index].texts[place]}`;
  return [h("span", {}, axis(state.x, cell.column)), h("span", {}, axis(state.y, cell.row)),
    ...["best", "mean"].map(by =>
      h("span", {}, `${by} `, h("b", {}, full(state.metric, cell[by])))),
    h("span", {}, `${number(cell.sets, 0)} sets`)];
}

/** Draw the grid with its labels and return where it lies. */
function drawGrid(context, width, height, model, state, grid) {
  const { columns, rows, cells } = grid;
  const [xTexts, yTexts] = [model.axes[state.x].texts, model.axes[state.y].texts];
  const widest = texts => Math.max(...texts.map(text => context.measureText(text).width));
  const left = Math.min(width * 0.3, widest(yTexts) + 14);
  const step = (width - left) / columns, rise = (height - FOOT - HEAD) / rows;
  const box = cell => [left + cell.column * step, HEAD + (rows - 1 - cell.row) * rise, step, rise];
  const hasRoom = step > 44 && rise > 15;
  context.textAlign = "center";
  for (const cell of cells) {
    if (!Number.isFinite(cell.value)) continue;
    const ground = grid.paint(cell.value), [x, y, w, d] = box(cell);
    context.fillStyle = css(ground);
    context.fillRect(x + 0.5, y + 0.5, w - 1, d - 1);
    if (hasRoom) {
      context.fillStyle = inkOn(ground);
      context.fillText(brief(state.metric, cell.value), x + w / 2, y + d / 2);
    }
  }
  context.fillStyle = colour("dim");
  const every = everyLabel(widest(xTexts), step), everyRow = everyLabel(8, rise);
  xTexts.forEach((text, at) => {
    if (at % every === 0) context.fillText(text, left + (at + 0.5) * step, height - FOOT + 14);
  });
  context.fillText(model.axes[state.x].label, left + (width - left) / 2, height - 9);
  context.textAlign = "right";
  yTexts.forEach((text, at) => {
    if (at % everyRow === 0) {
      context.fillText(text, left - 8, HEAD + (rows - 1 - at + 0.5) * rise, left - 10);
    }
  });
  const frame = (cell, name, thick) => {
    const [x, y, w, d] = box(cell);
    context.strokeStyle = colour(name);
    context.lineWidth = thick;
    context.strokeRect(x + 1, y + 1, w - 2, d - 2);
  };
  if (grid.top) frame(grid.top, "ink", 2);
  if (state.cell) frame(state.cell, "accent", 3);
  return { left, step, rise };
}

/** Return the section of the heat map, or null where there is one axis only. */
export function heatMapSection(model) {
  if (model.axes.length < 2) return null;
  const [x, y] = firstAxes(model);
  const state = { x, y, metric: model.objective, by: "best", cell: null };
  const read = h("div", { class: "read", id: "heat-read" }), key = h("span", { class: "legend" });
  const host = h("div", { class: "heat-host" }), name = h("p", { class: "dim axis-name" });
  const axes = h("div", { class: "controls" });
  let drawn = null, grid = null, layout = null;

  function point(cell, isSaid) {
    state.cell = cell;
    const shown = cell ?? grid.top;
    read.replaceChildren(...(shown ? sentence(model, state, shown) : ["No set to show."]));
    if (isSaid && cell) announce(read.textContent);
    drawn.redraw();
  }
  function cellAt(event) {
    const { x: across, y: down } = placeOf(event);
    const column = Math.floor((across - layout.left) / layout.step);
    const row = grid.rows - 1 - Math.floor((down - HEAD) / layout.rise);
    const isInside = column >= 0 && column < grid.columns && row >= 0 && row < grid.rows;
    return isInside ? grid.cells[row * grid.columns + column] : null;
  }
  function walk(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const from = state.cell ?? grid.top ?? grid.cells[0];
    const column = Math.min(grid.columns - 1, Math.max(0, from.column + move[0]));
    const row = Math.min(grid.rows - 1, Math.max(0, from.row + move[1]));
    point(grid.cells[row * grid.columns + column], true);
  }
  function show() {
    drawn?.remove();
    state.cell = null;
    grid = cellsOf(model, state);
    grid.top = bestCell(grid.cells, state.metric);
    const limits = limitsOf(grid.cells.map(cell => cell.value));
    grid.paint = painter(limits);
    const inner = Math.min(HEIGHT_MAX, Math.max(HEIGHT_MIN, grid.rows * CELL_HEIGHT));
    name.textContent = `${model.axes[state.y].label}, upwards`;
    drawn = picture(host, {
      label: `${state.metric.label}, ${state.by}, over ${model.axes[state.x].label} and `
        + model.axes[state.y].label,
      height: inner + FOOT + HEAD, focusable: true,
      draw: (context, width, tall) => {
        layout = drawGrid(context, width, tall, model, state, grid);
        key.replaceChildren(...legend(limits, grid.paint, state.metric));
      },
    });
    drawn.canvas.addEventListener("pointermove", event => point(cellAt(event), false));
    drawn.canvas.addEventListener("pointerdown", event => point(cellAt(event), false));
    drawn.canvas.addEventListener("pointerleave", () => point(null, false));
    drawn.canvas.addEventListener("keydown", walk);
    point(null, false);
  }
  function choose(which, index) {
    const other = which === "x" ? "y" : "x";
    // An axis chosen for both trades places.
    if (state[other] === index) state[other] = state[which];
    state[which] = index;
    choosers();
    show();
  }
  function choosers() {
    const options = model.axes.map(axis => [axis.label, axis.index]);
    axes.replaceChildren(
      metricChooser(model, state.metric, metric => { state.metric = metric; show(); }),
      chooser("Across", options, state.x, index => choose("x", index)),
      chooser("Up", options, state.y, index => choose("y", index)),
      choice("Over the other axes", [["Best", "best"], ["Mean", "mean"]], state.by,
        by => { state.by = by; show(); }), key);
  }
  choosers();
  show();
  return section("heat", "Heat map", "Over all other axes; the best cell is framed",
    axes, read, name, host);
}
