// Two pages of one browser against a hub, with cuts, killed pages, lost acks, refusals and forgotten tab ids between
// any two steps: every text and file arrives once and in order, and both pages end with the hub's own history.

import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, append, claim, filesOf, raise, refuse, renumber, reupload, settle } from "../static/outbox.js";
import { Session } from "../static/session.js";

const C = "c1-x";
const RUNS = 300;
const STEPS = 250;

function randomFrom(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

/** The hub's side, as docs/protocol.md says it; `faulty` makes it refuse for a moment now and then. */
class Hub {
  events = [];
  tabs = {};
  lines = new Set();
  faulty = true;
  seq = 1;
  names = []; // of the file that each claim, a number, is for
  claimsFrom = 0; // older ones have run out

  constructor(random) {
    this.random = random;
  }

  forget() {
    this.tabs = {};
  }

  add(fields) {
    const prev = this.events.length ? this.events[this.events.length - 1].seq : 0;
    this.seq += 1 + Math.floor(this.random() * 2); // some events are not for visitors
    this.events.push({ t: "event", c: C, seq: this.seq, prev, at: this.seq, ...fields });
    return this.events[this.events.length - 1];
  }

  tell(event, but) {
    for (const line of this.lines) if (line !== but) line.down.push(event);
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
    const last = this.events.length ? this.events[this.events.length - 1].seq : 0;
    const { events } = this.between(seq, Infinity);
    return { t: "welcome", c: C, epoch: 1, seq: last, resumed: true, events, window: 4, tabs: { ...this.tabs } };
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
    if (!stored && n !== 1) return { t: "error", code: 4112, do: "new_tab", id, message: "" };
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
    this.line = null;
    this.show();
    this.do(this.session.start(world.now));
  }

  show() {
    this.do(this.session.outbox(this.world.record.entries, this.mine, this.world.now));
  }

  write(text) {
    const seen = { conversation: C, epoch: 1, after: this.session.timeline.solid };
    const { world } = this;
    const isFile = text.startsWith("file");
    const files = isFile ? [{ id: text, name: text, type: "", size: 1 }] : [];
    this.change((record) => append(record, { text: isFile ? "" : text, files, at: world.now, seen, random: world.random }));
    this.mine.add(world.record.entries[world.record.entries.length - 1].place);
    this.show();
  }

  change(step) {
    this.world.record = step(this.world.record);
    this.stale = true;
    if (this.other) this.other.stale = true;
  }

  do(effects) {
    for (const { open, close, frame, settle: places, raise: tabs, renumber: tab, from, dropped, reupload: place, ...more } of effects) {
      if (open) this.line = { up: [], down: [], isOpen: false };
      else if (close) this.cut(false);
      else if (frame) this.line?.up.push(frame);
      else if (places) this.change((record) => settle(record, places));
      else if (tabs) this.change((record) => raise(record, tabs));
      else if (tab) this.change((record) => renumber(record, { tab, from, dropped, random: this.world.random }));
      else if (place) this.change((record) => reupload(record, { ...more, place, random: this.world.random }));
    }
  }

  /** The connection ends; what was under way is gone. */
  cut(isNoticed = true) {
    this.world.hub.lines.delete(this.line);
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
    } else this.change((record) => refuse(record, { id: file.id, because: {}, random: world.random }));
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
    this.written = [];
    this.pages = [new Page(this), new Page(this)];
    this.introduce();
  }

  introduce() {
    [this.pages[0].other, this.pages[1].other] = [this.pages[1], this.pages[0]];
  }

  fault(which) {
    const { random, pages, hub } = this;
    const at = Math.floor(random() * 2);
    if (which < 0.25) {
      this.count += 1;
      this.written.push(`${random() < 0.3 ? "file" : "text"} ${this.count}`);
      pages[at].write(this.written[this.written.length - 1]);
    } else if (which < 0.35) hub.tell(hub.add({ kind: "answer", id: "", text: "hi" }));
    else if (which < 0.4) hub.add({ kind: "answer", id: "", text: "the push of this is lost" });
    else if (which < 0.5) {
      if (pages[at].line) pages[at].cut();
    } else if (which < 0.53) {
      pages[at].cut(false);
      pages[at] = new Page(this); // the webview was killed and opened again
      this.introduce();
    } else if (which < 0.54) hub.claimsFrom = hub.names.length;
    else if (which < 0.56) {
      for (const page of pages) if (page.line) page.cut();
      hub.forget(); // it takes 64 other tab ids: nothing of ours is under way any more
    }
  }

  run() {
    for (let step = 0; step < STEPS; step += 1) {
      if (this.random() < 0.2) this.fault(this.random());
      this.now += Math.floor(this.random() * 400);
      this.pages[Math.floor(this.random() * 2)].step(this.random());
    }
    this.hub.faulty = false;
    this.hub.tell(this.hub.add({ kind: "answer", id: "", text: "after the last lost push" }));
    for (let step = 0; step < 5_000 && !this.pages.every((page) => page.isDone); step += 1) {
      this.now += 100;
      for (const page of this.pages) page.step(this.random());
    }
  }
}

test("every text and file arrives once and in order, whatever happens in between", () => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const world = new World(randomFrom(seed * 7919));
    world.run();
    const { hub, pages, record, written } = world;
    const stored = hub.events.filter(({ kind }) => kind === "message").map(({ text }) => text);
    const refused = record.refused.map(({ id }) => id);
    assert.deepEqual(stored, written.filter((text) => !refused.includes(text)), `seed ${seed}: the hub has what was written`);
    assert.deepEqual(record.entries, [], `seed ${seed}: the outbox is empty`);
    for (const { session } of pages) {
      const shown = session.timeline.events.map(({ seq }) => seq);
      const first = hub.events.findIndex(({ seq }) => seq === shown[0]);
      assert.deepEqual(shown, hub.events.slice(first).map(({ seq }) => seq), `seed ${seed}: a page shows the history`);
    }
  }
});
