// The form's `consent`: a box to tick above the button that sends.
import { createElement, useState } from "react";
import { ReactElementFactory } from "survey-react-ui";

import { text } from "./page.js";

const given = { yes: false, missing: false, redraw: () => {} };

function Consent({ survey, words }) {
  const [, redraw] = useState(0);
  given.redraw = () => redraw((count) => count + 1);
  if (!survey.isLastPage && !survey.isSinglePage) return null;
  return createElement("div", { className: given.missing ? "consent missing" : "consent" }, [
    createElement("label", { key: "box" }, [
      createElement("input", {
        key: "tick", id: "consent", type: "checkbox", checked: given.yes, "aria-invalid": given.missing, "aria-describedby": "consent-error",
        onChange: (event) => {
          given.yes = event.target.checked;
          given.missing = false;
          given.redraw();
        },
      }),
      createElement("span", { key: "words" }, words),
    ]),
    createElement("p", { key: "error", id: "consent-error", role: "alert" }, given.missing ? text("consentNeeded") : ""),
  ]);
}

// `wasGiven`: what is sent once more was agreed to before.
export function addConsent(survey, words, wasGiven) {
  if (!words) return;
  ReactElementFactory.Instance.registerElement("appliance-consent", ({ survey: shown }) => createElement(Consent, { survey: shown, words }));
  survey.addLayoutElement({ id: "consent", container: "contentBottom", component: "appliance-consent", index: -1 });
  survey.onCurrentPageChanged.add(() => given.redraw());
  survey.onCompleting.add((_, options) => {
    if (given.yes || wasGiven()) return;
    options.allow = false;
    given.missing = true;
    given.redraw();
    document.getElementById("consent")?.focus();
  });
}
