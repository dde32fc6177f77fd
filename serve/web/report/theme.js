// Dark and light: the reader's system decides until the switch does; charts follow.

import { choice } from "./dom.js";

const followers = new Set();
// Asked for thousands of times a frame, so asked of the style sheet once.
const known = new Map();

/** Return the value of a colour of the style sheet. */
export function colour(name) {
  if (!known.has(name)) {
    const style = getComputedStyle(document.documentElement);
    known.set(name, style.getPropertyValue(`--${name}`).trim());
  }
  return known.get(name);
}

/** Call `draw` now and whenever the colours change. */
export function followColours(draw) {
  followers.add(draw);
  draw();
  return () => followers.delete(draw);
}

function tell() {
  known.clear();
  for (const draw of followers) draw();
}

/** Return the switch between the system's choice, light and dark. */
export function themeSwitch() {
  const root = document.documentElement;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  // Paper is light, whatever the screen shows.
  let before = null;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme ?? "auto";
    root.dataset.theme = "light";
    tell();
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = before;
    tell();
  });
  return choice("Colours", [["Auto", "auto"], ["Light", "light"], ["Dark", "dark"]], "auto",
    theme => {
      root.dataset.theme = theme;
      tell();
    });
}
