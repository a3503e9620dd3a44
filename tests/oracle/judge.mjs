// survey-core as the judge: one JSON line in, one JSON line out, for as long as stdin is open.
// {"form": {...}, "data": {...}, "locale": "de"} → {"valid": bool, "errors": [text, ...], "faults": [[path, text], ...], "data": {...},
// "choices": {path: [value, ...]}} or {"failed": message}
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { functions, parse, run } from "./expressions.mjs";
import { faults } from "./faults.mjs";

const library = createRequire(import.meta.url);
const { Model, getLocaleString, settings } = library("survey-core");
library("survey-core/survey.i18n");
library("survey-core/i18n/urdu"); // which the file of all languages lacks
globalThis.Image ??= class {}; // signatures that are kept elsewhere are shown as such
console.warn = console.error = console.log = () => {};

// Triggers of type `visible` run when an answer changes, and so did when the form was filled in.
function show(survey) {
  const keys = { ...survey.data };
  for (const name of survey.getVariableNames()) keys[name] = survey.getVariable(name);
  for (const one of survey.triggers)
    if (one.getType() === "visibletrigger")
      one.checkExpression({ isOnNextPage: false, isOnComplete: false, keys, properties: survey.getFilteredProperties() });
  if (survey.triggers.length) survey.runConditions();
}

// The page makes the rows of a matrix when it shows them, and so before anybody completes the form; what rows are made
// of may be a change of the answers, which judges other questions anew.
function render(survey) {
  for (const one of survey.getAllQuestions(true)) if (Array.isArray(one.visibleRows)) one.visibleRows.length;
}

function judge({ form, data, now, locale }) {
  settings.onDateCreated = (date, reason, value) => (value || !now ? date : new Date(now));
  const survey = new Model(form);
  if (locale !== undefined && locale !== null) survey.locale = locale;
  survey.data = structuredClone(data);
  show(survey);
  render(survey);
  const valid = survey.validate(true);
  const { found, choices } = faults(survey);
  survey.doComplete();
  return { valid, errors: found.map(([, text]) => text).sort(), faults: found.sort(), choices, data: survey.data };
}

// As somebody fills it in, page by page: what they have an answer to, they answer.
function walk(form, data) {
  const survey = new Model(form);
  for (let page = null; survey.state === "running" && survey.currentPage !== page; ) {
    page = survey.currentPage;
    for (const one of page.questions)
      if (one.isVisible && one.getValueName() in data) one.value = structuredClone(data[one.getValueName()]);
    if (survey.isLastPage) survey.completeLastPage();
    else survey.nextPage();
  }
  return { completed: survey.state === "completed", data: survey.data };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const asked = JSON.parse(line);
    if ("parse" in asked) answer = parse(asked.parse);
    else if ("run" in asked) answer = run(asked.run, asked.values, asked.now);
    else if ("text" in asked) answer = { text: getLocaleString(asked.text, asked.locale).format(...asked.values) };
    else if ("functions" in asked) answer = { functions: functions() };
    else if ("walk" in asked) answer = walk(asked.walk, asked.data);
    else answer = judge(asked);
  } catch (fault) {
    answer = { failed: String(fault?.stack ?? fault) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
