// Half-filled work in this browser: {token, key, started_at, data, page, version, tag, pending}. `pending` is a
// submission whose verdict is not known yet: after a reload just the same is sent again, under the same key.
import { token } from "./secrets.js";

export class Draft {
  constructor(formId) {
    this.name = `form:${formId}`;
    const kept = this.#read();
    this.state = kept ?? fresh();
    this.isFresh = kept === null; // nothing of it can be anywhere
  }

  change(fields) {
    Object.assign(this.state, fields);
    try {
      localStorage.setItem(this.name, JSON.stringify(this.state));
      return true;
    } catch {
      return false; // no storage here, or it is full: the server's copy has to do
    }
  }

  // Takes up work that was begun elsewhere.
  adopt(given) {
    this.state = { ...fresh(), token: given };
    this.isFresh = false;
    this.change({});
  }

  renewKey() {
    this.change({ key: token(), pending: null });
  }

  drop() {
    this.state = fresh();
    try {
      localStorage.removeItem(this.name);
    } catch {
      // nothing was kept
    }
  }

  #read() {
    try {
      const found = JSON.parse(localStorage.getItem(this.name));
      return found && typeof found.token === "string" && typeof found.key === "string" ? found : null;
    } catch {
      return null;
    }
  }
}

function fresh() {
  return { token: token(), key: token(), started_at: new Date().toISOString(), data: null, page: null, version: null, tag: null, pending: null };
}
