// The Chromium that all tests of a run share: writes its address to the file named by the argument, and ends with stdin.

import { renameSync, writeFileSync } from "node:fs";
import { serve } from "./chromium.mjs";

const server = await serve();
const file = process.argv[2];
// Whoever finds the file finds all of it.
writeFileSync(`${file}.draft`, server.wsEndpoint());
renameSync(`${file}.draft`, file);

for await (const _ of process.stdin);
await server.close();
process.exit();
