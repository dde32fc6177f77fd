// One floating explanation for the whole page: shown on hover, on focus and on tap.

import { h } from "./dom.js";

const EDGE = 8;
let box = null;
let owner = null;

function place(target) {
  const at = target.getBoundingClientRect();
  const width = box.offsetWidth, height = box.offsetHeight;
  const left = Math.min(Math.max(EDGE, at.left), innerWidth - width - EDGE);
  const isBelow = at.bottom + height + EDGE < innerHeight;
  box.style.left = `${Math.max(EDGE, left)}px`;
  box.style.top = `${Math.max(EDGE, isBelow ? at.bottom + 6 : at.top - height - 6)}px`;
}

function show(target, lines) {
  owner?.removeAttribute("aria-describedby");
  owner = target;
  box.replaceChildren(...lines.map((line, row) => h("p", { class: row ? "dim" : null }, line)));
  box.hidden = false;
  target.setAttribute("aria-describedby", "hint");
  place(target);
}

function hide() {
  owner?.removeAttribute("aria-describedby");
  owner = null;
  box.hidden = true;
}

/** Put the explanation box into the page. */
export function addHints() {
  box = h("div", { id: "hint", role: "tooltip", hidden: true });
  document.body.append(box);
  addEventListener("scroll", () => { if (owner) place(owner); }, { passive: true });
  addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
}

/** Let `target` explain itself in `lines`; it becomes reachable by keyboard. */
export function hinted(target, ...lines) {
  const shown = lines.filter(Boolean);
  if (!target.hasAttribute("tabindex")) target.setAttribute("tabindex", "0");
  target.addEventListener("pointerenter", event => {
    if (event.pointerType === "mouse") show(target, shown);
  });
  target.addEventListener("pointerleave", event => {
    if (event.pointerType === "mouse") hide();
  });
  target.addEventListener("focus", () => show(target, shown));
  target.addEventListener("blur", hide);
  return target;
}
