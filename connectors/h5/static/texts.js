// Every word the widget shows, in Chinese and English.

const zh = {
  title: "在线客服",
  greeting: "您好，请问有什么可以帮您？",
  open: "联系客服",
  openUnread: (count) => `联系客服，${count} 条新消息`,
  close: "收起",
  log: "聊天记录",
  field: "输入消息",
  send: "发送",
  me: "我",
  agent: "客服",
  automatic: "自动回复",
  older: "更早的消息",
  loading: "正在加载…",
  newer: (count) => `${count} 条新消息`,
  sending: "发送中",
  unsent: (count) => `${count} 条消息未发送，联网后自动发送`,
  unsentFragile: (count) => `${count} 条消息未发送，请勿关闭页面`,
  held: "待审核，通过后客服可见",
  blocked: "未送达：内容不符合规定",
  rejected: "未通过审核，客服看不到",
  refused: "无法发送，请修改后重试",
  edit: "重新编辑",
  tooLong: (length, limit) => `${length} / ${limit} 字，请分几条发送`,
  unstored: "没能保存这条消息，请再试一次",
  attach: "选择图片或文件",
  drop: "松开即可发送",
  picture: (name) => `图片：${name}`,
  film: (name) => `视频：${name}`,
  sound: (name) => `语音：${name}`,
  download: (name) => `下载 ${name}`,
  gone: "文件已删除",
  closePicture: "关闭图片",
  withdraw: (name) => `取消上传 ${name}`,
  uploading: (name) => `正在上传 ${name}`,
  full: (limit) => `待发文件合计最多 ${limit}，请分批发送`,
  unreadable: "读不到这个文件，请再选一次",
  refusals: {
    too_big: "文件太大：请压缩或剪短后再发",
    limit: (size) => `文件超过 ${size}：请压缩或剪短后再发`,
    type: "不接收这种文件：请换成图片、PDF、文档或压缩包",
    unreadable: "读不到这个文件：请再选一次",
    other: "没能上传：请再选一次，或换一个文件",
  },
  remove: (name) => `移除 ${name}`,
  read: "已读",
  edited: "已更正",
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
  connecting: "连接中…",
  reconnecting: "重新连接中…",
  offline: "网络已断开",
  stopped: "连接不上，刷新页面后再试",
  reload: "刷新页面",
  ready: "发消息给我们",
  inQueue: (position) => (position > 0 ? `排队中 · 第 ${position} 位` : "排队中"),
  offDuty: "客服不在线 · 可以留言",
  served: (by) => `${by || "客服"} 正在为您服务`,
  ended: "会话已结束",
  typing: "对方正在输入…",
  yesterday: "昨天",
  days: ["今天", "明天", "后天"],
};

const en = {
  title: "Chat with us",
  greeting: "Hello! How can we help you?",
  open: "Chat with us",
  openUnread: (count) => `Chat with us, ${count} new`,
  close: "Close",
  log: "Messages",
  field: "Write a message",
  send: "Send",
  me: "You",
  agent: "Agent",
  automatic: "Automatic reply",
  older: "Earlier messages",
  loading: "Loading…",
  newer: (count) => (count === 1 ? "1 new message" : `${count} new messages`),
  sending: "Sending",
  unsent: (count) => `${count} not sent yet: will be sent when online`,
  unsentFragile: (count) => `${count} not sent yet: keep this page open`,
  held: "In review: we see it once it is approved",
  blocked: "Not delivered: this content is not allowed",
  rejected: "Not approved: we cannot see it",
  refused: "This cannot be sent. Please change it",
  edit: "Edit",
  tooLong: (length, limit) => `${length} / ${limit} characters: please send it in parts`,
  unstored: "The message could not be kept. Please try again",
  attach: "Choose pictures or files",
  drop: "Drop to send",
  picture: (name) => `Picture: ${name}`,
  film: (name) => `Video: ${name}`,
  sound: (name) => `Audio: ${name}`,
  download: (name) => `Download ${name}`,
  gone: "This file has been deleted",
  closePicture: "Close the picture",
  withdraw: (name) => `Cancel ${name}`,
  uploading: (name) => `Uploading ${name}`,
  full: (limit) => `At most ${limit} of files can wait: please send fewer`,
  unreadable: "The file could not be read. Please choose it again",
  refusals: {
    too_big: "This file is too big: please compress or shorten it",
    limit: (size) => `This file has more than ${size}: please compress or shorten it`,
    type: "Files of this type are not taken: please send a picture, PDF, document or archive",
    unreadable: "The file could not be read: please choose it again",
    other: "The upload failed: please choose it again, or another file",
  },
  remove: (name) => `Remove ${name}`,
  read: "Read",
  edited: "Edited",
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
  connecting: "Connecting…",
  reconnecting: "Reconnecting…",
  offline: "You are offline",
  stopped: "No connection. Please reload the page",
  reload: "Reload",
  ready: "Write to us",
  inQueue: (position) => (position > 0 ? `Waiting · number ${position}` : "Waiting"),
  offDuty: "Away · leave a message",
  served: (by) => (by ? `${by} is with you` : "We are with you"),
  ended: "Chat ended",
  typing: "Typing…",
  yesterday: "Yesterday",
  days: ["today", "tomorrow"],
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
  const chinese = /^zh\b/i.test(language ?? "");
  return { ...(chinese ? zh : en), language: chinese ? "zh-CN" : "en", short: chinese ? "zh" : "en" };
}

/** "14:05", "昨天 14:05", "星期三 14:05" or a date, as it reads at `now`. */
export function stamp(at, now, texts) {
  const time = timeOf(at, texts);
  const days = daysBetween(at, now);
  if (days <= 0) return time;
  if (days === 1) return `${texts.yesterday} ${time}`;
  return `${days < 7 ? weekday(at, texts) : dateOf(at, now, texts)} ${time}`;
}

/** "今天 14:00", "明天 09:00", "星期一 09:00" or a date: a moment to come, as it reads at `now`; "" if it is past. */
export function moment(at, now, texts) {
  if (at <= now) return "";
  const days = daysBetween(now, at);
  const day = texts.days[days] ?? (days < 7 ? weekday(at, texts) : dateOf(at, now, texts));
  return `${day} ${timeOf(at, texts)}`;
}

/** "14:05", by this machine's clock. */
export function timeOf(at, texts) {
  return new Date(at).toLocaleTimeString(texts.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** So many midnights lie between. */
function daysBetween(before, after) {
  return Math.round((new Date(after).setHours(0, 0, 0, 0) - new Date(before).setHours(0, 0, 0, 0)) / 86_400_000);
}

function weekday(at, texts) {
  return new Date(at).toLocaleDateString(texts.language, { weekday: "long" });
}

function dateOf(at, now, texts) {
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const day = { year: sameYear ? undefined : "numeric", month: "long", day: "numeric" };
  return new Date(at).toLocaleDateString(texts.language, day);
}
