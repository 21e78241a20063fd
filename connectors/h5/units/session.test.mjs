// The client's side of protocol v1 as tables: inputs with a time in, effects out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Session, backoff } from "../../../hub/api/static/client/session.js";

const C = "c7-x";
const AGAIN_MS = 10_000;
const OTHERS_MS = 5_000;
const seen = { conversation: C, epoch: 1, after: 0 };
const entry = (place, tab = "k3v9", n = place) => ({ place, tab, n, text: `text ${place}`, at: 1, seen });
const event = (seq, prev, more = {}) => ({ t: "event", c: C, kind: "answer", seq, prev, at: 1, id: "", text: "hi", ...more });
const ack = (n, seq, prev, more = {}) => ({ t: "ack", id: `k3v9.${n}`, c: C, seq, prev, at: 9, ...more });
const picture = (place, claim) => ({ ...entry(place), text: "", files: [{ id: "p", key: "c7-x.k", name: "a.png", claim }] });
const forgotten = (id, seq) => ({ t: "error", code: 4112, do: "new_tab", id, seq, message: "" });
const frames = (effects) => effects.filter((effect) => effect.frame).map((effect) => effect.frame);
const sentIds = (effects) => frames(effects).filter(({ t }) => t === "send").map(({ id }) => id);

function welcome(more = {}) {
  return { t: "welcome", v: 1, c: C, epoch: 1, seq: 0, resumed: true, events: [], window: 64, tabs: {}, ...more };
}

/** A session that has been welcomed at 0 ms. */
function live(more) {
  const session = new Session(() => 0.5);
  session.start(0);
  session.opened(C, 0);
  session.received(welcome(more), 0);
  return session;
}

const mine = (...entries) => [entries, new Set(entries.map(({ place }) => place))];

test("it opens, says hello with what it has, and is live after the welcome", () => {
  const session = new Session(() => 0.5);
  assert.deepEqual(session.start(0), [{ open: "keep" }]);
  assert.deepEqual(session.opened(C, 0), [{ frame: { t: "hello", v: 1, epoch: 0, seq: 0 } }]);
  session.received(welcome({ seq: 3, events: [event(3, 0)] }), 0);
  assert.equal(session.phase, "live");
  session.closed(1006, 10_000);
  session.tick(session.due);
  assert.deepEqual(session.opened(C, 20_000), [{ frame: { t: "hello", v: 1, epoch: 1, seq: 3 } }]);
});

test("an agent's text says what they had seen when they wrote it, and nothing of another log", () => {
  const session = new Session(() => 0.5, "answer");
  session.start(0);
  session.opened(C, 0);
  session.received(welcome(), 0);
  const wrote = { ...entry(1), seen: { ...seen, after: 7 } };
  const before = { ...entry(2), seen: { ...seen, epoch: 0, after: 7 } };
  assert.deepEqual(frames(session.outbox(...mine(wrote, before), 10)).map((frame) => frame.seen), [7, 0]);
});

test("a text is sent once, and settled by its ack in place of the event", () => {
  const session = live();
  const sent = session.outbox(...mine(entry(1)), 10);
  assert.deepEqual(frames(sent), [{ t: "send", id: "k3v9.1", text: "text 1" }]);
  assert.deepEqual(session.outbox(...mine(entry(1)), 20), []);
  assert.deepEqual(session.received(ack(1, 2, 0), 30), [{ settle: [1], seq: 2 }]);
  assert.deepEqual(session.timeline.events.map(({ id, text, seq }) => [id, text, seq]), [["k3v9.1", "text 1", 2]]);
  assert.equal(session.entries.length, 0);
});

test("an ack's status and masked text are what is shown", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  session.received(ack(1, 2, 0, { status: "held" }), 1);
  session.received(ack(2, 3, 2, { text: "t***" }), 1);
  assert.deepEqual(session.timeline.events.map(({ text, status }) => [text, status]), [["text 1", "held"], ["t***", ""]]);
});

