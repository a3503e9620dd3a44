// On narrow windows survey-core stacks the cells of a matrix and draws no row of errors, and the renderer draws none in
// the cells either (3.1.1 with 3.0.0): a person would be told that something is wrong, but not where.
import { createElement, Fragment } from "react";
import { SurveyElementErrors, SurveyQuestionMatrixDropdownCell } from "survey-react-ui";

const { renderCellContent } = SurveyQuestionMatrixDropdownCell.prototype;

SurveyQuestionMatrixDropdownCell.prototype.renderCellContent = function withErrors() {
  const content = renderCellContent.call(this);
  const { question, cell, creator } = this;
  if (!cell.matrix?.isMobile || !question.hasVisibleErrors || !this.getShowErrors()) return content;
  return createElement(Fragment, null, createElement(SurveyElementErrors, { element: question, cssClasses: question.cssClasses, creator }), content);
};
