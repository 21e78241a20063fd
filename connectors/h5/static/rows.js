// What is shown, as data: the rows of the log and the line below the title. Pure, so that it is tested without a page.

import { withTimes } from "../client/plain.js";
import { noticeOf, standing } from "./notices.js";

const RULINGS = ["released", "rejected"];
const CHANGES = ["edited", "recalled"]; // the last one of each message counts

/**
 * The log's rows in order, each {key, kind, …}; a key stays the same as long as the row is the same thing.
 * Kinds: "time" {at}, "own" {text, files, note, pending, read}, "other" {text, files, by, automatic, first},
 * "notice" {notice, and what it says}, "choices" {choices}. `refusedFiles` are those that the hub does not take. What was
 * taken back is a "notice" in its place, what was corrected reads as it does now, with the note "edited".
 */
export function rowsOf(session, refusedFiles = []) {
  const { events } = session.timeline;
  const rulings = new Map(events.filter(({ kind }) => RULINGS.includes(kind)).map((event) => [event.ref, event.kind]));
  const changes = new Map(events.filter(({ kind }) => CHANGES.includes(kind)).map((event) => [event.ref, event]));
  const holds = standing(session.entries.length ? [...events, { kind: "message" }] : events);
  const rows = events.map((event) => rowOf(event, rulings, changes.get(event.seq), holds)).filter(Boolean);
  for (const { tab, n, at, text, files = [], stored } of session.entries) {
    rows.push({ key: `${tab}.${n}`, kind: "own", at, text, files: files.map(shown), pending: !stored });
  }
  for (const file of refusedFiles) {
    rows.push({ key: `refused ${file.id}`, kind: "own", text: "", files: [file], note: "refused" });
  }
  session.refused.forEach((refused, index) => {
    rows.push({ key: `refused ${index}`, kind: "own", text: refused.text, note: "refused", refused });
  });
  markRead(rows, session.theirReadSeq);
  const choices = choicesOf(session);
  if (choices.length) rows.push({ key: "choices", kind: "choices", choices });
  return withTimes(rows);
}

function rowOf(event, rulings, change, holds) {
  const { seq, at, kind, text = "", by } = event;
  const files = (event.files ?? []).map(shown);
  const key = event.id && kind === "message" ? event.id : `seq ${seq}`;
  if (kind === "message") {
    const status = rulings.get(seq) ?? event.status ?? "";
    return { key, kind: "own", seq, at, text, files, note: status === "released" ? "" : status };
  }
  if (kind === "answer") return answerOf({ key, kind: "other", seq, at, text, files, by: by ?? "" }, change);
  if (kind === "reply") return { key, kind: "other", seq, at, text, files, by: "", automatic: true };
  return noticeOf(event, holds);
}

/** An agent's answer as it reads after its last change. */
function answerOf(row, change) {
  if (!change) return row;
  if (change.kind === "recalled") return { key: row.key, kind: "notice", at: row.at, notice: "recalled" };
  return { ...row, text: change.text, files: (change.files ?? []).map(shown), note: "edited" };
}

/** What of a file a row is drawn from. */
function shown({ id, key, name, type, size }) {
  return { id, key, name, type, size };
}

/** The answers that the last reply offers, as long as nobody has written since. */
function choicesOf(session) {
  const last = [...session.timeline.events].reverse().find(({ kind }) => ["message", "answer", "reply"].includes(kind));
  return session.entries.length || last?.kind !== "reply" ? [] : (last.choices ?? []);
}

function markRead(rows, readSeq) {
  const read = rows.filter((row) => row.kind === "own" && row.seq && row.seq <= readSeq && !row.note).pop();
  if (read && rows[rows.length - 1] === read) read.note = "read";
}

/** The line below the title, as {text: a name in texts.js, argument, tone: "good" | "calm" | "bad"}. */
export function standingOf(session, online) {
  if (session.phase === "stopped") return { text: "stopped", tone: "bad" };
  if (session.phase === "idle") return { text: "ready", tone: "calm" };
  if (session.phase !== "live") {
    if (!online) return { text: "offline", tone: "bad" };
    return { text: session.epoch ? "reconnecting" : "connecting", tone: "calm" };
  }
  if (session.theirTypingUntil) return { text: "typing", tone: "good" };
  const last = [...session.timeline.events].reverse().find(({ kind }) => ["answer", "waiting", "closed"].includes(kind));
  if (last?.kind === "answer") return { text: "served", argument: last.by, tone: "good" };
  if (last?.kind === "closed") return { text: "ended", tone: "calm" };
  if (last?.on_duty) return { text: "inQueue", argument: last.position, tone: "calm" };
  return last ? { text: "offDuty", tone: "calm" } : { text: "ready", tone: "good" };
}

/** The seq of the newest answer: what a person who looks at the page has read. */
export function lastAnswer(session) {
  return session.timeline.events.reduce((seq, event) => (event.kind === "message" ? seq : event.seq), 0);
}
