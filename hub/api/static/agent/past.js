// Conversations to read only: one that waits, before it is taken, and those that the agent had until they were closed.

import { setText } from "../client/composer.js";
import { el } from "../client/elements.js";
import { stamp } from "../client/plain.js";
import { Session } from "../client/session.js";
import { rowsOf } from "./rows.js";
import { cancelButton, openSheet } from "./sheet.js";

/** What was said in a conversation, in a sheet over `host`; with `take` it can be taken there. */
export async function openTranscript(host, { desk, texts, conversation, name, take }) {
  const events = await desk.transcript(conversation);
  const rows = el("ol", { class: "transcript" }, ...linesOf(events, { desk, texts, name }));
  return openSheet(host, name, (close) => {
    const button = take && el("button", { type: "button", class: "primary" }, texts.take);
    button?.addEventListener("click", () => {
      close();
      take();
    });
    return [rows, el("div", { class: "buttons" }, cancelButton(texts.back, close), button || "")];
  });
}

/**
 * The conversations that were closed with the agent, the latest first; what the history brings later comes too, and
 * what keeps it away is said in `wordsFor(error)`. `open(conversation, name)` shows one.
 */
export async function openPast(host, { desk, texts, wordsFor, open }) {
  const first = await desk.closed();
  const leaving = new AbortController();
  await openSheet(host, texts.past, (close) => {
    const list = el("div", {});
    const standing = el("p", { class: "standing", role: "status" });
    const pick = (id, name) => {
      close();
      open(id, name);
    };
    const seen = (closed) => {
      place(list, closed.map((one) => choiceOf(one, { texts, pick })));
      setText(standing, closed.length ? "" : texts.noPast);
      standing.removeAttribute("data-tone");
    };
    const failed = (error) => {
      setText(standing, wordsFor(error));
      standing.dataset.tone = "bad";
    };
    seen(first);
    desk.followClosed(leaving.signal, { seen, failed });
    return [list, standing, cancelButton(texts.back, close)];
  });
  leaving.abort();
}

function choiceOf({ id, name, at }, { texts, pick }) {
  const label = `${name || texts.visitor} · ${stamp(at, Date.now(), texts)}`;
  const button = el("button", { type: "button", class: "choice", "data-key": `${id} ${label}` }, label);
  button.addEventListener("click", () => pick(id, name || texts.visitor));
  return button;
}

/** Has `list` hold these elements; one that stands there with the same key stays, and with it focus and scroll. */
function place(list, elements) {
  const old = new Map([...list.children].map((one) => [one.dataset.key, one]));
  const placed = elements.map((one) => old.get(one.dataset.key) ?? one);
  for (const one of old.values()) if (!placed.includes(one)) one.remove();
  placed.forEach((one, at) => list.children[at] !== one && list.insertBefore(one, list.children[at] ?? null));
}

function linesOf(events, { desk, texts, name }) {
  const session = new Session(() => 0, "answer");
  session.timeline.open(events, events.at(-1)?.seq ?? 0);
  const rows = rowsOf({ session }, { visitor: name, me: desk.me?.display, nameOf: (id) => desk.nameOf(id) });
  return rows.filter(({ kind }) => kind !== "time").map((row) => el("li", {}, lineOf(row, texts)));
}

function lineOf(row, texts) {
  if (row.kind === "notice") {
    const words = texts[row.notice];
    return typeof words === "function" ? `— ${words(row)}` : `— ${words}`;
  }
  const words = row.withheld ? texts[row.note] : row.text || texts.fileSaid;
  return row.kind === "own" && !row.by ? texts.said(words) : `${row.by ?? texts.visitor}: ${words}`;
}
