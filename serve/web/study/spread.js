// How the sets spread over a metric.

import { h, section } from "../report/dom.js";
import { bars } from "../report/distribution.js";
import { number } from "../report/format.js";
import { metricChooser } from "./controls.js";
import { brief, full } from "./study_model.js";

function picture(model, metric) {
  const { from, step, counts, undefined: missing } = model.histograms[metric.index];
  if (!counts.length) return [h("p", { class: "dim" }, "Undefined for every set.")];
  const edge = place => from + place * step;
  const isSigned = from < 0 && edge(counts.length) > 0;
  const entries = counts.map((count, place) => {
    const low = place ? full(metric, edge(place)) : "below";
    const high = place < counts.length - 1 ? full(metric, edge(place + 1)) : "above";
    const tone = !isSigned ? "plain" : edge(place) < 0 ? "loss" : "gain";
    return [brief(metric, edge(place)), count, `${low} to ${high}: ${number(count, 0)} sets`, tone];
  });
  const chart = bars(`Sets by ${metric.label}`, entries, Math.ceil(counts.length / 7));
  return [chart, ...(missing ? [h("p", { class: "dim" },
    `Undefined for ${number(missing, 0)} of ${number(model.counts.sample, 0)} sets.`)] : [])];
}

/** Return the section of the distribution of any metric. */
export function spreadSection(model) {
  const host = h("div", { id: "spread" });
  const show = metric => host.replaceChildren(...picture(model, metric));
  show(model.objective);
  const isPart = model.counts.sample < model.counts.met;
  return section("distribution", "Distribution", isPart
    ? `Of ${number(model.counts.sample, 0)} sets drawn from ${number(model.counts.met, 0)}`
    : `Of ${number(model.counts.met, 0)} sets`,
  h("div", { class: "controls" }, metricChooser(model, model.objective, show)), host);
}
