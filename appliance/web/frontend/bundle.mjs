// The page people fill in: survey-core with its MIT renderer on preact, split so that a visitor loads one language and one theme.
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const surveyCore = join(modules, "survey-core");

export const THEMES = ["default", "borderless", "contrast", "flat", "monochrome", "plain", "soft", "threedimensional"];

// [{code, name, rtl, file}], as survey-core's own localization files say.
function locales() {
  const folder = join(surveyCore, "fesm", "i18n");
  return readdirSync(folder).sort().flatMap((file) => {
    const found = /^setupLocale\(\{ localeCode: "([^"]+)".*?nativeName: "([^"]+)"(.*)\}\);$/m.exec(readFileSync(join(folder, file), "utf8"));
    return found ? [{ code: found[1], name: found[2], rtl: found[3].includes("rtl: true"), file }] : [];
  });
}

// Each becomes a file of its own, loaded when it is asked for.
function tables() {
  const languages = locales().map(({ code, file }) => `"${code}": () => import("survey-core/i18n/${basename(file, ".mjs")}")`);
  const themes = THEMES.flatMap((name) => ["light", "dark"].map((shade) => `"${name}-${shade}": () => import("survey-core/themes/${name}-${shade}")`));
  return `export const languages = {${languages.join(",\n")}};\nexport const themes = {${themes.join(",\n")}};`;
}

const onDemand = {
  name: "on-demand",
  setup(builder) {
    builder.onResolve({ filter: /^on-demand$/ }, () => ({ path: "on-demand", namespace: "tables" }));
    builder.onLoad({ filter: /.*/, namespace: "tables" }, () => ({ contents: tables(), resolveDir: here }));
  },
};

// The renderer of 3.0.0 makes two <style> elements, empty ones where the style sheet is there; the page's policy would
// complain of them, and its newer releases leave them out. And it complains itself of a survey-core that is newer than it.
const MENDED = [
  [/React\.createElement\("style", null, (this\.survey\.\w+)\)/g, "$1 ? $& : null", 2],
  [/^checkLibraryVersion\(.*\);$/gm, "", 1],
];

const mendRenderer = {
  name: "mend-renderer",
  setup(builder) {
    builder.onLoad({ filter: /survey-react-ui\.mjs$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const [pattern, replacement, times] of MENDED) {
        if ([...contents.matchAll(pattern)].length !== times) throw new Error(`${path}: ${pattern} is there no more`);
        contents = contents.replace(pattern, replacement);
      }
      return { contents };
    });
  },
};

const options = {
  absWorkingDir: here,
  entryPoints: { form: "form/main.js", refused: "form/refused.js", style: "form/style.css" },
  outdir: "form-built",
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  minify: true,
  legalComments: "none", // told in LICENSES.txt
  metafile: true,
  write: false,
  define: { "process.env.NODE_ENV": '"production"' },
  alias: {
    react: "preact/compat",
    "react-dom": "preact/compat",
    "react/jsx-runtime": "preact/jsx-runtime",
  },
  plugins: [onDemand, mendRenderer],
  logLevel: "warning",
};

// What the server has to know of the build.
function manifest(metafile) {
  const named = {};
  const preload = [];
  for (const [path, { entryPoint, imports }] of Object.entries(metafile.outputs)) {
    if (!Object.values(options.entryPoints).includes(entryPoint)) continue;
    named[basename(entryPoint)] = basename(path);
    if (entryPoint !== "form/main.js") continue;
    preload.push(...imports.filter(({ kind }) => kind === "import-statement").map((part) => basename(part.path)));
  }
  const known = locales().map(({ code, name, rtl }) => [code, { name, rtl }]);
  return {
    survey_core: JSON.parse(readFileSync(join(surveyCore, "package.json"), "utf8")).version,
    files: named,
    preload: preload.sort(),
    themes: THEMES,
    languages: { en: { name: "English", rtl: false }, ...Object.fromEntries(known) },
  };
}

function licences() {
  const mit = readFileSync(join(modules, "preact", "LICENSE"), "utf8");
  const terms = mit.slice(mit.indexOf("Permission is hereby granted"));
  const of = (name) => JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  const surveys = ["survey-core", "survey-react-ui"].map((name) => `${name} ${of(name).version}`).join("\n");
  return [
    `preact ${of("preact").version}\n\n${mit.trim()}\n`,
    `${surveys}\n\nThe MIT License (MIT)\n\nCopyright (c) 2015-2026 Devsoft Baltic OÜ\n\n${terms.trim()}\n`,
  ].join(`\n${"-".repeat(72)}\n\n`);
}

// [[name below static/, text]]
export async function formPage() {
  const { outputFiles, metafile } = await build(options);
  return [
    ...outputFiles.map((file) => [`form/${basename(file.path)}`, file.text]),
    ["form/manifest.json", `${JSON.stringify(manifest(metafile), null, 1)}\n`],
    ["form/LICENSES.txt", licences()],
  ];
}
