// One conversation: what was said, what to do with it, and where to answer.

import { Composer, setText } from "../client/composer.js";
import { el, icon } from "../client/elements.js";
import { Log } from "../client/log.js";
import { spanOf } from "../client/plain.js";
import { QuickReplies } from "./quick.js";
import { endingOf, lastHeard, lineOf, nameIn, rowsOf } from "./rows.js";
import { askText, openMenu } from "./sheet.js";
import { askTransfer } from "./transfer.js";

/** The right side, and on a phone the second page. `onBack()`; `attempt(promise)` tells the person what went wrong. */
export class Thread {
  constructor({ desk, conversation, texts, onBack, attempt, onChange, toast }) {
    Object.assign(this, { desk, conversation, texts, attempt, onChange, toast });
    this.client = desk.clients.get(conversation);
    this.log = new Log({
      texts,
      client: this.client,
      onOlder: () => this.client.loadOlder(),
      onEdit: (refused) => this.#takeBack(refused),
      onChoice: () => {},
      standsAlone: false,
    });
    const draft = `kefu-hub draft ${conversation}`;
    this.composer = new Composer({ client: this.client, texts, draft, onSent: () => this.log.toEnd(), onChange });
    this.quick = new QuickReplies({ desk, texts, composer: this.composer });
    this.parted = el("p", { class: "parted", role: "status", hidden: true });
    this.element = el("section", { class: "panel thread", "data-drop": texts.drop });
    this.element.append(this.#head(onBack), this.log.element, this.quick.element, ...this.composer.parts, this.parted);
    this.composer.takeFiles(this.element);
    this.log.list.addEventListener("click", (event) => this.#tapped(event));
    this.draw();
    this.composer.focus();
  }

  draw() {
    const { client, desk, conversation, texts } = this;
    const { session } = client;
    const isMine = desk.isMine(conversation);
    const isLive = isMine && session.phase === "live";
    this.log.draw(this.#rows(), { older: isMine && session.timeline.older() !== null, settled: isLive });
    this.#drawHead(isMine);
    this.composer.form.hidden = this.composer.hint.hidden = this.tools.hidden = !isMine;
    this.parted.hidden = isMine || desk.trunk.phase !== "live";
    if (!isMine) setText(this.parted, this.#ending());
    this.composer.draw(isLive);
    this.quick.draw();
    if (isLive && !document.hidden) {
      const heard = lastHeard(session);
      client.read(heard);
      desk.read(conversation, heard);
      desk.accept(conversation);
    }
  }

  #rows() {
    const { client, desk } = this;
    const nameOf = (id) => desk.nameOf(id);
    return rowsOf(client, { visitor: this.#visitor, me: desk.me?.display ?? "", nameOf });
  }

  get #visitor() {
    return this.desk.about.get(this.conversation)?.name || nameIn(this.client.session);
  }

  #head(onBack) {
    const { texts } = this;
    this.name = el("h1", {});
    this.standing = el("p", { class: "standing", role: "status" });
    const back = el("button", { class: "plain back", type: "button", "aria-label": texts.back }, icon("back"));
    back.addEventListener("click", onBack);
    this.tools = el("div", { class: "tools" });
    for (const [label, then] of [[texts.transfer, () => this.#transfer()], [texts.close, () => this.#close()]]) {
      const button = el("button", { type: "button", class: "tool" }, label);
      button.addEventListener("click", then);
      this.tools.append(button);
    }
    const more = el("button", { class: "plain", type: "button", "aria-label": texts.more }, icon("more"));
    more.addEventListener("click", () => this.#more());
    this.tools.append(more);
    return el("header", {}, back, el("div", { class: "title-line" }, this.name, this.standing), this.tools);
  }

  #drawHead(isMine) {
    const { client, desk, texts } = this;
    const about = desk.about.get(this.conversation) ?? {};
    const name = this.#visitor || texts.visitor;
    setText(this.name, about.no ? `${name} #${about.no}` : name);
    const line = lineOf(client);
    const team = about.team && desk.nameOf(about.team);
    const waits = line.since ? texts.waits(spanOf(Date.now() - line.since, texts)) : "";
    const parts = [line.onHold ? texts.onHold : waits, team, about.channel];
    const isTyping = isMine && client.session.theirTypingUntil > 0;
    setText(this.standing, isTyping ? texts.typing : parts.filter(Boolean).join(" · "));
  }

  #ending() {
    const { texts, desk } = this;
    const { kind, to } = endingOf(this.client.session);
    const words = texts.ended[kind] ?? texts.parted;
    return typeof words === "function" ? words(desk.nameOf(to)) : words;
  }

  // --- what can be done ---

  #transfer() {
    const { desk, texts, conversation } = this;
    askTransfer(this.element, { desk, texts, then: (to) => this.attempt(desk.transfer(conversation, to)) });
  }

  #close() {
    const { desk, texts, conversation } = this;
    const seen = this.client.session.timeline.solid; // what comes while they are asked lies behind the sheet
    this.#ask({
      title: texts.closeTitle, label: texts.because, agree: texts.close, suggested: texts.becauses,
      then: (because) => this.attempt(desk.close(conversation, because, seen)),
    });
  }

  #more() {
    const { desk, texts, conversation } = this;
    const { onHold } = lineOf(this.client);
    openMenu(this.element, texts.more, [
      [onHold ? texts.resume : texts.hold, () => this.attempt(desk.hold(conversation, !onHold))],
      [texts.note, () => this.#note()],
      ...(desk.replies.length ? [[texts.quick, () => this.quick.open()]] : []),
    ], texts.cancel);
  }

  #note() {
    const { desk, texts, conversation } = this;
    this.#ask({
      title: texts.noteTitle, label: texts.noteTitle, agree: texts.save, ready: (text) => text !== "",
      then: (text) => this.attempt(desk.note(conversation, text)),
    });
  }

  #ask(question) {
    return askText(this.element, { cancel: this.texts.cancel, ...question });
  }

  /** A tap on an answer of one's own: correct it, take it back, copy it. */
  #tapped({ target }) {
    const node = target.closest(".bubble")?.closest(".row.own");
    if (!node || target.closest("a")) return;
    const row = this.#rows().find(({ key }) => key === node.dataset.key);
    if (!row?.seq) return;
    const { desk, texts, conversation } = this;
    const correct = () => this.#ask({
      title: texts.correctTitle, label: texts.correctTitle, text: row.text, agree: texts.correct,
      ready: (text) => text !== "" && text !== row.text,
      then: (text) => this.attempt(desk.correct(conversation, row.seq, text)),
    });
    const changes = [
      ...(row.text ? [[texts.correct, correct]] : []),
      [texts.recall, () => this.attempt(desk.recall(conversation, row.seq)), true],
    ];
    const copy = () => navigator.clipboard?.writeText(row.text).then(() => this.toast.say(texts.copied), () => {});
    openMenu(this.element, row.text, [
      ...(row.text && navigator.clipboard ? [[texts.copy, copy]] : []),
      ...(!row.by && desk.isMine(conversation) ? changes : []),
    ], texts.cancel);
  }

  /** A text that the hub did not take goes back into the box; where there is none, to the clipboard's owner: it is shown. */
  #takeBack(refused) {
    const text = this.client.takeBack(refused);
    if (this.desk.isMine(this.conversation)) this.composer.write(text);
    else navigator.clipboard?.writeText(text).then(() => this.toast.say(this.texts.copied), () => this.toast.say(text));
  }
}
