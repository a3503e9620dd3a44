// Builds appliance/web/static from this folder and node_modules.
//   node build.mjs           write it
//   node build.mjs --check   write nothing; fail and list what differs from the committed files
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "static");
const swagger = "node_modules/swagger-ui-dist";

// Target below static/ → source below this folder.
const plan = {
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
function content(name) {
  const text = readFileSync(join(here, plan[name]), "utf8");
  return text.replace(/\n?(\/\/# sourceMappingURL=\S+|\/\*# sourceMappingURL=\S+ ?\*\/)\s*$/, "\n");
}

function committed(folder = target) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? committed(path) : [relative(target, path)];
  });
}

function differing() {
  const names = new Set([...Object.keys(plan), ...committed()]);
  return [...names].filter((name) => {
    const path = join(target, name);
    return !(name in plan) || !existsSync(path) || readFileSync(path, "utf8") !== content(name);
  });
}

if (process.argv.includes("--check")) {
  const names = differing();
  if (names.length > 0) {
    console.error(`appliance/web/static is not what its sources build: ${names.join(", ")}\nRun: scripts/web`);
    process.exit(1);
  }
} else {
  rmSync(target, { recursive: true, force: true });
  for (const name of Object.keys(plan)) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), content(name));
  }
}
