// What agents are shown of a conversation, for events as they may come.

import assert from "node:assert/strict";
import { test } from "node:test";

import { endingOf, lineOf, rowsOf } from "../../../hub/api/static/agent/rows.js";
import { textsFor } from "../../../hub/api/static/agent/texts.js";
import { Session } from "../../../hub/api/static/client/session.js";

const NOW = new Date(2026, 10, 23, 14, 5).getTime();
const SECOND = 1000;

function clientWith(events, { entries = [], readSeq = 0 } = {}) {
  const session = new Session(() => 0.5, "answer");
  const frames = events.map((event, at) => ({ at: NOW + at * SECOND, seq: at + 1, prev: at, ...event }));
  session.timeline.open(frames, frames.length);
  session.entries = entries;
  session.phase = "live";
  return { session, readSeq };
}

const shown = (events, names) => rowsOf(clientWith(events), names).filter(({ kind }) => kind !== "time");

test("visitors stand on the left, all answers on the right, and colleagues have a name", () => {
  const rows = shown(
    [{ kind: "message", text: "a" }, { kind: "answer", by: "赵敏", text: "b" }, { kind: "answer", by: "李雷", text: "c" }],
    { visitor: "张三", me: "赵敏" },
  );
  assert.deepEqual(rows.map(({ kind, by }) => [kind, by]), [["other", "张三"], ["own", undefined], ["own", "李雷"]]);
});

test("what is held or blocked is shown without words until it is released", () => {
  const held = { kind: "message", status: "held" };
  const [row] = shown([held]);
  assert.deepEqual([row.note, row.text], ["held", ""]);
  const [released] = shown([held, { kind: "released", ref: 1, text: "您好" }]);
  assert.deepEqual([released.note, released.text], [undefined, "您好"]);
  const [rejected] = shown([held, { kind: "rejected", ref: 1 }]);
  assert.equal(rejected.note, "rejected");
});

for (const [name, events, note, because] of [
  ["is on its way", [{ kind: "sending", no: 1, refs: [1] }], "leaving"],
  ["has left", [{ kind: "sending", no: 1, refs: [1] }, { kind: "sent", no: 1, refs: [1] }], undefined],
  ["has to wait", [{ kind: "sending", no: 1, refs: [1] }, { kind: "delayed", no: 1, text: "busy" }], "delayed", "busy"],
  ["was refused", [{ kind: "sending", no: 1, refs: [1] }, { kind: "undelivered", no: 1, refs: [1], text: "48 h" }], "undelivered", "48 h"],
  ["was read", [{ kind: "sending", no: 1, refs: [1] }, { kind: "receipt", no: 1, refs: [1], status: "read" }], "read"],
  ["failed later", [{ kind: "sending", no: 1, refs: [1] }, { kind: "receipt", no: 1, refs: [1], status: "failed", text: "x" }], "undelivered", "x"],
  ["is being corrected", [{ kind: "changing", ref: 1, text: "b" }], "correcting"],
  ["could not be changed", [{ kind: "changing", ref: 1 }, { kind: "unchanged", no: 2, refs: [1], text: "too late" }], "unchanged", "too late"],
  ["was given up", [{ kind: "undelivered", no: 1, refs: [1] }, { kind: "dropped", no: 1 }], "dropped"],
]) {
  test(`an answer that ${name}`, () => {
    const [row] = shown([{ kind: "answer", by: "赵敏", text: "a" }, ...events], { me: "赵敏" });
    assert.deepEqual([row.note, row.because || undefined], [note, because]);
  });
}

test("a corrected answer reads as it does now, and one that was taken back is gone", () => {
  const [edited] = shown([{ kind: "answer", text: "a" }, { kind: "edited", ref: 1, text: "b" }]);
  assert.deepEqual([edited.text, edited.note], ["b", "edited"]);
  const [recalled] = shown([{ kind: "answer", text: "a" }, { kind: "recalled", ref: 1, by: "赵敏" }]);
  assert.deepEqual([recalled.kind, recalled.notice, recalled.by], ["notice", "recalled", "赵敏"]);
});

