// One socket for all of an agent's conversations (docs/protocol.md). Each of them gets a socket of its own that is none:
// to the client of a conversation it looks like a visitor's, so that agents lose as little as visitors do.

import { backoff } from "../client/session.js";

const CONNECT_WITHIN_MS = 10_000;
const PING_AFTER_MS = 25_000;
const PONG_WITHIN_MS = 5_000;
const STEADY_MS = 5_000;
const FLOOD_PAUSE_MS = 5_000;
const EXPIRED = [4401, 4503];
const NOT_YOURS = 4114;
const ABNORMAL = 1006;

/**
 * The connection with an agent's `token` to the hub at `base`. `seen()` says what is known: {conversation: seq}, of the log's
 * `epoch`. Events: "change"; "serving" {conversation, on}: it became theirs, or stopped being so; "page" {conversation}:
 * its client can greet now; "ended" {expired}: coming back will not help, the token has expired or the page is too old.
 */
export class Trunk extends EventTarget {
  #socket = null;
  #timer = 0;
  #branches = new Map(); // conversation → Branch
  #tries = 0;
  #liveSince = 0;
  #heardAt = 0;
  #pingedAt = 0;
  #notBefore = 0;

  constructor({ base, token, seen, env }) {
    super();
    this.token = token;
    this.seen = seen;
    this.env = env;
    this.url = new URL("ws", base);
    this.url.protocol = this.url.protocol.replace("http", "ws");
    this.phase = "idle"; // connecting, live, waiting, stopped
    this.epoch = 0;
    this.window = 64;
    this.serving = new Set();
  }

  start() {
    if (this.phase === "idle") this.#connect();
  }

  /** For good. */
  stop() {
    this.#become("stopped");
    this.#letGo();
  }

  /** The person looks at the page again, or the network is back: no time to lose. */
  nudge() {
    const now = this.env.now();
    if (this.phase === "waiting") {
      this.#tries = 0;
      this.#wait(Math.max(0, this.#notBefore - now));
    } else if (this.phase === "live" && !this.#pingedAt && now - this.#heardAt > PONG_WITHIN_MS) this.#ping();
  }

  /** What stands for a WebSocket to the client of that conversation. */
  socketFor(conversation) {
    const branch = this.#branch(conversation);
    return class extends BranchSocket {
      constructor() {
        super(branch);
      }
    };
  }

  // --- what branches say ---

  send(frame) {
    if (this.phase === "live") this.#socket.send(JSON.stringify(frame));
  }

  #branch(conversation) {
    if (!this.#branches.has(conversation)) this.#branches.set(conversation, new Branch(conversation, this));
    return this.#branches.get(conversation);
  }

  // --- the socket's life ---

  #connect() {
    this.#become("connecting");
    const socket = new this.env.WebSocket(this.url);
    this.#socket = socket;
    const mine = (handler) => (event) => {
      if (this.#socket === socket) handler(event);
    };
    socket.onopen = mine(() => {
      socket.send(JSON.stringify({ t: "hello", v: 1, token: this.token, epoch: this.epoch, seen: this.seen() }));
    });
    socket.onmessage = mine(({ data }) => this.#received(JSON.parse(data)));
    socket.onclose = mine(({ code }) => this.#lost(code));
    this.#later(CONNECT_WITHIN_MS, () => this.#drop());
  }

  #drop() {
    this.#letGo();
    this.#lost(ABNORMAL);
  }

  #letGo() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#timer);
    socket?.close();
  }

  #lost(code) {
    this.#socket = null;
    const now = this.env.now();
    if (this.#liveSince && now - this.#liveSince >= STEADY_MS) this.#tries = 0;
    this.#liveSince = 0;
    const isExpired = EXPIRED.includes(code);
    const isEnd = isExpired || code === 1009 || (code >= 4500 && code < 5000);
    this.#notBefore = code === 4008 ? now + FLOOD_PAUSE_MS : now;
    if (isEnd) this.#become("stopped");
    else this.#wait(Math.max(this.#notBefore - now, backoff(this.#tries++, this.env.random)));
    for (const branch of this.#branches.values()) branch.cut();
    if (isEnd) this.dispatchEvent(new CustomEvent("ended", { detail: { expired: isExpired } }));
  }

  #wait(pause) {
    this.#become("waiting");
    this.#later(pause, () => this.#connect());
  }

  #watch() {
    const now = this.env.now();
    const left = this.#pingedAt ? this.#pingedAt + PONG_WITHIN_MS - now : this.#heardAt + PING_AFTER_MS - now;
    this.#later(Math.max(0, left), () => {
      if (this.env.now() - this.#heardAt < PING_AFTER_MS && !this.#pingedAt) this.#watch();
      else if (this.#pingedAt) this.#drop();
      else this.#ping();
    });
  }

