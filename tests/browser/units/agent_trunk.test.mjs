// One socket for many conversations: whatever comes first, each client sees a socket of its own that makes sense.

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import { Trunk } from "../../../hub/api/static/agent/trunk.js";

const C = "c1-x";
const page = (frame) => ({ t: "page", c: C, after: 0, before: 3, events: [{ seq: 1, prev: 0 }, { seq: 2, prev: 1 }], ...frame });
const settled = () => new Promise((resolve) => setImmediate(resolve));

let running = null; // the trunk of the test, whose timers would keep node alive
afterEach(() => {
  running?.stop();
  mock.timers.reset();
});

function world({ seen = {} } = {}) {
  const sockets = [];
  class Socket {
    sent = [];
    constructor() {
      sockets.push(this);
    }
    send(data) {
      this.sent.push(JSON.parse(data));
    }
    close() {}
    hear(frame) {
      this.onmessage({ data: JSON.stringify(frame) });
    }
  }
  const env = { WebSocket: Socket, now: () => Date.now(), random: () => 0 };
  const trunk = new Trunk({ base: "http://hub.test/", token: "t", seen: () => seen, env });
  running = trunk;
  const told = [];
  for (const type of ["serving", "page", "ended"]) trunk.addEventListener(type, ({ detail }) => told.push([type, detail]));
  return { trunk, sockets, told };
}

/** A connected trunk that serves C, and its client's socket, which has said hello. */
async function connected({ greet = true, ...options } = {}) {
  const { trunk, sockets, told } = world(options);
  trunk.start();
  const [real] = sockets;
  real.onopen();
  real.hear({ t: "welcome", v: 1, agent: "a1-zhao", epoch: 4, window: 64, conversations: [C] });
  const client = join(trunk);
  if (greet) real.hear(page());
  await settled();
  return { trunk, real, sockets, told, client };
}

/** A client of C: what it hears, and `opened`; it says hello as soon as it may. */
function join(trunk, hello = { t: "hello", v: 1, epoch: 0, seq: 0 }) {
  const client = { heard: [], opened: 0, closed: 0 };
  const socket = new (trunk.socketFor(C))();
  socket.onopen = () => {
    client.opened += 1;
    socket.send(JSON.stringify(hello));
  };
  socket.onmessage = ({ data }) => client.heard.push(JSON.parse(data));
  socket.onclose = () => (client.closed += 1);
  client.say = (frame) => socket.send(JSON.stringify(frame));
  return client;
}

test("a client is welcomed with its first page, and only when that is here", async () => {
  const { client, real } = await connected({ greet: false });
  assert.equal(client.opened, 0);
  real.hear(page());
  await settled();
  assert.deepEqual(client.heard, [
    { t: "welcome", v: 1, epoch: 4, seq: 2, resumed: true, events: page().events, window: 64, tabs: {} },
  ]);
});

test("what is pushed before the page comes after it", async () => {
  const { client, real } = await connected({ greet: false });
  real.hear({ t: "event", c: C, seq: 3, prev: 2 });
  real.hear(page());
  await settled();
  assert.deepEqual(client.heard.map(({ t }) => t), ["welcome", "event"]);
});

test("frames bear the conversation's name, and pings are the trunk's own", async () => {
  const { client, real } = await connected();
  client.say({ t: "send", id: "k.1", text: "a" });
  client.say({ t: "ping" });
  await settled();
  assert.deepEqual(real.sent.at(-1), { t: "send", id: "k.1", text: "a", c: C });
  assert.deepEqual(client.heard.at(-1), { t: "pong" });
});

test("a client that comes back by itself gets what it lacks", async () => {
  const { trunk, real } = await connected();
  const again = join(trunk, { t: "hello", v: 1, epoch: 4, seq: 2 });
  await settled();
  assert.deepEqual(real.sent.at(-1), { t: "range", c: C, after: 2, before: Number.MAX_SAFE_INTEGER });
  real.hear(page({ after: 2, before: Number.MAX_SAFE_INTEGER, events: [{ seq: 5, prev: 4 }] }));
  await settled();
  assert.deepEqual([again.heard[0].t, again.heard[0].seq], ["welcome", 5]);
});

test("a cut is a cut for every client, and the trunk says what is known when it comes back", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { client, real, sockets } = await connected({ seen: { [C]: 2 } });
  real.onclose({ code: 1006 });
  assert.equal(client.closed, 1);
  mock.timers.tick(500);
  sockets[1].onopen();
  assert.deepEqual(sockets[1].sent[0], { t: "hello", v: 1, token: "t", epoch: 4, seen: { [C]: 2 } });
});

test("what is said in a conversation that is another's now is refused, and reaches nobody", async () => {
  const { trunk, real, client, told } = await connected();
  real.hear({ t: "serving", c: C, on: false });
  assert.equal(client.closed, 1);
  const again = join(trunk, { t: "hello", v: 1, epoch: 4, seq: 2 });
  await settled();
  const before = real.sent.length;
  again.say({ t: "send", id: "k.1", text: "a" });
  await settled();
  assert.equal(real.sent.length, before);
  assert.deepEqual(again.heard.map(({ t, do: what }) => what ?? t), ["welcome", "drop"]);
  assert.deepEqual(told.at(-1), ["serving", { conversation: C, on: false }]);
});

test("what was lost and found during a cut is told", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { real, sockets, told } = await connected();
  real.onclose({ code: 1006 });
  mock.timers.tick(500);
  sockets[1].onopen();
  sockets[1].hear({ t: "welcome", v: 1, agent: "a1-zhao", epoch: 4, window: 64, conversations: ["c2-y"] });
  const changes = told.filter(([type]) => type === "serving").slice(-2);
  assert.deepEqual(changes.map(([, { conversation, on }]) => [conversation, on]), [[C, false], ["c2-y", true]]);
});

for (const [code, expired] of [[4401, true], [4503, true], [4505, false]]) {
  test(`after ${code} nobody comes back`, async () => {
    const { trunk, real, sockets, told } = await connected();
    real.onclose({ code });
    assert.deepEqual(told.at(-1), ["ended", { expired }]);
    trunk.nudge();
    assert.equal(sockets.length, 1);
  });
}
