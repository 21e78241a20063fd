// The client's side of protocol v1 (docs/protocol.md), without I/O, clock or randomness of its own.
//
// Inputs are method calls with the time in ms; each returns the effects for client.js to carry out:
//   {open: "keep" | "renew" | "new"}   get such a token, open a socket
//   {close: true}                      let go of the socket
//   {frame: {…}}                       send
//   {settle: [place, …], seq}          these entries are stored in the hub, their events among those up to seq
//   {raise: {tab: n, …}}               the numbers that the hub has
//   {renumber: tab, from: n, dropped: [place]}  the tab id's numbers from n on cannot be used any more
//   {reupload: place, claims, because} these claims of this entry's files have run out
// `due` is the moment at which tick() has something to do.

import { Timeline } from "./timeline.js";

const CONNECT_WITHIN_MS = 10_000;
const PING_AFTER_MS = 25_000;
const PONG_WITHIN_MS = 5_000;
const RETRY_MS = 1_000;
const AGAIN_MS = 10_000; // an answer that takes longer is asked for again: repeats are free
const OTHERS_MS = 5_000; // an entry that another page wrote is that page's to send for so long
const STEADY_MS = 5_000; // a connection that lived so long was a good one: waiting starts from the shortest again
const TYPING_MS = 6_000;
const FLOOD_PAUSE_MS = 5_000;
const BAD_FIELD = 4115;

/** Full jitter: a random wait that grows with the tries, from 0.5 to 30 s. */
export function backoff(tries, random) {
  return Math.max(500, random() * Math.min(30_000, 500 * 2 ** Math.min(tries, 10)));
}

/**
 * One side of a conversation, over all its sockets: `says` is the kind of event that it writes, "message" for a visitor
 * and "answer" for an agent. `phase`: idle, waiting, connecting, greeting, live or stopped.
 */
export class Session {
  #effects = [];

  constructor(random, says = "message") {
    this.random = random;
    this.says = says;
    this.timeline = new Timeline();
    this.phase = "idle";
    this.conversation = "";
    this.epoch = 0;
    this.window = 64;
    // What the outbox holds, with this page's view of it: sentAt (null: not under way), sendFrom, first (the lowest n of
    // its tab id that was unsettled when it was sent on this socket), claims (of its files, as they were sent), and
    // stored: 0, or the seq up to which the event will be found (the bubble stays until then).
    this.entries = [];
    this.refused = []; // {text, because}: the hub takes these never
    this.theirTypingUntil = 0;
    this.theirReadSeq = 0;
    this.wornOut = ""; // the claims that were refused last
    this.stopCode = 0;
    this.token = "keep";
    this.remade = false;
    this.tries = 0;
    this.notBefore = 0;
    this.deadline = Infinity; // of connecting, greeting, or the wait before a try
    this.#forgetSocket();
  }

  // --- inputs ---

  start(now) {
    if (this.phase === "idle") this.#connect(now);
    return this.#take();
  }

  /** The person looks at the page again, or the network is back: no time to lose. */
  nudge(now) {
    if (this.phase === "waiting") {
      this.tries = 0;
      if (now >= this.notBefore) this.#connect(now);
      else this.deadline = this.notBefore;
    } else if (this.phase === "live" && !this.pingedAt && now - this.heardAt > PONG_WITHIN_MS) this.#ping(now);
    return this.#take();
  }

  /** The socket is open, with a token for `conversation`. */
  opened(conversation, now) {
    if (conversation !== this.conversation) this.#forgetConversation(conversation);
    this.phase = "greeting";
    this.token = "keep";
    this.deadline = now + CONNECT_WITHIN_MS;
    this.#emit({ frame: { t: "hello", v: 1, epoch: this.epoch, seq: this.timeline.solid } });
    return this.#take();
  }

