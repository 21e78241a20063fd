// The demo's page: two phones, a choice of agents, and what to try. The phones are pages of the hub and of the stand-in.

const TEXTS = {
  zh: {
    lead: "左边是顾客，右边是客服手机上的企业微信。中间是真正的 Kefu Hub。",
    visitor: "顾客",
    agent: "客服", other: "English", otherTitle: "Switch to English",
    tryTitle: "试试看",
    steps: (name, number) => [
      `${name}已经上班，其他客服还没有。先以顾客身份写一句，消息会到${name}的手机上`,
      "在客服手机上直接回复；有几个会话时写 `" + number + " 您好`",
      "单写 `" + number + "` 就切换到这个会话，之后不用写号",
      "`列表` 看自己的会话，`转接 @李雷 请跟进` 连同留言交给同事，`备注 要发票` 只给同事看，`结束` 结束当前会话",
      "结束之后写 `下班`，再以顾客身份写一句：顾客看到要等；`排队` 看谁在等，`下一位` 接过来",
      "左边换成邮件，写一封信：客服还是在手机上回复，回信到同一个邮箱",
      "换一位客服，写 `上班`，再从顾客页问他负责的事",
      "重新加载顾客页，或把网断开再连上：什么都不会丢",
    ],
    phrasesTitle: "给顾客的话",
    phrasesNote: "点一下复制，粘贴到顾客页发送。",
    copied: "已复制，粘贴到顾客页", notCopied: "浏览器不让复制，请手动选择",
    deskTitle: "客服网页", deskNote: "不用手机的客服在浏览器里接待。用户名和密码：",
    mailTitle: "客服邮箱",
    mailNote: "用邮件也能接待：打开邮箱，点“回复”写 `上班`；顾客的话会寄来，直接回复就是答复，首行还能写 `#close 已解决`",
    mailbox: (agents) => `${agents}的邮箱`,
    rulesTitle: "规则", rulesNote: "改这个文件夹里的文件，保存后一秒内生效：",
  },
  en: {
    lead: "On the left a visitor, on the right WeCom on an agent's phone. Between them the real Kefu Hub.",
    visitor: "Visitor",
    agent: "Agent", other: "中文", otherTitle: "切换到中文",
    tryTitle: "Try this",
    steps: (name, number) => [
      `${name} is on duty, the others are not yet. Write as the visitor first: it arrives on ${name}'s phone`,
      "Answer on the agent's phone; with several conversations write `" + number + " hello`",
      "`" + number + "` alone switches to that conversation; after that no number is needed",
      "`列表` lists your conversations, `转接 @李雷 请跟进` gives one to a colleague with a note, `备注 要发票` is for colleagues only, `结束` ends the present one",
      "After that write `下班` (off duty), then something as the visitor: they are told to wait; `排队` shows who waits, `下一位` takes the next",
      "Choose Mail on the left and write one: the agent answers on the phone as before, and the mailbox gets the answer",
      "Choose another agent, write `上班` (on duty), and ask as the visitor for what they do",
      "Reload the visitor's page, or break the network: nothing gets lost",
    ],
    phrasesTitle: "For the visitor to say",
    phrasesNote: "Click to copy, then paste it into the visitor's page.",
    copied: "Copied: paste it into the visitor's page", notCopied: "The browser does not let us copy: select it by hand",
    deskTitle: "The agents' page", deskNote: "is for agents without the app. Name and password:",
    mailTitle: "Agents by mail",
    mailNote: "is for agents who work by mail. Open it, press Answer and write `上班` (on duty); visitors' messages come as mails, an answer to one goes to its visitor, and its first line may be `#close solved`",
    mailbox: (agents) => `${agents}'s mailbox`,
    rulesTitle: "Rules", rulesNote: "Change the files in this folder; a second after saving they are in force:",
  },
};

const PHRASES = [
  ["我的快递到哪了", { zh: "转到物流", en: "to the delivery team" }],
  ["我要退货，我的电话是 13922334455", { zh: "电话打星号", en: "the number is masked" }],
  ["再不处理我就打12315投诉", { zh: "留待审核", en: "held for review" }],
  ["澳门新葡京上线啦，首充送彩金", { zh: "拦截", en: "blocked" }],
  ["Where is my package", { zh: "英文也行", en: "English works too" }],
];

