// Runners as their own code drives them: the unchanged WarmStartClient, which connects, waits, executes (here: says
// what it got), and comes back. Prints one JSON line for each event. Takes one JSON argument:
//
//   url                  where the service listens
//   runners              their identities, one client each
//   deployment, version, cpu, memory   what fits them; texts
//   rounds               runs after which a runner is done; none: it never is
//   connectionTimeoutMs, keepaliveMs   used instead of what the service advertises: numbers, or one number per runner
//   tells                "message": the whole of what was received; "id": only the run's id
//
// The line `abort` on stdin calls abort() on every client; the end of stdin ends the process.

import { createInterface } from "node:readline";
import { WarmStartClient } from "@trigger.dev/core/v3/workers";

const wish = JSON.parse(process.argv[2]);
const say = (event, more) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

// The client logs to the console. Of that only a time-out is worth telling.
console.log = (line) => {
  if (String(line).includes("Long poll request timed out")) say("timed-out");
};
console.warn = console.info = console.debug = () => {};

const clients = wish.runners.map(
  (controllerId) =>
    new WarmStartClient({
      apiUrl: new URL(wish.url),
      controllerId,
      deploymentId: wish.deployment,
      deploymentVersion: wish.version,
      machineCpu: wish.cpu,
      machineMemory: wish.memory,
    }),
);

const own = (value, index) => (Array.isArray(value) ? value[index] : value);

async function run(client, index) {
  const runner = wish.runners[index];
  for (let round = 0; round < (wish.rounds ?? Infinity); round += 1) {
    const connected = await client.connect();
    if (!connected.success) return say("failed", { runner, why: String(connected.error) });
    if (round === 0) say("connected", { runner, data: connected.data });
    const { connectionTimeoutMs, keepaliveMs } = connected.data;
    if (!connectionTimeoutMs || !keepaliveMs) return say("ended", { runner, why: "told to exit" });

    const message = await client.warmStart({
      workerInstanceName: "node-1",
      connectionTimeoutMs: own(wish.connectionTimeoutMs, index) ?? connectionTimeoutMs,
      keepaliveMs: own(wish.keepaliveMs, index) ?? keepaliveMs,
    });
    if (message === null) return say("ended", { runner, why: "no run" });
    say("received", { runner, ...(wish.tells === "message" ? { message } : { run: message.run.friendlyId }) });
  }
}

// A process that gets no processor for a while notices its time-outs late. Tests want to know.
let last = Date.now();
setInterval(() => {
  const now = Date.now();
  if (now - last > 15) say("stood-still", { from: last, to: now });
  last = now;
}, 5).unref();

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => line === "abort" && clients.forEach((client) => client.abort()));
// Whoever started us is gone.
process.stdin.on("end", () => process.exit());

await Promise.all(
  clients.map((client, index) =>
    run(client, index).catch((error) => say("failed", { runner: wish.runners[index], why: String(error) })),
  ),
);
// The client leaves the timer of an aborted poll behind, which would keep the process for its whole time-out. What was
// said goes out first.
process.stdout.write("", () => process.exit());
