// What is shown, for events and unsent texts as they may come.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inkOn, linksIn, moment, sizeOf, stamp } from "../../../hub/api/static/client/plain.js";
import { Session } from "../../../hub/api/static/client/session.js";
import { rowsOf, standingOf } from "../static/rows.js";
import { textsFor } from "../static/texts.js";

const MINUTE = 60_000;
const NOW = new Date(2026, 10, 23, 14, 5).getTime();

function sessionWith(events, entries = []) {
  const session = new Session(() => 0.5);
  session.timeline.open(events.map((event, at) => ({ at: NOW, seq: at + 2, prev: at && at + 1, ...event })), 0);
  session.entries = entries;
  session.phase = "live";
  return session;
}

const kinds = (rows) => rows.map((row) => row.notice ?? row.note ?? row.kind);

test("a time stamp stands after five silent minutes, and only there", () => {
  const said = (at) => ({ kind: "answer", by: "小王", text: "a", at });
  const rows = rowsOf(sessionWith([said(NOW), said(NOW + 2 * MINUTE), said(NOW + 8 * MINUTE)]));
  assert.deepEqual(rows.map(({ kind }) => kind), ["time", "other", "other", "time", "other"]);
  assert.deepEqual(rows.filter(({ kind }) => kind === "other").map(({ first }) => first), [true, false, true]);
});

test("an own text keeps its key when it is acknowledged", () => {
  const unsent = rowsOf(sessionWith([], [{ tab: "k", n: 1, text: "a", at: NOW, stored: 0 }]));
  const stored = rowsOf(sessionWith([{ kind: "message", id: "k.1", text: "a" }]));
  assert.deepEqual(unsent.map(({ key }) => key), stored.map(({ key }) => key));
  assert.equal(unsent[1].pending, true);
});

for (const [name, ruling, note] of [["is held", [], "held"], ["was released", ["released"], ""], ["was rejected", ["rejected"], "rejected"]]) {
  test(`a held text that ${name}`, () => {
    const rulings = ruling.map((kind) => ({ kind, ref: 2 }));
    const [, row] = rowsOf(sessionWith([{ kind: "message", id: "k.1", text: "a", status: "held" }, ...rulings]));
    assert.equal(row.note, note);
  });
}

test("of the waiting notices only the last is shown, and none after an answer", () => {
  const waiting = (position) => ({ kind: "waiting", position, on_duty: true });
  const rows = rowsOf(sessionWith([waiting(3), waiting(2)]));
  assert.deepEqual(rows.filter(({ kind }) => kind === "notice").map(({ position }) => position), [2]);
  const answered = rowsOf(sessionWith([waiting(2), { kind: "answer", by: "小王", text: "a" }]));
  assert.deepEqual(kinds(answered), ["time", "other"]);
});

test("the choices of the last reply are offered until somebody writes", () => {
  const reply = { kind: "reply", text: "哪一种？", choices: ["退货", "换货"] };
  const choices = (events, entries) => rowsOf(sessionWith(events, entries)).find(({ kind }) => kind === "choices")?.choices;
  assert.deepEqual(choices([reply]), ["退货", "换货"]);
  assert.deepEqual(choices([reply, { kind: "waiting", position: 1, on_duty: true }]), ["退货", "换货"]);
  assert.equal(choices([reply], [{ tab: "k", n: 1, text: "退货", at: NOW, stored: 0 }]), undefined);
  assert.equal(choices([reply, { kind: "message", id: "k.1", text: "退货" }]), undefined);
  assert.equal(choices([reply, { kind: "answer", by: "小王", text: "您好" }]), undefined);
  assert.equal(choices([reply, { kind: "reply", text: "好的" }]), undefined);
});

test("a file keeps its row when it is uploaded and when its message is acknowledged", () => {
  const file = { id: "p", name: "a.png", type: "image/png", size: 9 };
  const sent = { ...file, key: "c1-x.k", claim: "!" };
  const entry = (files) => [{ tab: "k", n: 1, text: "", files: [files], at: NOW, stored: 0 }];
  const [chosen, uploaded] = [file, sent].map((each) => rowsOf(sessionWith([], entry(each)))[1]);
  const [, stored] = rowsOf(sessionWith([{ kind: "message", id: "k.1", text: "", files: [sent] }]));
  assert.deepEqual(new Set([chosen.key, uploaded.key, stored.key]), new Set(["k.1"]));
  assert.deepEqual(stored.files, [{ ...file, key: "c1-x.k" }], "a claim is not to be drawn");
});

