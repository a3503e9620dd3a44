// One filling in, from the first question to the thanks.
import { Model, settings } from "survey-core";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { Survey } from "survey-react-ui";

import { loadLanguage, wear } from "./appearance.js";
import { around } from "./around.js";
import { addConsent } from "./consent.js";
import "./cell-errors.js";
import { announceEnd } from "./embedded.js";
import { showFaults } from "./faults.js";
import { handleFiles, storeApart } from "./files.js";
import { element, page, say, show, text } from "./page.js";
import { Saving } from "./saving.js";
import { forgetLink } from "./secrets.js";
import { send } from "./sending.js";
import { Times } from "./times.js";

// What would send answers elsewhere, or leave traces here.
const FOREIGN = ["surveyId", "surveyPostId", "cookieName", "sendResultOnPageNext", "partialSendEnabled", "surveyShowDataSaving"];

// Headings as a page of its own has them.
Object.assign(settings.titleTags, { survey: "h1", page: "h2", panel: "h3", question: "h3" });

export class Filling {
  constructor(api, draft, form) {
    Object.assign(this, { api, draft });
    this.shape = null; // of a form by JSON Schema: answers ⇄ the schema's data
    this.root = null;
    this.form = form;
    this.saving = new Saving(api, draft, () => this.#current(), (theirs) => this.#take(theirs));
  }

  async begin() {
    await loadLanguage(page.language);
    const kept = await this.#kept();
    if (!(await this.#build())) return;
    around(this);
    if (kept) this.#take(kept);
    await this.#draw();
    if (kept === null && !this.draft.isFresh) this.#lost();
    if (this.draft.state.pending) this.survey.doComplete();
  }

  startOver() {
    this.saving.stop();
    this.api.forget(this.draft.state.token).catch(() => {});
    this.draft.drop();
    location.reload();
  }

  // What was filled in before: what changed last, here or at the server.
  async #kept() {
    const { data, page: at, version, token, tag } = this.draft.state;
    const here = data === null ? null : { data, page: at, form_version: version };
    if (this.draft.isFresh || (here !== null && tag === null)) return here; // the server has none
    try {
      const there = await this.api.partial(token);
      // Saved from another device since, or there alone; what is only here was not saved yet.
      if (there !== null && (here === null || there.tag !== tag)) {
        this.draft.change({ tag: there.tag });
        return there;
      }
    } catch {
      // the server does not answer: what is here has to do
    }
    return here;
  }

  async #build() {
    const definition = await this.#definition();
    if (definition === null) return false;
    for (const name of FOREIGN) delete definition[name];
    storeApart(definition);
    definition.title ??= this.form.title;
    // So that half a text is saved too; and an error that went only when its field is left would move what is below away
    // from under the finger that presses it.
    definition.textUpdateMode ??= "onTyping";
    // Left to itself survey-core has two widths, and the title may stand beside the questions.
    const ours = !definition.widthMode && !definition.width;
    element("form").classList.toggle("narrow", ours);
    if (ours) definition.widthMode = "responsive";
    const survey = new Model(definition);
    survey.locale = page.language;
    survey.focusFirstQuestionAutomatic = false;
    survey.focusOnFirstError = true;
    survey.showCompletePage = !this.form.settings.redirect_url;
    this.survey = survey;
    this.times = new Times(survey);
    addConsent(survey, this.form.settings.consent, () => this.draft.state.pending !== null);
    handleFiles(survey, this.api, () => this.draft.state.token);
    for (const event of ["onValueChanged", "onCurrentPageChanged", "onDynamicPanelValueChanged", "onMatrixCellValueChanged"]) {
      survey[event].add(() => this.saving.changed());
    }
    survey.onCompleting.add(async (_, options) => {
      if (!options.allow) return;
      const refusal = await this.#submit();
      options.allow = refusal === null;
      // Not before survey-core has given up its end: until then it lets nobody change pages.
      if (refusal !== null) setTimeout(() => this.#refused(refusal).catch(() => say(text("broken"), { urgent: true })));
    });
    survey.onComplete.add(() => this.#end());
    return true;
  }

  async #definition() {
    if (this.form.definition) return structuredClone(this.form.definition);
    const { shapeOf } = await import("./schema.js");
    this.shape = shapeOf(this.form.schema);
    if (this.shape === null) show(this.form.title, text("apiOnly"));
    return this.shape && this.shape.definition;
  }

  async #draw() {
    await wear(this.survey);
    const place = element("form");
    place.replaceChildren();
    this.root?.unmount();
    this.root = createRoot(place);
    this.root.render(createElement(Survey, { model: this.survey }));
  }

  #current() {
    return { data: this.survey.data, page: this.survey.currentPage?.name ?? null, version: this.form.version };
  }

  // Nothing is left of what was begun: it was sent, or too long ago. What is filled in now is another response.
  #lost() {
    this.draft.drop();
    say(text("resumeGone"));
  }

  // Puts other answers into the form; those to questions that are gone are left out.
  #take({ data, page: at, form_version: version }) {
    const survey = this.survey;
    survey.data = data;
    if (version !== this.form.version) survey.clearIncorrectValues(true);
    if (at) survey.currentPage = survey.getPageByName(at) ?? survey.currentPage;
    say(text(version === this.form.version ? "resumed" : "changed"));
    this.draft.change(this.#current());
  }

  // The refusal, or null: then the form may end.
  async #submit() {
    this.saving.stop();
    this.draft.change({ pending: this.draft.state.pending ?? { key: this.draft.state.key, body: this.#body() } });
    const place = element("form");
    place.inert = true;
    try {
      await send(this.api, this.draft);
      return null;
    } catch (problem) {
      this.draft.renewKey();
      return problem;
    } finally {
      place.inert = false;
    }
  }

  #body() {
    const { data, version } = this.#current();
    return {
      data: this.shape ? this.shape.toData(data) : data,
      meta: {
        started_at: this.draft.state.started_at,
        pages: this.times.pages(),
        language: page.language,
        honeypot: element("website").value,
      },
      partial: this.draft.state.token,
      form_version: version,
    };
  }

  async #refused(problem) {
    this.saving.off = false;
    this.saving.changed();
    if (problem.status === 410 && problem.kind !== "quota-full") return void show(text(problem.kind), text("answersKept"));
    if (problem.kind === "form-changed") return this.#reload();
    if (problem.status === 422 && problem.errors.length > 0) {
      const rest = showFaults(this.survey, problem.errors, this.shape?.nameOf);
      const words = text(problem.errors.length === 1 ? "oneFault" : "faults", { count: problem.errors.length });
      return void say([words, ...rest].join(" "), { urgent: true });
    }
    const known = { 401: "linkRefused", 403: "linkRefused", 409: "answered", 410: "quotaFull", 413: "tooLarge" }[problem.status];
    say(known ? text(known) : problem.message || text("broken"), { urgent: true });
  }

  // The form was changed meanwhile: the same answers in the new one.
  async #reload() {
    const kept = this.#current();
    this.form = await this.api.form();
    if (!(await this.#build())) return;
    this.#take({ ...kept, form_version: kept.version });
    await this.#draw();
    say(text("changed"), { urgent: true });
  }

  #end() {
    this.saving.stop();
    this.draft.drop();
    forgetLink(page.slug);
    announceEnd(page.slug);
    document.body.classList.add("sent");
    say(text("sent"));
    const { redirect_url: onward } = this.form.settings;
    if (onward) location.replace(onward);
  }
}