  #ping() {
    this.#pingedAt = this.env.now();
    this.send({ t: "ping" });
    this.#watch();
  }

  #later(pause, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, pause);
  }

  #become(phase) {
    this.phase = phase;
    this.dispatchEvent(new Event("change"));
  }

  // --- frames ---

  #received(frame) {
    this.#heardAt = this.env.now();
    if (this.#pingedAt) {
      this.#pingedAt = 0;
      this.#watch();
    }
    if (frame.t === "welcome") this.#welcome(frame);
    else if (frame.t === "serving") this.#serves(frame.c, frame.on);
    else if (frame.c) this.#branch(frame.c).received(frame);
    else if (frame.t === "error") for (const branch of this.#branches.values()) branch.received(frame); // ids are unique
  }

  #welcome(frame) {
    this.epoch = frame.epoch;
    this.window = frame.window;
    this.#liveSince = this.env.now();
    this.#become("live");
    this.#watch();
    const gone = [...this.serving].filter((each) => !frame.conversations.includes(each));
    for (const conversation of gone) this.#serves(conversation, false);
    for (const conversation of frame.conversations) this.#serves(conversation, true);
  }

  #serves(conversation, on) {
    if (on) this.serving.add(conversation);
    else this.serving.delete(conversation);
    this.#branch(conversation).part(!on);
    this.dispatchEvent(new CustomEvent("serving", { detail: { conversation, on } }));
  }

  paged(conversation) {
    this.dispatchEvent(new CustomEvent("page", { detail: { conversation } }));
  }
}

/** One conversation's share of the trunk. */
class Branch {
  constructor(conversation, trunk) {
    this.conversation = conversation;
    this.trunk = trunk;
    this.socket = null;
    this.isParted = true; // it is not, or no more, the agent's
    this.cut();
  }

  /** The trunk has no connection any more. */
  cut() {
    this.isAwaited = true; // the first page, which comes unasked
    this.page = null; // that one, until the client has said hello
    this.hello = null; // the client's, until it is answered
    this.isGreeted = false;
    this.backlog = []; // frames that came before
    const { socket } = this;
    this.socket = null;
    socket?.onclose?.({ code: ABNORMAL });
  }

  part(isParted) {
    if (this.isParted === isParted) return;
    this.isParted = isParted;
    this.cut();
    if (isParted) this.trunk.paged(this.conversation); // what is unsent comes back to the person
  }

  received(frame) {
    if (this.isGreeted) this.#tell(frame);
    else if (frame.t === "page") {
      this.page = frame;
      this.isAwaited = false;
      this.trunk.paged(this.conversation);
      this.#open();
      this.#greet();
    } else this.backlog.push(frame);
  }

  // --- the client's side ---

  join(socket) {
    this.socket = socket;
    this.isGreeted = false;
    this.#open();
  }

  /** Lets the client say hello, as soon as that can be answered. */
  #open() {
    const { socket } = this;
    if (!socket || socket.isOpen || (!this.isParted && (this.isAwaited || this.trunk.phase !== "live"))) return;
    socket.isOpen = true;
    queueMicrotask(() => this.socket === socket && socket.onopen?.({}));
  }

  leave(socket) {
    if (this.socket !== socket) return;
    this.socket = null;
    this.isGreeted = false;
    this.hello = null;
  }

  say(frame) {
    if (frame.t === "ping") this.#tell({ t: "pong" }); // the trunk looks after the line for all
    else if (frame.t === "hello") this.#hello(frame);
    else if (this.isParted) this.#refuse(frame);
    else this.trunk.send({ ...frame, c: this.conversation });
  }

  #hello(frame) {
    this.hello = frame;
    if (this.isParted) this.page = { events: [], before: frame.seq + 1 };
    if (this.page) this.#greet();
    else this.trunk.send({ t: "range", c: this.conversation, after: frame.seq, before: Number.MAX_SAFE_INTEGER });
  }

  #greet() {
    const { hello, page, trunk } = this;
    if (!hello || !page) return;
    const last = page.before === Number.MAX_SAFE_INTEGER ? (page.events.at(-1)?.seq ?? hello.seq) : page.before - 1;
    const resumed = page.resumed !== false;
    this.page = null;
    this.hello = null;
    this.isGreeted = true;
    const epoch = this.isParted ? hello.epoch : trunk.epoch;
    this.#tell({ t: "welcome", v: 1, epoch, seq: last, resumed, events: page.events, window: trunk.window, tabs: {} });
    const { backlog } = this;
    this.backlog = [];
    for (const frame of backlog) this.#tell(frame);
  }

  #refuse(frame) {
    const { id, after, before } = frame;
    if (frame.t === "send") this.#tell({ t: "error", code: NOT_YOURS, do: "drop", id, message: "" });
    else if (frame.t === "range") this.#tell({ t: "page", after, before, events: [], more: false });
  }

  #tell(frame) {
    const { socket } = this;
    queueMicrotask(() => this.socket === socket && socket?.onmessage?.({ data: JSON.stringify(frame) }));
  }
}

/** As much of a WebSocket as client.js uses. */
class BranchSocket {
  constructor(branch) {
    this.branch = branch;
    branch.join(this);
  }

  send(data) {
    this.branch.say(JSON.parse(data));
  }

  close() {
    this.branch.leave(this);
  }
}
