// The log of messages: rows drawn by key, so that nothing jumps when anything arrives.

import { el, icon } from "./elements.js";
import { FileViews } from "./files.js";
import { linksIn, moment, stamp, timeOf } from "./plain.js";

const NEAR_PX = 60;
const SIGNS = { waiting: "clock", full: "clock", nobody: "moon", nudged: "chat" };

/** The scrolling part. `element` goes into the panel. */
export class Log {
  #rows = new Map(); // key → {node, drawn: what it was drawn from}
  #unseen = 0;

  constructor({ texts, client, onOlder, onEdit, onChoice, standsAlone }) {
    this.texts = texts;
    this.onOlder = onOlder;
    this.onEdit = onEdit;
    this.onChoice = onChoice;
    this.files = new FileViews({ client, texts, standsAlone });
    this.older = el("button", { class: "older", type: "button", hidden: true }, texts.older);
    this.older.addEventListener("click", onOlder);
    this.list = el("div", { class: "rows", role: "log", "aria-live": "polite", "aria-label": texts.log, "aria-busy": "true" });
    this.scroller = el("div", { class: "scroller", tabindex: "0" }, el("div", { class: "page" }, this.older, this.list));
    this.newer = el("button", { class: "newer", type: "button", hidden: true });
    this.newer.addEventListener("click", () => this.toEnd());
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.element = el("div", { class: "log" }, this.scroller, this.newer);
  }

  /** Shows exactly these rows. `settled`: from now on what is added is news, to be read out. */
  draw(rows, { older, settled }) {
    const atEnd = this.#isAtEnd();
    const anchor = atEnd ? null : this.#anchor();
    this.older.hidden = !older;
    const added = this.#place(rows);
    if (atEnd || added.some((row) => row.kind === "own" && row.pending)) this.toEnd();
    else {
      if (anchor) this.scroller.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
      this.#count(rows, added);
    }
    if (settled) this.list.setAttribute("aria-busy", "false");
  }

  /** Scrolls to the newest row. */
  toEnd() {
    this.scroller.scrollTop = 0; // the scroller is reversed: 0 is the end, and stays so when the keyboard comes
    this.#unseen = 0;
    this.newer.hidden = true;
  }

  #place(rows) {
    const keys = new Set(rows.map((row) => row.key));
    for (const [key, { node }] of this.#rows) {
      if (keys.has(key)) continue;
      node.remove();
      this.#rows.delete(key);
    }
    const added = rows.filter((row) => !this.#rows.has(row.key));
    rows.forEach((row, at) => {
      const node = this.#nodeOf(row);
      if (this.list.children[at] !== node) this.list.insertBefore(node, this.list.children[at] ?? null);
    });
    return added;
  }

  #nodeOf(row) {
    const words = row.kind === "notice" ? this.#words(row) : null;
    const drawn = JSON.stringify([row, words]); // "tomorrow" is "today" after midnight
    const old = this.#rows.get(row.key);
    if (old?.drawn === drawn) return old.node;
    const node = old?.node ?? el("div");
    node.className = `row ${row.kind}`;
    node.dataset.key = row.key;
    if (row.notice) node.dataset.notice = row.notice;
    node.toggleAttribute("data-automatic", row.automatic ?? false);
    node.replaceChildren(...(words ? this.#notice(row, words) : this.#contents(row)));
    this.#rows.set(row.key, { node, drawn });
    return node;
  }

  #contents(row) {
    if (row.kind === "time") {
      return [el("time", { datetime: new Date(row.at).toISOString() }, stamp(row.at, Date.now(), this.texts))];
    }
    if (row.kind === "choices") return row.choices.map((choice) => this.#choice(choice));
    return row.kind === "own" ? this.#own(row) : this.#other(row);
  }

  /** What a notice says now: one text, or a headline and the lines below it. */
  #words(row) {
    const { texts } = this;
    const { notice, opens = 0, until = 0, away } = row;
    const words = texts[notice];
    if (typeof words !== "function") return words;
    const lines = words({ ...row, opens: moment(opens, Date.now(), texts), until: until && timeOf(until, texts) });
    return notice !== "waiting" && away?.[texts.short] ? [...lines, away[texts.short]] : lines;
  }

