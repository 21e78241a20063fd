// The page of agents: who is not logged in logs in, who is has a list, and a conversation beside or over it.

import { surroundings } from "../client/client.js";
import { el } from "../client/elements.js";
import { spanOf } from "../client/plain.js";
import { fitViewport } from "../client/viewport.js";
import { Desk } from "./desk.js";
import { List } from "./list.js";
import { loginView } from "./login.js";
import { openPast, openTranscript } from "./past.js";
import { Toast } from "./sheet.js";
import { textsFor } from "./texts.js";
import { Thread } from "./thread.js";

const BASE = new URL("..", import.meta.url).href;
const KEPT = "kefu-hub agent";
const CLOCK_MS = 5_000; // how long somebody waits is shown so exactly

const texts = textsFor(new URLSearchParams(location.search).get("lang") || navigator.language);
const host = document.querySelector("main");
const env = surroundings();
document.documentElement.lang = texts.language;
document.title = texts.title;
fitViewport(host);

function start(login, notice = "") {
  if (login) new Page(login).start();
  else host.replaceChildren(loginView({ base: BASE, env, texts, notice, entered: enter }));
}

function enter({ token, agent }) {
  writeLogin({ token, agent });
  start({ token, agent });
}

/** What a logged-in agent sees. */
class Page {
  #drawing = false;
  #leaving = new AbortController();

  constructor(login) {
    this.desk = new Desk({ base: BASE, login, language: texts.short, env });
    this.toast = new Toast();
    this.thread = null;
    this.list = new List({
      desk: this.desk,
      texts,
      onOpen: (conversation) => this.#open(conversation),
      doing: {
        take: (conversation) => this.#take(this.desk.take(conversation)),
        look: (conversation, name) => this.#look(conversation, name, () => this.#take(this.desk.take(conversation))),
        past: () => this.#past(),
        next: () => this.#take(this.desk.next()),
        duty: (on) => this.#duty(on),
        logOut: () => this.#end(""),
      },
    });
    this.none = el("p", { class: "none" }, texts.pick);
    this.element = el("div", { class: "desk" }, this.list.element, this.none, this.toast.element);
    this.desk.addEventListener("change", () => this.#draw());
    this.desk.addEventListener("ended", ({ detail }) => (detail.expired ? this.#end(texts.expired) : this.#tooOld()));
  }

  start() {
    host.replaceChildren(this.element);
    const { signal } = this.#leaving;
    for (const [target, type] of [[window, "online"], [window, "pageshow"], [document, "visibilitychange"]]) {
      target.addEventListener(type, () => document.visibilityState === "visible" && this.desk.nudge(), { signal });
    }
    document.addEventListener("visibilitychange", () => this.desk.sayFront(), { signal });
    window.addEventListener("offline", () => this.#draw(), { signal });
    window.addEventListener("popstate", () => this.#show(history.state?.conversation), { signal });
    const clock = setInterval(() => this.#draw(), CLOCK_MS);
    signal.addEventListener("abort", () => clearInterval(clock));
    this.desk.start();
    this.#draw();
  }

  // --- which conversation is shown ---

  #open(conversation) {
    if (this.thread?.conversation === conversation) return;
    if (this.thread) history.replaceState({ conversation }, "");
    else history.pushState({ conversation }, "");
    this.#show(conversation);
  }

  #show(conversation) {
    if (this.thread?.conversation === conversation) return;
    const before = this.thread?.conversation;
    this.thread?.element.remove();
    this.thread = null;
    if (before && !this.desk.isMine(before)) this.desk.dismiss(before);
    if (conversation && this.desk.clients.has(conversation)) this.#showThread(conversation);
    this.element.classList.toggle("opened", this.thread !== null);
    this.none.hidden = this.thread !== null;
    this.#draw();
  }

  #showThread(conversation) {
    this.thread = new Thread({
      desk: this.desk,
      conversation,
      texts,
      toast: this.toast,
      onBack: () => history.back(),
      onChange: () => this.#draw(),
      attempt: (done) => this.#attempt(done),
    });
    this.none.before(this.thread.element);
  }

  // --- what the agent does ---

  async #take(taking) {
    const taken = await this.#attempt(taking);
    if (!taken) return;
    if (await this.desk.has(taken.id)) this.#open(taken.id);
  }

  #look(conversation, name, take) {
    return this.#attempt(openTranscript(this.element, { desk: this.desk, texts, conversation, name, take }));
  }

  #past() {
    const open = (...one) => this.#look(...one);
    return this.#attempt(openPast(this.element, { desk: this.desk, texts, wordsFor, open }));
  }

  async #duty(on) {
    const open = [...this.desk.clients.keys()].filter((each) => this.desk.isMine(each)).length;
    await this.#attempt(this.desk.setDuty(on));
    if (!on && open) this.toast.say(texts.handover(open));
  }

  /** Resolves to what comes of it; null where the person has been told that nothing did. */
  async #attempt(doing) {
    try {
      return (await doing) ?? {};
    } catch (error) {
      this.toast.say(wordsFor(error));
      return null;
    }
  }

  #tooOld() {
    this.toast.say(texts.tooOld);
    const button = el("button", { type: "button", class: "primary" }, texts.reload);
    button.addEventListener("click", () => location.reload());
    this.toast.element.append(" ", button);
  }

  #end(notice) {
    this.#leaving.abort();
    this.desk.stop();
    writeLogin(null);
    start(null, notice);
  }

  #draw() {
    if (this.#drawing || this.#leaving.signal.aborted) return;
    this.#drawing = true;
    const draw = () => {
      this.#drawing = false;
      if (this.#leaving.signal.aborted) return;
      this.list.draw(this.thread?.conversation);
      this.thread?.draw();
    };
    if (document.hidden) setTimeout(draw, 100); // no animation frames there
    else requestAnimationFrame(draw);
  }
}

/** What a person is told of an error. */
function wordsFor({ status, code, message, by, since }) {
  if (!status) return texts.unreachable;
  if (by) return texts.taken(by, since ? texts.ago(spanOf(Date.now() - since, texts)) : "");
  return { nobody_waits: texts.nobodyWaits, not_found: texts.gone, unread: texts.unread }[code] ?? texts.failed(message);
}

function readLogin() {
  try {
    return JSON.parse(localStorage.getItem(KEPT));
  } catch {
    return null; // storage is blocked, or holds something else
  }
}

function writeLogin(login) {
  try {
    if (login) localStorage.setItem(KEPT, JSON.stringify(login));
    else localStorage.removeItem(KEPT);
  } catch {
    // storage is blocked: a reload asks for the password again
  }
}

start(readLogin());
