// The left side, and on a phone the first page: who I am, my conversations, and who waits.

import { el, icon } from "../client/elements.js";
import { setText } from "../client/composer.js";
import { moment, spanOf, stamp } from "../client/plain.js";
import { lineOf, nameIn } from "./rows.js";

const LONG_MS = 3 * 60_000; // a visitor who has waited longer for an answer is shown in red

/** `element` goes into the page. `onOpen(conversation)`; `doing` has take, look, past, next, duty and logOut. */
export class List {
  #rows = new Map();

  constructor({ desk, texts, onOpen, doing }) {
    this.desk = desk;
    this.texts = texts;
    this.onOpen = onOpen;
    this.doing = doing;
    this.standing = el("p", { class: "standing", role: "status" });
    this.who = el("h1", {});
    this.duty = action(texts.onDuty, () => doing.duty(!desk.duty.on_duty), "duty");
    const leave = action("", doing.logOut, "plain leave");
    leave.setAttribute("aria-label", texts.logOut);
    leave.append(icon("leave"));
    const head = el("header", {}, el("div", {}, this.who, this.standing), el("div", { class: "tools" }, this.duty, leave));
    this.mine = el("ul", { class: "items", "aria-label": texts.mine });
    this.empty = el("p", { class: "nothing" });
    this.heading = el("h2", {}, texts.waiting);
    this.line = el("ul", { class: "items waiting", "aria-label": texts.waiting });
    this.past = action(texts.past, doing.past, "plain past");
    this.scroller = el("div", { class: "scroller plainly" }, this.mine, this.empty, this.heading, this.line, this.past);
    this.count = action("", () => this.heading.scrollIntoView({ behavior: "smooth" }), "count");
    this.next = action(texts.next, doing.next, "primary next");
    this.element = el("section", { class: "list" }, head, this.scroller, el("footer", {}, this.count, this.next));
  }

  draw(opened) {
    const { desk, texts } = this;
    this.#drawMe();
    const now = Date.now();
    const mine = [...desk.clients].filter(([c, client]) => desk.isMine(c) || c === opened || client.session.refused.length);
    const items = mine.map(([c, client]) => ({ c, client, line: lineOf(client), isMine: desk.isMine(c) }));
    items.sort((a, b) => b.isMine - a.isMine || (b.line.last?.at ?? 0) - (a.line.last?.at ?? 0));
    this.#place(this.mine, items.map((item) => [`mine ${item.c}`, () => this.#item(item, now, item.c === opened)]));
    this.#place(this.line, desk.waiting.map((row) => [`wait ${row.conversation}`, () => this.#waiter(row, now)]));
    this.empty.hidden = items.length > 0;
    if (!items.length) this.empty.replaceChildren(el("b", {}, texts.noneMine), this.#hint());
    this.heading.hidden = !desk.waiting.length;
    setText(this.count, texts.waitingCount(desk.waiting.length, desk.isFull));
    this.next.disabled = !desk.waiting.length;
    const unread = items.reduce((sum, { line, isMine }) => sum + (isMine ? line.unread : 0), 0);
    document.title = unread ? `(${unread}) ${texts.title}` : texts.title;
  }

  #hint() {
    return this.desk.duty?.on_duty === false ? this.texts.noneHintOff : this.texts.noneHint;
  }

