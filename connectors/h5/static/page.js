// What the stand-alone page and the embedded widget share: a client that knows its page, language and looks.

import { Client } from "../client/client.js";
import { inkOn } from "../client/plain.js";
import { Panel } from "./ui.js";
import { textsFor } from "./texts.js";
import { VisitorTokens } from "./visitor.js";

/** The hub's address: these files live at <hub>/h5/. */
export const BASE = new URL("..", import.meta.url).href;

/**
 * A client and its panel. `language` and `name` may be empty. Resolves when what is stored has been read;
 * `returning` is true for a visitor who has been here before.
 */
export async function createPanel({ language, name, onClose = null }) {
  const texts = textsFor(language || navigator.language);
  const profile = { page: location.href, referrer: document.referrer, language: texts.language, name: name ?? "" };
  const client = new Client({ base: BASE, tokens: new VisitorTokens(profile) });
  const panel = new Panel({ client, texts, onClose });
  const returning = (await client.load()).visitor !== null;
  panel.ready(returning);
  for (const [target, type] of [[window, "online"], [window, "pageshow"], [document, "visibilitychange"]]) {
    target.addEventListener(type, () => document.visibilityState === "visible" && client.nudge());
  }
  return { client, panel, texts, returning };
}

/** Title, greeting and colour as the hub's settings have them; the built-in ones where there is no answer. */
export async function dress({ panel, host, texts }) {
  try {
    const answer = await fetch(new URL("callbacks/h5/looks", BASE), { credentials: "omit" });
    if (!answer.ok) return;
    const { title, greeting, colour } = await answer.json();
    panel.dress({ title: title[texts.short], greeting: greeting[texts.short] });
    if (!colour) return;
    host.style.setProperty("--accent", colour);
    host.style.setProperty("--accent-ink", inkOn(colour));
  } catch {
    // offline: the built-in texts do
  }
}