test("what is written before the welcome is sent after it, in order", () => {
  const session = new Session(() => 0.5);
  session.start(0);
  assert.deepEqual(session.outbox(...mine(entry(1), entry(2)), 0), []);
  session.opened(C, 0);
  assert.deepEqual(sentIds(session.received(welcome(), 0)), ["k3v9.1", "k3v9.2"]);
});

test("after a cut everything unacknowledged is sent again", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  session.received(ack(1, 2, 0), 5);
  session.closed(4000, 10);
  session.tick(session.due);
  session.opened(C, 900);
  const after = session.received(welcome({ seq: 2, tabs: { k3v9: 1 } }), 900);
  assert.deepEqual(sentIds(after), ["k3v9.2"]);
});

test("the welcome's tabs settle what was stored although its ack was lost", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  session.closed(1006, 10);
  session.tick(session.due);
  session.opened(C, 900);
  const message = event(2, 0, { kind: "message", id: "k3v9.1", text: "text 1" });
  const after = session.received(welcome({ seq: 2, events: [message], tabs: { k3v9: 1 } }), 900);
  assert.deepEqual(after.filter(({ settle }) => settle), [{ settle: [1], seq: 2 }]);
  assert.deepEqual(sentIds(after), ["k3v9.2"]);
  assert.deepEqual(session.entries.map(({ place }) => place), [2]);
});

test("no more than the window is on its way", () => {
  const session = live({ window: 2 });
  const entries = [1, 2, 3].map((place) => entry(place));
  assert.deepEqual(sentIds(session.outbox(...mine(...entries), 0)), ["k3v9.1", "k3v9.2"]);
  assert.ok(session.due > 0, "a full window is no reason to wake up");
  assert.deepEqual(sentIds(session.received(ack(1, 2, 0), 1)), ["k3v9.3"]);
});

test("the hub misses something: it is sent again from there, once for a whole window of refusals", () => {
  const session = live();
  session.outbox(...mine(...[1, 2, 3].map((place) => entry(place))), 0);
  const refusal = (n) => ({ t: "error", code: 4111, do: "resend", id: `k3v9.${n}`, from: 1, message: "" });
  assert.deepEqual(sentIds(session.received(refusal(2), 5)), ["k3v9.1", "k3v9.2", "k3v9.3"]);
  assert.deepEqual(sentIds(session.received(refusal(3), 6)), []);
});

test("the hub misses what had been settled when this was sent: the rest gets new numbers", () => {
  const session = live();
  session.outbox(...mine(entry(8)), 0);
  const refusal = { t: "error", code: 4111, do: "resend", id: "k3v9.8", from: 7, message: "" };
  assert.deepEqual(session.received(refusal, 5), [{ renumber: "k3v9", from: 1, dropped: [] }]);
});

test("the hub missed what another page has had stored since: that is old news", () => {
  const session = live();
  session.outbox(...mine(entry(7), entry(8)), 0);
  session.outbox(...mine(entry(8)), 4);
  const refusal = { t: "error", code: 4111, do: "resend", id: "k3v9.8", from: 7, message: "" };
  assert.deepEqual(sentIds(session.received(refusal, 5)), ["k3v9.8"]);
});

test("a new tab id whose first text is late is not a forgotten one", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  assert.deepEqual(sentIds(session.received(forgotten("k3v9.2", 0), 5)), ["k3v9.1", "k3v9.2"]);
});

test("a new tab id whose first text is late: events that are missing are fetched before it is sent again", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  const asked = session.received(forgotten("k3v9.2", 4), 5);
  assert.deepEqual(asked, [{ frame: { t: "range", after: 0, before: 5 } }]);
  const answer = { t: "page", c: C, after: 0, before: 5, events: [event(4, 0)], more: false };
  assert.deepEqual(sentIds(session.received(answer, 6)), ["k3v9.1", "k3v9.2"]);
});