const scene = await (await fetch("/scene.json")).json();
const byId = (id) => document.getElementById(id);
let language = navigator.language.startsWith("zh") ? "zh" : "en";
let channel = scene.channels[0];
let chosen = scene.agents[0];
let fading = 0;

/** The pieces of a text in which `…` stands for something to type. */
function marked(text) {
  return text.split("`").map((part, n) => {
    if (n % 2 === 0) return part;
    const key = document.createElement("kbd");
    key.textContent = part;
    return key;
  });
}

function choose(agent) {
  chosen = agent;
  byId("agent").src = `${scene.stand_in}/phone?user=${encodeURIComponent(agent.user)}`;
  showChoices();
}

function chooseChannel(one) {
  channel = one;
  showChoices();
}

/** Which buttons are pressed, which of the visitor's pages is seen, and what stands beside the titles. */
function showChoices() {
  for (const [id, value] of [["agents", chosen.user], ["channels", channel.name]]) {
    for (const button of byId(id).children) button.setAttribute("aria-pressed", String(button.value === value));
  }
  for (const frame of byId("visitors").children) frame.hidden = frame.id !== `visitor-${channel.name}`;
  byId("team").textContent = said(chosen, "team");
  byId("hint").textContent = said(channel, "hint");
}

/** A field of the scene in the page's language. */
function said(one, field) {
  return language === "zh" ? one[field] : one[`${field}_en`];
}

async function copy(text) {
  const texts = TEXTS[language];
  let outcome = texts.copied;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    outcome = texts.notCopied;
  }
  byId("copied").textContent = outcome;
  byId("copied").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => (byId("copied").hidden = true), 2500);
}

function choice(value, text, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.value = value;
  button.textContent = text;
  button.addEventListener("click", onClick);
  return button;
}

function visitorFrame(one) {
  const frame = document.createElement("iframe");
  frame.id = `visitor-${one.name}`;
  return frame;
}

function step(text) {
  const item = document.createElement("li");
  item.append(...marked(text));
  return item;
}

function phrase([text, fate]) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "phrase";
  const words = document.createElement("span");
  const what = document.createElement("small");
  words.textContent = text;
  what.textContent = fate[language];
  button.append(words, what);
  button.addEventListener("click", () => copy(text));
  item.append(button);
  return item;
}

function show() {
  const texts = TEXTS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) {
    element.replaceChildren(...marked(texts[element.dataset.text]));
  }
  byId("language").textContent = texts.other;
  byId("language").title = texts.otherTitle;
  byId("agent").title = texts.agent;
  byId("rules").textContent = scene.rules;
  byId("desk").href = byId("desk").textContent = scene.desk.page;
  byId("login").textContent = `${scene.desk.name} ${scene.desk.password}`;
  for (const element of document.querySelectorAll(".by-mail")) element.hidden = !scene.mail;
  if (scene.mail) {
    byId("mailbox").href = `${scene.mail.page}&lang=${language}`;
    byId("mailbox").textContent = texts.mailbox(scene.mail.name);
  }
  byId("agents").replaceChildren(...scene.agents.map((one) => choice(one.user, one.name, () => choose(one))));
  byId("channels").replaceChildren(
    ...scene.channels.map((one) => choice(one.name, said(one, "title"), () => chooseChannel(one))),
  );
  byId("steps").replaceChildren(...texts.steps(scene.agents[0].name, "#1").map(step));
  byId("phrases").replaceChildren(...PHRASES.map(phrase));
  for (const one of scene.channels) {
    const frame = byId(`visitor-${one.name}`);
    frame.title = `${texts.visitor}: ${said(one, "title")}`;
    frame.src = `${one.page}?lang=${language}`;
  }
  showChoices();
}

byId("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  show();
});
byId("visitors").replaceChildren(...scene.channels.map(visitorFrame));
show();
choose(chosen);
