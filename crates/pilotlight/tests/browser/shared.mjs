// Starts the Chromium that all tests of a run share, and writes its address to the file that the argument names. It
// exits when stdin ends.

import { renameSync, writeFileSync } from "node:fs";
import { serve } from "./chromium.mjs";

const server = await serve();
const file = process.argv[2];
// The rename makes the file appear with its whole content.
writeFileSync(`${file}.draft`, server.wsEndpoint());
renameSync(`${file}.draft`, file);

for await (const _ of process.stdin);
await server.close();
process.exit();
