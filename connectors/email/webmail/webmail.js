// A mailbox of a customer or an agent: what they wrote, what they got, and a form to write or answer.

const WORDS = {
  zh: {
    title: "邮箱（演示）", as: "我是", subject: "主题（留空就是回复上一封来信）", text: "写邮件…", send: "发送",
    answer: "回复", answering: "回复：", cancel: "不回复这封",
    empty: "还没有邮件。写一封，看看客服怎么回。", failed: "没有发出去：", none: "（无主题）", automatic: "自动回复",
  },
  en: {
    title: "Mailbox (demo)", as: "I am", subject: "Subject (none: answer the last mail)", text: "Write a mail…",
    send: "Send", answer: "Answer", answering: "Answer to: ", cancel: "Not this one",
    empty: "No mail yet. Write one, and see what is answered.", failed: "Not sent: ", none: "(no subject)",
    automatic: "automatic",
  },
};
const asked = new URLSearchParams(location.search);
const wanted = asked.get("lang") ?? navigator.language;
const language = wanted.startsWith("zh") ? "zh" : "en";
const say = WORDS[language];
const $ = (id) => document.getElementById(id);
const base = () => `mailbox/${encodeURIComponent($("address").value.trim().toLowerCase())}/letters`;

document.documentElement.lang = language;
document.title = document.querySelector("h1").textContent = say.title;
document.querySelector(".as").textContent = say.as;
if (asked.get("address")) $("address").value = asked.get("address");
for (const id of ["subject", "text"]) {
  $(id).placeholder = say[id];
  $(id).setAttribute("aria-label", say[id]);
}
$("send").textContent = say.send;
$("cancel").textContent = say.cancel;
$("cancel").addEventListener("click", () => answerTo());
$("empty").textContent = say.empty;

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function show(letter) {
  const item = element("li", letter.side, "");
  const meta = element("div", "meta", "");
  const moment = new Date(letter.at * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  meta.append(element("span", "", letter.sender), element("time", "", moment));
  if (letter.automatic) meta.append(element("span", "", say.automatic));
  for (const name of letter.files) meta.append(element("span", "", `📎 ${name}`));
  item.append(element("h2", "", letter.subject || say.none), meta, element("p", "text", letter.text));
  if (letter.side === "us") {
    const button = element("button", "answer", say.answer);
    button.type = "button";
    button.addEventListener("click", () => answerTo(letter));
    item.append(button);
  }
  $("letters").append(item);
  showLatest();
}

function showLatest() {
  $("letters").lastElementChild?.scrollIntoView({ block: "nearest" });
}

let answered = "";

/** What is written next answers this mail; without one, the last. */
function answerTo(letter) {
  answered = letter?.message_id ?? "";
  $("answering").textContent = letter ? say.answering + (letter.subject || say.none) : "";
  $("answering-row").hidden = !letter;
  $("subject").hidden = Boolean(letter);
  if (letter) $("text").focus();
}

let turn = 0;

async function follow() {
  const mine = ++turn;
  let after = 0;
  $("letters").replaceChildren();
  $("empty").hidden = false;
  answerTo();
  while (mine === turn) {
    try {
      const answer = await fetch(`${base()}?after=${after}`);
      const letters = answer.ok ? await answer.json() : [];
      if (mine !== turn) return;
      letters.forEach(show);
      after += letters.length;
      $("empty").hidden = after > 0;
      if (answer.ok) continue;
    } catch { /* the stand-in is away: ask again */ }
    await new Promise((done) => setTimeout(done, 2000));
  }
}

function encoded(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done({
      name: file.name, type: file.type || "application/octet-stream", content: reader.result.split(",")[1] ?? "",
    });
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

new ResizeObserver(showLatest).observe(document.querySelector("main"));
$("address").addEventListener("change", follow);
$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("send");
  button.disabled = true;
  $("trouble").textContent = "";
  try {
    const files = await Promise.all([...$("files").files].map(encoded));
    const subject = answered ? "" : $("subject").value.trim();
    const body = JSON.stringify({ subject, text: $("text").value, files, answers: answered });
    const answer = await fetch(base(), { method: "POST", headers: { "content-type": "application/json" }, body });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    $("form").reset();
    answerTo();
  } catch (error) {
    $("trouble").textContent = say.failed + error.message;
  }
  button.disabled = false;
});
follow();
