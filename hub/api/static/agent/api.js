// The hub's API as this page uses it.

import { request } from "../client/http.js";

/** What the hub refuses: `code` and `detail` as in application/problem+json, `by` and `since` of whoever was first. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    this.by = body?.by ?? "";
    this.since = body?.since ?? 0;
    this.retryAfter = retryAfter;
  }
}

/** Calls in an agent's name; each resolves to the answer's JSON. They throw Problem, or TypeError without a network. */
export class Api {
  constructor({ base, token = "", env }) {
    this.base = new URL("api/v1/", base);
    this.token = token;
    this.env = env;
  }

  get(path) {
    return this.#call("GET", path);
  }

  /** A POST that may be repeated until it is answered: the hub knows it by its key. */
  post(path, body = {}) {
    return this.#call("POST", path, body, { "Idempotency-Key": crypto.randomUUID?.() ?? `${this.env.random()}` });
  }

  patch(path, body) {
    return this.#call("PATCH", path, body);
  }

  remove(path) {
    return this.#call("DELETE", path);
  }

  async #call(method, path, body, headers) {
    const { env, token } = this;
    const answer = await request(env.fetch, new URL(path, this.base), { method, body, token, headers });
    if (answer.status >= 400) throw new Problem(answer.status, answer.body, answer.retryAfter);
    return answer.body;
  }
}