  received(frame, now) {
    this.heardAt = now;
    this.pingedAt = 0;
    if (this.phase === "greeting" && frame.t === "welcome") this.#welcome(frame, now);
    else if (this.phase === "live") this.#live(frame, now);
    return this.#take();
  }

  /** The socket is gone, or could not be opened (code 0). */
  closed(code, now) {
    this.#lost(code, now);
    return this.#take();
  }

  /** What the outbox holds now; `mine`: the places that this page wrote; `settled`: as in outbox.js. */
  outbox(entries, mine, now, settled = 0) {
    const before = new Map(this.entries.map((entry) => [entry.place, entry]));
    const present = entries.map((entry) => {
      const old = before.get(entry.place);
      if (old && old.tab === entry.tab && old.n === entry.n) return Object.assign(old, { files: entry.files });
      const sendFrom = old || mine.has(entry.place) ? now : now + OTHERS_MS;
      return { ...entry, sentAt: null, sendFrom, first: Infinity, claims: [], stored: 0 };
    });
    const places = new Set(entries.map((entry) => entry.place));
    // Settled by another page, perhaps under a number that was never seen here: shown until its event must be here.
    // What nobody could send has been withdrawn.
    const gone = this.entries.filter((entry) => !places.has(entry.place) && isReady(entry));
    for (const entry of gone) entry.stored ||= Math.max(1, settled);
    this.entries = [...gone, ...present].sort((a, b) => a.place - b.place);
    this.#changed(now); // an event may have come before its entry
    return this.#take();
  }

  loadOlder(now) {
    this.wantsOlder = this.timeline.older() !== null;
    this.#fetch(now);
    return this.#take();
  }

  typing(on) {
    if (this.phase === "live") this.#emit({ frame: { t: "typing", on } });
    return this.#take();
  }

  read(seq) {
    if (this.phase === "live") this.#emit({ frame: { t: "read", seq } });
    return this.#take();
  }

  tick(now) {
    if (this.phase === "waiting" && now >= this.deadline) this.#connect(now);
    else if ((this.phase === "connecting" || this.phase === "greeting") && now >= this.deadline) this.#drop(now);
    else if (this.phase === "live") this.#upkeep(now);
    return this.#take();
  }

  get due() {
    if (this.phase === "idle" || this.phase === "stopped") return Infinity;
    if (this.phase !== "live") return this.deadline;
    const alive = this.pingedAt ? this.pingedAt + PONG_WITHIN_MS : this.heardAt + PING_AFTER_MS;
    const range = this.range ? this.range.againAt : Infinity;
    return Math.min(alive, range, this.theirTypingUntil || Infinity, this.#sendDue());
  }

  // --- the socket's life ---

  #connect(now) {
    this.phase = "connecting";
    this.deadline = now + CONNECT_WITHIN_MS;
    this.#emit({ open: this.token });
  }