test("a text whose tab id the hub does not know at the welcome waits until the history says whether it is stored", () => {
  const session = live();
  session.outbox(...mine(entry(1)), 0);
  session.closed(1006, 10);
  session.tick(session.due);
  session.opened(C, 900);
  const after = session.received(welcome({ seq: 70, events: [event(70, 69)] }), 900);
  assert.deepEqual(frames(after), [{ t: "range", after: 0, before: 70 }]);
  const stored = event(69, 0, { kind: "message", id: "k3v9.1" });
  const answer = session.received({ t: "page", c: C, after: 0, before: 70, events: [stored], more: false }, 901);
  assert.deepEqual(answer, [{ settle: [1], seq: 70 }]);
});

test("retry: silent for a second, then from there on again", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  session.received({ t: "error", code: 4100, do: "retry", id: "k3v9.1", message: "" }, 10);
  assert.equal(session.due, 1010);
  assert.deepEqual(sentIds(session.tick(500)), []);
  assert.deepEqual(sentIds(session.tick(1010)), ["k3v9.1", "k3v9.2"]);
});

test("a forgotten tab id: the history says what is stored, the rest is renumbered and sent under the new id", () => {
  const session = live({ seq: 70, events: [event(70, 69)], tabs: { old: 4 } });
  session.outbox(...mine(entry(1, "old", 5), entry(2, "old", 6)), 0);
  const asked = session.received(forgotten("old.5", 70), 5);
  assert.deepEqual(frames(asked), [{ t: "range", after: 0, before: 70 }]);
  const found = event(69, 0, { kind: "message", id: "old.5" });
  const answer = { t: "page", c: C, after: 0, before: 70, events: [found], more: false };
  const effects = session.received(answer, 6);
  const moved = { renumber: "old", from: 1, dropped: [] };
  assert.deepEqual(effects.filter((effect) => !effect.frame), [{ settle: [1], seq: 70 }, moved]);
  assert.deepEqual(sentIds(effects), [], "not under the old id");
  assert.deepEqual(sentIds(session.outbox(...mine(entry(2, "new", 1)), 7)), ["new.1"]);
});

test("a forgotten tab id: the history counts up to the refusal's seq, even if pushes were lost", () => {
  const session = live({ seq: 3, events: [event(3, 0)], tabs: { old: 4 } });
  session.outbox(...mine({ ...entry(1, "old", 5), seen: { ...seen, after: 3 } }), 0);
  const asked = session.received(forgotten("old.5", 90), 5);
  assert.deepEqual(asked, [{ frame: { t: "range", after: 3, before: 91 } }]);
  const found = event(4, 3, { kind: "message", id: "old.5" });
  const answer = { t: "page", c: C, after: 3, before: 91, events: [found], more: false };
  assert.deepEqual(session.received(answer, 6).filter(({ settle }) => settle), [{ settle: [1], seq: 90 }]);
});

test("a forgotten tab id: its first text is not sent again either", () => {
  const session = live();
  session.outbox(...mine(entry(1)), 0);
  assert.deepEqual(frames(session.received(forgotten("k3v9.1", 90), 5)), [{ t: "range", after: 0, before: 91 }]);
  const answer = { t: "page", c: C, after: 0, before: 91, events: [event(90, 0)], more: false };
  assert.deepEqual(session.received(answer, 6), [{ renumber: "k3v9", from: 1, dropped: [] }]);
});

test("a text whose event came before it is stored: the hub may have forgotten its tab id in the meantime", () => {
  const session = live();
  session.received(event(2, 0, { kind: "message", id: "k3v9.1" }), 10);
  session.closed(1006, 20);
  session.tick(session.due);
  session.opened(C, 900);
  session.received(welcome({ seq: 2 }), 900);
  assert.deepEqual(session.outbox(...mine(entry(1), entry(2)), 910), [
    { settle: [1], seq: 2 },
    { frame: { t: "send", id: "k3v9.2", text: "text 2" } },
  ]);
});

