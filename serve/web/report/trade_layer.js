// Draws trades onto the price chart: only those in view, and the fewer, the more of each.
//
// A run may have 8,000 trades, all in view at once. Thousands are one stroke a colour; from a few
// hundred down they get markers; the selected or hovered one gets its stop and target too.

import { decimalsOf, number } from "./format.js";
import { colour } from "./theme.js";

const MARKERS_MAX = 400;
const LEVELS_MAX = 40;

/** Order trades by entry and answer which of them touch a range of bars. */
export class TradeIndex {
  constructor(trades) {
    this.order = Uint32Array.from({ length: trades.count }, (_, row) => row)
      .sort((a, b) => trades.entry_bar[a] - trades.entry_bar[b] || a - b);
    this.trades = trades;
    // The latest exit so far: everything before its first place past `from` has ended.
    this.latest = new Float64Array(trades.count);
    let latest = -1;
    this.order.forEach((row, at) => {
      latest = Math.max(latest, trades.exit_bar[row]);
      this.latest[at] = latest;
    });
  }

  /** Return the rows of the trades that are open in some bar from `from` to `to`. */
  within(from, to) {
    let low = 0, high = this.order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.latest[middle] < from) low = middle + 1; else high = middle;
    }
    const rows = [];
    for (let at = low; at < this.order.length; at++) {
      const row = this.order[at];
      if (this.trades.entry_bar[row] > to) break;
      if (this.trades.exit_bar[row] >= from) rows.push(row);
    }
    return rows;
  }
}

/** A primitive of lightweight-charts that draws the trades of a run. */
export class TradeLayer {
  constructor(run, index) {
    this.run = run;
    this.index = index;
    this.selected = -1;
    this.hovered = -1;
    this.drawn = 0;
    this.views = [{ zOrder: () => "top", renderer: () => ({ draw: target => this.draw(target) }) }];
  }

  attached({ chart, series, requestUpdate }) {
    Object.assign(this, { chart, series, requestUpdate });
  }

  paneViews() { return this.views; }

  updateAllViews() {}

  /** Mark a trade as selected or hovered; -1 is none. */
  mark(kind, row) {
    if (this[kind] === row) return;
    this[kind] = row;
    this.requestUpdate?.();
  }

  draw(target) {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!range) return;
    const rows = this.index.within(range.from - 1, range.to + 1);
    this.drawn = rows.length;
    target.useMediaCoordinateSpace(({ context }) => {
      context.save();
      this.strokeAll(context, rows);
      if (rows.length <= LEVELS_MAX) for (const row of rows) this.levels(context, row, false);
      if (rows.length <= MARKERS_MAX) for (const row of rows) this.markers(context, row);
      for (const row of new Set([this.selected, this.hovered])) {
        if (row >= 0) this.highlight(context, row);
      }
      context.restore();
    });
  }

  corners(row) {
    const { trades } = this.run, scale = this.chart.timeScale();
    return {
      x1: scale.logicalToCoordinate(trades.entry_bar[row]),
      x2: scale.logicalToCoordinate(trades.exit_bar[row]),
      y1: this.series.priceToCoordinate(trades.entry_price[row]),
      y2: this.series.priceToCoordinate(trades.exit_price[row]),
    };
  }

  strokeAll(context, rows) {
    const paths = { gain: new Path2D(), loss: new Path2D() };
    for (const row of rows) {
      const { x1, x2, y1, y2 } = this.corners(row);
      const path = this.run.trades.pnl[row] > 0 ? paths.gain : paths.loss;
      path.moveTo(x1, y1);
      path.lineTo(x2, y2);
    }
    context.lineWidth = rows.length <= MARKERS_MAX ? 1.5 : 1;
    context.globalAlpha = rows.length <= MARKERS_MAX ? 0.9 : 0.6;
    for (const [name, path] of Object.entries(paths)) {
      context.strokeStyle = colour(name);
      context.stroke(path);
    }
    context.globalAlpha = 1;
  }

  markers(context, row) {
    const { trades } = this.run, { x1, x2, y1, y2 } = this.corners(row);
    const side = trades.side[row], size = 5;
    context.fillStyle = colour(side > 0 ? "long" : "short");
    context.strokeStyle = colour("page");
    context.lineWidth = 1;
    // A long points up from below its entry, a short down from above.
    context.beginPath();
    context.moveTo(x1, y1 + side);
    context.lineTo(x1 - size, y1 + side * (size * 1.8));
    context.lineTo(x1 + size, y1 + side * (size * 1.8));
    context.closePath();
    context.fill();
    context.stroke();
    if (trades.is_open[row]) return;
    context.fillStyle = colour(trades.pnl[row] > 0 ? "gain" : "loss");
    context.beginPath();
    context.rect(x2 - 3, y2 - 3, 6, 6);
    context.fill();
    context.stroke();
  }

  levels(context, row, isMarked) {
    const { trades, market } = this.run, { x1, x2, y1 } = this.corners(row);
    const right = Math.max(x2, x1 + 1);
    for (const [name, tone, label] of [["stop_price", "loss", "stop"],
      ["target_price", "gain", "target"]]) {
      const price = trades[name][row];
      if (Number.isNaN(price)) continue;
      const y = this.series.priceToCoordinate(price);
      if (isMarked) {
        context.fillStyle = colour(`${tone}-soft`);
        context.fillRect(x1, Math.min(y1, y), right - x1, Math.abs(y - y1));
      }
      context.strokeStyle = colour(tone);
      context.lineWidth = 1;
      context.setLineDash(isMarked ? [5, 3] : [2, 3]);
      context.beginPath();
      context.moveTo(x1, y);
      context.lineTo(right, y);
      context.stroke();
      context.setLineDash([]);
      if (isMarked) {
        this.label(context, `${label} ${number(price, decimalsOf(market.tick_size))}`, x1, y,
          y < y1 ? -1 : 1, tone);
      }
    }
  }

  label(context, text, x, y, direction, tone) {
    context.font = `600 11px ${this.chart.options().layout.fontFamily}`;
    context.textBaseline = direction < 0 ? "bottom" : "top";
    const width = context.measureText(text).width;
    context.fillStyle = colour("page");
    context.fillRect(x, direction < 0 ? y - 16 : y + 2, width + 6, 14);
    context.fillStyle = colour(tone);
    context.fillText(text, x + 3, y + direction * 3);
  }

  highlight(context, row) {
    const { x1, x2, y1, y2 } = this.corners(row);
    this.levels(context, row, true);
    context.strokeStyle = colour("ink");
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
    this.markers(context, row);
  }
}
