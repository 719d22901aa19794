// Builds the page into crates/pilotlight/assets, where the service embeds it. `--check` writes nothing and fails when
// what lies there is not what would be built. Cargo never calls this.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const assets = join(here, "../crates/pilotlight/assets");

/** What ends up in the bundle; its licences are shipped with it. */
const SHIPPED = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];

async function bundle(entry, name) {
  const built = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    write: false,
    outfile: name,
    minify: true,
    format: "iife",
    target: ["es2022", "chrome123", "firefox120", "safari17.5"],
    charset: "utf8",
    legalComments: "none",
    jsx: "automatic",
    jsxImportSource: "preact",
    logLevel: "warning",
  });
  return Buffer.from(built.outputFiles[0].contents);
}

function licences() {
  const parts = SHIPPED.map((name) => {
    const folder = join(here, "node_modules", name);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return Buffer.from(`The dashboard's page contains:\n\n${parts.join("\n---\n\n")}`);
}

async function all() {
  return {
    "index.html": readFileSync(join(here, "src/index.html")),
    "app.js": await bundle("src/main.jsx", "app.js"),
    "app.css": await bundle("src/style/app.css", "app.css"),
    "licences.txt": licences(),
  };
}

// The compressed bytes differ between versions of the compressor, so it is what they hold that counts.
const ENCODINGS = {
  br: { to: (data) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }), from: brotliDecompressSync },
  gz: { to: (data) => gzipSync(data, { level: 9 }), from: gunzipSync },
};

function write(files) {
  rmSync(assets, { recursive: true, force: true });
  mkdirSync(assets, { recursive: true });
  for (const [name, data] of Object.entries(files)) {
    writeFileSync(join(assets, name), data);
    for (const [ending, { to }] of Object.entries(ENCODINGS)) writeFileSync(join(assets, `${name}.${ending}`), to(data));
    console.log(`${name}: ${data.length} bytes, ${ENCODINGS.br.to(data).length} compressed`);
  }
}

function stale(files) {
  const read = (name, from = (data) => data) => {
    try {
      return from(readFileSync(join(assets, name)));
    } catch {
      return Buffer.alloc(0);
    }
  };
  const wrong = [];
  for (const [name, data] of Object.entries(files)) {
    if (!read(name).equals(data)) wrong.push(name);
    for (const [ending, { from }] of Object.entries(ENCODINGS)) {
      if (!read(`${name}.${ending}`, from).equals(data)) wrong.push(`${name}.${ending}`);
    }
  }
  return wrong;
}

const files = await all();
if (process.argv.includes("--check")) {
  const wrong = stale(files);
  if (wrong.length > 0) {
    console.error(`not what is built from dashboard/: ${wrong.join(", ")}; run \`npm run build\` there`);
    process.exit(1);
  }
} else {
  write(files);
}
