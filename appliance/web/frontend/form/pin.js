// Asks for the PIN until the form is shown for it.
import { button, show, text } from "./page.js";

export async function askPin(api) {
  for (let words = text("pinText"); ; ) {
    api.pin = await ask(words);
    try {
      const form = await api.form();
      if (form.definition || form.schema) return form;
      words = text("pinWrong");
    } catch (problem) {
      words = problem.status === 403 ? text("pinWrong") : text("pinFailed");
    }
  }
}

function ask(words) {
  return new Promise((answer) => {
    const box = show(text("pinTitle"), words);
    const form = document.createElement("form");
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "password", autocomplete: "off", required: true, minLength: 4, maxLength: 64 });
    label.append(text("pinLabel"), input);
    const open = button(text("pinOpen"), () => {}, "strong");
    open.type = "submit";
    form.append(label, open);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      open.disabled = true;
      answer(input.value);
    });
    box.append(form);
    input.focus();
  });
}
