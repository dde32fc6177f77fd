"""The fixed parts of the report page: its style and its script, with nothing fetched from outside.

The script reads one JSON element and draws canvases: `band` (lowest to highest of each bucket) and
`line` (its last value) of equity and price, the drawdown as an area, trades as segments from entry
to exit. Colours come from the style, so the page follows the reader's light or dark preference.
"""

STYLE = """
:root{--bg:#fff;--ink:#1b2430;--dim:#5d6b7c;--edge:#dfe4ea;--card:#f6f8fa;--line:#2563a8;
--band:#2563a844;--win:#12805c;--loss:#c0392b;--fall:#c0392b33;--warn:#8a5300;--warnbg:#fff3d6}
@media(prefers-color-scheme:dark){:root{--bg:#12171e;--ink:#e4e9f0;--dim:#93a1b3;--edge:#2b3542;
--card:#1a212b;--line:#6fb1ff;--band:#6fb1ff3d;--win:#4cc38a;--loss:#ff7b6b;--fall:#ff7b6b33;
--warn:#ffd27a;--warnbg:#3a2d10}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:20px 16px 60px;background:var(--bg);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.5rem;margin:0 0 2px}h2{font-size:1.2rem;margin:36px 0 4px}
h3{font-size:1rem;margin:22px 0 6px}
p{margin:4px 0}.dim{color:var(--dim)}.win{color:var(--win)}.loss{color:var(--loss)}
.banner{margin:14px 0;padding:10px 14px;border:2px solid var(--warn);border-radius:8px;
background:var(--warnbg);color:var(--warn);font-weight:700}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(148px,1fr));gap:8px;margin:12px 0}
.card{padding:8px 11px;border:1px solid var(--edge);border-radius:8px;background:var(--card)}
.card b{display:block;font-size:1.1rem;font-variant-numeric:tabular-nums}
.card>span{font-size:.8rem;color:var(--dim)}
canvas{display:block;width:100%;height:230px;touch-action:pan-y}
canvas.tall{height:330px}canvas.low{height:120px}
.chart{position:relative}.read{min-height:1.5em;font-size:.85rem;color:var(--dim);
font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;max-height:460px;overflow-y:auto;border:1px solid var(--edge);
border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:4px 9px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--edge)}
th{position:sticky;top:0;background:var(--card);cursor:pointer;user-select:none}
th.up::after{content:" \\25B2"}th.down::after{content:" \\25BC"}
.left{text-align:left}.terms td{white-space:normal;overflow-wrap:anywhere}
.terms th{position:static;cursor:default;text-align:left;font-weight:400;color:var(--dim);
width:34%;background:none}.terms td{text-align:left}
code{display:block;padding:10px 12px;border:1px solid var(--edge);border-radius:8px;
background:var(--card);font-size:.85rem;overflow-wrap:anywhere;white-space:pre-wrap}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:18px}
"""