test("another page's text of a tab id that the hub does not know waits for the history too", () => {
  const session = live({ seq: 70, events: [event(70, 69)] });
  assert.deepEqual(frames(session.outbox([entry(1)], new Set(), 0)), [{ t: "range", after: 0, before: 70 }]);
  assert.deepEqual(sentIds(session.tick(OTHERS_MS)), []);
  const stored = event(69, 0, { kind: "message", id: "k3v9.1" });
  const answer = session.received({ t: "page", c: C, after: 0, before: 70, events: [stored], more: false }, OTHERS_MS);
  assert.deepEqual(answer, [{ settle: [1], seq: 70 }]);
});

test("a tab id with an ack is known: its next text does not wait for a hole to be filled", () => {
  const session = live();
  session.outbox(...mine(entry(1)), 0);
  session.received(ack(1, 2, 0), 1);
  session.received(event(9, 8), 2);
  assert.deepEqual(sentIds(session.outbox(...mine(entry(2)), 3)), ["k3v9.2"]);
});

test("a forgotten tab id: the history is read no further back than the writer had seen", () => {
  const session = live({ seq: 70, events: [event(70, 69)], tabs: { old: 4 } });
  const recent = { ...entry(1, "old", 5), seen: { conversation: C, epoch: 1, after: 69 } };
  session.outbox(...mine(recent), 0);
  assert.deepEqual(session.received(forgotten("old.5", 70), 5), [{ renumber: "old", from: 1, dropped: [] }]);
});

test("a refused text is given back, and those after it get other numbers", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  const effects = session.received({ t: "error", code: 4113, do: "drop", id: "k3v9.1", message: "too long" }, 5);
  assert.deepEqual(effects, [{ renumber: "k3v9", from: 1, dropped: [1] }]);
  assert.deepEqual(session.refused, [{ text: "text 1", because: "too long" }]);
});

test("what gets another number is not taken along by what is written in the meantime", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2)), 0);
  session.received({ t: "error", code: 4113, do: "drop", id: "k3v9.1", message: "too long" }, 5);
  assert.deepEqual(sentIds(session.outbox(...mine(entry(2), entry(3)), 6)), []);
  assert.deepEqual(sentIds(session.outbox(...mine(entry(2, "new", 1), entry(3, "new", 2)), 7)), ["new.1", "new.2"]);
});

test("another page's text is left to that page for 5 s, then sent from here", () => {
  const session = live();
  assert.deepEqual(sentIds(session.outbox([entry(1)], new Set(), 100)), []);
  assert.equal(session.due, 5100);
  assert.deepEqual(sentIds(session.tick(5100)), ["k3v9.1"]);
});

test("a text written here takes along what another page wrote before it", () => {
  const session = live();
  assert.deepEqual(sentIds(session.outbox([entry(1), entry(2)], new Set([2]), 0)), ["k3v9.1", "k3v9.2"]);
});

test("a text that another page had acknowledged stays in sight until its event is here", () => {
  const session = live();
  session.outbox([entry(1)], new Set(), 0);
  session.outbox([], new Set(), 10, 2);
  assert.equal(session.entries.length, 1);
  session.received(event(2, 0, { kind: "message", id: "k3v9.1" }), 11);
  assert.equal(session.entries.length, 0);
});

test("a text that was stored under a number that this page has never seen is not shown twice", () => {
  const session = live();
  session.outbox([entry(1)], new Set(), 0);
  session.outbox([], new Set(), 10, 2);
  session.received(event(2, 0, { kind: "message", id: "other.1" }), 11);
  assert.deepEqual(session.entries, []);
});

test("a repeat's ack says only the seq: what is missing is fetched", () => {
  const session = live({ seq: 2, events: [event(2, 0)] });
  session.outbox(...mine(entry(1)), 0);
  const effects = session.received({ t: "ack", id: "k3v9.1", c: C, seq: 5 }, 1);
  assert.deepEqual(frames(effects), [{ t: "range", after: 2, before: 6 }]);
  const message = event(5, 2, { kind: "message", id: "k3v9.1" });
  session.received({ t: "page", c: C, after: 2, before: 6, events: [message], more: false }, 2);
  assert.equal(session.entries.length, 0);
  assert.equal(session.timeline.solid, 5);
});

