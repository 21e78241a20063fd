// A person's phone: shows the chat with the bot as it is now, sends what is typed and tapped, waits by long poll.

const WORDS = {
  zh: {
    as: "我是", send: "发送", input: "写消息…", chat: "聊天记录", attach: "图片或文件", edited: "已编辑", editing: "修改消息",
    cancel: "取消", empty: "还没有消息。写一句，客服就能看到。", offline: "连接中断，正在重试…", notSent: (name) => `未发送：${name}`,
    blocked: "您已停用机器人。发消息即可重新启用。", block: "停用机器人", unblock: "重新启用", service: "服务消息",
    kinds: { sticker: "贴纸", location: "位置", contact: "名片", dice: "骰子", poll: "投票", voice: "语音", video: "视频" },
  },
  en: {
    as: "I am", send: "Send", input: "Message…", chat: "Messages", attach: "Picture or file", edited: "edited",
    editing: "Editing a message", cancel: "Cancel", empty: "No messages yet. Write one, and the agents see it.",
    offline: "Connection lost, trying again…", notSent: (name) => `Not sent: ${name}`,
    blocked: "You have stopped the bot. Write to start it again.", block: "Stop bot", unblock: "Restart bot",
    service: "Service message",
    kinds: { sticker: "Sticker", location: "Location", contact: "Contact", dice: "Dice", poll: "Poll", voice: "Voice", video: "Video" },
  },
};
const OTHERS = ["sticker", "location", "contact"];
const wanted = new URLSearchParams(location.search).get("lang") ?? navigator.language;
const language = wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
const words = WORDS[language];
const $ = (id) => document.getElementById(id);
const path = () => `/people/${$("person").value}`;

let phone = null; // what was shown last
let edited = 0; // the message that is being changed
let turn = 0; // who is shown: raised with each choice
let offline = false;
let notSent = "";
let pinned = true; // the newest message is in view, and is to stay there

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// --- what is seen ---------------------------------------------------------------------------------------------------

function rows(buttons, tap) {
  return buttons.map((row) => {
    const line = element("div", "line");
    for (const button of row) {
      const made = element("button", "", button.text);
      made.type = "button";
      made.addEventListener("click", () => tap(button));
      line.append(made);
    }
    return line;
  });
}

function content(message) {
  const parts = [];
  const replied = phone.messages.find((other) => other.n === message.reply_to);
  if (replied) parts.push(element("span", "quote", replied.text.slice(0, 80)));
  const url = `${path()}/files/${message.n}`;
  if (message.kind === "photo") {
    const picture = element("img", "");
    picture.src = url;
    picture.alt = message.file;
    parts.push(picture);
  } else if (message.file) {
    const link = element("a", "", `📎 ${message.file}`);
    link.href = url;
    parts.push(link);
  } else if (message.kind !== "text") {
    parts.push(`[${words.kinds[message.kind] ?? words.service}]`);
  }
  if (message.text) parts.push(element("span", "text", message.text));
  const moment = new Date(message.at * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  parts.push(element("span", "meta", message.edited ? `${words.edited} ${moment}` : moment));
  return parts;
}

function shownRow(message) {
  const row = $("row").content.cloneNode(true).firstElementChild;
  row.classList.add(message.side);
  row.dataset.n = message.n;
  let bubble = row.querySelector(".bubble");
  if (message.side === "person" && message.kind === "text") {
    const own = element("button", "bubble");
    own.type = "button";
    own.title = words.editing;
    own.addEventListener("click", () => edit(message));
    bubble.replaceWith(own);
    bubble = own;
  }
  bubble.append(...content(message));
  const inline = message.buttons.some((line) => line.some((button) => button.callback_data || button.url));
  if (inline) row.querySelector(".buttons").append(...rows(message.buttons, (button) => tap(message, button)));
  return row;
}

function show(next) {
  phone = next;
  const shown = phone.messages.map(shownRow);
  const stay = $("chat").scrollTop;
  $("chat").replaceChildren(...(shown.length ? shown : [element("p", "empty", words.empty)]));
  const last = phone.messages.filter((message) => message.side === "bot").at(-1);
  const keys = last?.buttons.some((line) => line.some((key) => key.callback_data || key.url)) ? [] : last?.buttons ?? [];
  $("keyboard").replaceChildren(...rows(keys, (key) => post("say", { text: key.text })));
  $("more").lastElementChild.textContent = phone.blocked ? words.unblock : words.block;
  showStatus();
  $("chat").scrollTop = pinned ? $("chat").scrollHeight : stay;
}

function showStatus() {
  const state = [offline ? words.offline : "", notSent, phone?.blocked ? words.blocked : "", phone?.notice ?? ""];
  $("status").textContent = state.filter(Boolean).join(" · ");
  $("status").hidden = !$("status").textContent;
}

function fit() {
  const input = $("input");
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight, 144)}px`;
  $("send").disabled = !input.value.trim();
}

function edit(message) {
  edited = message?.n ?? 0;
  $("editing").hidden = !edited;
  $("input").value = message?.text ?? "";
  fit();
  if (edited) $("input").focus();
}

// --- what is done ---------------------------------------------------------------------------------------------------

async function post(action, body) {
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${path()}/${action}`, { method: "POST", headers, body: JSON.stringify(body) });
    offline = false;
    notSent = answer.ok ? "" : words.notSent((await answer.json()).detail);
  } catch {
    offline = true;
  }
  showStatus();
  return !offline && !notSent;
}

