// An agent's phone: shows the chat with the app, sends what is typed and tapped, and waits for news by long poll.

const WORDS = {
  zh: {
    ON: "上班", LIST: "列表", OFF: "下班", send: "发送", input: "给客服台发消息", chat: "聊天记录",
    attach: "图片或文件", notSent: (name) => `未发送：${name}`,
    newer: "↓ 新消息", empty: "还没有消息。点“上班”开始接待。",
    member: (name) => `${name} 的手机`,
    dropped: (n) => `已静默丢弃 ${n} 条（超出频率限制）`,
    untold: (n) => `${n} 条未送达客服系统`,
    offline: "连接中断，正在重试…", nobody: "没有这个成员。请从列表中选一部手机。",
  },
  en: {
    ON: "On duty", LIST: "List", OFF: "Off duty", send: "Send", input: "Message the app", chat: "Messages",
    attach: "Picture or file", notSent: (name) => `Not sent: ${name}`,
    newer: "↓ New messages", empty: "No messages yet. Tap “On duty” to begin.",
    member: (name) => `${name}’s phone`,
    dropped: (n) => `${n} silently dropped (over the limit)`,
    untold: (n) => `${n} did not reach the hub`,
    offline: "Connection lost, trying again…", nobody: "No such member. Choose a phone from the list.",
  },
};
const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const words = WORDS[language];
const user = new URLSearchParams(location.search).get("user") ?? "";
const path = `/phone/${encodeURIComponent(user)}`;
const [app, member, status, chat, newer, form, attach, files, input, send, menu, row] = [
  "app", "member", "status", "chat", "newer", "form", "attach", "files", "input", "send", "menu", "row",
].map((id) => document.getElementById(id));

const STAMP_AFTER_MS = 5 * 60 * 1000;
let last = 0;
let stampedAt = 0;
let names = { app: "", member: "" };
let counts = { dropped: 0, untold: 0 };
let offline = false;
let notSent = []; // the names of the files that could not be sent
let unknown = false; // the member does not exist
let pinned = true; // the newest message is in view, and is to stay there

// --- what is seen ---------------------------------------------------------------------------------------------------

function atBottom() {
  return chat.scrollHeight - chat.scrollTop - chat.clientHeight < 48;
}

function toBottom() {
  chat.scrollTop = chat.scrollHeight;
  pinned = true;
  newer.hidden = true;
}

function stamp(at) {
  const day = new Date(at).toDateString() === new Date().toDateString() ? {} : { month: "short", day: "numeric" };
  const line = document.createElement("p");
  line.className = "time";
  line.textContent = new Date(at).toLocaleString(navigator.language, { ...day, hour: "2-digit", minute: "2-digit" });
  return line;
}

function show(bubbles) {
  if (!bubbles.length) return;
  const stay = !pinned && bubbles.at(-1).side === "app";
  const added = document.createDocumentFragment();
  for (const bubble of bubbles) {
    if (bubble.at_ms - stampedAt > STAMP_AFTER_MS) added.append(stamp(bubble.at_ms));
    stampedAt = bubble.at_ms;
    const item = row.content.cloneNode(true);
    item.querySelector(".row").classList.add(bubble.side);
    item.querySelector(".avatar").textContent = names[bubble.side].slice(0, 1);
    if (bubble.file) item.querySelector(".bubble").replaceWith(shownFile(bubble));
    else item.querySelector(".bubble").textContent = bubble.text;
    added.append(item);
  }
  chat.querySelector(".empty")?.remove();
  chat.append(added);
  if (stay) newer.hidden = false;
  else toBottom();
}

function shownFile({ n, file }) {
  const link = document.createElement("a");
  link.href = `${path}/files/${n}`;
  link.target = "_blank";
  link.rel = "noopener";
  if (file.kind === "image") {
    const picture = document.createElement("img");
    picture.src = link.href;
    picture.alt = file.name;
    link.className = "picture";
    link.append(picture);
  } else {
    link.className = "file";
    link.append(fileCard(file));
  }
  return link;
}

