// The panel: title, log, composer. Draws what rows.js says and hands to the client what the person does.

import { Full, MAX_WAITING_BYTES } from "./client.js";
import { chooser, takeFiles } from "./chooser.js";
import { el, icon } from "./elements.js";
import { Log } from "./log.js";
import { lengthOf } from "./outbox.js";
import { lastAnswer, rowsOf, sizeOf, standingOf } from "./rows.js";

const MAX_TEXT = 4000; // characters, as the protocol counts them
const TYPING_EVERY_MS = 3000;
const DRAFT = "kefu-hub draft";
const DESKTOP = "(hover: hover) and (pointer: fine)";

/** One chat. `element` goes into the page; fires "unread" with the number of answers nobody has looked at. */
export class Panel extends EventTarget {
  #isShown = false;
  #drawing = false;
  #typedAt = 0;
  #greets = false;

  constructor({ client, texts, onClose }) {
    super();
    this.client = client;
    this.texts = texts;
    this.title = texts.title;
    this.greeting = texts.greeting;
    this.log = new Log({
      texts,
      client,
      onOlder: () => client.loadOlder(),
      onEdit: (refused) => this.#edit(refused),
      onChoice: (text) => this.#send(text),
      standsAlone: !onClose,
    });
    this.element = this.#build(onClose);
    client.addEventListener("change", () => this.#draw());
    document.addEventListener("visibilitychange", () => this.#draw());
    window.addEventListener("online", () => this.#draw());
    window.addEventListener("offline", () => this.#draw());
  }

  /** What is stored has been read. A new visitor is greeted at once, a returning one when their history is here. */
  ready(returning) {
    this.#greets = !returning;
    this.#draw();
  }

  /** The hub's own title and greeting. */
  dress({ title, greeting }) {
    this.title = title || this.title;
    this.greeting = greeting || this.greeting;
    this.heading.textContent = this.title;
    this.#draw();
  }

  shown(isShown) {
    this.#isShown = isShown;
    this.#draw();
  }

  /** Ready to type; on a phone not, where it would pull up the keyboard. */
  focus() {
    if (matchMedia(DESKTOP).matches) this.field.focus();
  }

  #build(onClose) {
    const { texts } = this;
    this.heading = el("h1", {}, this.title);
    this.standing = el("p", { class: "standing", role: "status" });
    const head = el("header", {}, el("div", {}, this.heading, this.standing));
    if (onClose) {
      const close = el("button", { class: "plain", type: "button", "aria-label": texts.close }, icon("close"));
      close.addEventListener("click", onClose);
      head.append(close);
    }
    this.hint = el("p", { class: "hint", role: "status" });
    this.field = el("textarea", { rows: "1", "aria-label": texts.field, placeholder: texts.field });
    this.button = el("button", { class: "send", "aria-label": texts.send }, icon("send"));
    const choose = (files) => this.#sendFiles(files);
    const form = el("form", { class: "composer" }, ...chooser(texts.attach, choose), this.field, this.button);
    this.#listen(form);
    this.field.value = readDraft();
    const panel = el("section", { class: "panel", "data-drop": texts.drop }, head, this.log.element, this.hint, form);
    takeFiles(panel, choose);
    return panel;
  }

  #listen(form) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    // A tap on the button must not take the focus away: the phone's keyboard would go down and come back.
    this.button.addEventListener("pointerdown", (event) => event.preventDefault());
    this.field.addEventListener("keydown", (event) => {
      // keyCode 229: Safari's Enter that only ends a composition
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      if (!matchMedia(DESKTOP).matches) return;
      event.preventDefault();
      this.#submit();
    });
    this.field.addEventListener("input", () => this.#typed());
  }

  // --- writing ---

  async #submit() {
    const text = this.field.value.trim();
    if (!text || lengthOf(text) > MAX_TEXT) return;
    this.#write("");
    if (!(await this.#send(text)) && !this.field.value) this.#write(text, this.problem);
  }

  #send(text) {
    return this.#keep(() => this.client.send(text), this.texts.unstored);
  }

  #sendFiles(files) {
    return this.#keep(() => this.client.sendFiles(files), this.texts.unreadable);
  }

  /** Whether what is to be sent has been stored; if not, the person is told. */
  async #keep(store, otherwise) {
    this.problem = "";
    try {
      await store();
      this.log.toEnd();
    } catch (error) {
      this.problem = error instanceof Full ? this.texts.full(sizeOf(MAX_WAITING_BYTES)) : otherwise;
    }
    this.#draw();
    return !this.problem;
  }

  #typed(problem = "") {
    const text = this.field.value;
    this.problem = problem;
    writeDraft(text);
    this.#grow();
    this.#tellTyping(text !== "");
    this.#draw();
  }

