// How numbers and times are written: one place, so that a figure looks alike wherever it stands.

export const UNDEFINED = "–";
const DAY_MS = 86_400_000;
const MINUS = "−";
const formats = new Map();

function fixed(value, decimals) {
  if (!formats.has(decimals)) {
    formats.set(decimals, new Intl.NumberFormat("en-US",
      { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }
  const text = formats.get(decimals).format(Math.abs(value));
  // What rounds to zero has no sign.
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

const isMissing = value => value === null || value === undefined || Number.isNaN(value);

/** Return a plain number. */
export function number(value, decimals = 2) {
  return isMissing(value) ? UNDEFINED : fixed(value, decimals);
}

/** Return a ratio as percent. */
export function percent(value, decimals = 2) {
  return isMissing(value) ? UNDEFINED : `${fixed(value * 100, decimals)} %`;
}

/** Return text with a plus before what is above zero: colour alone must not carry the sign. */
export function signed(text, value) {
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** Return a metric's value as its unit asks. */
export function figure(metric, value) {
  if (isMissing(value)) return UNDEFINED;
  if (metric.unit === "ratio") return percent(value, metric.decimals);
  if (metric.unit === "contracts" || metric.unit === "bars" || metric.unit === "days") {
    const text = Number.isInteger(value) ? fixed(value, 0) : significant(value, metric.decimals);
    return metric.unit === "days" ? `${text} d` : text;
  }
  return fixed(value, metric.decimals);
}

function significant(value, decimals) {
  const size = Math.abs(value);
  return fixed(value, Math.max(decimals, size >= 100 ? 0 : size >= 1 ? 1 : 4));
}

/** Return how many decimals a step such as a tick size has, 10 at most. */
export function decimalsOf(step) {
  let decimals = 0;
  while (decimals < 10 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals))
    > 1e-9) decimals++;
  return decimals;
}

/** Return a UTC time as 2025-01-31 12:45. */
export function time(ms) {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

/** Return a UTC day as 2025-01-31. */
export function day(ms) {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Return a length of time in the unit that suits it. */
export function duration(ms) {
  if (ms >= 3 * DAY_MS) return `${fixed(ms / DAY_MS, 0)} d`;
  if (ms >= DAY_MS / 8) return `${fixed(ms / DAY_MS * 24, 0)} h`;
  return `${fixed(ms / 60_000, 0)} min`;
}

/** Return a word of the machine as people write it. */
export function words(name) {
  return name.replaceAll("_", " ");
}