function fileCard(file) {
  const about = document.createElement("span");
  about.className = "about";
  const sign = document.createElement("span");
  sign.className = "sign";
  sign.ariaHidden = "true";
  sign.textContent = /\.(\w{1,4})$/.exec(file.name)?.[1].toUpperCase() ?? "";
  for (const [part, text] of [["name", file.name], ["size", size(file.size)]]) {
    const line = document.createElement("span");
    line.className = part;
    line.textContent = text;
    about.append(line);
  }
  const card = document.createDocumentFragment();
  card.append(about, sign);
  return card;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

function showStatus() {
  const parts = [offline ? words.offline : "", notSent.length ? words.notSent(notSent.join("、")) : ""];
  if (counts.dropped) parts.push(words.dropped(counts.dropped));
  if (counts.untold) parts.push(words.untold(counts.untold));
  const text = parts.filter(Boolean).join(" · ");
  if (status.textContent !== text) status.textContent = text;
  status.hidden = !text;
}

function fit() {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight, 140)}px`;
  send.disabled = !input.value.trim();
}

// --- what is said ---------------------------------------------------------------------------------------------------

async function post(action, body) {
  const answer = await fetch(`${path}/${action}`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
}

async function attempt(step) {
  try {
    await step();
    offline = false;
  } catch {
    offline = true;
  }
  showStatus();
  return !offline;
}

async function say() {
  const text = input.value;
  if (!text.trim()) return;
  input.value = "";
  fit();
  const sent = await attempt(() => post("type", { text }));
  if (!sent) {
    input.value = input.value ? `${text}\n${input.value}` : text;
    fit();
  }
}

async function sendFiles(chosen) {
  notSent = [];
  for (const file of chosen) {
    const asked = await attempt(async () => {
      const answer = await fetch(`${path}/files?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      if (!answer.ok) notSent.push(file.name);
    });
    if (!asked) notSent.push(file.name);
  }
  showStatus();
}

// --- news -----------------------------------------------------------------------------------------------------------

async function listen() {
  for (let wait = 0; ; wait = 25) {
    const heard = await attempt(async () => {
      const answer = await fetch(`${path}/chat?after=${last}&wait=${wait}`);
      unknown = answer.status === 404;
      if (unknown) return;
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      receive(await answer.json());
    });
    if (unknown) return showUnknown();
    if (!heard) await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function receive(news) {
  if (news.last < last) return location.reload(); // the stand-in was started anew
  last = news.last;
  names = { app: news.app, member: news.name };
  counts = { dropped: news.dropped, untold: news.untold };
  document.title = app.textContent = news.app;
  member.textContent = words.member(news.name);
  show(news.bubbles);
}

function emptyPage(content) {
  const empty = document.createElement("p");
  empty.className = "empty";
  empty.append(content);
  chat.replaceChildren(empty);
}

function showUnknown() {
  const phones = document.createElement("a");
  phones.href = "/";
  phones.textContent = words.nobody;
  emptyPage(phones);
  for (const part of document.querySelectorAll("header, footer")) part.hidden = true;
}

function begin() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  input.placeholder = words.input;
  input.ariaLabel = words.input;
  chat.ariaLabel = words.chat;
  attach.ariaLabel = attach.title = words.attach;
  send.textContent = words.send;
  newer.textContent = words.newer;
  for (const item of menu.children) item.textContent = words[item.dataset.key];
  emptyPage(words.empty);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    say();
  });
  input.addEventListener("input", fit);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say();
  });
  attach.addEventListener("click", () => files.click());
  files.addEventListener("change", async () => {
    await sendFiles([...files.files]);
    files.value = "";
  });
  input.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    sendFiles([...event.clipboardData.files]);
  });
  menu.addEventListener("click", (event) => {
    const key = event.target.dataset?.key;
    if (key) attempt(() => post("menu", { key }));
  });
  newer.addEventListener("click", toBottom);
  chat.addEventListener("scroll", () => {
    pinned = atBottom();
    if (pinned) newer.hidden = true;
  }, { passive: true });
  new ResizeObserver(() => {
    if (pinned) toBottom(); // the keyboard, the status line or a longer input came or went
  }).observe(chat);
  fit();
  attempt(() => post("enter", {}));
  listen();
}

begin();
