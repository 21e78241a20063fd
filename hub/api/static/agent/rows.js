// What of a conversation is shown to agents, as data: the rows of the log, and its line in the list. Pure.

import { withTimes } from "../client/plain.js";

const DECIDED = ["edited", "recalled"]; // the last one of each message counts
const RULINGS = ["released", "rejected"];
const FATE = ["sending", "sent", "delayed", "undelivered", "receipt", "changing", "unchanged", "retried", "dropped"];
const NOTICES = {
  reopened: "reopened", queued: "queued", assigned: "assigned", transferred: "transferred", returned: "returned",
  closed: "closed", hold: "holds", note: "noted", nudged: "nudged", reminded: "reminded", reached: "reached",
};
const ENDINGS = ["closed", "transferred", "returned", "assigned"];
const SPOKEN = ["message", "answer"];
const SETTLING = ["answer", "closed"];

/**
 * The log's rows in order, as client/log.js draws them: the visitor's are "other", all answers "own", and who decided
 * what a "notice" {notice, …}: a name in texts.js and what it is called with. `visitor` and
 * `me` are what people call them, `nameOf(id)` what they call an agent or a team.
 */
export function rowsOf({ session, refusedFiles = [] }, { visitor = "", me = "", nameOf = (id) => id } = {}) {
  const { events } = session.timeline;
  const said = { visitor, me, changes: lastOf(events, DECIDED), rulings: lastOf(events, RULINGS), fates: fatesOf(events) };
  const rows = events.map((event) => rowOf(event, said, nameOf)).filter(Boolean);
  markRead(rows, session.theirReadSeq);
  for (const { tab, n, at, text, files = [], stored } of session.entries) {
    rows.push({ key: `${tab}.${n}`, kind: "own", at, text, files: files.map(shown), pending: !stored });
  }
  for (const file of refusedFiles) {
    rows.push({ key: `refused ${file.id}`, kind: "own", text: "", files: [file], note: "refused" });
  }
  session.refused.forEach((refused, index) => {
    rows.push({ key: `refused ${index}`, kind: "own", text: refused.text, note: "takenBack", refused });
  });
  return withTimes(rows);
}

function rowOf(event, said, nameOf) {
  const { seq, at, kind } = event;
  if (kind === "message") return messageOf(event, said);
  if (kind === "answer") return answerOf(event, said);
  const key = `seq ${seq}`;
  if (kind === "reply") return { key, kind: "own", at, text: event.text, by: "", automatic: true };
  const told = noticeOf(event, nameOf);
  return told && { key, kind: "notice", at, notice: NOTICES[kind], ...told };
}

function messageOf({ seq, at, id, text = "", files = [], status = "" }, { visitor, changes, rulings }) {
  const ruling = rulings.get(seq);
  const change = changes.get(seq);
  const note = (ruling?.kind === "released" ? "" : ruling?.kind) ?? change?.status ?? status;
  const words = change?.text ?? ruling?.text ?? text;
  const row = { key: id || `seq ${seq}`, kind: "other", seq, at, text: words, files: files.map(shown), by: visitor };
  if (note) return { ...row, note, withheld: true, text: "" };
  return change ? { ...row, note: "edited" } : row;
}

function answerOf({ seq, at, id, text = "", files = [], by = "" }, { me, changes, fates }) {
  const change = changes.get(seq);
  const key = id || `seq ${seq}`;
  if (change?.kind === "recalled") return { key, kind: "notice", at, notice: "recalled", by: change.by };
  const row = { key, kind: "own", seq, at, text: change?.text ?? text, files: (change?.files ?? files).map(shown) };
  if (by !== me) row.by = by;
  const fate = fates.get(seq);
  if (fate) return { ...row, note: fate.note, because: fate.because };
  return change ? { ...row, note: "edited" } : row;
}

/** What a notice is told with, `why` being for who wants to know more; null where agents need not see the event. */
function noticeOf(event, nameOf) {
  const { kind, by = "", text = "", because = "", to = "", team = "", on = false, name = "" } = event;
  if (kind === "reopened") return {};
  if (kind === "queued") return { team: nameOf(team), why: because };
  if (kind === "assigned") return { by, why: because };
  if (kind === "transferred") return { by: nameOf(by), to: nameOf(to), text, because };
  if (kind === "returned") return { by: nameOf(by), because: text || because };
  if (kind === "closed") return { by: nameOf(by), because };
  if (kind === "hold") return { by: nameOf(by), on };
  if (kind === "note") return { by: nameOf(by), text };
  if (kind === "nudged" || kind === "reminded") return { to: nameOf(to) };
  if (kind === "reached") return { name, text };
  return null;
}