test("every notice has words in both languages", () => {
  const events = [
    { kind: "reopened" }, { kind: "queued", team: "sales", because: "r" }, { kind: "assigned", by: "赵敏", because: "r" },
    { kind: "transferred", by: "a1-zhao", to: "a2-li", text: "急", because: "" }, { kind: "returned", by: "a1-zhao", text: "r" },
    { kind: "closed", by: "", because: "idle" }, { kind: "hold", by: "a1-zhao", on: true }, { kind: "note", by: "赵敏", text: "n" },
    { kind: "nudged", seconds: 60 }, { kind: "reminded", to: "a1-zhao" }, { kind: "reached", name: "mail", text: "x@example.net" },
  ];
  const rows = shown(events, { nameOf: (id) => id });
  assert.equal(rows.length, events.length);
  for (const language of ["zh", "en"]) {
    const texts = textsFor(language);
    for (const row of rows) {
      const words = texts[row.notice](row);
      assert.equal(typeof words, "string", row.notice);
      assert.doesNotMatch(words, /undefined|\[object/, row.notice);
    }
  }
});

test("events that are for the machine make no rows", () => {
  assert.deepEqual(shown([{ kind: "opened", name: "张三" }, { kind: "accepted" }, { kind: "phone", on: true }, { kind: "new kind" }]), []);
});

test("the list knows what was said last, what is unread, and since when somebody waits", () => {
  const asked = [{ kind: "message", text: "a" }, { kind: "reply", text: "auto" }, { kind: "message", text: "b" }];
  const line = lineOf(clientWith(asked, { readSeq: 1 }));
  assert.deepEqual([line.last.text, line.last.own, line.unread, line.since], ["b", false, 1, NOW]);
  const answered = lineOf(clientWith([...asked, { kind: "answer", text: "c" }]));
  assert.deepEqual([answered.last.text, answered.last.own, answered.unread, answered.since], ["c", true, 0, 0]);
  const unsent = lineOf(clientWith(asked, { entries: [{ tab: "k", n: 1, text: "d", at: NOW + 9 * SECOND, stored: 0 }] }));
  assert.deepEqual([unsent.last.text, unsent.since], ["d", 0]);
});

test("what an answer had not seen is open: its visitor waits, and it may be unread", () => {
  const said = (answer, readSeq) => {
    const line = lineOf(clientWith([{ kind: "message" }, { kind: "message" }, { kind: "answer", ...answer }], { readSeq }));
    return [line.unread, line.since && (line.since - NOW) / SECOND + 1];
  };
  assert.deepEqual(said({ seen: 1 }), [1, 2]);
  assert.deepEqual(said({ seen: 1 }, 2), [0, 2]);
  assert.deepEqual(said({ seen: 0 }), [2, 1]);
  assert.deepEqual(said({ seen: 2 }), [0, 0]);
  assert.deepEqual(said({}), [0, 0]);
  const since = ({ since }) => (since - NOW) / SECOND + 1;
  const late = [{ kind: "message" }, { kind: "answer", seen: 1 }, { kind: "message" }, { kind: "answer", seen: 1 }];
  assert.equal(since(lineOf(clientWith(late))), 3);
  assert.equal(since(lineOf(clientWith([{ kind: "answer", seen: 9 }, { kind: "message" }]))), 2);
});

test("nobody waits for an answer to what was said before the end", () => {
  const ended = [{ kind: "message" }, { kind: "closed" }];
  assert.equal(lineOf(clientWith(ended)).since, 0);
  assert.equal(lineOf(clientWith([...ended, { kind: "reopened" }, { kind: "message" }])).since, NOW + 3 * SECOND);
});

test("an answer that the hub has acknowledged says what its writer had seen, as others get it", () => {
  const session = new Session(() => 0.5, "answer");
  session.start(0);
  session.opened("c7-x", 0);
  const events = [{ seq: 1, prev: 0, at: NOW, kind: "message" }];
  session.received({ t: "welcome", v: 1, epoch: 3, seq: 1, resumed: true, events, window: 64, tabs: {} }, 0);
  const entry = { place: 1, tab: "k3v9", n: 1, text: "b", at: NOW, seen: { conversation: "c7-x", epoch: 3, after: 1 } };
  const [{ frame: sent }] = session.outbox([entry], new Set([1]), 0);
  session.received({ t: "event", c: "c7-x", seq: 2, prev: 1, at: NOW + SECOND, kind: "message" }, 0);
  session.received({ t: "ack", id: "k3v9.1", c: "c7-x", seq: 3, prev: 2, at: NOW + 2 * SECOND }, 0);
  assert.deepEqual([sent.seen, session.timeline.events[2].seen], [1, 1]);
  assert.equal(lineOf({ session, readSeq: 0 }).since, NOW + SECOND);
});

test("a hold ends when the visitor writes", () => {
  const hold = { kind: "hold", on: true };
  assert.equal(lineOf(clientWith([{ kind: "message" }, hold])).onHold, true);
  assert.equal(lineOf(clientWith([hold, { kind: "message" }])).onHold, false);
  assert.equal(lineOf(clientWith([hold, { kind: "hold" }])).onHold, false);
});

test("who has it now is known by the assignment that came last", () => {
  const { session } = clientWith([{ kind: "transferred", by: "a1-zhao", to: "a2-li" }, { kind: "assigned", by: "李雷" }]);
  assert.deepEqual(endingOf(session), { kind: "transferred", to: "李雷" });
  assert.deepEqual(endingOf(clientWith([{ kind: "closed" }]).session), { kind: "closed", to: "" });
  assert.deepEqual(endingOf(clientWith([]).session), { kind: "", to: "" });
});
