// What an agent has before them: who they are, their conversations, and who waits. Knows the hub, and no page.

import { Client, surroundings } from "../client/client.js";
import { openStorage } from "../client/storage.js";
import { Api } from "./api.js";
import { Trunk } from "./trunk.js";

const WAITING_MS = 2_000; // the lines are looked at so often while the page is; a claim is seen by others that soon
const DUTY_MS = 10_000;
const FRONT_MS = 60_000; // the hub believes for 150 s that this page is in front
const READ_MS = 1_000;
const COMES_WITHIN_MS = 5_000;
const FIRST = 20; // so many of a line are shown

/** An agent's desk, for a `login` {token, agent}, that calls teams as `language` does. Fires "change", and "ended" {expired} when it can go on no more. */
export class Desk extends EventTarget {
  #clients = new Map(); // conversation → Client
  #opening = new Set(); // whose storage is being read
  #asked = new Map(); // conversation → the seq of the assignment that what is known of it belongs to
  #accepted = new Map();
  #read = new Map(); // conversation → up to which seq the hub knows that the agent has read here
  #timers = new Map();

  constructor({ base, login, language, env = surroundings() }) {
    super();
    this.base = base;
    this.env = env;
    this.id = crypto.randomUUID?.() ?? `${env.random()}`; // of this page, among the agent's
    this.login = login;
    this.name = `kefu-hub ${base} ${login.agent}`;
    this.api = new Api({ base, token: login.token, env });
    this.me = null; // {id, name, display, teams}
    this.duty = null; // {on_duty, because, until_ms, handover_ms}
    this.language = language;
    this.teams = []; // {name, display, …}
    this.replies = []; // {name, text}
    this.colleagues = []; // {name, display, on_duty, load, capacity}
    this.about = new Map(); // conversation → how it stands: {name, no, team, channel, since, on_hold}
    this.waiting = []; // {no, conversation, team, name, since_ms, …} in the order in which they are due
    this.isFull = false; // the lines have more
    this.trunk = new Trunk({ base, token: login.token, seen: () => this.#seen(), env });
    this.trunk.addEventListener("change", () => this.#changed());
    this.trunk.addEventListener("serving", ({ detail }) => this.#serves(detail));
    this.trunk.addEventListener("page", ({ detail }) => this.#clients.get(detail.conversation)?.nudge());
    this.trunk.addEventListener("ended", ({ detail }) => this.#end(detail));
  }

  start() {
    this.trunk.start();
    this.#repeatedly("waiting", WAITING_MS, () => this.#lookAtLines());
    this.#repeatedly("duty", DUTY_MS, () => this.#lookAtDuty());
    this.sayFront();
    this.#once("teams", async () => (this.teams = (await this.api.get("teams")).teams.map((team) => this.#called(team))));
    this.#once("colleagues", () => this.lookAtColleagues());
    this.#once("replies", async () => (this.replies = (await this.api.get("agents/me/replies")).replies));
    this.#once("leftovers", () => this.#openLeftovers());
  }

  /** For good: whoever sits here is another one. */
  stop() {
    for (const timer of this.#timers?.values() ?? []) clearTimeout(timer);
    this.#timers = null;
    this.trunk.stop();
  }

  /** Says whether the page is in front: while it is, nothing is pushed to the agent's phone. */
  sayFront() {
    this.#repeatedly("front", FRONT_MS, () => this.api.post("agents/me/desk", { id: this.id, front: !document.hidden }));
  }

  /** The agent has read a conversation here up to `seq`: their other channels need not show that any more. */
  read(conversation, seq) {
    if (seq <= (this.#read.get(conversation) ?? 0) || !this.isMine(conversation)) return;
    this.#read.set(conversation, seq);
    clearTimeout(this.#timers?.get(`read ${conversation}`));
    const say = () => this.api.post(`conversations/${conversation}/read`, { seq }).catch(() => this.#read.delete(conversation));
    this.#timers?.set(`read ${conversation}`, setTimeout(say, READ_MS));
  }

  /** The person is back at the page, or the network is. */
  nudge() {
    this.trunk.nudge();
    this.look();
  }

  /** Looks at the lines now, because something has just been done. */
  look() {
    this.#repeatedly("waiting", WAITING_MS, () => this.#lookAtLines());
  }

  /** The clients of the agent's conversations, and of those that were theirs while this page was open. */
  get clients() {
    return this.#clients;
  }

  /** Resolves when a conversation that has just been taken is here, or to false when it does not come. */
  async has(conversation) {
    const until = this.env.now() + COMES_WITHIN_MS;
    while (!this.#clients.has(conversation) && this.env.now() < until) {
      await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
    }
    return this.#clients.has(conversation);
  }

  /** What people call an agent (a name, or an entity id) or a team. */
  nameOf(id) {
    const name = id.replace(/^a\d+-/, "");
    const known = this.teams.find((team) => team.name === name) ?? this.colleagues.find((one) => one.name === name);
    return known?.display ?? name;
  }

  isMine(conversation) {
    return this.trunk.serving.has(conversation);
  }

  /** Forgets one that is not theirs any more. */
  dismiss(conversation) {
    if (!this.isMine(conversation)) this.#clients.delete(conversation);
    this.#changed();
  }

  /** The latest events of a conversation, to read only. */
  async transcript(conversation) {
    return (await this.api.get(`conversations/${conversation}/messages`)).events;
  }

  /** Those that were closed with the agent, the latest first, as far as the history has come. */
  async closed(signal) {
    const mine = encodeURIComponent(this.me.name);
    return (await this.api.get(`conversations?stage=closed&agent=${mine}&limit=${FIRST}`, signal)).conversations;
  }

  /** Looks at them again and again, until `signal` is aborted: `seen(closed)`, or `failed(error)`. */
  followClosed(signal, { seen, failed }) {
    const look = async () => {
      if (document.hidden) return;
      try {
        seen(await this.closed(signal));
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        throw error;
      }
    };
    this.#timers?.set("closed", setTimeout(() => this.#repeatedly("closed", WAITING_MS, look), WAITING_MS));
    signal.addEventListener("abort", () => this.#cease("closed"));
  }

  // --- what the agent does; each throws what api.js says ---

  take(conversation) {
    return this.#act(this.api.post(`conversations/${conversation}/take`));
  }

  next() {
    return this.#act(this.api.post("queues/next"));
  }

  transfer(conversation, to) {
    return this.#act(this.api.post(`conversations/${conversation}/transfer`, to));
  }

  /** `seen`: the last seq that the agent had before them; the hub refuses where the visitor has written more. */
  close(conversation, because, seen) {
    return this.#act(this.api.post(`conversations/${conversation}/close`, { because, seen }));
  }

  hold(conversation, on) {
    return this.#act(this.api.post(`conversations/${conversation}/hold`, { on }));
  }

  note(conversation, text) {
    return this.#act(this.api.post(`conversations/${conversation}/notes`, { text }));
  }

  correct(conversation, seq, text) {
    return this.#act(this.api.patch(`conversations/${conversation}/messages/${seq}`, { text }));
  }

  recall(conversation, seq) {
    return this.#act(this.api.remove(`conversations/${conversation}/messages/${seq}`));
  }

  async setDuty(on) {
    await this.#act(this.api.post(`agents/${this.me.name}/duty`, { on }));
    await this.#lookAtDuty();
  }

  /** The agent looks at it: the hub need not find somebody else. Said once an assignment. */
  async accept(conversation) {
    const { events } = this.#clients.get(conversation).session.timeline;
    const assigned = events.findLast(({ kind }) => kind === "assigned")?.seq ?? 0;
    const isSaid = events.some(({ kind, seq }) => seq > assigned && (kind === "accepted" || kind === "answer"));
    if (!assigned || isSaid || this.#accepted.get(conversation) === assigned) return;
    this.#accepted.set(conversation, assigned);
    await this.api.post(`conversations/${conversation}/accept`).catch(() => this.#accepted.delete(conversation));
  }

  async #act(call) {
    try {
      return await call;
    } finally {
      this.look();
    }
  }

  // --- conversations ---

  #seen() {
    const known = [...this.#clients].filter(([, { session }]) => session.epoch === this.trunk.epoch);
    return Object.fromEntries(known.map(([conversation, { session }]) => [conversation, session.timeline.solid]));
  }

  async #serves({ conversation, on }) {
    if (on) await this.#open(conversation);
    this.look();
    this.#changed();
  }

  async #open(conversation) {
    if (this.#clients.has(conversation) || this.#opening.has(conversation)) return;
    this.#opening.add(conversation);
    const client = new Client({
      base: this.base,
      says: "answer",
      name: this.name,
      key: conversation,
      tokens: { get: async () => ({ token: this.login.token, conversation }) },
      env: { ...this.env, WebSocket: this.trunk.socketFor(conversation) },
    });
    await client.load();
    this.#opening.delete(conversation);
    this.#clients.set(conversation, client);
    client.addEventListener("change", () => this.#follow(conversation, client));
    client.start();
  }

  /** What was written in conversations that are others' now comes back to the person; the rest is forgotten. */
  async #openLeftovers() {
    if (this.trunk.phase !== "live") throw new Error("whose they are is not known yet");
    const storage = await openStorage(this.name, this.env.indexedDB, "");
    for (const key of await storage.keys()) {
      if (this.#clients.has(key)) continue;
      const own = await openStorage(this.name, this.env.indexedDB, key);
      if ((await own.read()).entries.length) await this.#open(key);
      else await own.forget();
    }
  }

  #follow(conversation, { session }) {
    const assigned = session.timeline.events.findLast(({ kind }) => kind === "assigned" || kind === "hold")?.seq ?? 0;
    if (session.phase === "live" && this.#asked.get(conversation) !== assigned && this.isMine(conversation)) {
      this.#asked.set(conversation, assigned);
      this.#once(`about ${conversation}`, async () => {
        this.about.set(conversation, await this.api.get(`conversations/${conversation}`));
      });
    }
    this.#changed();
  }

  // --- looking at the hub ---

  async #lookAtDuty() {
    this.me ??= await this.api.get("agents/me");
    this.duty = await this.api.get(`agents/${this.me.name}/duty`);
    this.#changed();
  }

  #called(team) {
    return this.language === "zh" ? team : { ...team, display: team.display_en || team.display };
  }

  async lookAtColleagues() {
    this.colleagues = (await this.api.get("agents?limit=500")).agents;
    this.#changed();
  }

  async #lookAtLines() {
    if (document.hidden) return;
    this.me ??= await this.api.get("agents/me");
    const { queues } = await this.api.get("queues");
    const lines = queues.filter(({ name, waiting }) => waiting && this.me.teams.includes(name));
    const pages = await Promise.all(lines.map(({ name }) => this.api.get(`queues/${name}?limit=${FIRST}`)));
    const rows = pages.flatMap(({ waiting }) => waiting);
    this.isFull = pages.some(({ cursor }) => cursor);
    const once = new Map(rows.map((row) => [row.conversation, row])); // one may stand in several lines
    this.waiting = [...once.values()].sort((a, b) => b.priority - a.priority || a.turn - b.turn);
    this.#changed();
  }

  /** Now, and again `pause` after each answer. */
  async #repeatedly(name, pause, look) {
    clearTimeout(this.#timers?.get(name));
    const round = {};
    this.#timers?.set(`${name} round`, round);
    try {
      await look();
    } catch (error) {
      this.#failed(error);
    }
    if (this.#timers?.get(`${name} round`) !== round) return; // another one has begun, or it is over
    this.#timers.set(name, setTimeout(() => this.#repeatedly(name, pause, look), pause));
  }

  #cease(name) {
    clearTimeout(this.#timers?.get(name));
    this.#timers?.delete(`${name} round`);
  }

  /** Again and again until it is answered. */
  async #once(name, ask) {
    try {
      await ask();
      this.#changed();
    } catch (error) {
      this.#failed(error);
      if (error.status >= 400 && error.status < 500) return;
      clearTimeout(this.#timers?.get(name));
      this.#timers?.set(name, setTimeout(() => this.#once(name, ask), WAITING_MS));
    }
  }

  #failed({ status }) {
    if (status === 401) this.#end({ expired: true });
  }

  #end(detail) {
    if (!this.#timers) return;
    this.stop();
    this.dispatchEvent(new CustomEvent("ended", { detail }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
