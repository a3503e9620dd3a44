// The server's errors beside the questions they are about: JSON Pointers below /data to questions.
import { CustomError } from "survey-core";

export const tokens = (pointer) => pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

// Those that no question could be found for are given back; focuses the first of the others.
export function showFaults(survey, errors, nameOf = (path) => path) {
  const rest = [];
  const shown = [];
  for (const { path, message } of errors) {
    const parts = nameOf(tokens(path).slice(1));
    const question = parts.length > 0 ? find(survey, parts) : null;
    if (question === null) {
      rest.push(message);
      continue;
    }
    question.addError(new CustomError(message, question));
    shown.push(question);
  }
  focus(survey, shown);
  return rest;
}

function find(survey, [name, ...inner]) {
  const question = byName((key) => survey.getQuestionByValueName(key) ?? survey.getQuestionByName(key), name);
  return question ? within(question, inner) : null;
}

// A question's comment lies beside its answer.
function byName(get, name) {
  return get(name) ?? (name.endsWith("-Comment") ? get(name.slice(0, -"-Comment".length)) : null);
}

// The deepest question there is: a cell, an item, or the question itself.
function within(question, parts) {
  if (parts.length === 0) return question;
  const [first, second, ...others] = parts;
  if (question.isDescendantOf("paneldynamic")) {
    const panel = question.panels[Number(first)];
    const inner = panel && second !== undefined && byName((key) => panel.getQuestionByValueName(key) ?? panel.getQuestionByName(key), second);
    if (panel) question.currentIndex = Number(first);
    return inner ? within(inner, others) : question;
  }
  if (question.isDescendantOf("matrixdropdownbase")) {
    const rows = question.visibleRows ?? [];
    const row = rows.find((one) => String(one.rowName) === first) ?? rows[Number(first)];
    const inner = row && second !== undefined && byName((key) => row.getQuestionByName(key), second);
    if (inner && row.detailPanel?.questions.includes(inner)) row.showDetailPanel();
    return inner ? within(inner, others) : question;
  }
  if (question.isDescendantOf("multipletext")) {
    return question.items.find((item) => item.name === first)?.editor ?? question;
  }
  return question;
}

function focus(survey, questions) {
  const first = questions.find((question) => question.isVisible) ?? questions[0];
  if (!first) return;
  const root = outermost(first);
  if (root.page && root.page !== survey.currentPage && survey.visiblePages.includes(root.page)) survey.currentPage = root.page;
  for (let panel = root.parent; panel; panel = panel.parent) if (panel.isCollapsed) panel.expand();
  // After the page has been drawn.
  requestAnimationFrame(() => setTimeout(() => first.focus(true)));
}

function outermost(question) {
  let found = question;
  while (found.parentQuestion) found = found.parentQuestion;
  return found;
}
