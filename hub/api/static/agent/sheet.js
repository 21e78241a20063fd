// What lies over the page for a moment: choices, a question with a text, and a line that something has happened.

import { el } from "../client/elements.js";

const TOAST_MS = 6_000;

/** Opens a sheet with these parts, in `host`; resolves when it is closed. `close` is handed to `build`. */
export function openSheet(host, title, build) {
  const dialog = el("dialog", { class: "sheet", "aria-label": title });
  const close = () => dialog.close();
  dialog.append(el("h2", {}, title), ...build(close));
  dialog.addEventListener("click", (event) => event.target === dialog && close()); // beside it
  host.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
  });
}

/** A sheet of things to do: [label, what, isGrave]. */
export function openMenu(host, title, choices, cancel) {
  return openSheet(host, title, (close) => [
    ...choices.map(([label, then, isGrave = false]) => {
      const button = el("button", { type: "button", class: isGrave ? "choice grave" : "choice" }, label);
      button.addEventListener("click", () => {
        close();
        then();
      });
      return button;
    }),
    cancelButton(cancel, close),
  ]);
}

/**
 * A sheet that asks for a text, and perhaps more: `parts` stand above it, `suggested` texts are tapped into it.
 * `then(text)` is called when the person agrees; while `ready()` is false they cannot.
 */
export function askText(host, { title, label, text = "", agree, cancel, then, ready = () => true, suggested = [], parts = [] }) {
  return openSheet(host, title, (close) => {
    const field = el("textarea", { rows: "3", "aria-label": label, placeholder: label, maxlength: "4000" });
    field.value = text;
    const button = el("button", { class: "primary" }, agree);
    const check = () => (button.disabled = !ready(field.value.trim()));
    const chips = suggested.map((each) => {
      const chip = el("button", { type: "button", class: "chip" }, each);
      chip.addEventListener("click", () => {
        field.value = each;
        check();
      });
      return chip;
    });
    const form = el("form", {}, ...parts, ...(chips.length ? [el("div", { class: "chips" }, ...chips)] : []), field);
    form.append(el("div", { class: "buttons" }, cancelButton(cancel, close), button));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      close();
      then(field.value.trim());
    });
    form.addEventListener("input", check);
    check();
    return [form];
  });
}

/** The button that closes a sheet. */
export function cancelButton(label, close) {
  const button = el("button", { type: "button", class: "choice cancel" }, label);
  button.addEventListener("click", close);
  return button;
}

/** The line at the foot of the page; the next one takes its place. */
export class Toast {
  #timer = 0;

  constructor() {
    this.element = el("p", { class: "toast", role: "status", hidden: true });
    this.element.addEventListener("click", () => this.#hide());
  }

  say(text) {
    this.element.textContent = text;
    this.element.hidden = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hide(), TOAST_MS);
  }

  #hide() {
    this.element.hidden = true;
  }
}