  #drawMe() {
    const { desk, texts } = this;
    const { me, duty, trunk } = desk;
    setText(this.who, me?.display ?? texts.title);
    this.duty.hidden = !duty;
    this.duty.classList.toggle("primary", !duty?.on_duty);
    this.duty.textContent = duty?.on_duty ? texts.offDuty : texts.onDuty;
    if (trunk.phase !== "live") {
      const words = navigator.onLine ? (trunk.epoch ? texts.reconnecting : texts.connecting) : texts.offlineNow;
      setText(this.standing, words);
      this.standing.dataset.tone = navigator.onLine ? "calm" : "bad";
    } else if (duty) {
      const now = Date.now();
      const when = (at) => at && moment(at, now, texts);
      const { on_duty: on, because, until_ms: until = 0, handover_ms = 0 } = duty;
      const handover = trunk.serving.size && handover_ms; // it is about what they still have
      setText(this.standing, texts.duty({ on, because, until: when(until), handover: when(handover) }));
      this.standing.dataset.tone = on ? "good" : handover ? "bad" : "calm";
    }
  }

  #item({ c, client, line, isMine }, now, isOpened) {
    const { desk, texts } = this;
    const about = desk.about.get(c) ?? {};
    const name = about.name || nameIn(client.session) || texts.visitor;
    const words = line.last ? saidIn(line.last, texts) : "";
    const waits = line.since ? texts.waits(spanOf(now - line.since, texts)) : "";
    const state = !isMine ? texts.parted : line.onHold ? texts.onHold : waits;
    const isLate = isMine && !line.onHold && line.since > 0 && now - line.since > LONG_MS;
    const drawn = [name, about.no, words, line.unread, state, isLate, isOpened, line.last && stamp(line.last.at, now, texts)];
    return [drawn, () => {
      const button = el("button", { type: "button", class: "item", "aria-current": isOpened && "true" });
      button.append(
        el("span", { class: "face", "aria-hidden": "true" }, Array.from(name)[0]),
        el("span", { class: "about" },
          el("span", { class: "top" },
            el("b", {}, name), el("span", { class: "no" }, about.no ? `#${about.no}` : ""),
            el("time", {}, line.last ? stamp(line.last.at, now, texts) : "")),
          el("span", { class: "bottom" },
            el("span", { class: "words" }, words),
            state && el("span", { class: isLate ? "since late" : "since" }, state),
            line.unread ? el("span", { class: "badge" }, line.unread > 99 ? "99+" : `${line.unread}`) : "")),
      );
      button.addEventListener("click", () => this.onOpen(c));
      return button;
    }];
  }

  #waiter(row, now) {
    const { desk, texts } = this;
    const team = desk.nameOf(row.team);
    const waited = row.since_ms ? texts.waits(spanOf(now - row.since_ms, texts)) : "";
    const about = [team, row.channel, waited].filter(Boolean).join(" · ");
    return [[row.name, row.no, about], () => {
      const take = action(texts.take, () => this.doing.take(row.conversation), "take");
      const name = row.name || texts.visitor;
      take.setAttribute("aria-label", `${texts.take} #${row.no} ${name}`);
      const look = action("", () => this.doing.look(row.conversation, name), "plain about");
      look.append(
        el("span", { class: "top" }, el("b", {}, name), el("span", { class: "no" }, `#${row.no}`)),
        el("span", { class: "bottom" }, el("span", { class: "words" }, about)),
      );
      return el("div", { class: "item" }, look, take);
    }];
  }

  /** Draws rows by key: what is the same stays the same node, so that no tap goes astray. */
  #place(list, rows) {
    const keys = new Set(rows.map(([key]) => key));
    for (const [key, { node }] of this.#rows) {
      if (node.parentNode !== list || keys.has(key)) continue;
      node.remove();
      this.#rows.delete(key);
    }
    rows.forEach(([key, of], at) => {
      const [from, draw] = of();
      const drawn = JSON.stringify(from);
      const old = this.#rows.get(key);
      const node = old?.node ?? el("li", {});
      if (old?.drawn !== drawn) node.replaceChildren(draw());
      this.#rows.set(key, { node, drawn });
      if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null);
    });
  }
}

function saidIn({ text, files, own }, texts) {
  const words = text || (files ? texts.fileSaid : "…");
  return own ? texts.said(words) : words;
}

function action(label, then, kind) {
  const button = el("button", { type: "button", class: kind }, label);
  button.addEventListener("click", then);
  return button;
}
