// The light or dark theme: the system's, until the user chooses one on the page.

import { signal } from "@preact/signals";

const KEY = "pilotlight-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function storedTheme() {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : null;
  } catch {
    return null; // The browser may forbid storage; the system's theme applies then.
  }
}

const preferredTheme = () => storedTheme() ?? (system.matches ? "dark" : "light");

export const theme = signal(preferredTheme());

export function applyTheme() {
  document.documentElement.dataset.theme = theme.value;
}

export function toggleTheme() {
  const next = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
  setTheme(next);
}

function setTheme(next) {
  document.documentElement.dataset.theme = next;
  theme.value = next;
}

system.addEventListener("change", () => setTheme(preferredTheme()));

/** The value of the CSS variable `--name`, for drawing on a canvas, which cannot read CSS variables. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}
