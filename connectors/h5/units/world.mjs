// The world of the random walk: two pages of one browser against a hub, with cuts, frames that arrive after them,
// killed pages, lost pushes and acks, refusals, claims that run out and forgotten tab ids between any two steps. Some
// browsers have no Web Locks: there each page has a tab id of its own.

import assert from "node:assert/strict";

import { EMPTY, append, claim, filesOf, newTab, raise, refuse, renumber, reupload, settle } from "../../../hub/api/static/client/outbox.js";
import { Session } from "../../../hub/api/static/client/session.js";

const C = "c1-x";

/** Numbers in [0, 1), the same for the same seed. */
function randomFrom(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

/** The hub's side, as docs/protocol.md says it; `faulty`: it refuses for a moment, and loses pushes, now and then. */
class Hub {
  events = [];
  tabs = {};
  forgotten = new Set(); // the latest of the forgotten tab ids: they are never taken for new ones
  hasForgotten = false;
  lines = new Set();
  late = []; // [frame, line] of connections that have ended on the page's side
  faulty = true;
  seq = 1;
  names = []; // of the file that each claim, a number, is for
  claimsFrom = 0; // older ones have run out

  constructor(random) {
    this.random = random;
    this.lossy = [0, 0.03, 0.2][Math.floor(random() * 3)];
  }

  /** 64 other tab ids have been used. */
  forget() {
    for (const tab of Object.keys(this.tabs)) this.forgotten.add(tab);
    this.hasForgotten ||= this.forgotten.size > 0;
    this.tabs = {};
  }

  /** More than a thousand have: that takes longer than any frame is under way. */
  forgetForGood() {
    this.forget();
    this.forgotten.clear();
    this.late = [];
  }

  get last() {
    return this.events.length ? this.events[this.events.length - 1].seq : 0;
  }

  add(fields) {
    const prev = this.last;
    this.seq += 1 + Math.floor(this.random() * 2); // some events are not for visitors
    this.events.push({ t: "event", c: C, seq: this.seq, prev, at: this.seq, ...fields });
    return this.events[this.events.length - 1];
  }

  tell(event, but) {
    for (const line of this.lines) {
      const isLost = this.faulty && this.random() < this.lossy;
      if (line !== but && !isLost) line.down.push(event);
    }
  }

  between(after, before) {
    const found = this.events.filter(({ seq }) => after < seq && seq < before);
    return { events: found.slice(-5), more: found.length > 5 };
  }

  hear(frame, line) {
    const answer = this[frame.t]?.(frame, line);
    if (answer) line.down.push(answer);
  }

  hello({ seq }, line) {
    this.lines.add(line);
    const { events } = this.between(seq, Infinity);
    return { t: "welcome", c: C, epoch: 1, seq: this.last, resumed: true, events, window: 4, tabs: { ...this.tabs } };
  }

  ping() {
    return { t: "pong" };
  }

  range(frame) {
    if (this.faulty && this.random() < 0.2) return { t: "error", code: 4121, do: "retry", message: "" };
    return { ...frame, t: "page", ...this.between(frame.after, frame.before) };
  }

  send({ id, text, files = [] }, line) {
    if (files.some((word) => word < this.claimsFrom)) {
      return { t: "error", code: 4115, do: "drop", id, message: "`files`: one has run out" };
    }
    const [tab, number] = id.split(".");
    const n = Number(number);
    const stored = this.tabs[tab] ?? 0;
    if (this.faulty && this.random() < 0.1) return { t: "error", code: 4100, do: "retry", id, message: "" };
    if (!stored && (this.forgotten.has(tab) || (n !== 1 && this.hasForgotten))) {
      return { t: "error", code: 4112, do: "new_tab", id, seq: this.last, message: "" };
    }
    if (n <= stored) return { t: "ack", id, c: C, seq: this.events.find((event) => event.id === id)?.seq ?? 0 };
    if (n > stored + 1) return { t: "error", code: 4111, do: "resend", id, from: stored + 1, message: "" };
    this.tabs[tab] = n;
    const event = this.add({ kind: "message", id, text: text || this.names[files[0]], status: "" });
    this.tell(event, line);
    return { t: "ack", id, c: C, seq: event.seq, prev: event.prev, at: event.at };
  }
}

class Page {
  constructor(world) {
    this.world = world;
    this.session = new Session(world.random);
    this.mine = new Set();
    this.own = world.hasLocks ? null : { tab: newTab(world.random), next: 1 };
    this.line = null;
    this.show();
    this.do(this.session.start(world.now));
  }

  show() {
    const { record, now } = this.world;
    this.do(this.session.outbox(record.entries, this.mine, now, record.settled));
  }

  write(text) {
    const seen = { conversation: C, epoch: 1, after: this.session.timeline.solid };
    const { world } = this;
    const isFile = text.startsWith("file");
    const files = isFile ? [{ id: text, name: text, type: "", size: 1 }] : [];
    const message = { text: isFile ? "" : text, files, at: world.now, seen, random: world.random, own: this.own };
    this.change((record) => append(record, message));
    this.mine.add(world.record.entries[world.record.entries.length - 1].place);
    this.show();
  }

  change(step) {
    this.world.record = step(this.world.record);
    this.stale = true;
    if (this.other) this.other.stale = true;
  }

  do(effects) {
    const { own } = this;
    const { random } = this.world;
    for (const effect of effects) {
      const { open, close, frame, settle: places, seq, raise: tabs, renumber: tab, reupload: place } = effect;
      if (open) this.line = { up: [], down: [], isOpen: false };
      else if (close) this.cut(false);
      else if (frame) this.line?.up.push(frame);
      else if (places) this.change((record) => settle(record, places, seq));
      else if (tabs) this.change((record) => raise(record, tabs));
      else if (tab) this.change((record) => renumber(record, { ...effect, tab, random, own }));
      else if (place) this.change((record) => reupload(record, { ...effect, place, random, own }));
    }
  }

  /** The connection ends; what was under way is gone, or reaches the hub later. */
  cut(isNoticed = true) {
    const { hub, random } = this.world;
    hub.lines.delete(this.line);
    if (this.line && random() < 0.5) {
      hub.late.push(...this.line.up.filter(({ t }) => t === "send").map((frame) => [frame, this.line]));
    }
    this.line = null;
    if (isNoticed) this.do(this.session.closed(1006, this.world.now));
  }

  /** An upload ends: the hub has the file, or does not take it. */
  upload(isTaken) {
    const { world } = this;
    const file = filesOf(world.record).find((each) => !each.claim);
    if (!file) return;
    if (isTaken) {
      const word = world.hub.names.push(file.id) - 1;
      this.change((record) => claim(record, file.id, { attachment: {}, claim: word }));
    } else this.change((record) => refuse(record, { id: file.id, because: {}, random: world.random, own: this.own }));
  }

  /** One thing that the network or the storage may do. */
  step(choice) {
    const { line, session, world } = this;
    if (choice < 0.05) this.upload(!world.hub.faulty || world.random() < 0.8);
    if (this.stale && choice < 0.3) {
      this.stale = false;
      this.show();
    } else if (line && !line.isOpen) {
      line.isOpen = true;
      this.do(session.opened(C, world.now));
    } else if (line?.up.length && choice < 0.65) world.hub.hear(line.up.shift(), line);
    else if (line?.down.length) this.do(session.received(line.down.shift(), world.now));
    else if (world.now >= session.due) this.do(session.tick(world.now));
  }

  get isDone() {
    const { session, line } = this;
    return session.phase === "live" && !session.entries.length && !session.timeline.hole() && !line.down.length;
  }
}

class World {
  record = EMPTY;
  now = 1_000;
  count = 0;

  constructor(random) {
    this.random = random;
    this.hub = new Hub(random);
    this.isFile = [0.1, 0.3, 0.7][Math.floor(random() * 3)];
    this.hasLocks = random() < 0.7;
    this.faults = this.#faults();
    this.written = [];
    this.pages = [new Page(this), new Page(this)];
    this.introduce();
  }

  introduce() {
    [this.pages[0].other, this.pages[1].other] = [this.pages[1], this.pages[0]];
  }

  /** How likely each fault is, in this walk: some are left out and some are frequent, so that walks differ in kind. */
  #faults() {
    const usual = [
      [0.25, () => this.write()],
      [0.1, ({ hub }) => hub.tell(hub.add({ kind: "answer", id: "", text: "hi" }))],
      [0.05, ({ hub }) => hub.add({ kind: "answer", id: "", text: "the push of this is lost" })],
      [0.1, () => this.anyPage().cut()],
      [0.03, () => this.kill()],
      [0.01, ({ hub }) => (hub.claimsFrom = hub.names.length)],
      [0.02, ({ hub }) => hub.forget()],
      [0.01, () => this.sleep()],
    ];
    const times = () => [0, 1, 4, 16][Math.floor(this.random() * 4)];
    return usual.map(([weight, happen], at) => [at ? weight * times() : weight, happen]); // somebody always writes
  }

  fault() {
    let which = this.random() * this.faults.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, happen] of this.faults) {
      which -= weight;
      if (which < 0) return happen(this);
    }
  }

  anyPage() {
    return this.pages[Math.floor(this.random() * 2)];
  }

  write() {
    this.count += 1;
    this.written.push(`${this.random() < this.isFile ? "file" : "text"} ${this.count}`);
    this.anyPage().write(this.written[this.written.length - 1]);
  }

  /** The webview is killed and opened again. */
  kill() {
    const at = Math.floor(this.random() * 2);
    this.pages[at].cut(false);
    this.pages[at] = new Page(this);
    this.introduce();
  }

  /** So long that the hub has no memory of our tab ids at all. */
  sleep() {
    for (const page of this.pages) page.cut();
    this.hub.forgetForGood();
  }

  get isDone() {
    return !this.hub.late.length && this.pages.every((page) => page.isDone);
  }

  run(steps) {
    for (let step = 0; step < steps; step += 1) {
      if (this.random() < 0.2) this.fault();
      if (this.hub.late.length && this.random() < 0.1) this.hub.hear(...this.hub.late.shift());
      this.now += Math.floor(this.random() * 400);
      this.anyPage().step(this.random());
    }
    this.hub.faulty = false;
    this.hub.tell(this.hub.add({ kind: "answer", id: "", text: "after the last lost push" }));
    for (let step = 0; step < 60_000 && !this.isDone; step += 1) {
      this.now += 100;
      if (this.hub.late.length) this.hub.hear(...this.hub.late.shift());
      for (const page of this.pages) page.step(this.random());
    }
  }
}

/** Throws an AssertionError unless a walk keeps the promises: nothing lost, doubled or out of order, on both sides. */
export function walk(seed, steps) {
  const world = new World(randomFrom(seed * 7919));
  world.run(steps);
  const { hub, pages, record, written } = world;
  const stored = hub.events.filter(({ kind }) => kind === "message").map(({ text }) => text);
  const refused = record.refused.map(({ id }) => id);
  const expected = written.filter((text) => !refused.includes(text));
  assert.deepEqual(stored, expected, `seed ${seed}: the hub has what was written`);
  assert.deepEqual(record.entries, [], `seed ${seed}: the outbox is empty`);
  for (const { session } of pages) {
    assert.deepEqual(session.entries, [], `seed ${seed}: a page shows nothing as unsent`);
    const shown = session.timeline.events.map(({ seq }) => seq);
    const first = hub.events.findIndex(({ seq }) => seq === shown[0]);
    assert.deepEqual(shown, hub.events.slice(first).map(({ seq }) => seq), `seed ${seed}: a page shows the history`);
  }
}
