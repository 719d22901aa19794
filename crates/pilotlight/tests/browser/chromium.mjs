// How the machine's own Chromium is started: quiet, without a screen, and asking nobody for anything.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const found = (program) =>
  process.env.PATH.split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));

/** A browser context with a profile of its own, in an empty folder. */
export const launch = (profile, { scheme = "light", width = 1360, height = 900, scale = 1 } = {}) =>
  chromium.launchPersistentContext(profile, {
    executablePath: found("chromium"),
    headless: true,
    colorScheme: scheme,
    viewport: { width, height },
    deviceScaleFactor: scale,
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
