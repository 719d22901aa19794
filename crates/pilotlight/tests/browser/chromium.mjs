// How the machine's own Chromium is started: quiet, without a screen, and asking nobody for anything.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const found = (program) =>
  process.env.PATH.split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));

const options = () => ({
  executablePath: found("chromium"),
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

const view = ({ scheme = "light", width = 1360, height = 900, scale = 1 } = {}) => ({
  colorScheme: scheme,
  viewport: { width, height },
  deviceScaleFactor: scale,
});

/** A browser context with a profile of its own, in an empty folder. */
export const launch = (profile, wish) =>
  chromium.launchPersistentContext(profile, { ...options(), ...view(wish) });

/** A browser that others connect to. */
export const serve = () => chromium.launchServer({ ...options(), host: "127.0.0.1" });

/** A browser context in the browser that listens at that address. */
export const connect = async (endpoint, wish) => {
  const browser = await chromium.connect(endpoint);
  return browser.newContext(view(wish));
};
