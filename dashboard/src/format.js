// Numbers, times and durations as text for the page.

const integer = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

const dateAndClock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** 10,000 */
export const count = (number) => integer.format(number);

/** "1 runner", "2 runners" */
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** Only exact values are shown as 0 or 100: a rate with one cold start is 99.9 at most, one with a warm start 0.1 at least. */
export function percent(value) {
  if (value > 99.9 && value < 100) return "99.9";
  if (value > 0 && value < 0.1) return "0.1";
  return value.toFixed(value === 0 || value === 100 ? 0 : 1);
}

/** 84 µs, 1.2 ms, 3.4 s: at most three digits. */
export function micros(us) {
  if (us < 1) return "< 1 µs";
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${shortDecimal(us / 1000)} ms`;
  return `${shortDecimal(us / 1_000_000)} s`;
}

const shortDecimal = (value) => (value < 10 ? value.toFixed(1) : Math.round(value).toString());

/** A duration in whole seconds or larger units: 7 s, 3 min 20 s, 2 h 5 min */
export function wholeDuration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** A measured duration: 12 ms, 3.2 s, 3 min 20 s */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : wholeDuration(ms);
}

/** 512 bytes, 12.3 KB, 1.0 MB */
export function byteSize(bytes) {
  if (bytes < 1000) return plural(bytes, "byte");
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A configured duration: 30 s, 5 min, 1.5 s */
export function configDuration(ms) {
  if (ms === 0) return "0";
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
}

/** 03:41:07 */
export const time = (at) => clock.format(at);

/** 23 Nov 2026, 03:41:07 */
export const date = (at) => dateAndClock.format(at);

/** just now, 7 s ago */
export const timeAgo = (ms) => (ms < 1000 ? "just now" : `${wholeDuration(ms)} ago`);

export const machineSize = ({ cpu, memory }) => `${cpu} vCPU · ${memory} GB`;
