// The visitor's token: minted once, kept with the outbox, renewed when it has run out.

import { request } from "../client/http.js";

const MINT_ALONE_MS = 3_000;

/** `profile` is what the hub is told of a visitor at the first start: {page, referrer, language, name}. */
export class VisitorTokens {
  #used = null; // what this page said hello with

  constructor(profile) {
    this.profile = profile;
  }

  /** Resolves to {token, conversation}. `which`: "keep" the one that there is, "renew" it, or get a "new" one. */
  async get(which, client) {
    this.#used = await this.#chosen(which, client);
    return this.#used;
  }

  async #chosen(which, client) {
    const { visitor } = await client.storage.read();
    if (which === "keep" && visitor) return visitor;
    if (which === "renew" && visitor && visitor.token !== this.#used?.token) return visitor; // another page did
    if (which === "renew" && visitor) {
      const renewed = await post(client, "api/v1/visitors/renew", { token: visitor.token });
      if (renewed) return keep(client, renewed, visitor);
    }
    return alone(client, async () => {
      const now = (await client.storage.read()).visitor;
      if (now && now.token !== visitor?.token) return now;
      const minted = await post(client, "api/v1/visitors", this.profile);
      if (!minted) throw new Error("the hub gives no visitor tokens");
      return keep(client, minted, visitor);
    });
  }
}

/** The token that counts from now on: this one, unless another page has replaced `before` in the meantime. */
async function keep({ storage }, visitor, before) {
  const record = await storage.update((now) =>
    now.visitor && now.visitor.token !== before?.token ? now : { ...now, visitor },
  );
  return record.visitor;
}

/** Runs one page at a time, so that two tabs opened together get one conversation. A frozen page holds up nobody. */
async function alone({ env, name }, task) {
  if (!env.locks) return task();
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), MINT_ALONE_MS);
  let begun = false;
  const once = () => {
    begun = true;
    return task();
  };
  try {
    return await env.locks.request(`${name} token`, { signal: patience.signal }, once);
  } catch (error) {
    if (begun) throw error;
    return task();
  } finally {
    clearTimeout(timer);
  }
}

/** The answer's JSON; null when the hub refuses (4xx). Throws when it cannot be reached or is in trouble. */
async function post({ env, base }, path, body) {
  const { status, body: answer } = await request(env.fetch, new URL(path, base), { body });
  const isNoAnswer = status < 400 && !answer; // some other network's page
  if (status >= 500 || status === 429 || isNoAnswer) throw new Error(`the hub answers ${status}`);
  return status < 400 ? answer : null;
}
