// The choices that several pictures share: which metric, which axis.

import { h } from "../report/dom.js";

/** Return a labelled list of which one is chosen: options are [text, value]. */
export function chooser(label, options, value, choose) {
  const select = h("select", { "aria-label": label,
    onchange: event => choose(options[event.target.selectedIndex][1]) },
  ...options.map(([text, option]) => h("option", { selected: option === value }, text)));
  return h("label", { class: "chooser" }, h("span", {}, label), select);
}

/** Return a chooser of a metric, the study's objective first. */
export function metricChooser(model, chosen, choose) {
  const others = model.metrics.filter(metric => metric !== model.objective);
  const options = [[`${model.objective.label} (objective)`, model.objective],
    ...others.map(metric => [metric.label, metric])];
  return chooser("Metric", options, chosen, choose);
}
