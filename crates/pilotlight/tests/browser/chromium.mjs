// How the machine's own Chromium is started: quiet, without a screen, and asking nobody for anything.

import { chromium } from "playwright-core";

/** A browser context with a profile of its own, in an empty folder. */
export const launch = (profile, { scheme = "light", width = 1360, height = 900, scale = 1 } = {}) =>
  chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
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
