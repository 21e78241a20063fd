// The signed links that files are read by: asked for in batches, kept while they are good.

import { backoff } from "./session.js";

const GOOD_MS = 9 * 60_000; // a link is good for at least 10 minutes
const GATHER_MS = 60; // what comes into sight together is asked for together
const MAX_KEYS = 100;

/** `ask(keys)` resolves to the addresses by key, without those of files that are gone; where it throws it is asked again. */
export class Links {
  #known = new Map(); // key → {at, link: a promise}
  #wanted = new Map(); // key → resolve
  #tries = 0;
  #timer = 0;

  constructor(ask, { now, random }) {
    this.ask = ask;
    this.now = now;
    this.random = random;
  }

  /** Resolves to an address that is good now, as late as that may be; to "" when the file is gone. */
  get(key) {
    if (this.isGood(key)) return this.#known.get(key).link;
    const link = new Promise((resolve) => this.#wanted.set(key, resolve));
    this.#known.set(key, { at: Infinity, link });
    this.#timer ||= setTimeout(() => this.#fetch(), GATHER_MS);
    return link;
  }

  /** Whether its link, if it has one by now, has not run out. */
  isGood(key) {
    const known = this.#known.get(key);
    return known !== undefined && this.now() - known.at < GOOD_MS;
  }

  /** The link has turned out not to work: the next one is asked for anew. */
  forget(key) {
    if (!this.#wanted.has(key)) this.#known.delete(key);
  }

  async #fetch() {
    const keys = [...this.#wanted.keys()].slice(0, MAX_KEYS);
    let wait = GATHER_MS;
    try {
      const links = await this.ask(keys);
      this.#tries = 0;
      for (const key of keys) this.#tell(key, links[key] ?? "");
    } catch {
      wait = backoff(this.#tries++, this.random);
    }
    this.#timer = this.#wanted.size ? setTimeout(() => this.#fetch(), wait) : 0;
  }

  #tell(key, link) {
    this.#wanted.get(key)(link);
    this.#wanted.delete(key);
    this.#known.set(key, { at: this.now(), link: Promise.resolve(link) });
  }
}
