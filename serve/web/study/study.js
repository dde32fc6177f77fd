// The page of a study: what was tried, the best sets, and what the space looks like.

import { h, section } from "../report/dom.js";
import { number, percent, words } from "../report/format.js";
import { addHints, hinted } from "../report/hint.js";
import { shown } from "../report/metrics.js";
import { commandBlock, notesBlock, rowsOf } from "../report/settings.js";
import { themeSwitch } from "../report/theme.js";
import { heatMapSection } from "./heat_map.js";
import { parallelSection } from "./parallel.js";
import { sensitivitySection } from "./sensitivity.js";
import { spreadSection } from "./spread.js";
import { modelOf } from "./study_model.js";
import { topSection } from "./top_list.js";

const model = modelOf(JSON.parse(document.getElementById("payload").textContent));
const PARTS = [["top", "Best sets"], ["heat", "Heat map"], ["sensitivity", "Sensitivity"],
  ["parallel", "Parallel coordinates"], ["distribution", "Distribution"], ["settings", "Settings"]];

function heading() {
  const { counts } = model;
  return [
    h("header", { class: "masthead" },
      h("p", { class: "house" }, "phalanx ", h("span", {}, "study")), themeSwitch()),
    h("h1", {}, model.strategy),
    h("p", { class: "subject" }, ...[model.study_id, `${number(counts.rows, 0)} sets`,
      `by ${model.direction} ${model.objective.label}`,
      ...(model.constraints.length ? [`where ${model.constraints.map(words).join(", ")}`] : []),
    ].map(text => h("span", {}, text))),
    model.is_synthetic ? h("p", { class: "banner", role: "note" }, h("strong", {}, "SYNTHETIC"),
      " These bars come from a random generator. Nothing below says anything about a real market.")
      : null,
  ].filter(Boolean);
}

function card(title, main, more, ...meaning) {
  return hinted(h("li", { class: "card" }, h("span", { class: "card-label" }, title),
    h("strong", {}, main), h("span", { class: "card-more" }, more)), ...meaning);
}

function cards() {
  const { counts, winners, objective } = model, [best] = winners;
  const checked = winners.filter(winner => typeof winner.verified === "boolean").length;
  const same = winners.filter(winner => winner.verified === true).length;
  const trials = model.trials === null ? "–" : number(model.trials, 0);
  return h("ul", { class: "cards" },
    card(`Best ${objective.label}`, best ? shown(objective, best.metrics[objective.index]) : "–",
      best ? best.market : "no set", objective.label, `= ${objective.formula}`),
    card("Sets evaluated", number(counts.rows, 0), `${number(counts.met, 0)} ranked`,
      "Sets that were run, on all markets; ranked are those that fulfil the constraints"),
    card("Trials counted", trials, "of this strategy, these bars",
      "Every different evaluation of the strategy on the bars of the best set, in this study and "
      + "all others on this machine's ledger"),
    card("Deflated Sharpe", percent(model.sharpe_deflated_ratio, 1), "of the best set",
      "Probability that the best set's true Sharpe ratio is above what the best of so many "
      + "worthless trials shows by chance", "Below 95 % luck is a good explanation"),
    card("Verified", checked ? `${same} of ${checked}` : "–", "on the reference engine",
      "Best sets whose trades the reference engine gives exactly"),
    card("Left out", number(counts.excluded, 0), `${number(counts.failed, 0)} failed`,
      "Combinations that the strategy's or the plan's own rules exclude, and sets that could not "
      + "be run"));
}

function settingsPart() {
  const tables = [...model.facts, ["Versions", Object.entries(model.versions)]];
  return section("settings", "Settings", "What the study was, and what it was made of",
    commandBlock(model.command), ...notesBlock(model.notes),
    h("div", { class: "columns" }, ...tables.filter(([, rows]) => rows.length)
      .map(([title, rows]) => h("div", { class: "panel" }, h("h3", {}, title), rowsOf(rows)))));
}

function start() {
  addHints();
  document.body.append(h("p", { id: "said", class: "unseen", "aria-live": "polite" }));
  const makers = [topSection, heatMapSection, sensitivitySection, parallelSection, spreadSection];
  const parts = [];
  const host = h("div", { id: "parts" });
  const links = h("div");
  document.getElementById("report").replaceChildren(...heading(),
    h("nav", { "aria-label": "Parts of the study" }, links), cards(), host,
    h("footer", {}, h("p", {}, "Made by phalanx ", model.versions.phalanx ?? "", ".")));
  for (const make of makers) {
    const part = model.counts.met || make === topSection ? make(model) : null;
    if (part) parts.push(part);
  }
  parts.push(settingsPart());
  host.append(...parts);
  const there = new Set(parts.map(part => part.id));
  links.append(...PARTS.filter(([id]) => there.has(id)).map(([id, text]) =>
    h("a", { href: `#${id}` }, text)));
  document.documentElement.dataset.drawn = model.study_id;
}

start();
// What a test may look at.
window.phalanxStudy = model;