test("a hole is fetched, and asked for again after a retry", () => {
  const session = live({ seq: 2, events: [event(2, 0)] });
  const range = { t: "range", after: 2, before: 5 };
  assert.deepEqual(frames(session.received(event(5, 4), 10)), [range]);
  session.received({ t: "error", code: 4121, do: "retry", message: "" }, 20);
  assert.deepEqual(frames(session.tick(1019)), []);
  assert.deepEqual(frames(session.tick(1020)), [range]);
});

test("another log: the events are dropped, the unsent is kept", () => {
  const session = live({ seq: 9, events: [event(9, 8)] });
  session.closed(1006, 10);
  session.outbox(...mine(entry(1)), 10);
  session.tick(session.due);
  session.opened(C, 900);
  const after = session.received(welcome({ epoch: 2, resumed: false, seq: 3, events: [event(3, 0)] }), 900);
  assert.deepEqual(session.timeline.events.map(({ seq }) => seq), [3]);
  assert.equal(session.epoch, 2);
  assert.deepEqual(sentIds(after), ["k3v9.1"]);
});

test("25 s of silence are answered with a ping, 5 more with a new socket", () => {
  const session = live();
  assert.equal(session.due, 25_000);
  assert.deepEqual(frames(session.tick(25_000)), [{ t: "ping" }]);
  assert.equal(session.due, 30_000);
  assert.deepEqual(session.tick(30_000), [{ close: true }]);
  assert.equal(session.phase, "waiting");
});

test("a pong, or anything else, is a sign of life", () => {
  const session = live();
  session.tick(25_000);
  session.received({ t: "pong" }, 25_100);
  assert.equal(session.due, 50_100);
});

test("a person who comes back to the page makes it look at once", () => {
  const session = live();
  assert.deepEqual(frames(session.nudge(6_000)), [{ t: "ping" }]);
  session.closed(1006, 7_000);
  assert.deepEqual(session.nudge(7_001), [{ open: "keep" }]);
});

test("the wait is random between 0.5 s and a limit that doubles up to 30 s", () => {
  assert.equal(backoff(0, () => 0), 500);
  assert.equal(backoff(3, () => 0.999999) > 3_900, true);
  assert.equal(Math.round(backoff(20, () => 1)), 30_000);
  assert.equal(backoff(6, () => 0.5), 15_000);
});

for (const [code, opens] of [[1001, "keep"], [1012, "keep"], [4001, "keep"], [4401, "renew"], [4503, "new"]]) {
  test(`close code ${code}: comes back with a token to ${opens}`, () => {
    const session = live();
    session.closed(code, 10);
    assert.deepEqual(session.tick(session.due), [{ open: opens }]);
  });
}

for (const code of [1009, 4500, 4501, 4505]) {
  test(`close code ${code}: coming back will not help`, () => {
    const session = live();
    session.closed(code, 10);
    assert.equal(session.phase, "stopped");
    assert.equal(session.due, Infinity);
    assert.deepEqual(session.nudge(9e9), []);
  });
}

test("4008: it waits 5 s first, whatever the person does", () => {
  const session = live();
  session.closed(4008, 10);
  assert.ok(session.due >= 5_010);
  assert.deepEqual(session.nudge(20), []);
  assert.equal(session.due, 5_010);
});

test("a second token that is not valid either ends it", () => {
  const session = live();
  session.closed(4503, 10);
  session.tick(session.due);
  session.opened("c8-new", 2_000);
  session.closed(4503, 2_010);
  assert.equal(session.phase, "stopped");
});

