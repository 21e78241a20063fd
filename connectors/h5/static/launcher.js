// The round button in the corner of a host page, and the panel it opens, in a shadow root of their own.

import { el, icon } from "../client/elements.js";
import { fitViewport } from "../client/viewport.js";
import { BASE, createPanel, dress } from "./page.js";

/** Adds the widget to the page. `lang` and `name` come from the script tag's data attributes. */
export async function embed({ lang, name }) {
  if (document.querySelector("kefu-hub")) return; // the line stands twice on the page
  const host = document.createElement("kefu-hub");
  host.style.display = "none"; // until its CSS is there: a host page never sees it undressed
  const frame = el("div", { class: "kefu kefu-frame", hidden: true });
  const button = el("button", { class: "launcher", type: "button", "aria-expanded": "false" }, icon("chat"));
  const badge = el("span", { class: "badge", hidden: true, "aria-hidden": "true" });
  button.append(badge);
  const css = el("link", { rel: "stylesheet", href: new URL("client/style.css", BASE).href });
  css.addEventListener("load", () => host.style.removeProperty("display"));
  host.attachShadow({ mode: "open" }).append(css, frame, el("div", { class: "kefu kefu-corner" }, button));
  document.body.append(host);

  const { client, panel, texts, returning } = await createPanel({ language: lang, name, onClose: () => show(false) });
  button.setAttribute("aria-label", texts.open);
  frame.setAttribute("role", "dialog");
  frame.setAttribute("aria-label", texts.title);
  frame.append(panel.element);
  fitViewport(frame);

  function show(open) {
    frame.hidden = !open;
    host.toggleAttribute("open", open);
    button.setAttribute("aria-expanded", String(open));
    if (open) client.start();
    panel.shown(open);
    if (open) panel.focus();
    else button.focus();
  }

  button.addEventListener("click", () => show(frame.hidden));
  frame.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && show(false));
  panel.addEventListener("unread", ({ detail: count }) => {
    badge.hidden = count === 0;
    badge.textContent = count > 99 ? "99+" : String(count);
    button.setAttribute("aria-label", count ? texts.openUnread(count) : texts.open);
  });
  if (returning) client.start(); // an answer may have come; a new visitor costs the hub nothing until they open it
  await dress({ panel, host, texts });
  frame.setAttribute("aria-label", panel.title);
}
