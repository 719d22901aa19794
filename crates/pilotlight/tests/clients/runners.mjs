// Real runners: each drives the unchanged WarmStartClient in a loop. It connects, waits for a run, prints the run
// instead of executing it, and connects again. Prints one JSON line for each event. Takes one JSON argument with these
// fields:
//
//   url                  the service's address
//   runners              the runners' ids; each gets a client of its own
//   deployment, version, cpu, memory   strings that decide which runs the runners can take
//   rounds               how many runs a runner takes before it ends; without it, a runner never ends
//   connectionTimeoutMs, keepaliveMs   replace the values that the service sends: a number, or one number per runner
//   tells                what a `received` event contains: "message" (the whole message) or "id" (only the run's id)
//
// The line `abort` on stdin calls abort() on every client. The process exits at the end of stdin.

import { createInterface } from "node:readline";
import { WarmStartClient } from "@trigger.dev/core/v3/workers";

const options = JSON.parse(process.argv[2]);
const emit = (event, fields) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

// The client logs to the console. Only its log line about a timeout becomes an event.
console.log = (line) => {
  if (String(line).includes("Long poll request timed out")) emit("timed-out");
};
console.warn = console.info = console.debug = () => {};

const clients = options.runners.map(
  (controllerId) =>
    new WarmStartClient({
      apiUrl: new URL(options.url),
      controllerId,
      deploymentId: options.deployment,
      deploymentVersion: options.version,
      machineCpu: options.cpu,
      machineMemory: options.memory,
    }),
);

// The value for this runner.
const forRunner = (value, index) => (Array.isArray(value) ? value[index] : value);

async function run(client, index) {
  const runner = options.runners[index];
  for (let round = 0; round < (options.rounds ?? Infinity); round += 1) {
    const connected = await client.connect();
    if (!connected.success) return emit("failed", { runner, why: String(connected.error) });
    if (round === 0) emit("connected", { runner, data: connected.data });
    const { connectionTimeoutMs, keepaliveMs } = connected.data;
    if (!connectionTimeoutMs || !keepaliveMs) return emit("ended", { runner, why: "told to exit" });

    const message = await client.warmStart({
      workerInstanceName: "node-1",
      connectionTimeoutMs: forRunner(options.connectionTimeoutMs, index) ?? connectionTimeoutMs,
      keepaliveMs: forRunner(options.keepaliveMs, index) ?? keepaliveMs,
    });
    if (message === null) return emit("ended", { runner, why: "no run" });
    emit("received", { runner, ...(options.tells === "message" ? { message } : { run: message.run.friendlyId }) });
  }
}

// A process that gets no CPU time for a while notices its timeouts late. Tests ignore what happened in such a pause.
let lastTick = Date.now();
setInterval(() => {
  const now = Date.now();
  if (now - lastTick > 15) emit("stood-still", { from: lastTick, to: now });
  lastTick = now;
}, 5).unref();

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => line === "abort" && clients.forEach((client) => client.abort()));
// The parent process has exited.
process.stdin.on("end", () => process.exit());

await Promise.all(
  clients.map((client, index) =>
    run(client, index).catch((error) => emit("failed", { runner: options.runners[index], why: String(error) })),
  ),
);
// The timer of an aborted poll remains and would keep the process alive until its timeout, so the process exits here,
// after its output is flushed.
process.stdout.write("", () => process.exit());
