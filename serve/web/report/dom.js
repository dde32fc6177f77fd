// Builds elements. Text enters the page as text nodes only, never as markup, so that no name, note
// or signal of a run can become anything else.

/** Return an HTML element; attributes that begin with "on" are listeners. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

/** Return a titled part of the page. */
export function section(id, title, note, ...children) {
  return h("section", { id, "aria-labelledby": `${id}-title` },
    h("header", { class: "section-head" },
      h("h2", { id: `${id}-title` }, title), note ? h("p", { class: "dim" }, note) : null),
    ...children);
}

/** Return buttons of which one is pressed; `choose` gets the value of the one that is picked. */
export function choice(label, options, value, choose) {
  const buttons = options.map(([text, option, title]) =>
    h("button", {
      type: "button", "aria-pressed": String(option === value), title,
      onclick: event => {
        for (const button of buttons) {
          button.setAttribute("aria-pressed", String(button === event.currentTarget));
        }
        choose(option);
      },
    }, text));
  return h("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
}

/** Say of buttons made by `choice` that none of their values holds any more. */
export function unchoose(group) {
  for (const button of group.children) button.setAttribute("aria-pressed", "false");
}

/** Return a button that is on or off. */
export function toggle(text, isOn, change, attributes = {}) {
  return h("button", {
    type: "button", class: "toggle", "aria-pressed": String(isOn), ...attributes,
    onclick: event => {
      const now = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(now));
      change(now);
    },
  }, text);
}

/** Return the class that colours a result. */
export function tone(value) {
  return value > 0 ? "gain" : value < 0 ? "loss" : "";
}

/** Say something to those who listen to the page. */
export function announce(text) {
  document.getElementById("said").textContent = text;
}
