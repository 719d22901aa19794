// One page in a Chromium that runs already, driven by the tests: reads one JSON command on each line of stdin, answers
// with one JSON line. The end of stdin ends it. Takes one JSON argument:
//
//   endpoint         the address of the Chromium
//   scheme           "light" or "dark"
//
// Commands, by `do`:
//   open { url }             opens it
//   eval { js }              what the expression says; it may await
//   until { js }             waits until the expression is truthy, and says what it is
//   click { role, name }     the one element of that role with that name
//   fill { label, text }     the one field with that label
//   press { key }
//   axe { }                  serious and critical faults: [{ id, help, nodes }]
//   fake { path, answers }   answers requests to that path itself: { METHOD: [{ status, json }, ..] }, the last for good
//   faked { }                what those requests were: [{ method, path, token, body }]
//   faults { }               errors on the console and requests to elsewhere, since the start

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { connect } from "./chromium.mjs";

const wish = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Well above what a loaded machine needs: it ends a hang.
const DEADLINE_MS = 25_000;

const context = await connect(wish.endpoint, wish);
context.setDefaultTimeout(DEADLINE_MS);
const page = await context.newPage();

const faults = [];
let origin = null;
page.on("console", (message) => {
  if (message.type() === "error") faults.push(`console: ${message.text()} (${message.location().url})`);
});
page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
page.on("request", (request) => {
  const url = request.url();
  if (origin && !url.startsWith(origin) && !url.startsWith("data:")) faults.push(`request: ${url}`);
});

const evaluate = (js) => page.evaluate(`(async () => (${js}))()`);

async function until(js) {
  const ends = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await evaluate(js);
    if (found) return found;
    if (Date.now() > ends) throw new Error(`waited in vain: ${js}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const faked = [];

function pretend(route, path, answers) {
  const request = route.request();
  const left = answers[request.method()];
  const token = request.headers()["x-csrf-token"] ?? null;
  faked.push({ method: request.method(), path, token, body: request.postDataJSON() });
  return route.fulfill(left.length > 1 ? left.shift() : left[0]);
}

const does = {
  async open({ url }) {
    origin = new URL(url).origin;
    await page.goto(url, { waitUntil: "load" });
  },
  eval: ({ js }) => evaluate(js),
  until: ({ js }) => until(js),
  click: ({ role, name }) => page.getByRole(role, { name, exact: true }).click(),
  fill: ({ label, text }) => page.getByLabel(label, { exact: true }).fill(text),
  press: ({ key }) => page.keyboard.press(key),
  async axe() {
    // By the debugger, which the page's policy does not bind.
    await page.evaluate(axe);
    const { violations } = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => `${node.html} ${node.failureSummary}`) }));
  },
  fake: ({ path, answers }) => page.route(`**${path}`, (route) => pretend(route, path, answers)),
  faked: () => faked,
  faults: () => faults,
};

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    say({ said: (await does[command.do](command)) ?? null });
  } catch (error) {
    say({ failed: String(error.message ?? error) });
  }
}
await context.close();
process.exit();
