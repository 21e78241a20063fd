// Takes files to the hub, one after the other, again and again until it has them or refuses them for good.

import { backoff } from "./session.js";

const OTHERS_MS = 3_000; // a file that another page has, or is uploading, is that page's for so long
const STALLED_MS = 20_000;
const REFUSED = { 400: "refused", 403: "not_yours", 413: "too_big", 415: "type" }; // all else may be over later

/** What a person can be told of a refusal: {code, detail}, as in docs/protocol.md. */
function reasonOf(answer) {
  return { code: answer.body?.code ?? REFUSED[answer.status], detail: answer.body?.detail ?? "" };
}

/**
 * The uploads of one page. `hub` carries them out:
 *   ticket(file)                     resolves to {status, body, retryAfter}, throws when the hub cannot be reached
 *   put(url, file, {progress, signal})  the same
 *   progress(file, part)             is told how much of it is there, 0 to 1
 *   claimed(file, uploaded), refused(file, because)  resolve when that is stored
 */
export class Uploads {
  #files = [];
  #isLive = false;
  #current = null; // {file, abort}
  #tries = 0;
  #notBefore = 0;
  #theirs = new Map(); // file id → until when it is another page's
  #timer = 0;

  constructor(hub, { now, random }) {
    this.hub = hub;
    this.now = now;
    this.random = random;
  }

  /** What is still to be uploaded, in order; `isMine(file)`: chosen on this page. `isLive`: the hub can be reached. */
  show(files, isMine, isLive) {
    for (const { id } of files.filter((file) => !isMine(file) && !this.#theirs.has(file.id))) this.elsewhere(id);
    this.#files = files;
    if (isLive && !this.#isLive) this.#tries = this.#notBefore = 0;
    this.#isLive = isLive;
    if (this.#current && !files.some(({ id }) => id === this.#current.file.id)) this.#current.abort.abort();
    this.#next();
  }

  /** Another page is uploading this file. */
  elsewhere(id) {
    this.#theirs.set(id, this.now() + OTHERS_MS);
  }

  #next() {
    clearTimeout(this.#timer);
    const [file] = this.#files;
    if (!file || !this.#isLive || this.#current) return;
    const wait = Math.max(this.#notBefore, this.#theirs.get(file.id) ?? 0) - this.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#next(), wait);
    else this.#upload(file);
  }

  async #upload(file) {
    this.#current = { file, abort: new AbortController() };
    let retryAfter = 0;
    try {
      retryAfter = await this.#attempt(file);
    } catch {
      retryAfter = 0; // a cut: all of it is sent again
    }
    const isDone = retryAfter === null;
    if (isDone) {
      this.#tries = 0;
      this.#files = this.#files.filter(({ id }) => id !== file.id);
    } else this.#notBefore = this.now() + Math.max(retryAfter * 1000, backoff(this.#tries++, this.random));
    this.#current = null;
    this.#next();
  }

  /** Null when there is nothing more to do, else the seconds that the hub asks to wait. */
  async #attempt(file) {
    this.hub.progress(file, 0);
    const ticket = await this.hub.ticket(file);
    if (!ticket.body?.url) return this.#refused(file, ticket);
    const answer = await this.#put(ticket.body.url, file);
    if (!answer.body?.claim) return this.#refused(file, answer);
    await this.hub.claimed(file, answer.body);
    return null;
  }

  async #refused(file, answer) {
    if (!(answer.status in REFUSED)) return answer.retryAfter;
    await this.hub.refused(file, reasonOf(answer));
    return null;
  }

  async #put(url, file) {
    const { abort } = this.#current;
    const watch = () => setTimeout(() => abort.abort(), STALLED_MS);
    let stalled = watch();
    const progress = (part) => {
      clearTimeout(stalled);
      stalled = watch();
      this.hub.progress(file, part);
    };
    try {
      return await this.hub.put(url, file, { progress, signal: abort.signal });
    } finally {
      clearTimeout(stalled);
    }
  }
}

/** PUTs `bytes` with XMLHttpRequest, because fetch() does not tell how far it is. Throws when it is cut or aborted. */
export function put(url, bytes, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const failed = () => reject(new Error("the upload was cut"));
    request.open("PUT", url);
    request.upload.onprogress = ({ loaded }) => progress(loaded / Math.max(1, bytes.byteLength));
    request.onload = () => {
      const retryAfter = Number(request.getResponseHeader("Retry-After")) || 0;
      resolve({ status: request.status, body: parsed(request.responseText), retryAfter });
    };
    request.onerror = request.onabort = failed;
    signal.addEventListener("abort", () => request.abort());
    request.send(bytes);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's page
  }
}
