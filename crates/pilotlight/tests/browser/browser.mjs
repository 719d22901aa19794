// Opens one page in a running Chromium, and controls it for a test: reads one JSON command per line of stdin, and
// answers each with one JSON line, `{ value }` or `{ failed }`. It exits when stdin ends. Its argument is a JSON
// object:
//
//   endpoint         the address of Chromium
//   scheme           "light" or "dark"
//
// Commands, by `do`:
//   open { url }             opens the URL
//   eval { js }              the value of the expression, which may await
//   until { js }             waits until the expression is truthy, and returns its value
//   click { role, name }     clicks the only element with that role and name
//   fill { label, text }     fills the only field with that label
//   press { key }            presses the key
//   axe { }                  serious and critical accessibility violations: [{ id, help, nodes }]
//   fake { path, answers }   from now on answers requests to that path: { METHOD: [{ status, json }, ..] }. The last
//                            answer of a method is used for all further requests
//   faked-requests { }       the requests answered this way: [{ method, path, token, body }]
//   errors { }               errors on the console and requests to other hosts, since the start

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { connect } from "./chromium.mjs";

const options = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Much longer than a loaded machine needs: it ends a hang.
const DEADLINE_MS = 25_000;

const context = await connect(options.endpoint, options);
context.setDefaultTimeout(DEADLINE_MS);
const page = await context.newPage();

const errors = [];
let origin = null;
page.on("console", (message) => {
  if (message.type() === "error") errors.push(`console: ${message.text()} (${message.location().url})`);
});
page.on("pageerror", (error) => errors.push(`exception: ${error.message}`));
page.on("request", (request) => {
  const url = request.url();
  if (origin && !url.startsWith(origin) && !url.startsWith("data:")) errors.push(`request: ${url}`);
});

const evaluate = (js) => page.evaluate(`(async () => (${js}))()`);

async function until(js) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const value = await evaluate(js);
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not true within ${DEADLINE_MS} ms: ${js}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const fakedRequests = [];

function answerFaked(route, path, answers) {
  const request = route.request();
  const remaining = answers[request.method()];
  const token = request.headers()["x-csrf-token"] ?? null;
  fakedRequests.push({ method: request.method(), path, token, body: request.postDataJSON() });
  return route.fulfill(remaining.length > 1 ? remaining.shift() : remaining[0]);
}

const handlers = {
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
    // The script is injected by the debugger, to which the page's content security policy does not apply.
    await page.evaluate(axe);
    const { violations } = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => `${node.html} ${node.failureSummary}`) }));
  },
  fake: ({ path, answers }) => page.route(`**${path}`, (route) => answerFaked(route, path, answers)),
  "faked-requests": () => fakedRequests,
  errors: () => errors,
};

const write = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
write({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    write({ value: (await handlers[command.do](command)) ?? null });
  } catch (error) {
    write({ failed: String(error.message ?? error) });
  }
}
await context.close();
process.exit();
