// survey-core as the judge: one JSON line in, one JSON line out, for as long as stdin is open.
// {"form": {...}, "data": {...}} → {"valid": bool, "errors": [text, ...], "data": {...}} or {"failed": message}
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const { Model, settings } = createRequire(import.meta.url)("survey-core");
console.warn = console.error = console.log = () => {};

// survey-core shows these pieces only when they are on the screen; a server sees all of them.
function judge({ form, data }) {
  const survey = new Model(form);
  survey.data = structuredClone(data);
  const valid = survey.validate(true);
  const errors = [];
  const seen = new Set();
  const gather = (element) => {
    if (!element || seen.has(element)) return;
    seen.add(element);
    for (const error of element.errors ?? []) if (error.isError) errors.push(error.getText());
  };
  const open = (panel) => {
    gather(panel);
    for (const element of panel?.elements ?? []) (element.isPanel ? open : enter)(element);
  };
  const enter = (question) => {
    gather(question);
    for (const panel of question.panels ?? []) open(panel);
    for (const row of (Array.isArray(question.visibleRows) && question.visibleRows) || []) {
      for (const cell of row.cells ?? []) enter(cell.question);
      open(row.detailPanel);
    }
    for (const item of question.items ?? []) if (item.editor) enter(item.editor);
  };
  for (const page of survey.pages) open(page);
  for (const question of survey.getAllQuestions(false, false, true)) gather(question);
  return { valid, errors: errors.sort(), data: survey.data };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = judge(JSON.parse(line));
  } catch (fault) {
    answer = { failed: String(fault?.stack ?? fault) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
