// Where a person writes: the box, its buttons, and the line that says what stands in the way.

import { chooser, takeFiles } from "./chooser.js";
import { Full, MAX_WAITING_BYTES } from "./client.js";
import { el, icon } from "./elements.js";
import { lengthOf } from "./outbox.js";
import { sizeOf } from "./plain.js";

const MAX_TEXT = 4000; // characters, as the protocol counts them
const TYPING_EVERY_MS = 3000;
const DESKTOP = "(hover: hover) and (pointer: fine)";

/**
 * `parts` go into the panel. `client` may be replaced, or be null: then nothing can be sent. `draft` is the name under
 * which what is being written outlives a reload. `onSent` is told of each text, `onChange` of all that may look different.
 */
export class Composer {
  #typedAt = 0;
  #draft = "";

  constructor({ client = null, texts, draft = "", onSent, onChange }) {
    this.client = client;
    this.texts = texts;
    this.onSent = onSent;
    this.onChange = onChange;
    this.problem = "";
    this.hint = el("p", { class: "hint", role: "status" });
    this.field = el("textarea", { rows: "1", "aria-label": texts.field, placeholder: texts.field });
    this.button = el("button", { class: "send", "aria-label": texts.send }, icon("send"));
    const choose = (files) => this.#sendFiles(files);
    this.form = el("form", { class: "composer" }, ...chooser(texts.attach, choose), this.field, this.button);
    this.parts = [this.hint, this.form];
    this.takeFiles = (panel) => takeFiles(panel, choose);
    this.#listen();
    this.open(client, draft);
  }

  /** From now on it writes to this client; what was begun there before is in the box again. */
  open(client, draft) {
    this.client = client;
    this.#draft = draft;
    this.problem = "";
    this.#typedAt = 0;
    this.field.value = draft ? readDraft(draft) : "";
    this.#grow();
  }

  /** Ready to type; on a phone not, where it would pull up the keyboard. */
  focus() {
    if (matchMedia(DESKTOP).matches) this.field.focus();
  }

  /** Puts a text into the box. */
  write(text, problem = "") {
    this.field.value = text;
    this.#typed(problem);
  }

  /** Sends a text as if it had been written. Resolves to whether it has been stored. */
  send(text) {
    return this.#keep((client) => client.send(text), this.texts.unstored);
  }

  /** Draws what the client's state says. */
  draw(isLive) {
    const { session, storage } = this.client;
    const length = lengthOf(this.field.value.trim());
    const unsent = isLive ? 0 : session.entries.filter((entry) => !entry.stored).length;
    const { texts } = this;
    let hint = this.problem;
    if (length > MAX_TEXT) hint = texts.tooLong(length, MAX_TEXT);
    else if (!hint && session.phase === "stopped") hint = texts.reload;
    else if (!hint && unsent) hint = storage.durable ? texts.unsent(unsent) : texts.unsentFragile(unsent);
    if (setText(this.hint, hint) && hint === texts.reload) this.hint.replaceChildren(this.#reloadButton());
    this.hint.classList.toggle("slow", unsent > 0 && navigator.onLine);
    this.button.disabled = !length || length > MAX_TEXT;
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    // A tap on the button must not take the focus away: the phone's keyboard would go down and come back.
    this.button.addEventListener("pointerdown", (event) => event.preventDefault());
    this.field.addEventListener("keydown", (event) => {
      // keyCode 229: Safari's Enter that only ends a composition
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      if (!matchMedia(DESKTOP).matches || event.defaultPrevented) return;
      event.preventDefault();
      this.#submit();
    });
    this.field.addEventListener("input", () => this.#typed());
  }

  async #submit() {
    const text = this.field.value.trim();
    if (!text || lengthOf(text) > MAX_TEXT) return;
    this.write("");
    if (!(await this.send(text)) && !this.field.value) this.write(text, this.problem);
  }

  #sendFiles(files) {
    return this.#keep((client) => client.sendFiles(files), this.texts.unreadable);
  }

  /** Whether what is to be sent has been stored; if not, the person is told. */
  async #keep(store, otherwise) {
    this.problem = "";
    try {
      await store(this.client);
      this.onSent();
    } catch (error) {
      this.problem = error instanceof Full ? this.texts.full(sizeOf(MAX_WAITING_BYTES)) : otherwise;
    }
    this.onChange();
    return !this.problem;
  }

  #typed(problem = "") {
    const text = this.field.value;
    this.problem = problem;
    writeDraft(this.#draft, text);
    this.#grow();
    this.#tellTyping(text !== "");
    this.onChange();
  }

  #tellTyping(on) {
    const now = Date.now();
    if (on && now - this.#typedAt < TYPING_EVERY_MS) return;
    if (!on && !this.#typedAt) return;
    this.#typedAt = on ? now : 0;
    this.client.typing(on);
  }

  #grow() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  #reloadButton() {
    const button = el("button", { type: "button" }, this.texts.reload);
    button.addEventListener("click", () => location.reload());
    return button;
  }
}

/** Changes a text only where it differs, so that a screen reader hears it once. True: it was changed. */
export function setText(element, text) {
  if (element.dataset.text === text) return false;
  element.dataset.text = text;
  element.textContent = text;
  return true;
}

function readDraft(name) {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return ""; // storage is blocked
  }
}

function writeDraft(name, text) {
  try {
    sessionStorage.setItem(name, text);
  } catch {
    // storage is blocked: a reload forgets the draft
  }
}
