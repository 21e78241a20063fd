// The panel: title, log, composer. Draws what rows.js says and hands to the client what the person does.

import { Composer, setText } from "../client/composer.js";
import { el, icon } from "../client/elements.js";
import { Log } from "../client/log.js";
import { lastAnswer, rowsOf, standingOf } from "./rows.js";

const DRAFT = "kefu-hub draft";
const UNREAD = ["answer", "reply"];

/** One chat. `element` goes into the page; fires "unread" with the number of answers nobody has looked at. */
export class Panel extends EventTarget {
  #isShown = false;
  #drawing = false;
  #greets = false;

  constructor({ client, texts, onClose }) {
    super();
    this.client = client;
    this.texts = texts;
    this.title = texts.title;
    this.greeting = texts.greeting;
    const onChange = () => this.#draw();
    this.composer = new Composer({ client, texts, draft: DRAFT, onSent: () => this.log.toEnd(), onChange });
    this.log = new Log({
      texts,
      client,
      onOlder: () => client.loadOlder(),
      onEdit: (refused) => this.#edit(refused),
      onChoice: (text) => this.composer.send(text),
      standsAlone: !onClose,
    });
    this.element = this.#build(onClose);
    client.addEventListener("change", onChange);
    document.addEventListener("visibilitychange", onChange);
    window.addEventListener("online", onChange);
    window.addEventListener("offline", onChange);
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
    this.composer.focus();
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
    const panel = el("section", { class: "panel", "data-drop": texts.drop });
    panel.append(head, this.log.element, ...this.composer.parts);
    this.composer.takeFiles(panel);
    return panel;
  }

  #edit(refused) {
    this.composer.write(this.client.takeBack(refused));
    this.composer.field.focus();
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
    this.composer.draw(live);
    this.#tellRead(session);
  }

  #drawStanding(session) {
    const { text, argument, tone } = standingOf(session, navigator.onLine);
    const words = this.texts[text];
    setText(this.standing, typeof words === "function" ? words(argument) : words);
    this.standing.dataset.tone = tone;
  }

  #tellRead(session) {
    const last = lastAnswer(session);
    if (this.#isShown && session.phase === "live" && !document.hidden) this.client.read(last);
    const { readSeq } = this.client;
    const unread = session.timeline.events.filter(({ kind, seq }) => seq > readSeq && UNREAD.includes(kind)).length;
    this.dispatchEvent(new CustomEvent("unread", { detail: this.#isShown ? 0 : unread }));
  }
}