  #notice({ notice, why = "" }, words) {
    if (typeof words === "string") return [el("p", { title: why ? this.texts.reason(why) : false }, words)];
    const [headline, ...lines] = words;
    const said = el("div", {}, el("p", { class: "headline" }, headline), ...lines.map((line) => el("p", {}, ...linked(line))));
    const sign = el("span", { class: "sign", "aria-hidden": "true" }, icon(SIGNS[notice]));
    const box = el("div", { class: "box", "data-notice": notice }, sign, said);
    return notice === "nudged" ? [box, this.#choice(this.texts.stay)] : [box];
  }

  /** What stands below a bubble. */
  #note({ note, because }) {
    const words = this.texts[note];
    return el("p", { class: "note", "data-note": note }, typeof words === "function" ? words(because) : words);
  }

  #choice(text) {
    const button = el("button", { type: "button" }, text);
    button.addEventListener("click", () => this.onChoice(text));
    return button;
  }

  #own(row) {
    const { texts } = this;
    const name = row.by || (row.automatic ? texts.automatic : texts.me);
    const isNamed = row.first && name !== texts.me;
    const spoken = el("p", { class: isNamed ? "name" : "unseen" }, isNamed ? name : `${name}: `);
    const body = el("div", { class: "body" }, spoken, ...this.#said(row));
    const line = el("div", { class: "line" }, body);
    if (row.pending) line.prepend(el("span", { class: "pending", role: "img", "aria-label": texts.sending }, icon("clock")));
    if (!row.note) return [line];
    const [refused] = row.files ?? [];
    const note = this.#note(row);
    if (refused?.because) note.textContent = this.files.refusal(refused);
    if (row.refused) {
      const edit = el("button", { type: "button" }, texts.edit);
      edit.addEventListener("click", () => this.onEdit(row.refused));
      note.append(" ", edit);
    }
    return [line, note];
  }

  #other(row) {
    const { texts } = this;
    const name = row.by || (row.automatic ? texts.automatic : texts.them);
    const spoken = el("p", { class: row.first ? "name" : "unseen" }, row.first ? name : `${name}: `);
    const face = el("span", { class: "face", "aria-hidden": "true", "data-automatic": row.automatic ?? false });
    if (row.first) face.append(row.by ? Array.from(row.by)[0] : icon("chat"));
    const note = row.note ? [this.#note(row)] : [];
    return [face, el("div", { class: "said" }, spoken, ...this.#said(row), ...note)];
  }

  /** The text in its bubble, and the files below it. */
  #said({ key, text, files = [] }) {
    const said = text || !files.length ? [el("div", { class: "bubble" }, ...linked(text))] : [];
    return files.length ? [...said, this.files.group(files, key)] : said;
  }

  // --- scrolling ---

  #isAtEnd() {
    return Math.abs(this.scroller.scrollTop) < NEAR_PX;
  }

  /** The first row in sight, and where it stands. */
  #anchor() {
    const top = this.scroller.getBoundingClientRect().top;
    for (const node of this.list.children) {
      const box = node.getBoundingClientRect();
      if (box.bottom > top) return { node, top: box.top };
    }
    return null;
  }

  #count(rows, added) {
    const last = rows[rows.length - 1];
    if (!added.includes(last) || last.kind === "own") return;
    this.#unseen += added.filter((row) => row.kind === "other").length;
    this.newer.hidden = this.#unseen === 0;
    this.newer.replaceChildren(icon("down"), this.texts.newer(this.#unseen));
  }

  #scrolled() {
    if (this.#isAtEnd() && this.#unseen) this.toEnd();
    const { scrollHeight, clientHeight, scrollTop } = this.scroller;
    const above = scrollHeight - clientHeight - Math.abs(scrollTop);
    if (!this.older.hidden && above < 2 * NEAR_PX) this.onOlder();
  }
}

function linked(text) {
  return linksIn(text).map((piece) =>
    piece.url ? el("a", { href: piece.url, target: "_blank", rel: "noopener noreferrer nofollow" }, piece.text) : piece.text,
  );
}