  #tellTyping(on) {
    const now = Date.now();
    if (on && now - this.#typedAt < TYPING_EVERY_MS) return;
    if (!on && !this.#typedAt) return;
    this.#typedAt = on ? now : 0;
    this.client.typing(on);
  }

  #write(text, problem) {
    this.field.value = text;
    this.#typed(problem);
  }

  #edit(refused) {
    this.#write(this.client.takeBack(refused));
    this.field.focus();
  }

  #grow() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  // --- drawing ---

  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    const draw = () => {
      this.#drawing = false;
      this.#drawNow();
    };
    if (document.hidden) setTimeout(draw, 100); // no animation frames there
    else requestAnimationFrame(draw);
  }

  #drawNow() {
    const { session } = this.client;
    const live = session.phase === "live";
    this.#greets ||= live;
    const older = session.timeline.older() !== null;
    const rows = rowsOf(session, this.client.refusedFiles);
    if (this.#greets && !older) {
      rows.unshift({ key: "greeting", kind: "other", text: this.greeting, by: "", first: true, automatic: true });
    }
    this.log.draw(rows, { older, settled: live });
    this.#drawStanding(session);
    this.#drawHint(session, live);
    this.button.disabled = !this.field.value.trim() || lengthOf(this.field.value.trim()) > MAX_TEXT;
    this.#tellRead(session);
  }

  #drawStanding(session) {
    const { text, argument, tone } = standingOf(session, navigator.onLine);
    const words = this.texts[text];
    setText(this.standing, typeof words === "function" ? words(argument) : words);
    this.standing.dataset.tone = tone;
  }

  #drawHint(session, live) {
    const length = lengthOf(this.field.value.trim());
    const unsent = live ? 0 : session.entries.filter((entry) => !entry.stored).length;
    const { texts } = this;
    let hint = this.problem ?? "";
    if (length > MAX_TEXT) hint = texts.tooLong(length, MAX_TEXT);
    else if (!hint && session.phase === "stopped") hint = texts.reload;
    else if (!hint && unsent) hint = this.client.storage.durable ? texts.unsent(unsent) : texts.unsentFragile(unsent);
    if (setText(this.hint, hint) && hint === texts.reload) this.hint.replaceChildren(this.#reloadButton());
    this.hint.classList.toggle("slow", unsent > 0 && navigator.onLine);
  }

  #reloadButton() {
    const button = el("button", { type: "button" }, this.texts.reload);
    button.addEventListener("click", () => location.reload());
    return button;
  }

  #tellRead(session) {
    const last = lastAnswer(session);
    if (this.#isShown && session.phase === "live" && !document.hidden) this.client.read(last);
    const { readSeq } = this.client;
    const unread = session.timeline.events.filter(({ kind, seq }) => seq > readSeq && UNREAD.includes(kind)).length;
    this.dispatchEvent(new CustomEvent("unread", { detail: this.#isShown ? 0 : unread }));
  }
}

const UNREAD = ["answer", "reply"];

/** Changes a text only where it differs, so that a screen reader hears it once. True: it was changed. */
function setText(element, text) {
  if (element.dataset.text === text) return false;
  element.dataset.text = text;
  element.textContent = text;
  return true;
}

function readDraft() {
  try {
    return sessionStorage.getItem(DRAFT) ?? "";
  } catch {
    return ""; // storage is blocked
  }
}

function writeDraft(text) {
  try {
    sessionStorage.setItem(DRAFT, text);
  } catch {
    // storage is blocked: a reload forgets the draft
  }
}
