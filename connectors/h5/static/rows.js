// What is shown, as data: the rows of the log and the line below the title. Pure, so that it is tested without a page.

import { noticeOf, standing } from "./notices.js";

const RULINGS = ["released", "rejected"];
const CHANGES = ["edited", "recalled"]; // the last one of each message counts
const PAUSE_MS = 5 * 60_000; // a time stamp stands where nobody wrote for so long

/**
 * The log's rows in order, each {key, kind, …}; a key stays the same as long as the row is the same thing.
 * Kinds: "time" {at}, "own" {text, files, note, pending, read}, "other" {text, files, by, automatic, first},
 * "notice" {notice, and what it says}, "choices" {choices}. `refusedFiles` are those that the hub does not take. What was taken back is a
 * "notice" in its place, what was corrected reads as it does now, with the note "edited".
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
  markRead(rows, session.agentReadSeq);
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

function withTimes(rows) {
  const timed = [];
  let before = 0;
  let speaker = null;
  for (const row of rows) {
    if (row.at && row.at - before >= PAUSE_MS) {
      timed.push({ key: `time ${row.key}`, kind: "time", at: row.at });
      speaker = null;
    }
    before = Math.max(before, row.at ?? 0);
    const who = row.kind === "other" ? `${row.by}/${row.automatic ?? ""}` : row.kind;
    timed.push(row.kind === "other" ? { ...row, first: who !== speaker } : row);
    speaker = who;
  }
  return timed;
}

/** The line below the title, as {text: a name in texts.js, argument, tone: "good" | "calm" | "bad"}. */
export function standingOf(session, online) {
  if (session.phase === "stopped") return { text: "stopped", tone: "bad" };
  if (session.phase === "idle") return { text: "ready", tone: "calm" };
  if (session.phase !== "live") {
    if (!online) return { text: "offline", tone: "bad" };
    return { text: session.epoch ? "reconnecting" : "connecting", tone: "calm" };
  }
  if (session.agentTypingUntil) return { text: "typing", tone: "good" };
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

// A host and what may follow it; an address that hides its host behind user:password@ is no link.
const LINK = /(?:https?:\/\/|www\.)[\w-]+(?:\.[\w-]+)*(?![\w-]|:?[^\s/]*@)(?::\d+)?(?:[/?#][\w\-.~:/?#[\]@!$&'()*+,;=%]*)?/gi;

/** Pieces of a text: {text} or {text, url}. Only http, https and www are links, without what only ends a sentence. */
export function linksIn(text) {
  const pieces = [];
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    const link = found[0].replace(/[.,;:!?)\]'*]+$/, "");
    if (found.index > from) pieces.push({ text: text.slice(from, found.index) });
    pieces.push({ text: link, url: /^www\./i.test(link) ? `https://${link}` : link });
    from = found.index + link.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** A size for people: "3.4 MB". */
export function sizeOf(bytes) {
  const [unit, name] = bytes < 2 ** 20 ? [2 ** 10, "KB"] : [2 ** 20, "MB"];
  const count = bytes / unit;
  return `${count < 10 ? Math.max(0.1, count).toFixed(1) : Math.round(count)} ${name}`;
}

/** Black or white, whichever reads better on `colour` (#rrggbb): at least 4.5 to 1. */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) ? "#000000" : "#ffffff";
}
