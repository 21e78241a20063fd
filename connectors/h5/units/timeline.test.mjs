// The timeline: any order in, no hole and no double out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Timeline } from "../../../hub/api/static/client/timeline.js";

const event = (seq, prev) => ({ t: "event", kind: "answer", seq, prev, text: `text ${seq}` });
const seqs = (timeline) => timeline.events.map(({ seq }) => seq);

test("a first welcome is the start, and what is older can be asked for", () => {
  const timeline = new Timeline();
  timeline.open([event(61, 60), event(63, 61)], 63);
  assert.equal(timeline.solid, 63);
  assert.equal(timeline.hole(), null);
  assert.deepEqual(timeline.older(), { after: 0, before: 61 });
});

test("events that the visitor may not see are no hole", () => {
  const timeline = new Timeline();
  timeline.open([event(2, 0)], 2);
  timeline.merge([event(9, 2)]);
  assert.equal(timeline.hole(), null);
  assert.equal(timeline.solid, 9);
});

test("a lost push is a hole until the range fills it", () => {
  const timeline = new Timeline();
  timeline.open([event(2, 0)], 2);
  timeline.merge([event(5, 4)]);
  assert.deepEqual(timeline.hole(), { after: 2, before: 5 });
  timeline.fill({ after: 2, before: 5, events: [event(4, 2)], more: false });
  assert.equal(timeline.hole(), null);
  assert.deepEqual(seqs(timeline), [2, 4, 5]);
});

test("a long hole is fetched from its end backwards, page by page", () => {
  const timeline = new Timeline();
  timeline.open([event(2, 0)], 2);
  timeline.merge([event(90, 89)]);
  timeline.fill({ after: 2, before: 90, events: [event(88, 3), event(89, 88)], more: true });
  assert.deepEqual(timeline.hole(), { after: 2, before: 88 });
  timeline.fill({ after: 2, before: 88, events: [event(3, 2)], more: false });
  assert.equal(timeline.hole(), null);
  assert.equal(timeline.solid, 90);
});

test("an event that is only known by its number is fetched too", () => {
  const timeline = new Timeline();
  timeline.open([event(2, 0)], 2);
  timeline.expect(7);
  assert.deepEqual(timeline.hole(), { after: 2, before: 8 });
  timeline.fill({ after: 2, before: 8, events: [event(7, 2)], more: false });
  assert.equal(timeline.hole(), null);
});

test("a page that is empty and complete closes its hole", () => {
  const timeline = new Timeline();
  timeline.open([event(2, 0)], 2);
  timeline.expect(7);
  timeline.fill({ after: 2, before: 8, events: [], more: false });
  assert.equal(timeline.hole(), null);
});

test("whatever order and however often events come, each is there once and in order", () => {
  const events = Array.from({ length: 40 }, (_, at) => event(2 * at + 2, 2 * at));
  for (let seed = 1; seed <= 50; seed += 1) {
    let state = seed;
    const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
    const mixed = [...events, ...events.slice(0, 20)].sort(() => random() - 0.5);
    const timeline = new Timeline();
    timeline.open([], 0);
    for (const each of mixed) {
      timeline.merge([each]);
      const hole = timeline.hole();
      if (hole) assert.ok(hole.after < hole.before - 1, "a hole has room for something");
    }
    assert.deepEqual(seqs(timeline), events.map(({ seq }) => seq));
    assert.equal(timeline.solid, 80);
  }
});
