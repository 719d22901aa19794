// Builds the page into crates/server/assets, from where the service embeds it. With `--check` it writes nothing and
// fails when the committed files differ from a new build. Cargo never runs it.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const assets = join(here, "../crates/server/assets");

/** The packages inside the bundle. The service serves their licences as licences.txt. */
const BUNDLED_PACKAGES = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];

async function bundle(entry, name) {
  const result = await build({
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
  return Buffer.from(result.outputFiles[0].contents);
}

function licences() {
  const parts = BUNDLED_PACKAGES.map((name) => {
    const folder = join(here, "node_modules", name);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return Buffer.from(`The dashboard's page contains:\n\n${parts.join("\n---\n\n")}`);
}

async function buildFiles() {
  return {
    "index.html": readFileSync(join(here, "src/index.html")),
    "app.js": await bundle("src/main.jsx", "app.js"),
    "app.css": await bundle("src/style/app.css", "app.css"),
    "licences.txt": licences(),
  };
}

// Compressed bytes differ between versions of the compressor, so `--check` compares the decompressed files.
const ENCODINGS = {
  br: { compress: (data) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }), decompress: brotliDecompressSync },
  gz: { compress: (data) => gzipSync(data, { level: 9 }), decompress: gunzipSync },
};

function write(files) {
  rmSync(assets, { recursive: true, force: true });
  mkdirSync(assets, { recursive: true });
  for (const [name, data] of Object.entries(files)) {
    writeFileSync(join(assets, name), data);
    for (const [extension, { compress }] of Object.entries(ENCODINGS)) writeFileSync(join(assets, `${name}.${extension}`), compress(data));
    console.log(`${name}: ${data.length} bytes, ${ENCODINGS.br.compress(data).length} compressed`);
  }
}

/** The names of the committed files that differ from `files`. */
function staleFiles(files) {
  const read = (name, decompress = (data) => data) => {
    try {
      return decompress(readFileSync(join(assets, name)));
    } catch {
      return Buffer.alloc(0);
    }
  };
  const stale = [];
  for (const [name, data] of Object.entries(files)) {
    if (!read(name).equals(data)) stale.push(name);
    for (const [extension, { decompress }] of Object.entries(ENCODINGS)) {
      if (!read(`${name}.${extension}`, decompress).equals(data)) stale.push(`${name}.${extension}`);
    }
  }
  return stale;
}

const files = await buildFiles();
if (process.argv.includes("--check")) {
  const stale = staleFiles(files);
  if (stale.length > 0) {
    console.error(`crates/server/assets differs from a build of dashboard/: ${stale.join(", ")}; run \`npm run build\` in dashboard/ and commit the result`);
    process.exit(1);
  }
} else {
  write(files);
}
