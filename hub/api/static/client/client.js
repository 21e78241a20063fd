// A person's connection to one conversation: carries out what session.js decides, with sockets, storage and timers.

import { request } from "./http.js";
import { Links } from "./links.js";
import {
  EMPTY, append, claim, filesOf, markRead, newTab, raise, readSeq, refuse, renumber, reupload, settle, takeOut,
  wellFormed,
} from "./outbox.js";
import { Session } from "./session.js";
import { openStorage } from "./storage.js";
import { Uploads, put } from "./uploads.js";

const MAX_FILES = 9; // in one message, as the protocol has it
const MAX_NAME = 255;

/** How many bytes of files may wait for the hub: they take room on the visitor's own disk. */
export const MAX_WAITING_BYTES = 50 * 2 ** 20;

/** As much of a name as the hub takes, with its extension. */
function shortened(name) {
  return Array.from(wellFormed(name)).slice(-MAX_NAME).join("");
}

/** More files are waiting to be uploaded than a page may keep. */
export class Full extends Error {}

/** What the client needs of the browser; tests hand in their own. */
export function surroundings() {
  return {
    WebSocket: globalThis.WebSocket,
    fetch: globalThis.fetch?.bind(globalThis),
    put,
    locks: globalThis.navigator?.locks,
    indexedDB: globalThis.indexedDB,
    channel: (name) => (globalThis.BroadcastChannel ? new BroadcastChannel(name) : null),
    now: () => Date.now(),
    random: Math.random,
  };
}

/**
 * One page's connection to the hub at `base` (a URL that ends in /). Fires "change" when anything to be shown changed,
 * and "progress" with {id, part} when so much (0 to 1) of a file is in the hub.
 * `tokens.get(which, client)` resolves to {token, conversation}: the one that is kept, one that is renewed, or a new one.
 * `says`: as in session.js. What is unsent is kept under `name` and `key`.
 */
export class Client extends EventTarget {
  #socket = null;
  #timer = 0;
  #mine = new Set();
  #record = EMPTY;

