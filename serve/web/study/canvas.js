// Pictures drawn by hand: sharp on every screen, as wide as their place, in the page's colours.

import { h } from "../report/dom.js";
import { colour, followColours } from "../report/theme.js";

const FONT = "12px system-ui, -apple-system, \"Segoe UI\", Roboto, sans-serif";

/**
 * Put a canvas into `host` and keep it drawn: `draw(context, width, height)` is called at first,
 * when the place changes its width, and when the colours change.
 */
export function picture(host, { label, height, draw, focusable = false }) {
  const canvas = h("canvas", { role: "img", "aria-label": label,
    tabindex: focusable ? "0" : null });
  const frame = h("div", { class: "picture", style: `height:${height}px` }, canvas);
  host.append(frame);
  let drawnWidth = 0;
  function redraw() {
    const width = frame.clientWidth, dense = devicePixelRatio || 1;
    if (!width) return;
    drawnWidth = width;
    canvas.width = Math.round(width * dense);
    canvas.height = Math.round(height * dense);
    const context = canvas.getContext("2d");
    context.scale(dense, dense);
    context.font = FONT;
    context.textBaseline = "middle";
    draw(context, width, height);
  }
  const watcher = new ResizeObserver(() => {
    if (frame.clientWidth !== drawnWidth) redraw();
  });
  watcher.observe(frame);
  const unfollow = followColours(redraw);
  return {
    canvas, redraw,
    remove() {
      watcher.disconnect();
      unfollow();
      frame.remove();
    },
  };
}

/** Return where a pointer event happened, in the canvas's own pixels. */
export function placeOf(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function parts(hex) {
  return [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
}

/** Return the colour `share` of the way from one colour of the style sheet to another. */
export function mixed(from, to, share) {
  const start = parts(colour(from)), end = parts(colour(to));
  return start.map((value, at) => Math.round(value + (end[at] - value) * share));
}

/** Return [red, green, blue] as CSS. */
export function css(rgb, alpha = 1) {
  return alpha === 1 ? `rgb(${rgb.join(",")})` : `rgba(${rgb.join(",")},${alpha})`;
}

function luminance(rgb) {
  const [red, green, blue] = rgb.map(value => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Return which of the page's two text colours reads better on a ground. */
export function inkOn(ground) {
  const bright = luminance(ground);
  const contrast = name => {
    const [low, high] = [bright, luminance(parts(colour(name)))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  return colour(contrast("ink") >= contrast("page") ? "ink" : "page");
}

/** Return every how many labels of such a width one fits into steps of such a width. */
export function everyLabel(labelWidth, step) {
  return Math.max(1, Math.ceil((labelWidth + 8) / step));
}

/** Return about `wanted` round numbers that divide a range. */
export function ticks(low, high, wanted) {
  const raw = (high - low) / wanted;
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 2.5, 5, 10].find(factor => factor * power >= raw * (1 - 1e-9));
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at++) found.push(at * step);
  return found;
}