test("a file that the hub does not take stays in sight, below all else", () => {
  const file = { id: "p", name: "a.png", type: "image/png", size: 9, because: { code: "type", detail: "" } };
  const rows = rowsOf(sessionWith([{ kind: "message", id: "k.1", text: "a" }]), [file]);
  assert.deepEqual(rows[rows.length - 1].files, [file]);
  assert.equal(rows[rows.length - 1].note, "refused");
});

test("an edited message is no ruling on it", () => {
  const [, row] = rowsOf(sessionWith([{ kind: "message", id: "k.1", text: "a" }, { kind: "edited", ref: 2, text: "b" }]));
  assert.equal(row.note, "");
});

test("an answer that was taken back leaves a notice in its place", () => {
  const answers = ["a", "b"].map((text) => ({ kind: "answer", by: "小王", text }));
  const rows = rowsOf(sessionWith([...answers, { kind: "recalled", ref: 2, by: "小王" }]));
  assert.deepEqual(kinds(rows), ["time", "recalled", "other"]);
  assert.equal(rows[1].key, rowsOf(sessionWith(answers))[1].key, "nothing jumps");
  assert.equal(JSON.stringify(rows[1]).includes('"a"'), false);
  assert.equal(textsFor("zh")[rows[1].notice], "这条消息已撤回");
});

test("a corrected answer reads as it was corrected last, and after a reload the same", () => {
  const file = { key: "c1-x.k", name: "a.png", type: "image/png", size: 9 };
  const edits = [{ kind: "edited", ref: 2, text: "" }, { kind: "edited", ref: 2, text: "b", files: [file] }];
  const live = rowsOf(sessionWith([{ kind: "answer", by: "小王", text: "a", files: [file] }, ...edits]));
  const reloaded = rowsOf(sessionWith([{ kind: "answer", by: "小王" }, ...edits]));
  const { text, note, files } = live[1];
  assert.deepEqual([text, note, files.map(({ name }) => name)], ["b", "edited", ["a.png"]]);
  assert.deepEqual(live, reloaded, "the hub withholds what the answer said before");
});

test("what was corrected and then taken back is gone, whatever comes in which order", () => {
  const rows = rowsOf(sessionWith([
    { kind: "answer", by: "小王" }, { kind: "edited", ref: 2 }, { kind: "recalled", ref: 2 }, { kind: "message", id: "k.1", text: "c" },
  ]));
  assert.deepEqual(kinds(rows), ["time", "recalled", ""]);
});

for (const [bytes, size] of [[0, "0.1 KB"], [29, "0.1 KB"], [3_500, "3.4 KB"], [482_133, "471 KB"], [20 * 2 ** 20, "20 MB"]]) {
  test(`${bytes} bytes are ${size}`, () => assert.equal(sizeOf(bytes), size));
}

test("only the newest own text can say that it was read", () => {
  const session = sessionWith([{ kind: "message", id: "k.1", text: "a" }, { kind: "message", id: "k.2", text: "b" }]);
  session.theirReadSeq = 3;
  assert.deepEqual(rowsOf(session).map(({ note }) => note), [undefined, "", "read"]);
});

for (const [events, expected] of [
  [[], "ready"],
  [[{ kind: "waiting", position: 2, on_duty: true }], "inQueue"],
  [[{ kind: "waiting", position: 1 }], "offDuty"],
  [[{ kind: "waiting", position: 1, on_duty: true }, { kind: "answer", by: "小王" }], "served"],
  [[{ kind: "answer", by: "小王" }, { kind: "closed" }], "ended"],
]) {
  test(`the line below the title says ${expected}`, () => assert.equal(standingOf(sessionWith(events), true).text, expected));
}

test("the line below the title says when there is no network, and when there is no hub", () => {
  const session = sessionWith([]);
  session.phase = "waiting";
  assert.equal(standingOf(session, false).text, "offline");
  assert.equal(standingOf(session, true).text, "connecting");
  session.epoch = 1;
  assert.equal(standingOf(session, true).text, "reconnecting");
});

for (const [text, urls] of [
  ["看 https://shop.example.com/a?b=1。谢谢", ["https://shop.example.com/a?b=1"]],
  ["(see http://a.example/x).", ["http://a.example/x"]],
  ["www.example.com,and more", ["https://www.example.com"]],
  ["https://a.example:8080/x?y#z: yes", ["https://a.example:8080/x?y#z"]],
  ["javascript:alert(1) data:text/html,x", []],
  ["https://", []],
  ["https://u:p@evil.example/", []],
]) {
  test(`links in ${text}`, () => {
    const pieces = linksIn(text);
    assert.deepEqual(pieces.filter(({ url }) => url).map(({ url }) => url), urls);
    assert.equal(pieces.map((piece) => piece.text).join(""), text, "no character is lost");
  });
}

