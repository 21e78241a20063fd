// Why a conversation came or went, in the language of the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inChinese } from "../../../hub/api/static/agent/reasons.js";
import { textsFor } from "../../../hub/api/static/agent/texts.js";

test("what the queue says of its choice is Chinese on a Chinese page", () => {
  const said = "售前: 王芳 has 3/5, least loaded; 李雷, 韩梅 and 2 more at capacity; 陈静 does not speak en; 3 more off duty";
  assert.equal(inChinese(said), "售前：王芳有 3/5，最空闲；李雷, 韩梅等已满（另 2 人）；陈静不会英文；另 3 人不在班");
  assert.equal(inChinese("售前: nobody is on duty; 综合: nobody is free"), "售前：没有人上班；综合：大家都满了");
  assert.equal(textsFor("en").reason(said), said);
});

test("why a conversation went back or was given away is Chinese, and a person's own words stay theirs", () => {
  const { returned, transferred, closed } = textsFor("zh-CN");
  assert.equal(returned({ by: "王芳", because: "not accepted within 60 s" }), "从 王芳 回到排队（60 秒内没有接起）");
  assert.equal(transferred({ by: "王芳", to: "售后", because: "off duty" }), "王芳 转给 售后（已下班）");
  assert.equal(closed({ by: "", because: "idle" }), "会话已结束（访客长时间未回复）");
  assert.equal(closed({ by: "王芳", because: "solved: 3; see #4" }), "王芳 结束了会话（solved: 3; see #4）");
});
