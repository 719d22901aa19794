// Takes the screenshots of docs/dashboard.md. It is not a test; a person runs it:
//
//   node pictures.mjs BINARY [MINUTES]
//
// It starts the service, simulates runners, a supervisor and callers of jobs for MINUTES (default 6), and writes the
// screenshots to docs/screenshots.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { Agent, get, request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { launch } from "./chromium.mjs";
import { findRunningJob, simulateJobs } from "./play_jobs.mjs";

const [binary, minutes = "6"] = process.argv.slice(2);
const PORT = 8080;
const BASE = `http://127.0.0.1:${PORT}`;
const RUNNERS = 72;
const OFFERS_PER_S = 8;
const out = resolve(import.meta.dirname, "../../../../docs/screenshots");
const scratch = mkdtempSync(join(tmpdir(), "pilotlight-pictures-"));
const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const randomBetween = (from, to) => from + Math.random() * (to - from);

const DEPLOYMENTS = [
  { id: "deployment_2kq8vd71", version: "20261118.4", cpu: 0.5, memory: 0.5 },
  { id: "deployment_7hx0pm4r", version: "20261120.1", cpu: 1, memory: 2 },
  { id: "deployment_e5tz3w9c", version: "20261121.2", cpu: 2, memory: 4 },
];

function poll(number) {
  const { id, version, cpu, memory } = DEPLOYMENTS[number % 3];
  const headers = {
    "x-trigger-deployment-id": id,
    "x-trigger-deployment-version": version,
    "x-trigger-workload-controller-id": `runner-${((number * 7919 + 11) % 65521).toString(16).padStart(4, "0")}-${id.slice(-4)}`,
    "x-trigger-worker-instance-name": `node-${1 + (number % 5)}`,
    "x-trigger-machine-cpu": String(cpu),
    "x-trigger-machine-memory": String(memory),
  };
  // The runner polls again after each answer, as the real client does.
  const pollAgain = (ms) => setTimeout(() => poll(number), ms);
  get({ port: PORT, path: "/warm-start", agent, headers }, (answer) => {
    answer.resume().on("end", () => pollAgain(randomBetween(600, 7000)));
  }).on("error", () => pollAgain(500));
}

function offer() {
  // Some offers are for a version that no runner polls for yet, as after a deployment.
  const { id, version, cpu, memory } = DEPLOYMENTS[Math.floor(randomBetween(0, 3))];
  const isNew = Math.random() < 0.03;
  const message = {
    deployment: { friendlyId: id },
    backgroundWorker: { version: isNew ? "20261122.1" : version },
    run: { friendlyId: `run_${Math.random().toString(36).slice(2, 14)}`, machine: { cpu, memory } },
  };
  const body = JSON.stringify({ dequeuedMessage: message });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  request({ port: PORT, path: "/warm-start", method: "POST", agent, headers }, (answer) => answer.resume())
    .on("error", () => {})
    .end(body);
}

async function takeScreenshots(state, fragment = () => "") {
  for (const scheme of ["light", "dark"]) {
    const context = await launch(join(scratch, `${state}-${scheme}`), { scheme, height: 860 });
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(`${BASE}/${await fragment()}`);
    await page.waitForSelector(".connection.live");
    await sleep(1500);
    await page.screenshot({ path: join(out, `${state}-${scheme}.png`), fullPage: true, animations: "disabled" });
    await context.close();
  }
}

const service = spawn(resolve(binary), ["serve"], { cwd: scratch, env: { PORT: String(PORT) }, stdio: "ignore" });
try {
  mkdirSync(out, { recursive: true });
  await sleep(1000);
  await takeScreenshots("empty");
  await takeScreenshots("jobs-empty", () => "#/jobs");
  simulateJobs(BASE);
  for (let number = 0; number < RUNNERS; number += 1) setTimeout(() => poll(number), randomBetween(0, 20_000));
  const offers = setInterval(() => Math.random() < 0.9 && offer(), 1000 / OFFERS_PER_S);
  await sleep(Number(minutes) * 60_000);
  await takeScreenshots("busy");
  await takeScreenshots("jobs", () => "#/jobs");
  await takeScreenshots("job", async () => `#/jobs/${await findRunningJob(BASE)}`);
  clearInterval(offers);
} finally {
  service.kill();
  rmSync(scratch, { recursive: true, force: true });
}
process.exit();