async function say() {
  const text = $("input").value;
  if (!text.trim()) return;
  const done = edited ? await post("edit", { message_id: edited, text }) : await post("say", { text });
  if (!done) return;
  edit(null);
  pinned = true;
  $("chat").scrollTop = $("chat").scrollHeight;
}

function tap(message, button) {
  if (button.callback_data) post("press", { message_id: message.n, data: button.callback_data });
  else window.open(button.url, "_blank", "noopener");
}

async function sendFiles(chosen) {
  notSent = "";
  for (const file of chosen) {
    try {
      const answer = await fetch(`${path()}/files?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      if (!answer.ok) notSent = words.notSent(file.name);
    } catch {
      notSent = words.notSent(file.name);
    }
  }
  showStatus();
}

async function follow() {
  const mine = ++turn;
  phone = null;
  pinned = true;
  edit(null);
  for (let seen = -1; mine === turn; ) {
    try {
      const answer = await fetch(`${path()}/chat?seen=${seen}`);
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const next = await answer.json();
      if (mine !== turn) return;
      offline = false;
      if (next.version !== seen) show(next);
      seen = next.version;
    } catch {
      offline = true;
      showStatus();
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

async function begin() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  $("as").textContent = words.as;
  $("send").textContent = words.send;
  $("input").placeholder = $("input").ariaLabel = words.input;
  $("chat").ariaLabel = words.chat;
  $("attach").ariaLabel = $("attach").title = words.attach;
  $("editing").firstElementChild.textContent = words.editing;
  $("editing").lastElementChild.textContent = words.cancel;
  $("editing").lastElementChild.addEventListener("click", () => edit(null));
  const others = OTHERS.map((kind) => ({ text: words.kinds[kind], kind }));
  $("more").append(...rows([others], ({ kind }) => post("say", { kind }))[0].childNodes);
  const block = element("button", "", words.block);
  block.type = "button";
  block.addEventListener("click", () => post("block", { on: !phone.blocked }));
  $("more").append(block);
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    say();
  });
  $("input").addEventListener("input", fit);
  $("input").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say();
  });
  $("chat").addEventListener("scroll", () => {
    pinned = $("chat").scrollHeight - $("chat").scrollTop - $("chat").clientHeight < 48;
  }, { passive: true });
  new ResizeObserver(() => {
    if (pinned) $("chat").scrollTop = $("chat").scrollHeight; // a keyboard or the status line came or went
  }).observe($("chat"));
  $("attach").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", async () => {
    await sendFiles([...$("files").files]);
    $("files").value = "";
  });
  const { bot, people } = await (await fetch("/people")).json();
  document.title = $("bot").textContent = bot;
  $("person").append(...Object.entries(people).map(([id, name]) => new Option(name, id)));
  const wanted = new URLSearchParams(location.search).get("user");
  if (wanted in people) $("person").value = wanted;
  $("person").addEventListener("change", follow);
  follow();
}

begin();
