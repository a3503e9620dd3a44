// The API as the page uses it. Every refusal is a Problem (RFC 9457); one without status is a lost connection.
const PASSING = new Set([0, 408, 429, 500, 502, 503, 504]);

export class Problem extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(body.detail ?? "");
    this.status = status;
    this.kind = (body.type ?? "").split("/").pop();
    this.errors = body.errors ?? [];
    this.retryAfter = retryAfter;
  }

  // Whether the same request may do later.
  get passes() {
    return PASSING.has(this.status);
  }
}

export class Api {
  constructor(formId, link) {
    this.path = `/api/v1/forms/${encodeURIComponent(formId)}`;
    this.link = link;
    this.pin = null;
  }

  form() {
    return this.#json("GET", "");
  }

  submit(body, key) {
    return this.#json("POST", "/responses", { body, headers: { "idempotency-key": key } });
  }

  // {data, form_version, page} and its entity tag, or null.
  async partial(token) {
    try {
      const answer = await this.#call("GET", `/partial/${token}`);
      return { ...(await answer.json()), tag: answer.headers.get("etag") };
    } catch (problem) {
      if (problem.status === 404) return null;
      throw problem;
    }
  }

  // The new entity tag. Raises a Problem 412 when it was saved elsewhere since `tag`.
  async save(token, body, tag, keepalive = false) {
    const headers = tag ? { "if-match": tag } : {};
    const answer = await this.#call("PUT", `/partial/${token}`, { body, headers, keepalive });
    return answer.headers.get("etag");
  }

  forget(token) {
    return this.#call("DELETE", `/partial/${token}`);
  }

  async upload(question, file, token) {
    const form = new FormData();
    form.append("file", file, file.name);
    const path = `/files?question=${encodeURIComponent(question)}`;
    const answer = await this.#call("POST", path, { form, headers: { "x-partial-token": token } });
    return answer.json();
  }

  async download(content, token) {
    const own = `${this.path}/files/`;
    if (!content.startsWith(own)) throw new Problem(404);
    const answer = await this.#call("GET", content.slice(this.path.length), { headers: { "x-partial-token": token } });
    return answer.blob();
  }

  async #json(...given) {
    return (await this.#call(...given)).json();
  }

  async #call(method, path, { body, form, headers = {}, keepalive = false } = {}) {
    const sent = { accept: "application/json", ...headers };
    if (body !== undefined) sent["content-type"] = "application/json";
    if (this.pin !== null) sent["x-form-pin"] = this.pin;
    if (this.link !== null) sent["x-form-link"] = this.link;
    const content = form ?? (body === undefined ? undefined : JSON.stringify(body));
    let answer;
    try {
      answer = await fetch(this.path + path, { method, headers: sent, body: content, keepalive, credentials: "omit", cache: "no-store" });
    } catch {
      throw new Problem(0);
    }
    if (!answer.ok) throw await refusal(answer);
    return answer;
  }
}

async function refusal(answer) {
  const after = Number(answer.headers.get("retry-after"));
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, body, Number.isFinite(after) && after > 0 ? after : null);
}