/** The last event of these kinds about each message. */
function lastOf(events, kinds) {
  return new Map(events.filter(({ kind }) => kinds.includes(kind)).map((event) => [event.ref, event]));
}

/** How far each answer has come on a platform: seq → {note, because}; none where all is well. */
function fatesOf(events) {
  const attempts = new Map(); // number → the seqs that it takes
  const fates = new Map();
  const tell = (seqs, note, because = "") => {
    for (const seq of seqs) fates.set(seq, note && { note, because });
  };
  for (const { kind, ref, refs = [], no, text = "", status } of events) {
    if (!FATE.includes(kind)) continue;
    if (refs.length) attempts.set(no, refs);
    const seqs = attempts.get(no) ?? refs;
    if (kind === "changing") tell([ref], text ? "correcting" : "recalling");
    else if (kind === "unchanged") tell(seqs, "unchanged", text);
    else if (kind === "delayed") tell(seqs, "delayed", text);
    else if (kind === "undelivered") tell(seqs, "undelivered", text);
    else if (kind === "receipt") tell(seqs, status === "failed" ? "undelivered" : status, text);
    else tell(seqs, { sending: "leaving", retried: "leaving", dropped: "dropped" }[kind] ?? null);
  }
  return fates;
}

function markRead(rows, readSeq) {
  const read = rows.filter((row) => row.kind === "own" && row.seq && row.seq <= readSeq).pop();
  if (read && !read.note) read.note = "read";
}

/** What of a file a row is drawn from. */
function shown({ id, key, name, type, size }) {
  return { id, key, name, type, size };
}

/**
 * A conversation's line in the list: `last` said {text, files, own, at}, how many of the visitor's messages are unread,
 * `since` when the visitor waits for an answer (0: they do not), and whether the clocks stand still (`onHold`).
 */
export function lineOf({ session, readSeq }) {
  const { events } = session.timeline;
  const spoken = events.filter(({ kind }) => SPOKEN.includes(kind));
  const heard = events.filter(({ kind }) => kind === "message");
  const answered = answeredUpTo(events);
  const asked = heard.find(({ seq, status }) => seq > answered && !status);
  const seen = Math.max(readSeq, answered); // who answers has read, on whatever page
  const entry = session.entries.at(-1);
  const last = entry ? { ...entry, kind: "answer" } : spoken.at(-1);
  return {
    last: last && { text: wordsOf(last, events), files: last.files?.length ?? 0, own: last.kind !== "message", at: last.at },
    unread: heard.filter(({ seq }) => seq > seen).length,
    since: session.entries.length ? 0 : (asked?.at ?? 0),
    onHold: events.findLast(({ kind }) => kind === "hold" || kind === "message")?.on ?? false,
  };
}

/** The seq up to which nothing is open: an answer leaves open what its writer had not seen, and an end leaves nothing. */
function answeredUpTo(events) {
  const settling = events.filter(({ kind }) => SETTLING.includes(kind));
  return settling.reduce((upTo, { seq, seen = seq }) => Math.max(upTo, Math.min(seen, seq)), 0);
}

function wordsOf({ seq, text = "" }, events) {
  return lastOf(events, DECIDED).get(seq)?.text ?? text;
}

/** The newest thing that the visitor said: what an agent who looks at the page has read. */
export function lastHeard({ timeline }) {
  return timeline.events.findLast(({ kind }) => kind === "message")?.seq ?? 0;
}

/** What took it away, as {kind: "closed", "returned" or "transferred", to}: to whom, where that is known. */
export function endingOf({ timeline }) {
  const { kind = "", to = "", by = "" } = timeline.events.findLast((event) => ENDINGS.includes(event.kind)) ?? {};
  return kind === "assigned" ? { kind: "transferred", to: by } : { kind, to };
}

/** What the visitor is called in opening their conversation; empty where that is too long ago. */
export function nameIn({ timeline }) {
  return timeline.events.find(({ kind }) => kind === "opened")?.name ?? "";
}
