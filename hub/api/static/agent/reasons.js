// The reasons that events bear (hub.domain.queue.fit, hub.domain.conversation.serving), in Chinese. What is not known, such
// as a platform's words or a colleague's, stays as it is.

const LANGUAGES = { zh: "中文", en: "英文" };

const KNOWN = [
  [/^idle$/, "访客长时间未回复"],
  [/^off duty$/, "已下班"],
  [/^missed$/, "没有接起"],
  [/^not accepted within (\d+) s$/, "$1 秒内没有接起"],
  [/^not answered within (\d+) s$/, "$1 秒内没有回复"],
  [/^they are in rules\/teams\.yaml no more$/, "已不在客服名单里"],
  [/^the agent's phone cannot be reached$/, "手机联系不上"],
  [/^by admin$/, "由管理员操作"],
  [/^by integration (.+)$/, "由程序 $1 操作"],
  [/^(.+) was asked for and is at capacity$/, "指定了$1，但已满"],
  [/^(.+) was asked for$/, "指定了$1"],
  [/^(.+) has taken it$/, "$1自己接入"],
  [/^(.+) is off duty$/, "$1不在班"],
  [/^(.+) is not in teams\.yaml$/, "$1不在客服名单里"],
  [/^there are no teams yet$/, "还没有小组"],
  [/^nobody is on duty$/, "没有人上班"],
  [/^nobody is free$/, "大家都满了"],
  [/^agents take themselves whom they serve$/, "由客服自己接入"],
  [/^has waited (\d+) s$/, "已等 $1 秒"],
  [/^their team is no more$/, "原来的小组没有了"],
  [/^the team is new$/, "有了这个小组"],
  [/^it is the default team now$/, "现在是默认小组"],
  [/^(.+) has (\d+\/\d+), least loaded$/, "$1有 $2，最空闲"],
  [/^(.+) has (\d+\/\d+), waited longest for one$/, "$1有 $2，轮到"],
  [/^(.+) has (\d+\/\d+), nobody else is free$/, "$1有 $2，别人都满了"],
  [/^(.+) has (\d+\/\d+), served the visitor before$/, "$1有 $2，接待过这位访客"],
  [/^(.+) has (\d+\/\d+), too little room$/, "$1有 $2，余量不够"],
  [/^(.+) does not speak (.+)$/, (_, name, language) => `${name}不会${LANGUAGES[language] ?? language}`],
  [/^(.+) has missed it$/, "$1刚才没有接起"],
  [/^(.+) gave it away$/, "$1刚转走"],
  [/^(.+) and (\d+) more at capacity$/, "$1等已满（另 $2 人）"],
  [/^(.+) at capacity$/, "$1已满"],
  [/^(\d+) more skipped$/, "另跳过 $1 人"],
  [/^(\d+) more off duty$/, "另 $1 人不在班"],
];

/** "售前: 小王 has 3/5, least loaded; 小李 at capacity" → "售前：小王有 3/5，最空闲；小李已满". */
export function inChinese(reason) {
  const clauses = reason.split("; ");
  const words = clauses.map(clause);
  return words.every((each, at) => each === clauses[at]) ? reason : words.join("；");
}

function clause(text) {
  const [, team = "", said] = /^(?:([^:]+): )?(.*)$/s.exec(text);
  const known = KNOWN.find(([pattern]) => pattern.test(said));
  if (!known) return text;
  return (team && `${team}：`) + said.replace(known[0], known[1]);
}