SCRIPT = """
"use strict";
const runs = JSON.parse(document.getElementById("series").textContent);
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const stamp = ms => new Date(ms).toISOString().slice(0, 16).replace("T", " ") + "Z";
const LEFT = 8, RIGHT = 70, TOP = 8, BOTTOM = 20;

function niceStep(span, count) {
  const raw = span / count, power = Math.pow(10, Math.floor(Math.log10(raw)));
  return power * [1, 2, 2.5, 5, 10].find(m => m * power >= raw);
}
function amount(value, step) {
  const decimals = step >= 1 ? 0 : Math.min(8, Math.ceil(-Math.log10(step)));
  return value.toLocaleString("en-US",
    {minimumFractionDigits: decimals, maximumFractionDigits: decimals});
}
function timeTicks(first, last, count) {
  const days = [1/96, 1/48, 1/24, 1/8, 1/4, 1/2, 1, 2, 7, 14, 30.44, 91.31, 182.6, 365.25, 1826];
  const step = days.map(d => d * 864e5).find(d => (last - first) / d <= count) || 864e5 * 3653;
  const ticks = [];
  if (step >= 30 * 864e5) {
    const months = Math.round(step / (30.44 * 864e5)), start = new Date(first);
    for (let m = start.getUTCMonth() + 1; ; m++) {
      const at = Date.UTC(start.getUTCFullYear(), m, 1);
      if (at > last) break;
      if (new Date(at).getUTCMonth() % months === 0 || months > 12) ticks.push(at);
    }
  } else for (let at = Math.ceil(first / step) * step; at <= last; at += step) ticks.push(at);
  return ticks.map(at => [at, step >= 864e5 ? stamp(at).slice(0, step >= 27e8 ? 7 : 10)
    : stamp(at).slice(5, 16)]);
}
function draw(canvas) {
  const run = runs[+canvas.dataset.run], kind = canvas.dataset.kind, s = run[kind];
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const g = canvas.getContext("2d"); g.scale(ratio, ratio);
  const t = run.t, first = t[0], last = t[t.length - 1];
  let low = Math.min(...s.low), high = Math.max(...s.high);
  if (high === low) { high += Math.abs(high) * 0.01 + 1; low -= Math.abs(low) * 0.01; }
  const x = ms => LEFT + (ms - first) / (last - first || 1) * (width - LEFT - RIGHT);
  const down = kind === "fall", deep = height - TOP - BOTTOM;
  const y = v => TOP + (down ? v - low : high - v) / (high - low) * deep;
  g.font = "11px system-ui,sans-serif"; g.lineWidth = 1; g.textBaseline = "middle";
  const step = niceStep(high - low, Math.max(2, height / 60));
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) {
    g.strokeStyle = colour("--edge"); g.beginPath();
    g.moveTo(LEFT, y(v)); g.lineTo(width - RIGHT, y(v)); g.stroke();
    g.fillStyle = colour("--dim"); g.textAlign = "left";
    g.fillText(kind === "fall" ? (v * 100).toFixed(step < 0.01 ? 1 : 0) + " %" : amount(v, step),
      width - RIGHT + 6, y(v));
  }
  g.textAlign = "center"; g.textBaseline = "bottom";
  for (const [at, label] of timeTicks(first, last, Math.max(2, width / 110))) {
    const half = g.measureText(label).width / 2;
    g.fillText(label, Math.min(Math.max(x(at), half), width - half), height - 2);
  }
  g.save(); g.beginPath();
  g.rect(LEFT, 0, width - LEFT - RIGHT, height - BOTTOM + 1); g.clip();
  if (down) area(g, t, s.high.map(y), s.high.map(() => y(0)), x, "--fall");
  else area(g, t, s.high.map(y), s.low.map(y), x, "--band");
  g.strokeStyle = colour(kind === "fall" ? "--loss" : "--line");
  g.lineWidth = kind === "price" ? 1 : 1.5;
  g.globalAlpha = kind === "price" ? 0.55 : 1; g.beginPath();
  t.forEach((ms, i) => g.lineTo(x(ms), y(kind === "fall" ? s.high[i] : s.line[i]))); g.stroke();
  g.globalAlpha = 1;
  if (kind === "price") drawTrades(g, run.trades, x, y);
  g.restore();
  canvas.scale = {x, first, last, width};
}
function area(g, t, upper, lower, x, name) {
  g.fillStyle = colour(name); g.beginPath();
  t.forEach((ms, i) => g.lineTo(x(ms), upper[i]));
  for (let i = t.length - 1; i >= 0; i--) g.lineTo(x(t[i]), lower[i]);
  g.closePath(); g.fill();
}
function drawTrades(g, trades, x, y) {
  const few = trades.length <= 200, size = few ? 5 : 3;
  for (const [side, from, entry, to, exit, won] of trades) {
    g.strokeStyle = g.fillStyle = colour(won ? "--win" : "--loss");
    g.lineWidth = few ? 1.6 : 1; g.beginPath();
    g.moveTo(x(from), y(entry)); g.lineTo(x(to), y(exit)); g.stroke();
    const down = side < 0 ? -1 : 1, px = x(from), py = y(entry);
    g.beginPath(); g.moveTo(px, py - down * size);
    g.lineTo(px - size, py + down * size); g.lineTo(px + size, py + down * size); g.fill();
    if (few) { g.beginPath(); g.arc(x(to), y(exit), 2.5, 0, 7); g.fill(); }
  }
}
function read(canvas, event) {
  const run = runs[+canvas.dataset.run], kind = canvas.dataset.kind, s = run[kind];
  const {first, last, width} = canvas.scale, box = canvas.getBoundingClientRect();
  const share = (event.clientX - box.left - LEFT) / (width - LEFT - RIGHT);
  const at = first + Math.min(1, Math.max(0, share)) * (last - first);
  let i = run.t.findIndex(ms => ms >= at); if (i < 0) i = run.t.length - 1;
  const show = v => amount(v, 0.01);
  const text = kind === "fall" ? (s.high[i] * 100).toFixed(2) + " % below the peak"
    : show(s.line[i]) + "  (" + show(s.low[i]) + " to " + show(s.high[i]) + ")";
  canvas.parentElement.querySelector(".read").textContent = stamp(run.t[i]) + "   " + text;
}
const canvases = [...document.querySelectorAll("canvas")];
const drawAll = () => canvases.forEach(draw);
canvases.forEach(canvas => {
  canvas.addEventListener("pointermove", event => read(canvas, event));
  canvas.addEventListener("pointerdown", event => read(canvas, event));
});
document.querySelectorAll("table.sorts th").forEach(th => th.addEventListener("click", () => {
  const body = th.closest("table").tBodies[0], up = !th.classList.contains("up");
  th.parentElement.querySelectorAll("th").forEach(o => o.classList.remove("up", "down"));
  th.classList.add(up ? "up" : "down");
  const key = row => row.cells[th.cellIndex].dataset.v ?? row.cells[th.cellIndex].textContent;
  const order = (a, b) => isNaN(a) || isNaN(b) ? String(a).localeCompare(String(b)) : a - b;
  [...body.rows].sort((a, b) => order(key(a), key(b)) * (up ? 1 : -1))
    .forEach(row => body.appendChild(row));
}));
window.addEventListener("resize", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
"""
