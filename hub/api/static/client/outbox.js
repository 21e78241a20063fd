// What the visitor has written and the hub has not acknowledged: pure steps over one stored record.
//
// The record is read and written in one transaction (storage.js), so two pages never give one number twice.
// An entry belongs to no page: whichever is online may send it, because the hub knows a repeated id.

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

/**
 * What is stored: the visitor's token, the numbers of the shared tab id, the unacknowledged entries in order, the seq up
 * to which the events of those settled last will be found, the files that the hub has refused, and the last seq that the
 * person has looked at.
 */
export const EMPTY = Object.freeze({
  visitor: null, tab: "", next: 1, place: 1, entries: [], settled: 0, refused: [], read: null,
});

/** A name that nobody else has, for a tab or a file: 12 of a-z0-9. `random` yields numbers in [0, 1). */
export function newTab(random) {
  return Array.from({ length: 12 }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join("");
}

/**
 * Adds a text under the next number. `seen` is {conversation, epoch, after}: what the writer had seen, so that a later
 * comparison with the history knows where to start. `own` is a page's own {tab, next}, used where pages share none.
 * `files` are {id, name, type, size}: the entry keeps its turn, but nobody sends it before each has its claim.
 */
export function append(record, { text, files = [], at, seen, random, own = null }) {
  const shared = record.tab ? record : { ...record, tab: newTab(random), next: 1 };
  const { tab, next } = own ?? shared;
  const entry = { place: record.place, tab, n: next, text, files, at, seen };
  const entries = [...record.entries, entry];
  if (own) {
    own.next += 1;
    return { ...record, place: record.place + 1, entries };
  }
  return { ...shared, next: next + 1, place: record.place + 1, entries };
}

/** Forgets entries that are stored in the hub, their events among those up to `seq`. */
export function settle(record, places, seq) {
  return { ...without(record, places), settled: seq };
}

function without(record, places) {
  return { ...record, entries: record.entries.filter((entry) => !places.includes(entry.place)) };
}

/**
 * Moves the entries of a tab id whose numbers from `from` on can no longer be used to a new one, in order. Those at
 * `dropped` places are forgotten. A second page that asks for the same finds nothing left to move.
 */
export function renumber(record, { tab, from = 1, dropped = [], random, own = null }) {
  const left = without(record, dropped);
  const fresh = newTab(random);
  let next = 1;
  const entries = left.entries.map((entry) =>
    entry.tab === tab && entry.n >= from ? { ...entry, tab: fresh, n: next++ } : entry,
  );
  if (own?.tab === tab) Object.assign(own, { tab: fresh, next });
  return left.tab === tab ? { ...left, tab: fresh, next, entries } : { ...left, entries };
}

/** The file is in the hub: `uploaded` is what the upload was answered with, {attachment, claim}. */
export function claim(record, id, { attachment, claim }) {
  return withFiles(record, (file) => (file.id === id ? { ...file, ...attachment, claim } : file));
}

/**
 * The hub takes these claims of the entry at `place` no more: its files are to be uploaded again. Its number stays: the
 * hub has nothing under it, or knows a repeat. The second time it is no matter of time: then the files are `because`.
 */
export function reupload(record, { place, claims, because, random, own = null }) {
  const entry = record.entries.find((each) => each.place === place);
  if (!entry?.files.some(({ claim }) => claims.includes(claim))) return record; // another page was first
  const unclaimed = { ...entry, again: true, files: entry.files.map(({ claim, ...file }) => file) };
  const left = { ...record, entries: record.entries.map((each) => (each === entry ? unclaimed : each)) };
  return entry.again ? entry.files.reduce((some, { id }) => refuse(some, { id, because, random, own }), left) : left;
}

/** The hub does not take this file, `because` {code, detail}: the rest of its message goes without it. */
export function refuse(record, { id, because, random, own = null }) {
  const entry = record.entries.find((each) => fileIn(each, id));
  if (!entry || fileIn(entry, id).claim) return record;
  const { name, type, size } = fileIn(entry, id);
  const left = takeOut(record, { id, random, own });
  return { ...left, refused: [...left.refused, { id, name, type, size, at: entry.at, because }] };
}

/** Forgets a file that the hub has refused or does not have yet, and its message where nothing is left of it. */
export function takeOut(record, { id, random, own = null }) {
  const entry = record.entries.find((each) => fileIn(each, id));
  if (!entry) return discard(record, id);
  if (fileIn(entry, id).claim) return record;
  const files = entry.files.filter((file) => file.id !== id);
  if (!files.length && !entry.text) {
    return renumber(record, { tab: entry.tab, from: entry.n, dropped: [entry.place], random, own });
  }
  return { ...record, entries: record.entries.map((each) => (each === entry ? { ...each, files } : each)) };
}

function discard(record, id) {
  const refused = record.refused.filter((file) => file.id !== id);
  return refused.length < record.refused.length ? { ...record, refused } : record;
}

function withFiles(record, step) {
  return { ...record, entries: record.entries.map((entry) => ({ ...entry, files: entry.files?.map(step) })) };
}

function fileIn(entry, id) {
  return entry.files?.find((file) => file.id === id);
}

/** The files of messages that are not settled, in order, each with its message's place. */
export function filesOf(record) {
  return record.entries.flatMap(({ place, files = [] }) => files.map((file) => ({ ...file, place })));
}

/** After a welcome: numbers that the hub has are never given again, whatever became of this storage. */
export function raise(record, tabs) {
  const stored = tabs[record.tab] ?? 0;
  return record.next > stored ? record : { ...record, next: stored + 1 };
}

/** The person has looked at everything up to `seq`. */
export function markRead(record, conversation, seq) {
  return readSeq(record, conversation) >= seq ? record : { ...record, read: { conversation, seq } };
}

/** Up to which seq the person has looked at this conversation. */
export function readSeq(record, conversation) {
  return record.read?.conversation === conversation ? record.read.seq : 0;
}

/** Half of a surrogate pair is no text and no JSON: it becomes U+FFFD. */
export function wellFormed(text) {
  return Array.from(text, (char) => (/^[\uD800-\uDFFF]$/.test(char) ? "\uFFFD" : char)).join("");
}

/** How many characters the hub counts in a text: code points. */
export function lengthOf(text) {
  return Array.from(text).length;
}
