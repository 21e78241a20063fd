// Every word that only the widget shows, in Chinese and English.

import { wordsFor } from "../client/words.js";

const zh = {
  title: "在线客服",
  greeting: "您好，请问有什么可以帮您？",
  open: "联系客服",
  openUnread: (count) => `联系客服，${count} 条新消息`,
  close: "收起",
  them: "客服",
  loading: "正在加载…",
  held: "待审核，通过后客服可见",
  blocked: "未送达：内容不符合规定",
  rejected: "未通过审核，客服看不到",
  recalled: "这条消息已撤回",
  waiting: (position) => (position > 0 ? `正在为您安排客服，您排在第 ${position} 位` : "正在为您安排客服"),
  nobody: "现在没有客服在线。请直接留言，客服上线后会马上回复您",
  closed: "本次会话已结束，继续发消息即可重新开始",
  stopped: "连接不上，刷新页面后再试",
  ready: "发消息给我们",
  inQueue: (position) => (position > 0 ? `排队中 · 第 ${position} 位` : "排队中"),
  offDuty: "客服不在线 · 可以留言",
  served: (by) => `${by || "客服"} 正在为您服务`,
  ended: "会话已结束",
  typing: "对方正在输入…",
};

const en = {
  title: "Chat with us",
  greeting: "Hello! How can we help you?",
  open: "Chat with us",
  openUnread: (count) => `Chat with us, ${count} new`,
  close: "Close",
  them: "Agent",
  loading: "Loading…",
  held: "In review: we see it once it is approved",
  blocked: "Not delivered: this content is not allowed",
  rejected: "Not approved: we cannot see it",
  recalled: "This message was taken back",
  waiting: (position) => (position > 0 ? `Finding someone for you. You are number ${position}` : "Finding someone for you"),
  nobody: "Nobody is here right now. Leave your message, we will answer as soon as we are back",
  closed: "This chat has ended. Write again to reopen it",
  stopped: "No connection. Please reload the page",
  ready: "Write to us",
  inQueue: (position) => (position > 0 ? `Waiting · number ${position}` : "Waiting"),
  offDuty: "Away · leave a message",
  served: (by) => (by ? `${by} is with you` : "We are with you"),
  ended: "Chat ended",
  typing: "Typing…",
};

/** The texts for a language tag ("zh-CN", "en"); Chinese for any zh, English for all else. */
export function textsFor(language) {
  return wordsFor(language, { zh, en });
}
