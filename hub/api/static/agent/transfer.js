// To whom a conversation goes: a team or a colleague, with a note.

import { el } from "../client/elements.js";
import { askText } from "./sheet.js";

/** Asks; `then({agent | team, note})`. Who is on duty stands first; all others can be chosen too, and get it later. */
export async function askTransfer(host, { desk, texts, then }) {
  await desk.lookAtColleagues().catch(() => {}); // those known from before do as well
  const choices = el("div", { class: "choices" });
  const group = (label, rows) => rows.length && choices.append(el("fieldset", {}, el("legend", {}, label), ...rows));
  group(texts.team, desk.teams.map(({ name, display }) => choice(`team ${name}`, display)));
  const others = desk.colleagues.filter(({ name }) => name !== desk.me?.name);
  others.sort((a, b) => Number(b.on_duty ?? false) - Number(a.on_duty ?? false));
  group(texts.colleague, others.map((one) => {
    const { name, display = name, on_duty: isOn, load = 0, capacity = 0 } = one;
    return choice(`agent ${name}`, display, isOn ? texts.load(load, capacity) : texts.away);
  }));
  const chosen = () => choices.querySelector("input:checked")?.value;
  askText(host, {
    title: texts.transferTitle, label: texts.transferNote, agree: texts.transfer, cancel: texts.cancel,
    ready: () => Boolean(chosen()), parts: [choices],
    then: (note) => {
      const [kind, name] = chosen().split(" ");
      then({ [kind]: name, note });
    },
  });
}

function choice(value, label, about = "") {
  const input = el("input", { type: "radio", name: "to", value });
  return el("label", { class: "to" }, input, el("span", {}, label), el("span", { class: "soft" }, about));
}