test("a socket that does not open or greet within 10 s is given up", () => {
  const session = new Session(() => 0.5);
  session.start(0);
  assert.equal(session.due, 10_000);
  assert.deepEqual(session.tick(10_000), [{ close: true }]);
  assert.equal(session.phase, "waiting");
});

test("nothing overtakes a message whose file is not in the hub yet", () => {
  const session = live();
  assert.deepEqual(sentIds(session.outbox(...mine(entry(1), picture(2), entry(3)), 0)), ["k3v9.1"]);
  assert.equal(session.due, AGAIN_MS, "what waits for an upload is no reason to wake up");
  const uploaded = session.outbox(...mine(entry(1), picture(2, "!p"), entry(3)), 1);
  assert.deepEqual(frames(uploaded), [
    { t: "send", id: "k3v9.2", text: "", files: ["!p"] },
    { t: "send", id: "k3v9.3", text: "text 3" },
  ]);
});

test("a sent file is shown as the hub has it", () => {
  const session = live();
  session.outbox(...mine(picture(1, "!p")), 0);
  session.received(ack(1, 2, 0), 1);
  assert.deepEqual(session.timeline.events[0].files.map(({ key, name }) => [key, name]), [["c7-x.k", "a.png"]]);
});

/** It comes back after a cut. */
function again(session, more) {
  session.tick(session.due);
  session.opened(C, 900);
  return session.received(welcome(more), 900);
}

const wornOut = { t: "error", code: 4115, do: "drop", id: "k3v9.1", message: "`files`: it has run out" };

test("claims that have run out: an earlier sending may be stored, which the next welcome says", () => {
  const session = live();
  session.outbox(...mine(picture(1, "!p"), entry(2)), 0);
  assert.deepEqual(session.received(wornOut, 5), [{ close: true }]);
  const effects = again(session, { seq: 2, events: [event(2, 0, { id: "k3v9.1" })], tabs: { k3v9: 1 } });
  assert.deepEqual(effects.filter(({ settle }) => settle), [{ settle: [1], seq: 2 }]);
  assert.deepEqual(sentIds(effects), ["k3v9.2"]);
});

test("claims that have run out, and nothing is stored: a new upload, and the same number", () => {
  const session = live();
  session.outbox(...mine(picture(1, "!p"), entry(2)), 0);
  session.received(wornOut, 5);
  assert.deepEqual(sentIds(again(session)), ["k3v9.1", "k3v9.2"]);
  const because = { code: "claim", detail: wornOut.message };
  assert.deepEqual(session.received(wornOut, 905), [{ reupload: 1, claims: ["!p"], because }, { close: true }]);
  session.outbox(...mine(picture(1), entry(2)), 910);
  assert.deepEqual(sentIds(again(session)), []);
  assert.deepEqual(sentIds(session.outbox(...mine(picture(1, "!q"), entry(2)), 2_000)), ["k3v9.1", "k3v9.2"]);
  assert.equal(session.refused.length, 0);
});

test("a message that was withdrawn before anybody could send it is gone", () => {
  const session = live();
  session.outbox(...mine(picture(1)), 0);
  session.outbox([], new Set(), 1);
  assert.deepEqual(session.entries, []);
});

test("a refusal leaves those before it their numbers: they may be stored already", () => {
  const session = live();
  session.outbox(...mine(entry(1), entry(2), entry(3)), 0);
  const effects = session.received({ t: "error", code: 4113, do: "drop", id: "k3v9.2", message: "too long" }, 5);
  assert.deepEqual(effects, [{ renumber: "k3v9", from: 2, dropped: [2] }]);
});

test("what has another tab id waits for those before it: the hub keeps the order of one tab id only", () => {
  const session = live();
  const later = entry(2, "next", 1);
  assert.deepEqual(sentIds(session.outbox(...mine(entry(1), later), 0)), ["k3v9.1"]);
  assert.equal(session.due, AGAIN_MS);
  assert.deepEqual(sentIds(session.received(ack(1, 2, 0), 1)), ["next.1"]);
});
