// Starts the machine's installed Chromium, headless and without its own network requests.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const findInPath = (program) =>
  process.env.PATH.split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));

const options = () => ({
  executablePath: findInPath("chromium"),
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

const contextOptions = ({ scheme = "light", width = 1360, height = 900, scale = 1 } = {}) => ({
  colorScheme: scheme,
  viewport: { width, height },
  deviceScaleFactor: scale,
});

/** A browser context with a new profile, in an empty folder. */
export const launch = (profile, view) =>
  chromium.launchPersistentContext(profile, { ...options(), ...contextOptions(view) });

/** A browser that other processes connect to. */
export const serve = () => chromium.launchServer({ ...options(), host: "127.0.0.1" });

/** A new browser context in the browser at that address. */
export const connect = async (endpoint, view) => {
  const browser = await chromium.connect(endpoint);
  return browser.newContext(contextOptions(view));
};
