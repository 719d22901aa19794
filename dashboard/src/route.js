// The shown page. It is in the address, behind the `#`, so that users can link to a job.

import { signal } from "@preact/signals";

const ROUTES = [
  [/^#\/warm-starts$/, () => ({ view: "warm-starts" })],
  [/^#\/jobs$/, () => ({ view: "jobs" })],
  [/^#\/jobs\/new$/, () => ({ view: "submit" })],
  [/^#\/jobs\/([^/]+)$/, (id) => ({ view: "job", id })],
  [/^#\/runners\/([^/]+)$/, (id) => ({ view: "runner", id })],
];

/** { view, id }. The view is "home" when the address names no page. */
export const route = signal(parseHash());

export const jobHref = (id) => `#/jobs/${encodeURIComponent(id)}`;
export const runnerHref = (id) => `#/runners/${encodeURIComponent(id)}`;

export function navigate(href) {
  location.hash = href;
}

/** Scrolls to the top and focuses the content, so that a screen reader starts with the new page. */
addEventListener("hashchange", () => {
  route.value = parseHash();
  scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
});

function parseHash() {
  for (const [pattern, toRoute] of ROUTES) {
    const found = pattern.exec(location.hash);
    if (found) return toRoute(decoded(found[1]));
  }
  return { view: "home" };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // No job or runner has such an id; the page says so.
  }
}
