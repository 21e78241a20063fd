// The outbox: numbers without holes, given once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { EMPTY, append, lengthOf, markRead, newTab, raise, readSeq, renumber, settle, wellFormed } from "../static/outbox.js";
import { Memory, openStorage } from "../static/storage.js";

const seen = { conversation: "c1-x", epoch: 1, after: 0 };
const add = (record, text, more = {}) => append(record, { text, at: 5, seen, random: Math.random, ...more });
const ids = (record) => record.entries.map(({ tab, n }) => `${tab}.${n}`);

test("a tab id is 12 of a-z0-9", () => {
  assert.match(newTab(Math.random), /^[a-z0-9]{12}$/);
  assert.equal(newTab(() => 0), "aaaaaaaaaaaa");
});

test("texts get the numbers 1, 2, 3 of one tab id, also after they are settled", () => {
  let record = add(add(EMPTY, "a"), "b");
  record = settle(record, record.entries.map(({ place }) => place));
  record = add(record, "c");
  assert.deepEqual(ids(record), [`${record.tab}.3`]);
});

test("a page without Web Locks counts under its own tab id", () => {
  const own = { tab: "mine", next: 1 };
  const record = add(add(add(EMPTY, "a", { own }), "b", { own }), "c");
  assert.deepEqual(ids(record), ["mine.1", "mine.2", `${record.tab}.1`]);
});

test("a forgotten tab id's texts move to a new one in order, without those that are stored", () => {
  const before = add(add(add(EMPTY, "a"), "b"), "c");
  const record = renumber(before, { tab: before.tab, dropped: [before.entries[0].place], random: Math.random });
  assert.notEqual(record.tab, before.tab);
  assert.deepEqual(ids(record), [`${record.tab}.1`, `${record.tab}.2`]);
  assert.deepEqual(record.entries.map(({ text }) => text), ["b", "c"]);
  assert.deepEqual(ids(add(record, "d")).pop(), `${record.tab}.3`);
});

test("a second page that moves the same tab id moves nothing", () => {
  const before = add(add(EMPTY, "a"), "b");
  const once = renumber(before, { tab: before.tab, random: Math.random });
  assert.deepEqual(renumber(once, { tab: before.tab, random: Math.random }), once);
});

test("what another page left moves without touching the shared numbers", () => {
  const own = { tab: "gone", next: 4 };
  const before = add(add(EMPTY, "left", { own }), "mine");
  const record = renumber(before, { tab: "gone", random: Math.random });
  assert.equal(record.tab, before.tab);
  assert.equal(record.next, before.next);
  assert.equal(record.entries[0].n, 1);
  assert.equal(record.entries[1].n, 1);
});

test("numbers that the hub has are not given again, even if this storage has forgotten them", () => {
  const record = raise(add(EMPTY, "a"), { [add(EMPTY, "a").tab]: 9 });
  assert.equal(record.next, 2);
  const behind = add(EMPTY, "a");
  assert.equal(raise(behind, { [behind.tab]: 9 }).next, 10);
});

test("what has been looked at belongs to one conversation and only grows", () => {
  const record = markRead(markRead(EMPTY, "c1-x", 7), "c1-x", 3);
  assert.equal(readSeq(record, "c1-x"), 7);
  assert.equal(readSeq(record, "c2-y"), 0);
});

test("half a surrogate pair becomes a replacement character", () => {
  assert.equal(wellFormed("ok 😀 \uD83D end"), "ok 😀 \uFFFD end");
  assert.equal(lengthOf("发货😀"), 3);
});

test("without IndexedDB the record is kept in memory, and says so", async () => {
  const storage = await openStorage("name", { open: () => { throw new Error("blocked"); } });
  assert.ok(storage instanceof Memory);
  assert.equal(storage.durable, false);
  await storage.update((record) => add(record, "a"));
  assert.equal((await storage.read()).entries.length, 1);
});
