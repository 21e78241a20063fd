// The outbox: numbers without holes, given once.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  EMPTY, append, claim, filesOf, lengthOf, markRead, newTab, raise, readSeq, refuse, renumber, reupload, settle, takeOut,
  wellFormed,
} from "../../../hub/api/static/client/outbox.js";
import { Memory, openStorage } from "../../../hub/api/static/client/storage.js";

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

const files = (...ids) => ids.map((id) => ({ id, name: `${id}.jpg`, type: "image/jpeg", size: 9 }));
const uploaded = (id) => ({ attachment: { key: `c1-x.${id}`, name: `${id}.png`, type: "image/png", size: 9 }, claim: `!${id}` });
const because = { code: "type", detail: "no" };
const random = Math.random;

test("an uploaded file is what the hub calls it, with its claim, and keeps its id", () => {
  const record = claim(add(EMPTY, "", { files: files("p", "q") }), "q", uploaded("q"));
  assert.deepEqual(filesOf(record).map(({ id, name, claim: word }) => [id, name, word]), [
    ["p", "p.jpg", undefined],
    ["q", "q.png", "!q"],
  ]);
});

test("a message goes without the file that the hub refuses", () => {
  const before = add(add(EMPTY, "", { files: files("p", "q") }), "after");
  const record = refuse(before, { id: "p", because, random });
  assert.deepEqual(ids(record), ids(before));
  assert.deepEqual(filesOf(record).map(({ id }) => id), ["q"]);
  assert.deepEqual(record.refused, [{ ...files("p")[0], at: 5, because }]);
});

test("where nothing is left of a message, only those after it get new numbers", () => {
  const before = add(add(add(EMPTY, "on its way"), "", { files: files("p") }), "after");
  const record = refuse(before, { id: "p", because, random });
  assert.deepEqual(record.entries.map(({ text }) => text), ["on its way", "after"]);
  assert.deepEqual(ids(record), [`${before.tab}.1`, `${record.tab}.1`]);
  assert.notEqual(record.tab, before.tab, "the hub has never had the refused number");
  assert.deepEqual(ids(add(record, "next")).pop(), `${record.tab}.2`);
});

test("a file is refused once, and not after it has its claim", () => {
  const once = refuse(add(EMPTY, "", { files: files("p") }), { id: "p", because, random });
  assert.equal(refuse(once, { id: "p", because, random }), once);
  const claimed = claim(add(EMPTY, "", { files: files("p") }), "p", uploaded("p"));
  assert.equal(refuse(claimed, { id: "p", because, random }), claimed);
  assert.equal(takeOut(claimed, { id: "p", random }), claimed);
});

test("a person removes a refused file, or one that is not in the hub yet", () => {
  const record = refuse(add(EMPTY, "", { files: files("p", "q") }), { id: "p", because, random });
  assert.deepEqual(takeOut(record, { id: "p", random }).refused, []);
  assert.deepEqual(takeOut(record, { id: "q", random }).entries, []);
});

test("after its claims have run out a message is uploaded again, and keeps its number", () => {
  const first = claim(add(add(EMPTY, "", { files: files("p") }), "after"), "p", uploaded("p"));
  const record = reupload(first, { place: 1, claims: ["!p"], because, random });
  assert.deepEqual(ids(record), ids(first));
  assert.deepEqual(filesOf(record).map(({ claim: word }) => word), [undefined]);
  const fromAnotherPage = reupload(record, { place: 1, claims: ["!p"], because, random });
  assert.equal(fromAnotherPage, record, "it was told the same");
});

test("new claims are not thrown away because the old ones are refused once more", () => {
  const first = claim(add(EMPTY, "", { files: files("p") }), "p", uploaded("p"));
  const record = claim(reupload(first, { place: 1, claims: ["!p"], because, random }), "p", uploaded("q"));
  assert.equal(reupload(record, { place: 1, claims: ["!p"], because, random }), record);
});

test("claims that are refused twice are no matter of time", () => {
  let record = add(add(EMPTY, "", { files: files("p") }), "after");
  const { tab } = record;
  for (const word of ["p", "q"]) {
    record = claim(record, "p", uploaded(word));
    record = reupload(record, { place: 1, claims: [`!${word}`], because, random });
  }
  assert.deepEqual(record.refused.map(({ id }) => id), ["p"]);
  assert.deepEqual(ids(record), [`${record.tab}.1`]);
  assert.notEqual(record.tab, tab);
});

test("the bytes of a file are kept until its message is settled", async () => {
  const storage = new Memory();
  const bytes = new Uint8Array([1, 2]).buffer;
  await storage.update((record) => add(record, "", { files: files("p") }), new Map([["p", bytes]]));
  assert.equal(await storage.file("p"), bytes);
  await storage.update((record) => claim(record, "p", uploaded("p")));
  assert.equal(await storage.file("p"), bytes, "its claim may run out");
  await storage.update((record) => settle(record, [1]));
  assert.equal(await storage.file("p"), undefined);
});
