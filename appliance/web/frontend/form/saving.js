// Saves half-filled work: in this browser at once, at the server a little after each change and when the page goes away.
import { button, element, say, text, unsay } from "./page.js";

const DELAY = 1500; // milliseconds after the last change
const KEEPALIVE_MOST = 60_000; // browsers take 64 KiB with a page that goes away

export class Saving {
  // `current` gives {data, page, version}; `replace` puts other answers into the form.
  constructor(api, draft, current, replace) {
    Object.assign(this, { api, draft, current, replace });
    this.timer = null;
    this.running = null;
    this.dirty = false;
    this.off = false;
    addEventListener("pagehide", () => this.#leave());
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.#leave());
    addEventListener("online", () => this.dirty && this.flush());
  }

  changed() {
    this.dirty = true;
    this.draft.change(this.current());
    if (this.off) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), DELAY);
  }

  stop() {
    this.off = true;
    clearTimeout(this.timer);
  }

  // One at a time; what changed meanwhile follows.
  async flush() {
    clearTimeout(this.timer);
    await this.running;
    if (this.off || !this.dirty) return;
    this.running = this.#save().finally(() => (this.running = null));
    await this.running;
  }

  async #save(keepalive = false) {
    this.dirty = false;
    try {
      const tag = await this.api.save(this.draft.state.token, this.#body(), this.draft.state.tag, keepalive);
      this.draft.change({ tag });
      const said = say(text("saved"));
      setTimeout(() => unsay(said), 4000);
    } catch (problem) {
      this.dirty = true;
      if (problem.status === 412) await this.#choose();
      else if (problem.passes) this.timer = setTimeout(() => this.flush(), 1000 * (problem.retryAfter ?? 10));
      else this.#giveUp(problem);
    }
  }

  #body() {
    const { data, page, version } = this.current();
    return { data, page, form_version: version };
  }

  #leave() {
    if (this.off || !this.dirty || this.running) return;
    if (JSON.stringify(this.#body()).length < KEEPALIVE_MOST) this.#save(true);
  }

  #giveUp(problem) {
    this.off = true;
    const words = { 409: problem.kind === "conflict" ? "sentAlready" : "savedHere", 413: "tooLargeToSave" }[problem.status];
    say(text(words ?? "savedHere"));
  }

  // Saved elsewhere since: whose answers are to stay?
  async #choose() {
    const theirs = await this.api.partial(this.draft.state.token).catch(() => undefined);
    if (theirs === undefined) return;
    const mine = await ask(text("conflictTitle"), text("conflictText"), text("keepMine"), text("takeTheirs"));
    this.draft.change({ tag: theirs?.tag ?? null });
    if (mine || theirs === null) return void setTimeout(() => this.flush());
    this.dirty = false;
    this.replace(theirs);
  }
}

// True for the first answer.
function ask(title, question, first, second) {
  return new Promise((answer) => {
    const dialog = document.createElement("dialog");
    const heading = document.createElement("h2");
    heading.textContent = title;
    heading.id = "question-asked";
    dialog.setAttribute("aria-labelledby", heading.id);
    const words = document.createElement("p");
    words.textContent = question;
    const choose = (value) => () => {
      dialog.remove();
      answer(value);
    };
    dialog.append(heading, words, button(first, choose(true), "strong"), button(second, choose(false)));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    element("form").append(dialog);
    dialog.showModal();
  });
}
