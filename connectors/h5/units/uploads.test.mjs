// Uploads and links: in order, again after whatever failed, and no more than once at a time.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Links } from "../../../hub/api/static/client/links.js";
import { Uploads } from "../../../hub/api/static/client/uploads.js";

const file = (id, place = 1) => ({ id, place, name: `${id}.png`, type: "image/png", size: 9 });
const TICKET = { status: 201, body: { url: "/files/t" }, retryAfter: 0 };
const DONE = { status: 201, body: { attachment: {}, claim: "!" }, retryAfter: 0 };

/** Lets what is promised happen, then the time pass. */
async function pass(ms = 0) {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  mock.timers.tick(ms);
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** A hub whose answers to PUTs are given in order; a function is called with what put() gets. */
function world(...answers) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const told = [];
  const hub = {
    tickets: [],
    ticket: async (each) => (hub.tickets.push(each.id), hub.refusal ?? TICKET),
    put: async (url, each, how) => {
      told.push(`put ${each.id}`);
      const answer = answers.shift() ?? DONE;
      return typeof answer === "function" ? answer(how) : answer;
    },
    progress: () => {},
    claimed: async ({ id }) => told.push(`claimed ${id}`),
    refused: async ({ id }, { code }) => told.push(`refused ${id}: ${code}`),
  };
  const uploads = new Uploads(hub, { now: () => Date.now(), random: () => 1 });
  return { hub, told, uploads, show: (...files) => uploads.show(files, () => true, true) };
}

function check(name, body) {
  test(name, async () => {
    try {
      await body();
    } finally {
      mock.timers.reset();
    }
  });
}

check("files go one after the other, in order", async () => {
  const { told, show } = world();
  show(file("a"), file("b"));
  await pass();
  assert.deepEqual(told, ["put a", "claimed a", "put b", "claimed b"]);
});

check("nothing is uploaded before the hub can be reached", async () => {
  const { hub, uploads } = world();
  uploads.show([file("a")], () => true, false);
  await pass(60_000);
  assert.deepEqual(hub.tickets, []);
});

check("after a cut, a 503 and an expired ticket it is tried again, each time with a new ticket and later", async () => {
  const cut = () => Promise.reject(new Error("cut"));
  const { hub, told, show } = world(cut, { status: 503, body: null, retryAfter: 7 }, { status: 410, body: {}, retryAfter: 0 });
  show(file("a"));
  await pass(499);
  assert.deepEqual(hub.tickets, ["a"]);
  await pass(1);
  assert.deepEqual(hub.tickets, ["a", "a"]);
  await pass(6_999);
  assert.equal(hub.tickets.length, 2, "the hub has asked for 7 s");
  await pass(1);
  await pass(2_000);
  assert.deepEqual(told, ["put a", "put a", "put a", "put a", "claimed a"]);
});

check("a network that is back makes it try at once", async () => {
  const { hub, uploads } = world(...Array.from({ length: 6 }, () => () => Promise.reject(new Error("cut"))));
  uploads.show([file("a")], () => true, true);
  for (let time = 0; time < 20; time += 1) await pass(500);
  const before = hub.tickets.length;
  uploads.show([file("a")], () => true, false);
  uploads.show([file("a")], () => true, true);
  await pass();
  assert.equal(hub.tickets.length, before + 1);
});

for (const [status, body, code] of [[413, { code: "too_big" }, "too_big"], [415, { code: "type" }, "type"], [413, null, "too_big"]]) {
  check(`${status} with ${JSON.stringify(body)} is for good, and the next file goes on`, async () => {
    const { told, show } = world({ status, body, retryAfter: 0 });
    show(file("a"), file("b"));
    await pass();
    assert.deepEqual(told, ["put a", `refused a: ${code}`, "put b", "claimed b"]);
  });
}

check("what is refused with its ticket is not uploaded", async () => {
  const { hub, told, show } = world();
  hub.refusal = { status: 413, body: { code: "too_big", detail: "" }, retryAfter: 0 };
  show(file("a"));
  await pass();
  assert.deepEqual(told, ["refused a: too_big"]);
});

check("an upload that stalls for 20 s is begun again", async () => {
  const hang = ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stalled"))));
  const { told, show } = world(hang);
  show(file("a"));
  await pass(19_999);
  assert.deepEqual(told, ["put a"]);
  await pass(1);
  await pass(500);
  assert.deepEqual(told, ["put a", "put a", "claimed a"]);
});

check("a file that is withdrawn in the middle is let go", async () => {
  const hang = ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("let go"))));
  const { told, show } = world(hang);
  show(file("a"), file("b"));
  await pass();
  show(file("b"));
  await pass();
  await pass(500);
  assert.deepEqual(told, ["put a", "put b", "claimed b"]);
});

check("what another page has chosen is left to it while it uploads, and taken over 3 s later", async () => {
  const { hub, uploads } = world();
  uploads.show([file("a")], () => false, true);
  await pass(2_000);
  uploads.elsewhere("a");
  await pass(2_999);
  assert.deepEqual(hub.tickets, []);
  await pass(1);
  assert.deepEqual(hub.tickets, ["a"]);
});

function linksWith(...answers) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const asked = [];
  const ask = async (keys) => {
    asked.push(keys);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer ?? Object.fromEntries(keys.map((key) => [key, `/files/${key}`]));
  };
  return { asked, links: new Links(ask, { now: () => Date.now(), random: () => 1 }) };
}

check("links of what comes into sight together are asked for together, and kept for 9 minutes", async () => {
  const { asked, links } = linksWith();
  const both = [links.get("a"), links.get("b"), links.get("a")];
  await pass(60);
  assert.deepEqual(await Promise.all(both), ["/files/a", "/files/b", "/files/a"]);
  await links.get("a");
  assert.ok(links.isGood("a"));
  await pass(9 * 60_000);
  assert.ok(!links.isGood("a"));
  links.get("a");
  await pass(60);
  assert.deepEqual(asked, [["a", "b"], ["a"]]);
});

check("a file that is gone has no link, and a hub in trouble is asked again", async () => {
  const { asked, links } = linksWith(new Error("503"), {});
  const link = links.get("a");
  await pass(60);
  await pass(500);
  assert.equal(await link, "");
  assert.equal(asked.length, 2);
});

check("a link that does not work is forgotten, one that is being asked for is not", async () => {
  const { asked, links } = linksWith();
  const link = links.get("a");
  links.forget("a");
  await pass(60);
  assert.equal(await link, "/files/a");
  links.forget("a");
  links.get("a");
  await pass(60);
  assert.equal(asked.length, 2);
});

check("more than 100 are asked for in parts", async () => {
  const { asked, links } = linksWith();
  for (let n = 0; n < 150; n += 1) links.get(`k${n}`);
  await pass(60);
  await pass(60);
  assert.deepEqual(asked.map((keys) => keys.length), [100, 50]);
});
