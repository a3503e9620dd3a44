// How long each page was looked at, in seconds.
export class Times {
  constructor(survey) {
    this.spent = new Map();
    this.survey = survey;
    this.since = performance.now();
    survey.onCurrentPageChanging.add(() => this.#count());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#count();
      else this.since = performance.now();
    });
  }

  pages() {
    this.#count();
    return [...this.spent].slice(0, 200).map(([name, seconds]) => ({ name: name.slice(0, 200), seconds: Math.round(seconds * 10) / 10 }));
  }

  #count() {
    const now = performance.now();
    const name = this.survey.currentPage?.name;
    if (name) this.spent.set(name, (this.spent.get(name) ?? 0) + (now - this.since) / 1000);
    this.since = now;
  }
}
