// What the visitor has written and the hub has not acknowledged: pure steps over one stored record.
//
// The record is read and written in one transaction (storage.js), so two pages never give one number twice.
// An entry belongs to no page: whichever is online may send it, because the hub knows a repeated id.

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

/**
 * What is stored: the visitor's token, the numbers of the shared tab id, the unacknowledged entries in order, and the
 * last seq that the person has looked at.
 */
export const EMPTY = Object.freeze({ visitor: null, tab: "", next: 1, place: 1, entries: [], read: null });

/** A tab id that nobody else has: 12 of a-z0-9. `random` yields numbers in [0, 1). */
export function newTab(random) {
  return Array.from({ length: 12 }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join("");
}

/**
 * Adds a text under the next number. `seen` is {conversation, epoch, after}: what the writer had seen, so that a later
 * comparison with the history knows where to start. `own` is a page's own {tab, next}, used where pages share none.
 */
export function append(record, { text, at, seen, random, own = null }) {
  const shared = record.tab ? record : { ...record, tab: newTab(random), next: 1 };
  const { tab, next } = own ?? shared;
  const entry = { place: record.place, tab, n: next, text, at, seen };
  const entries = [...record.entries, entry];
  if (own) {
    own.next += 1;
    return { ...record, place: record.place + 1, entries };
  }
  return { ...shared, next: next + 1, place: record.place + 1, entries };
}

/** Forgets entries that are stored in the hub. */
export function settle(record, places) {
  return { ...record, entries: record.entries.filter((entry) => !places.includes(entry.place)) };
}

/**
 * Moves the entries of a tab id that can no longer be used to a new one, in order. Those at `dropped` places are
 * forgotten. A second page that asks for the same finds nothing left to move.
 */
export function renumber(record, { tab, dropped = [], random, own = null }) {
  const left = settle(record, dropped);
  const fresh = newTab(random);
  let next = 1;
  const entries = left.entries.map((entry) => (entry.tab === tab ? { ...entry, tab: fresh, n: next++ } : entry));
  if (own?.tab === tab) Object.assign(own, { tab: fresh, next });
  return left.tab === tab ? { ...left, tab: fresh, next, entries } : { ...left, entries };
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
