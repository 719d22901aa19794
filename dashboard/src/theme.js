// Light or dark: as the system says, until somebody says otherwise here.

import { signal } from "@preact/signals";

const KEY = "pilotlight-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function remembered() {
  try {
    const said = localStorage.getItem(KEY);
    return said === "light" || said === "dark" ? said : null;
  } catch {
    return null; // Storage may be forbidden; the system's wish is good enough.
  }
}

const wish = () => remembered() ?? (system.matches ? "dark" : "light");

export const theme = signal(wish());

export function applyTheme() {
  document.documentElement.dataset.theme = theme.value;
}

export function toggleTheme() {
  const next = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Then it lasts until the page is closed.
  }
  set(next);
}

function set(next) {
  document.documentElement.dataset.theme = next;
  theme.value = next;
}

system.addEventListener("change", () => set(wish()));

/** A colour of the stylesheet as a canvas wants it. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}