  constructor({ base, tokens, says, name = `kefu-hub ${base}`, key, env = surroundings() }) {
    super();
    this.base = base;
    this.tokens = tokens;
    this.env = env;
    this.session = new Session(env.random, says);
    this.storage = null;
    this.name = name;
    this.key = key;
    // Where there are no Web Locks (plain http, an old webview) pages do not share numbers: each has its own tab id.
    this.own = env.locks ? null : { tab: newTab(env.random), next: 1 };
    this.uploads = new Uploads(this.#carrier(), env);
    this.links = new Links((keys) => this.#askLinks(keys), env);
  }

  /** Opens what is stored, and resolves to it (outbox.js). Connects only when start() is called. */
  async load() {
    this.storage = await openStorage(this.name, this.env.indexedDB, this.key);
    this.others = this.env.channel(this.key ? `${this.name} ${this.key}` : this.name);
    this.others?.addEventListener("message", ({ data }) => {
      if (data === "outbox") this.#readOutbox();
      else this.#progressed(data, () => this.uploads.elsewhere(data.id));
    });
    return this.#readOutbox();
  }

  start() {
    this.#do(this.session.start(this.env.now()));
  }

  /** Call when the person is back at the page, or the network is back. */
  nudge() {
    this.#do(this.session.nudge(this.env.now()));
  }

  /** Stores the text, then sends it as soon as that is possible. Resolves when it is stored. */
  async send(text) {
    await this.#append({ text: wellFormed(text) });
    this.start();
  }

  /**
   * Stores files as messages of up to nine, then uploads and sends them. Resolves when they are stored; rejects with
   * Full where they are too many, and with the browser's error where one cannot be read.
   */
  async sendFiles(chosen) {
    const waiting = [...filesOf(this.#record), ...chosen];
    if (waiting.reduce((sum, { size }) => sum + size, 0) > MAX_WAITING_BYTES) throw new Full();
    const { random } = this.env;
    const files = chosen.map(({ name, type, size }) => ({ id: newTab(random), name: shortened(name), type, size }));
    const bytes = await Promise.all(chosen.map((file) => file.arrayBuffer()));
    for (let at = 0; at < files.length; at += MAX_FILES) {
      const some = files.slice(at, at + MAX_FILES);
      await this.#append({ text: "", files: some }, new Map(some.map(({ id }, each) => [id, bytes[at + each]])));
    }
    this.start();
  }

  async #append(message, bytes) {
    const { conversation, epoch, timeline } = this.session;
    const seen = { conversation, epoch, after: timeline.solid };
    const { random, now } = this.env;
    await this.#update((record) => {
      const after = append(record, { ...message, at: now(), seen, random, own: this.own });
      this.#mine.add(after.entries[after.entries.length - 1].place);
      return after;
    }, bytes);
  }

  /** Takes back a file that has not been sent yet. */
  remove(id) {
    this.#update((record) => takeOut(record, { id, random: this.env.random, own: this.own }));
  }

  /** Files that the hub does not take: {id, name, type, size, at, because}. */
  get refusedFiles() {
    return this.#record.refused;
  }

  /** Resolves to a file that was chosen in this browser and is not sent yet, as a Blob; null when it is not here. */
  async localFile({ id, type }) {
    const bytes = id && (await this.storage.file(id));
    return bytes ? new Blob([bytes], { type }) : null;
  }

  typing(on) {
    this.#do(this.session.typing(on));
  }

  /** The person has seen everything up to `seq`: told to the agent once, and remembered over a reload. */
  read(seq) {
    if (seq <= this.readSeq) return;
    this.#do(this.session.read(seq));
    this.#update((record) => markRead(record, this.session.conversation, seq));
  }

  get readSeq() {
    return readSeq(this.#record, this.session.conversation);
  }

  /** Gives a text that the hub refuses back to the person. */
  takeBack(refused) {
    this.session.refused = this.session.refused.filter((each) => each !== refused);
    this.dispatchEvent(new Event("change"));
    return refused.text;
  }

  loadOlder() {
    this.#do(this.session.loadOlder(this.env.now()));
  }

  // --- effects ---

  #do(effects) {
    for (const effect of effects) this.#carryOut(effect);
    clearTimeout(this.#timer);
    const { due } = this.session;
    if (due !== Infinity) {
      const wait = Math.max(0, due - this.env.now());
      this.#timer = setTimeout(() => this.#do(this.session.tick(this.env.now())), wait);
    }
    this.#upload();
    this.dispatchEvent(new Event("change"));
  }

  #upload() {
    const files = filesOf(this.#record).filter((file) => !file.claim);
    this.uploads.show(files, ({ place }) => this.#mine.has(place), this.session.phase === "live");
  }

  #carryOut(effect) {
    if (effect.open) this.#open(effect.open);
    else if (effect.close) this.#letGo();
    else if (effect.frame) this.#socket.send(JSON.stringify(this.#complete(effect.frame)));
    else if (effect.settle) this.#update((record) => settle(record, effect.settle, effect.seq));
    else if (effect.raise) this.#update((record) => raise(record, effect.raise));
    else if (effect.renumber) {
      const { renumber: tab, from, dropped } = effect;
      this.#update((record) => renumber(record, { tab, from, dropped, random: this.env.random, own: this.own }));
    } else if (effect.reupload) {
      const { reupload: place, claims, because } = effect;
      this.#update((record) => reupload(record, { place, claims, because, random: this.env.random, own: this.own }));
    }
  }

  #complete(frame) {
    return frame.t === "hello" ? { ...frame, token: this.holder.token } : frame;
  }

  // --- the socket ---

  async #open(which) {
    const attempt = {}; // stands for the socket until there is one: an attempt that was given up stays so
    this.#socket = attempt;
    try {
      this.holder = await this.tokens.get(which, this);
    } catch {
      if (this.#socket === attempt) this.#do(this.session.closed(0, this.env.now()));
      return;
    }
    if (this.#socket === attempt) this.#connect(this.holder.conversation);
  }

  #connect(conversation) {
    const url = new URL("ws", this.base);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new this.env.WebSocket(url);
    this.#socket = socket;
    const mine = (handler) => (event) => {
      if (this.#socket === socket) this.#do(handler(event, this.env.now()));
    };
    socket.onopen = mine((_, now) => this.session.opened(conversation, now));
    socket.onmessage = mine((event, now) => this.session.received(JSON.parse(event.data), now));
    socket.onclose = mine((event, now) => {
      this.#socket = null;
      return this.session.closed(event.code, now);
    });
  }

  #letGo() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close?.();
  }

  // --- files ---

  #carrier() {
    const { random } = this.env;
    return {
      ticket: ({ name, size }) => this.#askFiles("", { name, size }),
      put: async (url, { id }, how) => {
        const bytes = await this.storage.file(id);
        if (!bytes) return { status: 415, body: { code: "unreadable", detail: "" } };
        return this.env.put(new URL(url, this.base), bytes, how);
      },
      progress: ({ id }, part) => this.#progressed({ id, part }, () => this.others?.postMessage({ id, part })),
      claimed: ({ id }, uploaded) => this.#update((record) => claim(record, id, uploaded)),
      refused: ({ id }, because) => this.#update((record) => refuse(record, { id, because, random, own: this.own })),
    };
  }

  #progressed(detail, tell) {
    tell();
    this.dispatchEvent(new CustomEvent("progress", { detail }));
  }

  async #askFiles(path, body) {
    const { conversation, token } = this.holder;
    const url = new URL(`api/v1/conversations/${conversation}/files${path}`, this.base);
    return request(this.env.fetch, url, { body, token });
  }

  async #askLinks(keys) {
    const { status, body } = await this.#askFiles("/links", { keys });
    if (status !== 200) throw new Error(`the hub answers ${status}`);
    return Object.fromEntries(Object.entries(body).map(([key, path]) => [key, new URL(path, this.base).href]));
  }

  // --- the outbox ---

  async #readOutbox() {
    const record = await this.storage.read();
    this.#show(record);
    return record;
  }

  async #update(step, bytes) {
    let changed = false;
    const record = await this.storage.update((before) => {
      const after = step(before);
      changed = after !== before;
      return after;
    }, bytes);
    if (!changed) return;
    this.others?.postMessage("outbox");
    this.#show(record);
  }

  #show(record) {
    this.#record = record;
    this.#do(this.session.outbox(record.entries, this.#mine, this.env.now(), record.settled));
  }
}
