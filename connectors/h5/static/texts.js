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
  waiting: ({ position, minutes }) => [
    position > 1 ? `您前面还有 ${position - 1} 位` : "下一位就是您",
    minutes ? `预计${spanZh(minutes)}` : "客服正忙，请稍候",
  ],
  full: () => ["现在咨询的人很多", "您的消息已收到，我们稍后一定回复您"],
  nobody: ({ opens }) => ["现在没有客服在线", `请直接留言，${opens ? `${opens} 起` : "客服上线后"}会回复您`],
  nudged: ({ until }) => [
    "请问还需要帮助吗？",
    until ? `${until} 前没有收到您的消息，会话会自动结束` : "随时发消息，即可继续",
  ],
  stay: "我还在",
  closed: "本次会话已结束，继续发消息即可重新开始",
  idle: "许久没有收到您的消息，本次会话先结束了。随时发消息，即可继续",
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
  waiting: ({ position, minutes }) => [
    position > 1 ? `${position - 1} ${position === 2 ? "person is" : "people are"} before you` : "You are next",
    minutes ? spanEn(minutes) : "Everybody is busy, one moment please",
  ],
  full: () => ["Very many people are writing", "Your message is kept, and we will answer it later"],
  nobody: ({ opens }) => ["Nobody is here right now", `Leave your message: we answer ${opens ? `from ${opens}` : "when we are back"}`],
  nudged: ({ until }) => [
    "Are you still there?",
    until ? `Without an answer this chat ends at ${until}` : "Write at any time to go on",
  ],
  stay: "I am still here",
  closed: "This chat has ended. Write again to reopen it",
  idle: "We have not heard from you for a while, so this chat has ended. Write at any time to go on",
  stopped: "No connection. Please reload the page",
  ready: "Write to us",
  inQueue: (position) => (position > 0 ? `Waiting · number ${position}` : "Waiting"),
  offDuty: "Away · leave a message",
  served: (by) => (by ? `${by} is with you` : "We are with you"),
  ended: "Chat ended",
  typing: "Typing…",
};

function spanZh([low, high]) {
  if (high === 1) return "不到 1 分钟";
  return low > 0 && low < high ? `约 ${low}–${high} 分钟` : ` ${high} 分钟以内`;
}

function spanEn([low, high]) {
  if (high === 1) return "Less than a minute";
  return low > 0 && low < high ? `About ${low}–${high} minutes` : `Within ${high} minutes`;
}

/** The texts for a language tag ("zh-CN", "en"); Chinese for any zh, English for all else. */
export function textsFor(language) {
  return wordsFor(language, { zh, en });
}
