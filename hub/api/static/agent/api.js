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

  /** Can be called off by `signal`. */
  get(path, signal) {
    return this.#call("GET", path, { signal });
  }

  /** A POST that may be repeated until it is answered: the hub knows it by its key. */
  post(path, body = {}) {
    const key = crypto.randomUUID?.() ?? `${this.env.random()}`;
    return this.#call("POST", path, { body, headers: { "Idempotency-Key": key } });
  }

  patch(path, body) {
    return this.#call("PATCH", path, { body });
  }

  remove(path) {
    return this.#call("DELETE", path);
  }

  async #call(method, path, { signal, ...rest } = {}) {
    const { env, token } = this;
    const fetch = signal ? until(signal, env.fetch) : env.fetch;
    const answer = await request(fetch, new URL(path, this.base), { method, token, ...rest });
    if (answer.status >= 400) throw new Problem(answer.status, answer.body, answer.retryAfter);
    return answer.body;
  }
}

/** `fetch`, which `signal` ends as well as the signal that it is given. */
function until(signal, fetch) {
  return (url, options) => {
    const ending = new AbortController();
    for (const one of [signal, options.signal]) one.addEventListener("abort", () => ending.abort(), { once: true });
    return fetch(url, { ...options, signal: ending.signal });
  };
}