test("ink on any colour has a contrast of at least 4.5", () => {
  assert.equal(inkOn("#ffffff"), "#000000");
  assert.equal(inkOn("#087a4b"), "#ffffff");
});

test("both languages say the same things", () => {
  const zh = textsFor("zh-TW");
  const en = textsFor("fr");
  assert.deepEqual(Object.keys(zh), Object.keys(en));
  for (const name of Object.keys(zh)) assert.equal(typeof zh[name], typeof en[name], name);
});

test("times read as in a messenger", () => {
  const zh = textsFor("zh");
  assert.equal(stamp(NOW, NOW, zh), "14:05");
  assert.equal(stamp(NOW - 1440 * MINUTE, NOW, zh), "昨天 14:05");
  assert.equal(stamp(NOW - 3 * 1440 * MINUTE, NOW, zh), "星期五 14:05");
  assert.equal(stamp(NOW - 300 * 1440 * MINUTE, NOW, textsFor("en")), "January 27 14:05");
});

const notices = (events, entries) => rowsOf(sessionWith(events, entries)).filter(({ kind }) => kind === "notice");

for (const [name, event, notice] of [
  ["somebody is there", { on_duty: true }, "waiting"],
  ["the line is full", { on_duty: true, full: true }, "full"],
  ["nobody is there", {}, "nobody"],
  ["nobody is there for a full line", { full: true }, "nobody"],
]) {
  test(`who waits where ${name} reads so`, () => {
    assert.deepEqual(notices([{ kind: "waiting", position: 3, ...event }]).map((row) => row.notice), [notice]);
  });
}

for (const [low_s, high_s, minutes, zh, en] of [
  [5, 45, [0, 1], "预计不到 1 分钟", "Less than a minute"],
  [170, 290, [2, 5], "预计约 2–5 分钟", "About 2–5 minutes"],
  [30, 200, [0, 4], "预计 4 分钟以内", "Within 4 minutes"],
  [600, 600, [10, 10], "预计 10 分钟以内", "Within 10 minutes"],
  [500, 700, [5, 15], "预计约 5–15 分钟", "About 5–15 minutes"],
  [undefined, undefined, null, "客服正忙，请稍候", "Everybody is busy, one moment please"],
]) {
  test(`a wait of ${low_s} to ${high_s} s reads ${en}`, () => {
    const [row] = notices([{ kind: "waiting", position: 3, on_duty: true, low_s, high_s }]);
    assert.deepEqual(row.minutes, minutes);
    assert.deepEqual(textsFor("zh").waiting(row), ["您前面还有 2 位", zh]);
    assert.deepEqual(textsFor("en").waiting(row), ["2 people are before you", en]);
  });
}

test("who is asked whether they are there is asked until anybody writes", () => {
  const nudged = { kind: "nudged", seconds: 300 };
  const [row] = notices([{ kind: "answer", by: "小王", text: "a" }, nudged]);
  assert.deepEqual([row.notice, row.until], ["nudged", NOW + 300_000]);
  assert.deepEqual(notices([nudged], [{ tab: "k", n: 1, text: "在", at: NOW, stored: 0 }]), [], "before it is sent");
  for (const kind of ["message", "answer"]) assert.deepEqual(notices([nudged, { kind, text: "b" }]), []);
  assert.deepEqual(notices([nudged, nudged]).length, 1);
});

test("who was closed for silence reads why, and nothing of the question before", () => {
  const rows = notices([{ kind: "nudged", seconds: 300 }, { kind: "closed", because: "idle" }, { kind: "closed" }]);
  assert.deepEqual(rows.map(({ notice }) => notice), ["idle", "closed"]);
});

test("a moment to come reads by its day, in this place's time", () => {
  const at = (day, hour) => new Date(2026, 10, day, hour).getTime(); // the 23rd is a Monday
  const reads = (at, language) => moment(at, NOW, textsFor(language));
  assert.deepEqual([at(23, 18), at(24, 9), at(25, 9), at(28, 9)].map((each) => reads(each, "zh")),
    ["今天 18:00", "明天 09:00", "后天 09:00", "星期六 09:00"]);
  assert.deepEqual([at(23, 18), at(24, 9), at(25, 9), at(33, 9)].map((each) => reads(each, "en")),
    ["today 18:00", "tomorrow 09:00", "Wednesday 09:00", "December 3 09:00"]);
  assert.equal(reads(at(24, 0), "zh"), "明天 00:00", "and not 24:00");
  assert.equal(reads(NOW, "zh"), "", "what is past promises nothing");
});
