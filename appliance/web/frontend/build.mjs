// Builds appliance/web/static from this folder and node_modules.
//   node build.mjs           write it
//   node build.mjs --check   write nothing; fail and list what differs from the committed files
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

import { formPage } from "./bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "static");
const swagger = "node_modules/swagger-ui-dist";

// Target below static/ → source below this folder.
const copied = {
  "docs/swagger-ui.js": `${swagger}/swagger-ui-bundle.js`,
  "docs/swagger-ui.css": `${swagger}/swagger-ui.css`,
  "docs/LICENSE.txt": `${swagger}/LICENSE`,
  "docs/LICENSES-bundled.txt": `${swagger}/swagger-ui-bundle.js.LICENSE.txt`,
  "docs/docs.js": "docs/docs.js",
  "docs/docs.css": "docs/docs.css",
  "favicon.svg": "site/favicon.svg",
  "site.css": "site/site.css",
};

// Source maps are not shipped, so what points at them goes too.
function copy(source) {
  const text = readFileSync(join(here, source), "utf8");
  return text.replace(/\n?(\/\/# sourceMappingURL=\S+|\/\*# sourceMappingURL=\S+ ?\*\/)\s*$/, "\n");
}

// What nginx would have to compress again for each visitor is compressed once, as well as it goes (gzip_static).
const WORTH_IT = 50_000;
const isCompressed = (name) => name.endsWith(".gz");

async function built() {
  const files = new Map(Object.entries(copied).map(([name, source]) => [name, copy(source)]));
  for (const [name, text] of await formPage()) files.set(name, text);
  for (const [name, text] of [...files]) {
    if (name.startsWith("form/") && text.length > WORTH_IT) files.set(`${name}.gz`, text);
  }
  return files;
}

function committed(folder = target) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? committed(path) : [relative(target, path)];
  });
}

// By what they hold: the bytes of an archive depend on who packed it.
function read(name) {
  const bytes = readFileSync(join(target, name));
  return (isCompressed(name) ? gunzipSync(bytes) : bytes).toString("utf8");
}

function differing(files) {
  const there = new Set(committed());
  const names = new Set([...files.keys(), ...there]);
  return [...names].filter((name) => !there.has(name) || read(name) !== files.get(name));
}

const files = await built();
if (process.argv.includes("--check")) {
  const names = differing(files);
  if (names.length > 0) {
    console.error(`appliance/web/static is not what its sources build: ${names.join(", ")}\nRun: scripts/web`);
    process.exit(1);
  }
} else {
  rmSync(target, { recursive: true, force: true });
  for (const [name, text] of files) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), isCompressed(name) ? gzipSync(text, { level: 9 }) : text);
  }
}
