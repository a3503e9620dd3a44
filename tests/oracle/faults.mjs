// What a validated survey says is wrong, each at the JSON Pointer of the answer, and the choices that show there.
// survey-core shows these pieces only when they are on the screen; a server sees all of them.
const step = (key) => "/" + String(key).replaceAll("~", "~0").replaceAll("/", "~1");

export function faults(survey) {
  const found = [];
  const choices = {};
  const seen = new Set();
  const entered = new Set();
  // What does not show is not judged: errors there are of an earlier look, and keep nobody from completing the form. What
  // is hidden within a matrix or panel that shows may still say the same as another.
  let within = 0;
  const hidden = (element, at) => at === "/data" && (element.isVisible === false || element.isParentVisible === false);
  const gather = (element, path, at) => {
    if (!element || seen.has(element)) return;
    seen.add(element);
    if (within || hidden(element, at)) return;
    for (const error of element.errors ?? []) if (error.isError) found.push([path, error.getText()]);
  };
  // A fault of a panel or page stands at its first question that shows and can be answered.
  const first = (panel) => panel?.questions?.find((one) => one.isVisible && one.isParentVisible && (one.hasInput || one.getType() === "expression"));
  const open = (panel, at) => {
    const asked = first(panel);
    gather(panel, asked ? at + step(asked.getValueName()) : at, at);
    for (const element of panel?.elements ?? []) (element.isPanel ? open : enter)(element, at);
  };
  const enter = (question, at) => {
    const path = at + step(question.getValueName());
    if (entered.has(question)) return;
    entered.add(question);
    gather(question, path, at);
    if (Array.isArray(question.visibleChoices)) choices[path] = question.visibleChoices.map((one) => one.value);
    within += hidden(question, at);
    question.panels?.forEach((panel, place) => open(panel, path + step(place)));
    // Of all rows, those too that do not show: two of them may still say the same.
    const rows = (Array.isArray(question.visibleRows) && (question.allRows ?? question.visibleRows)) || [];
    for (const row of rows) {
      const place = question.getType() === "matrixdynamic" ? rows.indexOf(row) : row.rowName;
      const below = path + step(place);
      for (const cell of row.cells ?? []) enter(cell.question, below);
      open(row.detailPanel, below);
    }
    for (const item of question.items ?? []) if (item.editor) enter(item.editor, path);
    within -= hidden(question, at);
    for (const choice of question.choices ?? []) if (choice.hasElements) open(choice.panel, at);
  };
  for (const page of survey.pages) open(page, "/data");
  for (const question of survey.getAllQuestions(false, false, true)) gather(question, "/data" + step(question.getValueName()), "/data");
  return { found, choices };
}
