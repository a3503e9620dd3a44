// Below the form: its languages, the way to another device, a fresh start.
import { button, element, page, say, text } from "./page.js";

export function around(filling) {
  element("tools").replaceChildren(...[languages(filling), elsewhere(filling), fresh(filling)].filter(Boolean));
}

function languages(filling) {
  if (page.languages.length < 2) return null;
  const label = document.createElement("label");
  const choice = document.createElement("select");
  for (const { code, name } of page.languages) {
    const option = new Option(name, code, false, code === page.language);
    option.lang = code;
    choice.append(option);
  }
  choice.addEventListener("change", async () => {
    await filling.saving.flush();
    const url = new URL(location.href);
    url.searchParams.set("lang", choice.value);
    location.replace(url);
  });
  label.append(text("language"), " ", choice);
  return label;
}

function elsewhere(filling) {
  const box = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = text("elsewhere");
  const hint = document.createElement("p");
  hint.textContent = text("elsewhereHint");
  const link = document.createElement("input");
  Object.assign(link, { readOnly: true, type: "text", id: "resume-link", dir: "ltr" });
  link.setAttribute("aria-label", text("elsewhere"));
  link.addEventListener("focus", () => link.select());
  const write = () => (link.value = `${location.origin}/f/${page.slug}#resume=${filling.draft.state.token}`);
  write();
  box.addEventListener("toggle", () => {
    if (!box.open) return;
    write(); // a new one, where the old one was used up
    if (filling.draft.state.tag === null) filling.saving.dirty = true; // else there is something to go on with
    filling.saving.flush();
  });
  const copy = button(text("copy"), async () => {
    await navigator.clipboard?.writeText(link.value).then(() => say(text("copied")), () => link.select());
  });
  box.append(summary, hint, link, copy);
  return box;
}

function fresh(filling) {
  return button(text("startOver"), () => confirm(text("startOverSure")) && filling.startOver());
}