  #drop(now) {
    this.#emit({ close: true });
    this.#lost(1006, now);
  }

  #lost(code, now) {
    if (this.phase === "stopped" || this.phase === "idle" || this.phase === "waiting") return;
    if (this.phase === "live" && now - this.liveSince >= STEADY_MS) this.tries = 0;
    this.#forgetSocket();
    if (code === 4401) this.token = "renew";
    if (code === 4503 && !this.remade) {
      // Coming back with this token will not help; a new one will, and what is unsent goes with it.
      this.token = "new";
      this.remade = true;
    } else if (code === 1009 || (code >= 4500 && code < 5000)) {
      this.phase = "stopped";
      this.stopCode = code;
      return;
    }
    this.notBefore = code === 4008 ? now + FLOOD_PAUSE_MS : now;
    this.deadline = Math.max(this.notBefore, now + backoff(this.tries, this.random));
    this.tries += 1;
    this.phase = "waiting";
  }

  #forgetConversation(conversation) {
    this.conversation = conversation;
    this.epoch = 0;
    this.theirReadSeq = 0;
    this.timeline.reset();
  }

  #forgetSocket() {
    this.heardAt = 0;
    this.pingedAt = 0;
    this.liveSince = 0;
    this.pausedUntil = 0;
    this.range = null; // the one range that is being fetched
    this.tabs = new Set(); // the tab ids that the hub is known to know
    this.forgotten = ""; // the tab id that it is known not to
    this.resending = null; // {tab, from, until}: told once to send again from there; the rest of the window says it too
    this.wantsOlder = false;
    for (const entry of this.entries) Object.assign(entry, { sentAt: null, first: Infinity });
  }

  #upkeep(now) {
    if (this.pingedAt && now - this.pingedAt >= PONG_WITHIN_MS) {
      this.#drop(now);
      return;
    }
    if (!this.pingedAt && now - this.heardAt >= PING_AFTER_MS) this.#ping(now);
    if (this.theirTypingUntil && now >= this.theirTypingUntil) this.theirTypingUntil = 0;
    if (this.range && now >= this.range.againAt) this.range = null;
    this.#fetch(now);
    this.#flush(now);
  }

  #ping(now) {
    this.pingedAt = now;
    this.#emit({ frame: { t: "ping" } });
  }

  // --- frames ---

  #welcome(frame, now) {
    this.phase = "live";
    this.liveSince = now;
    this.window = frame.window;
    if (!frame.resumed) this.timeline.reset();
    this.epoch = frame.epoch;
    this.timeline.open(frame.events, frame.seq);
    const tabs = frame.tabs ?? {};
    this.#emit({ raise: tabs });
    this.#settle(this.entries.filter((entry) => entry.stored || entry.n <= (tabs[entry.tab] ?? 0)), frame.seq);
    for (const entry of this.entries) entry.sendFrom = 0;
    this.tabs = new Set(Object.keys(tabs));
    this.#changed(now);
  }

  #live(frame, now) {
    if (frame.t === "ack") this.#acked(frame, now);
    else if (frame.t === "event") this.#happened([frame], now);
    else if (frame.t === "page") this.#paged(frame, now);
    else if (frame.t === "error") this.#error(frame, now);
    else if (frame.t === "typing") this.theirTypingUntil = frame.on ? now + TYPING_MS : 0;
    else if (frame.t === "read") this.theirReadSeq = Math.max(this.theirReadSeq, frame.seq);
  }

  #acked(frame, now) {
    const entry = this.entries.find((each) => idOf(each) === frame.id);
    if (entry && frame.prev !== undefined) {
      const { id, c, seq, prev, at, status = "", text = entry.text } = frame;
      const said = { t: "event", kind: this.says, id, c, seq, prev, at, status, text, files: entry.files };
      this.timeline.merge([{ ...said, ...this.#seenBy(entry) }]);
    } else this.timeline.expect(frame.seq); // a repeat: its event is known, or will be fetched
    if (entry) {
      this.#settle([entry], frame.seq);
      this.tabs.add(entry.tab);
      if (this.resending?.tab === entry.tab) this.resending = null;
    }
    this.#changed(now);
  }

  #happened(frames, now) {
    this.timeline.merge(frames);
    const heard = this.says === "answer" ? "message" : "answer";
    if (frames.some((frame) => frame.kind === heard)) this.theirTypingUntil = 0;
    this.#changed(now);
  }

  #paged(frame, now) {
    if (this.range && frame.after === this.range.after && frame.before === this.range.before) this.range = null;
    this.timeline.fill(frame);
    this.wantsOlder = false;
    this.#happened(frame.events, now);
  }

  #changed(now) {
    const { ids, known, solid } = this.timeline;
    // An event that came back says the same as its ack, which may have been lost.
    this.#settle(this.entries.filter((entry) => !entry.stored && ids.has(idOf(entry))), known);
    this.entries = this.entries.filter((entry) => !entry.stored || (entry.stored > solid && !ids.has(idOf(entry))));
    this.#fetch(now);
    this.#flush(now);
  }

  #error(frame, now) {
    const entry = this.entries.find((each) => idOf(each) === frame.id);
    if (frame.do === "retry" && !frame.id && this.range) this.range.againAt = now + RETRY_MS;
    else if (!entry) return;
    else if (frame.do === "retry") {
      this.pausedUntil = now + RETRY_MS;
      this.#unsend(entry.tab, entry.n);
    } else if (frame.do === "resend") this.#resend(entry, frame.from, now);
    else if (frame.do === "new_tab") this.#unknown(entry, frame.seq ?? 0, now);
    else if (frame.do === "drop") this.#refused(entry, frame, now);
  }

  /** The hub does not take this entry. Its number was not consumed, so those after it need other numbers. */
  #refused(entry, { code, message }, now) {
    const { tab, n, place, claims } = entry;
    if (code === BAD_FIELD && claims.length) {
      // Of an earlier sending this says nothing, a welcome does. What that does not settle is not stored.
      const isSecond = this.wornOut === `${claims}`;
      if (isSecond) this.#emit({ reupload: place, claims, because: { code: "claim", detail: message } });
      this.wornOut = `${claims}`;
      this.#drop(now);
      return;
    }
    this.refused.push({ text: entry.text, because: message });
    this.entries = this.entries.filter((each) => each !== entry);
    this.#renumber(tab, n, [place]);
  }

  /** The hub does not know the tab id: it has forgotten it, or waits for its first text. `seq` is the last event. */
  #unknown(entry, seq, now) {
    this.timeline.expect(seq);
    this.#fetch(now);
    if (entry.n === 1) this.#forgotten(entry.tab, now);
    else this.#resend(entry, 1, now);
  }

  /** The hub wants `from` of this tab id first. */
  #resend(entry, from, now) {
    const { tab } = entry;
    // When this was sent, `from` had been settled: the hub has forgotten it, and nobody can send it again. In all
    // other cases another page may just have had it stored, so that the refusal is old news.
    if (from < entry.first) {
      this.#forgotten(tab, now);
      return;
    }
    const isRepeated = this.resending?.tab === tab && this.resending.from === from;
    if (isRepeated && now < this.resending.until) return;
    if (isRepeated && !this.#unsent(tab).some(({ n }) => n === from)) {
      this.#drop(now); // on a new socket no refusal is old news
      return;
    }
    this.resending = { tab, from, until: now + RETRY_MS };
    this.#unsend(tab, from);
    this.#flush(now);
  }

  // --- sending ---

  #unsent(tab) {
    return this.entries.filter((entry) => !entry.stored && entry.tab === tab);
  }

  #unsend(tab, from) {
    for (const entry of this.#unsent(tab)) {
      if (entry.n >= from && !isHalted(entry)) Object.assign(entry, { sentAt: null, sendFrom: 0 });
    }
  }

  /** What may be sent: nothing overtakes a message whose files are being uploaded, or that gets another number. */
  #sendable() {
    const waiting = this.entries.filter((entry) => !entry.stored);
    const unready = waiting.findIndex((entry) => !isReady(entry) || isHalted(entry));
    return unready < 0 ? waiting : waiting.slice(0, unready);
  }

  #sendDue() {
    if (!this.#isCompared()) return Infinity;
    const waiting = this.#sendable().filter(({ tab }, _, [first]) => tab === first.tab);
    const full = waiting.filter(isFlying).length >= this.window;
    return Math.min(...waiting.filter((entry) => isFlying(entry) || !full).map((entry) => this.#sendAt(entry)));
  }

  #sendAt(entry) {
    return Math.max(this.pausedUntil, isFlying(entry) ? entry.sentAt + AGAIN_MS : entry.sendFrom);
  }

  #flush(now) {
    if (this.phase !== "live" || now < this.pausedUntil || !this.#isCompared()) return;
    const waiting = this.#sendable();
    // One that is due takes along those before it: the hub accepts no hole, and repeats are free.
    const last = waiting.reduce((found, entry, at) => (this.#sendAt(entry) <= now ? at : found), -1);
    let flying = waiting.filter(isFlying).length;
    for (const entry of waiting.slice(0, last + 1)) {
      if (entry.tab !== waiting[0].tab) break; // the hub keeps the order of one tab id only
      if (isFlying(entry) && now < entry.sentAt + AGAIN_MS) continue;
      if (!isFlying(entry) && flying >= this.window) break;
      if (!isFlying(entry)) flying += 1;
      entry.sentAt = now;
      entry.first = Math.min(entry.first, ...this.#unsent(entry.tab).map(({ n }) => n));
      const files = entry.files?.map(({ claim }) => claim) ?? [];
      entry.claims = files;
      const said = { t: "send", id: idOf(entry), text: entry.text, ...(files.length ? { files } : {}) };
      this.#emit({ frame: { ...said, ...this.#seenBy(entry) } });
    }
  }

  /** The hub has these; their events are among those up to `seq`. */
  #settle(entries, seq) {
    for (const entry of entries) entry.stored = Math.max(1, seq);
    if (entries.length) this.#emit({ settle: entries.map((entry) => entry.place), seq: Math.max(1, seq) });
  }

  /** New numbers for a tab id's entries from number `from` on. */
  #renumber(tab, from, dropped) {
    this.#halt(tab, from);
    this.#emit({ renumber: tab, from, dropped });
  }

  /** Until the outbox has given them new numbers, none of these is sent. */
  #halt(tab, from) {
    for (const entry of this.#unsent(tab)) {
      if (entry.n >= from) Object.assign(entry, { sentAt: null, sendFrom: Infinity });
    }
  }

  // --- the history ---

  #fetch(now) {
    if (this.phase !== "live" || this.range) return;
    const isCompared = this.#isCompared();
    if (isCompared && this.forgotten) this.#renumber(this.forgotten, 1, []); // what the history has is settled by now
    if (isCompared) this.forgotten = "";
    const wanted = this.timeline.hole() ?? (!isCompared || this.wantsOlder ? this.timeline.older() : null);
    if (!wanted) return;
    this.range = { ...wanted, againAt: now + AGAIN_MS };
    this.#emit({ frame: { t: "range", ...wanted } });
  }

  #forgotten(tab, now) {
    this.tabs.delete(tab);
    this.forgotten = tab;
    this.#changed(now);
  }

  /**
   * Whether the history says which entries are stored. A tab id that the hub does not know is a new one, or a forgotten
   * one whose texts may be stored long since: nothing is sent before all that came after they were written is here.
   */
  #isCompared() {
    const { timeline, tabs } = this;
    const doubtful = this.entries.filter((entry) => !entry.stored && !tabs.has(entry.tab));
    const floor = Math.min(...doubtful.map(({ seen }) => (this.#isHere(seen) ? seen.after : 0)));
    return !doubtful.length || (!timeline.hole() && (!timeline.older() || timeline.from <= floor));
  }

  /** What an answer says of itself: the last seq that its writer had before them. */
  #seenBy({ seen }) {
    return this.says === "answer" ? { seen: this.#isHere(seen) ? seen.after : 0 } : {};
  }

  #isHere(seen) {
    return seen.conversation === this.conversation && seen.epoch === this.epoch;
  }

  #emit(effect) {
    this.#effects.push(effect);
  }

  #take() {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

function idOf(entry) {
  return `${entry.tab}.${entry.n}`;
}

/** Whether each of its files is in the hub. */
function isReady({ files = [] }) {
  return files.every(({ claim }) => claim);
}

/** Whether it is about to get another number. */
function isHalted(entry) {
  return entry.sendFrom === Infinity;
}

function isFlying(entry) {
  return entry.sentAt !== null;
}
