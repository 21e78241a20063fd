// Quick replies: a slash in the box opens those whose name or text begins so; a tap or Enter takes one.

import { el } from "../client/elements.js";

const MOST = 8;

/** `element` stands above the box. The text is put into the box, where it can still be changed. */
export class QuickReplies {
  #chosen = 0;
  #found = [];

  constructor({ desk, texts, composer }) {
    this.desk = desk;
    this.composer = composer;
    this.element = el("ul", { class: "quick", role: "listbox", "aria-label": texts.quick, hidden: true });
    composer.field.addEventListener("keydown", (event) => this.#key(event), { capture: true });
  }

  open() {
    this.composer.write("/");
    this.composer.field.focus();
  }

  draw() {
    const { value } = this.composer.field;
    this.#found = value.startsWith("/") ? this.#matching(value.slice(1).trim().toLowerCase()) : [];
    this.#chosen = Math.min(this.#chosen, Math.max(0, this.#found.length - 1));
    this.element.hidden = !this.#found.length;
    this.element.replaceChildren(...this.#found.map((reply, at) => this.#row(reply, at)));
  }

  #matching(words) {
    const begins = ({ name, text }) => name.toLowerCase().startsWith(words) || text.toLowerCase().includes(words);
    return this.desk.replies.filter(begins).slice(0, MOST);
  }

  #row(reply, at) {
    const row = el("li", { role: "option", "aria-selected": String(at === this.#chosen) });
    row.append(el("b", {}, `/${reply.name}`), el("span", {}, reply.text));
    row.addEventListener("pointerdown", (event) => event.preventDefault()); // the keyboard stays
    row.addEventListener("click", () => this.#take(reply));
    return row;
  }

  #key(event) {
    if (!this.#found.length || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#chosen = (this.#chosen + step + this.#found.length) % this.#found.length;
    else if (event.key === "Enter" || event.key === "Tab") this.#take(this.#found[this.#chosen]);
    else if (event.key === "Escape") this.composer.write("");
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.draw();
  }

  #take(reply) {
    this.#chosen = 0;
    this.composer.write(reply.text);
    this.composer.field.focus();
  }
}
