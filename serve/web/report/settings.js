// What repeats the run: its settings, bars, versions and command.

import { announce, h, section } from "./dom.js";
import { number, words } from "./format.js";

/** Return rows of [name, value, differs from its default] as a list of terms. */
export function rowsOf(rows) {
  return h("dl", { class: "terms" }, ...rows.flatMap(([name, value, isChanged]) => [
    h("dt", {}, words(name)),
    h("dd", { class: isChanged ? "changed" : null }, value,
      isChanged ? h("span", { class: "tag" }, "set") : null),
  ]));
}

function copyButton(code) {
  const button = h("button", { type: "button", class: "copy", onclick: () => copy() }, "Copy");
  const say = text => {
    button.textContent = text;
    announce(text);
  };
  async function copy() {
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied");
    } catch {
      // A browser may refuse a page from a file; then the reader presses the keys.
      getSelection().selectAllChildren(code);
      say("Selected: Ctrl+C");
    }
  }
  return button;
}

/** Return the command that makes the page once more, with a button that copies it. */
export function commandBlock(command) {
  const code = h("code", {}, command);
  return h("div", { class: "command" }, h("h3", {}, "Repeat it"), code, copyButton(code));
}

/** Return notes as a list, or nothing where there is none. */
export function notesBlock(notes) {
  return notes.length ? [h("div", { class: "notes" }, h("h3", {}, "Notes"),
    h("ul", {}, ...notes.map(note => h("li", {}, note))))] : [];
}

/** Return the plan, costs, instrument and parameters of a run, and how to repeat it. */
export function settingsSection(report, run) {
  const { market } = run;
  const bars = [
    ["symbol", market.symbol], ["interval", market.interval], ["bars", number(market.bars, 0)],
    ["traded", `${run.range[0]} to ${run.range[1]}`], ["SHA-256 of the columns", market.sha256],
    ["evaluations of the strategy on these bars", number(run.trials_counted, 0)],
  ];
  const tables = [...run.terms, ["Bars", bars],
    ["Versions", Object.entries(report.versions)]];
  return section("settings", "Settings",
    "What the run used; settings that differ from their default are marked",
    commandBlock(report.command), ...notesBlock(run.notes),
    h("div", { class: "columns" }, ...tables.map(([title, rows]) =>
      h("div", { class: "panel" }, h("h3", {}, title), rowsOf(rows)))));
}
