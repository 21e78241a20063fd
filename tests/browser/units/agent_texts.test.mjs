// What stands below an agent's name, in both languages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { textsFor } from "../../../hub/api/static/agent/texts.js";

test("who is off duty sees why, where they did not say so themselves, and what comes next", () => {
  const { duty } = textsFor("zh-CN");
  assert.equal(duty({ on: false, because: "said", until: "09:00" }), "已下班 · 09:00 上班");
  assert.equal(duty({ on: false, because: "missed" }), "两次没有接起，已下班");
  assert.equal(duty({ on: false, because: "unreachable", handover: "12:05" }), "手机联系不上，已下班 · 12:05 起转给小组");
  const english = textsFor("en").duty;
  assert.equal(english({ on: false, because: "missed", until: "09:00" }), "Off duty (two missed) until 09:00");
  assert.equal(english({ on: true, because: "missed", until: "18:00" }), "On duty until 18:00");
});
