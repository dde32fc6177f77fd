// The page: reads the payload, shows the comparison if there is one, and one run at a time.

import { addComparison } from "./compare.js";
import { distributionSection } from "./distribution.js";
import { h, section } from "./dom.js";
import { equityChart } from "./equity_chart.js";
import { number, words } from "./format.js";
import { addHints } from "./hint.js";
import { cards, metricsSection } from "./metrics.js";
import { marketOf, runOf } from "./packed.js";
import { priceChart } from "./price_chart.js";
import { monthsSection, periodsSection } from "./returns.js";
import { settingsSection } from "./settings.js";
import { themeSwitch } from "./theme.js";
import { tradesSection } from "./trade_table.js";

const report = JSON.parse(document.getElementById("payload").textContent);
const markets = report.markets.map(marketOf);
const runs = report.runs.map((run, index) => runOf(run, markets, index));
const PARTS = [["equity", "Equity"], ["price", "Price"], ["months", "Returns"],
  ["distribution", "Distribution"], ["trades", "Trades"], ["metrics", "Metrics"],
  ["settings", "Settings"]];
let current = null;

function heading() {
  const names = [...new Set(runs.map(run => run.strategy))];
  const symbols = [...new Set(markets.map(market => market.symbol))];
  const made = markets.some(market => market.is_synthetic);
  return [
    h("header", { class: "masthead" },
      h("p", { class: "house" }, "phalanx ", h("span", {}, "backtest report")), themeSwitch()),
    h("h1", {}, runs.length > 3 ? `${runs.length} runs` : names.join(", ")),
    h("p", { class: "subject" }, ...[symbols.join(", "), markets[0].interval,
      `${runs[0].range[0].slice(0, 10)} to ${runs[0].range[1].slice(0, 10)}`,
      `${number(runs[0].bars.time.length, 0)} bars`,
      `capital ${number(runs[0].capital, 0)}`].map(text => h("span", {}, text))),
    made ? h("p", { class: "banner", role: "note" }, h("strong", {}, "SYNTHETIC"),
      " These bars come from a random generator. Nothing below says anything about a real market.")
      : null,
  ].filter(Boolean);
}

function navigation(choose) {
  const links = PARTS.map(([id, text]) => h("a", { href: `#${id}` }, text));
  if (runs.length > 1) links.unshift(h("a", { href: "#compare" }, "Compare"));
  const select = runs.length > 1 ? h("label", {}, h("span", { class: "dim" }, "Run "),
    h("select", { id: "run-select", onchange: event => choose(Number(event.target.value)) },
      ...runs.map((run, place) => h("option", { value: place }, run.label)))) : null;
  return h("nav", { "aria-label": "Parts of the report" }, select, h("div", {}, ...links));
}

/** Show a run: what one sees first comes first, each chart in a frame of its own. */
function showRun(place, host) {
  current?.remove();
  const run = runs[place], charts = [];
  let price = null, trades = null, isGone = false;
  const focus = row => {
    price.focus(row);
    const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.getElementById("price").scrollIntoView({ behavior: smooth ? "smooth" : "auto" });
  };
  const equity = section("equity", "Equity and drawdown", "At bar closes, times in UTC");
  const prices = section("price", "Price and trades",
    "Wheel or pinch zooms, drag moves, a click picks a trade; its stop and target are drawn where "
    + "the result knows them");
  host.replaceChildren(
    ...(runs.length > 1 ? [h("h2", { class: "run-title" }, run.label)] : []),
    cards(report, run), ...notices(run), equity, prices);
  const steps = [
    () => charts.push(equityChart(run, equity)),
    () => {
      price = priceChart(run, prices, row => trades?.show(row));
      charts.push(price);
    },
    () => {
      performance.mark("charts-drawn");
      trades = tradesSection(run, focus);
      host.append(monthsSection(run), periodsSection(run), distributionSection(run),
        trades.element, metricsSection(report, run), settingsSection(report, run));
      document.documentElement.dataset.drawn = run.label;
    },
    () => whenIdle(() => {
      if (isGone) return;
      charts[0].refine();
      document.documentElement.dataset.refined = run.label;
    }),
  ];
  const go = () => {
    if (isGone) return;
    steps.shift()();
    if (steps.length) nextFrame(go);
  };
  current = {
    run,
    get price() { return price; },
    remove: () => {
      isGone = true;
      for (const chart of charts) chart.remove();
    },
  };
  go();
}

/** Call `work` when what was done has been painted. */
function nextFrame(work) {
  requestAnimationFrame(() => setTimeout(work));
}

function whenIdle(work) {
  // Safari has no such callback.
  if (window.requestIdleCallback) requestIdleCallback(work, { timeout: 2000 });
  else setTimeout(work, 200);
}

function notices(run) {
  return run.trades.count ? [] : [h("p", { class: "notice" },
    "No trade was made: figures of trades are undefined, and equity stayed at the capital.")];
}

function footer() {
  return h("footer", {},
    h("p", {}, "Made by phalanx ", report.versions.phalanx ?? "", ", ",
      Object.entries(report.versions).filter(([name]) => name !== "phalanx")
        .map(([name, version]) => `${words(name)} ${version}`).join(", "), "."),
    h("p", {}, "Charts: TradingView Lightweight Charts™, Copyright (c) 2026 TradingView, Inc., ",
      h("a", { href: "https://www.tradingview.com/", rel: "noopener noreferrer" },
        "tradingview.com"), ", Apache License 2.0."));
}

function start() {
  const host = h("div", { id: "run" });
  const choose = place => {
    document.getElementById("run-select").value = String(place);
    showRun(place, host);
    host.scrollIntoView();
  };
  addHints();
  document.body.append(h("p", { id: "said", class: "unseen", "aria-live": "polite" }));
  const several = h("div");
  document.getElementById("report").replaceChildren(...heading(), navigation(choose), several,
    host, footer());
  if (runs.length > 1) addComparison(report, runs, several, choose);
  showRun(0, host);
}

start();
// What a test may look at.
window.phalanxReport = { report, runs, current: () => current };
