// Conversations to read only: one that waits, before it is taken, and those that the agent had until they were closed.

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

/** The conversations that were closed with the agent, the latest first. `open(conversation, name)` shows one. */
export async function openPast(host, { desk, texts, open }) {
  const closed = await desk.closed();
  const now = Date.now();
  return openSheet(host, texts.past, (close) => [
    ...closed.map(({ id, name = texts.visitor, at }) => {
      const button = el("button", { type: "button", class: "choice" }, `${name} · ${stamp(at, now, texts)}`);
      button.addEventListener("click", () => {
        close();
        open(id, name);
      });
      return button;
    }),
    closed.length ? "" : el("p", { class: "nothing" }, texts.noPast),
    cancelButton(texts.back, close),
  ]);
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
