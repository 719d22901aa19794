// Which part of the page is shown. Its address says it behind the `#`, so that a job can be linked to.

import { signal } from "@preact/signals";

const PLACES = [
  [/^#\/warm-starts$/, () => ({ view: "warm-starts" })],
  [/^#\/jobs$/, () => ({ view: "jobs" })],
  [/^#\/jobs\/new$/, () => ({ view: "submit" })],
  [/^#\/jobs\/([^/]+)$/, (id) => ({ view: "job", id })],
  [/^#\/runners\/([^/]+)$/, (id) => ({ view: "runner", id })],
];

/** { view, id }; the view is "home" where the address says nothing. */
export const route = signal(read());

export const toJob = (id) => `#/jobs/${encodeURIComponent(id)}`;
export const toRunner = (id) => `#/runners/${encodeURIComponent(id)}`;

/** Goes there; whoever reads the page aloud begins anew. */
export function go(hash) {
  location.hash = hash;
}

addEventListener("hashchange", () => {
  route.value = read();
  scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
});

function read() {
  for (const [pattern, place] of PLACES) {
    const found = pattern.exec(location.hash);
    if (found) return place(decoded(found[1]));
  }
  return { view: "home" };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Nothing is called so, which is then said.
  }
}
