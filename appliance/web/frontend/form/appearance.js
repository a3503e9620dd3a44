// survey-core's themes and languages, each a file of its own; light or dark as the form or the person prefers.
import { languages, themes } from "on-demand";

import { page } from "./page.js";

const night = matchMedia("(prefers-color-scheme: dark)");

export async function loadLanguage(code) {
  await languages[code]?.();
}

export function wear(survey) {
  const put = async () => {
    const dark = page.appearance === "auto" ? night.matches : page.appearance === "dark";
    const { default: theme } = await themes[`${page.theme}-${dark ? "dark" : "light"}`]();
    survey.applyTheme(theme);
    paint(survey, dark);
  };
  night.addEventListener("change", put);
  return put();
}

// What is around the form wears the same colours.
function paint(survey, dark) {
  const root = document.documentElement;
  root.style.cssText = "";
  for (const [name, value] of Object.entries(survey.themeVariables)) {
    if (name.startsWith("--")) root.style.setProperty(name, value);
  }
  root.style.colorScheme = dark ? "dark" : "light";
  root.classList.toggle("light", !dark);
  root.classList.toggle("dark", dark);
  root.classList.add("sd-theme-root");
  document.body.classList.add("drawn");
}
